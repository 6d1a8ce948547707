"""How well value and churn are predicted: ``make bench-quality`` (needs TIERWISE_DATA).

Fixed cohorts of public shops, every model, out of time. ``champion`` is what the default
configuration releases; the other models are what a shop would use instead. Beside them: a
marketplace of one-time buyers, customers under contract, a shop whose truth is known, a shop
whose outcomes are dealt at random, and planted leaks.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import shuffled
from benchmarks.leaks import planted_leaks_refused
from benchmarks.oracle import judge_beside_oracle, oracle_figures
from benchmarks.record import write_benchmark
from features.cli import DEFAULT_CONFIG, DEFAULT_STATE, exit_with
from features.config import Config, read_config
from features.contract.ingest import ingest_contract
from features.contract.table import read_contract_table
from features.errors import InputError, NoSkillError, did_you_mean
from features.ingestion.ingest import ingest
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import read_tables
from training.backtest import Backtest, run_backtest
from training.cohort import CohortSource
from training.contract.choose import twin_share
from training.contract.run import judge
from training.judge.pictures import decile_bars, gain_curve
from training.judge.resample import bootstrap_standard_errors
from training.report import comparison_table

ERROR_DRAWS = 200


@dataclass(frozen=True)
class Benchmark:
    """A public shop with the cohort that is judged."""

    source: str
    cutoff: date
    horizon_days: int


BENCHMARKS = (
    Benchmark("online_retail_II", date(2011, 6, 13), 180),
    Benchmark("cdnow", date(1997, 10, 1), 273),
    Benchmark("complete_journey", date(2017, 10, 3), 90),
)
ONE_TIME_BUYERS = Benchmark("olist", date(2018, 3, 1), 180)  # the sample's orders end in August
CONTRACTS = ("telco_churn", "ecommerce_churn")


def backtest_of(benchmark: Benchmark, config: Config, state: Path) -> Backtest:
    """Ingest the shop and judge every model on its cohort."""
    ingest(Path("datasets") / f"{benchmark.source}.toml", state)
    tables = read_tables(state / "tables" / benchmark.source)
    target = Snapshot(benchmark.cutoff, benchmark.horizon_days, tables.history_start)

    source = CohortSource(tables, state, config.features)
    return run_backtest(source, target, config.training, Progress(time.monotonic))


def figures_of(backtest: Backtest, seed: int) -> dict[str, Any]:
    """Return every model's metrics, each with its bootstrap error, and the paired difference."""
    figures: dict[str, Any] = {}
    for name, metrics in backtest.metrics.items():
        prediction = backtest.predictions[name]
        p_active = prediction.p_active if name == "blend" else None
        errors = bootstrap_standard_errors(
            backtest.cohort.value, prediction.value, p_active, draws=ERROR_DRAWS, seed=seed
        )
        figures[name] = {
            key: number
            for metric, value in metrics.items()
            for key, number in ((metric, value), (f"{metric}_se", errors[metric]))
            if math.isfinite(number)
        }
    figures["champion"] = figures[backtest.winner] | {"model": backtest.winner}
    figures["champion_minus_best_baseline"] = {
        "baseline": backtest.best_baseline,
        "ngini": backtest.difference.value,
        "ngini_lower95": backtest.difference.lower95,
    }
    return figures


def one_time_figures(benchmark: Benchmark, config: Config, state: Path) -> dict[str, Any]:
    """Return the figures of a shop of one-time buyers, and how little is known of it."""
    try:
        backtest = backtest_of(benchmark, config, state)
    except NoSkillError as nothing:
        return {"has_skill": False, "reason": nothing.found}
    print(comparison_table(backtest))
    orders = backtest.cohort.features["n_order_days"]
    return figures_of(backtest, config.training.seed) | {
        "has_skill": backtest.skill.has_skill,
        "skill_p_value": backtest.skill.p_value,
        "skill_ngini_lower95": backtest.skill.lower95,
        "n_customers": len(backtest.cohort),
        "one_order_share": float((orders <= 1).mean()),
        "active_share": float(backtest.cohort.active.mean()),
        "n_active": int(backtest.cohort.active.sum()),
    }


def contract_figures(name: str, config: Config, state: Path) -> dict[str, Any]:
    """Return every candidate's figures on customers under contract, five folds, nested."""
    ingest_contract(Path("datasets") / f"{name}.toml", state)
    table = read_contract_table(state / "tables" / name)
    nested, metrics = judge(table.take(table.is_labelled), config, Progress(time.monotonic))
    print(f"{name}: AUC " + ", ".join(f"{n} {m['auc']:.4f}" for n, m in metrics.items()))
    return {
        **{n: {k: v for k, v in m.items() if math.isfinite(v)} for n, m in metrics.items()},
        "chosen_in_folds": list(nested.chosen),
        "twin_share": twin_share(table),
    }


def shuffled_outcomes(config: Config, state: Path) -> dict[str, Any]:
    """Return how often the training says that dealt outcomes cannot be told."""
    ingest(Path("datasets") / f"{shuffled.SOURCE}.toml", state)
    tables = read_tables(state / "tables" / shuffled.SOURCE)
    return shuffled.shuffled_figures(tables, config, state, _tell)


def simulated_shop(config: Config, state: Path) -> dict[str, Any]:
    """Return the champion beside the oracle of the simulated shop."""
    backtest, forecast = judge_beside_oracle(config, state, Progress(time.monotonic))
    print(comparison_table(backtest))
    return oracle_figures(backtest, forecast)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run the benchmark on every shop, or the named parts; return 0 when it has been written."""
    config, state = read_config(DEFAULT_CONFIG), DEFAULT_STATE
    seed = config.training.seed
    parts: dict[str, Callable[[], dict[str, Any]]] = {}
    for benchmark in BENCHMARKS:
        parts[benchmark.source] = partial(_shop_figures, benchmark, config, state)
    parts[ONE_TIME_BUYERS.source] = partial(one_time_figures, ONE_TIME_BUYERS, config, state)
    for name in CONTRACTS:
        parts[name] = partial(contract_figures, name, config, state)
    parts["simulated"] = partial(simulated_shop, config, state)
    parts["shuffled"] = partial(shuffled_outcomes, config, state)
    parts["leaks"] = lambda: {"refused_share": planted_leaks_refused()}
    _check_names(arguments, parts)
    figures: dict[str, Any] = {}
    start = time.monotonic()
    for i, (name, make) in enumerate(parts.items(), start=1):
        if arguments and name not in arguments:
            continue
        _tell(f"[{i}/{len(parts)}] {name} ({time.monotonic() - start:.0f} s)")
        figures[name] = make()
    if arguments:
        print(json.dumps(figures, indent=1))
        return 0
    write_benchmark("quality", figures, seed, state)
    return 0


def _shop_figures(benchmark: Benchmark, config: Config, state: Path) -> dict[str, Any]:
    backtest = backtest_of(benchmark, config, state)
    print(comparison_table(backtest))
    draw(backtest, state / "bench" / "quality", benchmark.source)
    return figures_of(backtest, config.training.seed)


def draw(backtest: Backtest, folder: Path, name: str) -> None:
    """Draw the gain of the champion beside its rivals, and its deciles."""
    folder.mkdir(parents=True, exist_ok=True)
    y, said = backtest.cohort.value, backtest.predictions
    champion, best = backtest.winner, backtest.best_baseline
    shown = list(dict.fromkeys([champion, best, "past_spend_rate", "weighted_rfm"]))
    gain_curve(y, {model: said[model].value for model in shown}, folder / f"{name}_gain.png")
    decile_bars(y, said[champion].value, folder / f"{name}_deciles.png")


def _check_names(asked: list[str], parts: Mapping[str, object]) -> None:
    for name in asked:
        if name not in parts:
            raise InputError(
                f'no part "{name}"; {did_you_mean(name, parts)}',
                "name parts of the benchmark, or none for all of it",
            )


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
