"""How rightly monitoring acts: ``make bench-monitoring`` (real data only if TIERWISE_DATA is set).

Simulated shops get a release and then a year of weekly looks, festivals included; incidents are
planted into the same shops, which are the same to the last byte before them. Nothing here is
learned from the windows that are judged. ``ARGS="gate one_outlier"`` makes named parts only, and
prints them instead of writing the record. ``online_retail_II_acted`` plays the year of the real shop
with every act carried out; it is made only when it is named.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.monitoring_real import REAL, figures_of_acts, figures_of_real
from benchmarks.monitoring_scenarios import play, read_scenarios
from benchmarks.monitoring_shops import (
    INCIDENTS,
    MADE_AT,
    Shop,
    count_false_triggers,
    open_shop,
    play_incident,
    write_simulated,
)
from benchmarks.monitoring_trials import (
    count_changed_verdicts,
    find_shifts,
    measure_cpu,
    try_gate,
)
from benchmarks.record import write_benchmark
from datasets.simulated_shop.oracle import build_oracle
from datasets.simulated_shop.world import World
from features.cli import DEFAULT_CONFIG, DEFAULT_STATE, exit_with
from features.config import Config, read_config
from features.errors import InputError, did_you_mean
from monitoring.look import feature_rows

SEEDS = (11, 12)
N_WINDOWS = 200
CHAMPION_AT = date(2023, 1, 1)  # the shop is a year old: half a year before the gate's cohort


def main(arguments: list[str]) -> int:
    """Run the benchmark, or the named parts of it; return 0 when it has been written."""
    config = read_config(DEFAULT_CONFIG)
    seed = config.training.seed
    work = DEFAULT_STATE / "bench" / "monitoring_shops"
    shutil.rmtree(work, ignore_errors=True)

    @cache
    def shop_of(place: int) -> tuple[Shop, World]:
        drawn = SEEDS[place]
        _tell(f"shop {drawn}: generated, trained")
        world, tables = write_simulated(work / str(drawn), drawn, ())
        return open_shop(tables, work / str(drawn), config, MADE_AT, "happened_at"), world

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "scenarios": lambda: figures_of_scenarios(config),
        "cpu": lambda: dict(measure_cpu(config.monitoring, seed)),
        "false_triggers": lambda: count_false_triggers(
            [shop_of(place)[0] for place in range(len(SEEDS))], N_WINDOWS
        ),
        "critical_shift": lambda: find_shifts(shop_of(0)[0], seed),
        "one_outlier": lambda: count_changed_verdicts(shop_of(0)[0], seed),
        "gate": lambda: figures_of_gate(*shop_of(0), seed),
        "incidents": lambda: figures_of_incidents(shop_of(0)[0], work),
    }
    on_request: dict[str, Callable[[], dict[str, Any]]] = {}  # too long for every record
    if os.environ.get("TIERWISE_DATA"):
        parts[REAL] = lambda: figures_of_real(config, DEFAULT_STATE)
        on_request[f"{REAL}_acted"] = lambda: figures_of_acts(config, DEFAULT_STATE)
    parts_of = parts | on_request
    for name in arguments:
        if name not in parts_of:
            raise InputError(
                f'no part "{name}"; {did_you_mean(name, parts_of)}',
                "name parts of the benchmark, or none for all of it",
            )
    figures: dict[str, Any] = {}
    for name in arguments or parts:
        _tell(name)
        figures[name] = parts_of[name]()
        _tell(f"{name}: {json.dumps(figures[name])}")
    shutil.rmtree(work, ignore_errors=True)
    if arguments:
        print(json.dumps(figures, indent=1))
        return 0
    write_benchmark("monitoring", figures, seed, DEFAULT_STATE)
    return 0


def figures_of_incidents(shop: Shop, work: Path) -> dict[str, Any]:
    """Play every incident into a shop."""
    figures = {}
    for name in INCIDENTS:
        _tell(f"incident {name}")
        figures[name] = play_incident(shop, work / name, name, SEEDS[0])
        shutil.rmtree(work / name, ignore_errors=True)
    return figures


def figures_of_scenarios(config: Config) -> dict[str, Any]:
    """Play the decision table."""
    rows = read_scenarios()
    wrong = [row.name for row in rows if play(row, config.monitoring).decision.act != row.act]
    return {"n": len(rows), "right_share": 1 - len(wrong) / len(rows), "wrong": wrong}


def figures_of_gate(shop: Shop, world: World, seed: int) -> dict[str, Any]:
    """Put challengers before the gate, on the backtest cohort of a simulated shop.

    The champion is the release of the shop's first year. The better ones lie between it and the
    oracle: what anyone could know at best.
    """
    if shop.result is None:
        raise ValueError("the shop has no training result")
    backtest = shop.result.backtest
    cohort = backtest.cohort
    oracle = build_oracle(world, cohort.snapshot.cutoff, cohort.snapshot.horizon_days, "all")
    best = oracle.set_index("customer_id")["expected_value"].reindex(list(cohort.customer_ids))
    if cohort.net_value is None or best.isna().any():
        raise ValueError("the oracle does not know the whole cohort")
    baseline = backtest.predictions[backtest.best_baseline].value
    older = open_shop(shop.tables, shop.state, shop.config, CHAMPION_AT, shop.happened_column)
    ids, rows = feature_rows(
        shop.tables, older.release, cohort.snapshot.cutoff, shop.config, shop.state
    )
    place = {one: number for number, one in enumerate(ids)}
    champion = older.release.score(rows).expected_value[[place[i] for i in cohort.customer_ids]]
    level = float(cohort.value.sum())
    return try_gate(
        cohort.net_value,
        np.maximum(champion, 1e-6) * level / float(np.maximum(champion, 1e-6).sum()),
        np.maximum(best.to_numpy(dtype=np.float64), 1e-6),
        np.maximum(baseline, 1e-6),
        seed,
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
