"""How well value and churn are predicted: ``make bench-quality`` (needs TIERWISE_DATA).

Fixed cohorts of public shops, every model, out of time. ``champion`` is what the default
configuration releases; the other models are what a shop would use instead.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.leaks import planted_leaks_refused
from benchmarks.record import write_benchmark
from features.cli import DEFAULT_CONFIG, DEFAULT_STATE, exit_with
from features.config import Config, read_config
from features.ingestion.ingest import ingest
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import read_tables
from training.backtest import Backtest, run_backtest
from training.cohort import CohortSource
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


def main(arguments: list[str]) -> int:
    """Run the benchmark on every shop; return 0 when it has been written."""
    config = read_config(DEFAULT_CONFIG)
    figures: dict[str, Any] = {}
    for i, benchmark in enumerate(BENCHMARKS, start=1):
        print(f"[{i}/{len(BENCHMARKS)}] {benchmark.source}", file=sys.stderr, flush=True)
        backtest = backtest_of(benchmark, config, DEFAULT_STATE)
        print(comparison_table(backtest))
        figures[benchmark.source] = figures_of(backtest, config.training.seed)
    figures["leaks"] = {"refused_share": planted_leaks_refused()}
    write_benchmark("quality", figures, config.training.seed, DEFAULT_STATE)
    return 0


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
