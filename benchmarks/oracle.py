"""The champion beside the best forecast anyone could make, on a shop whose truth is known."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datasets.simulated_shop import Parameters, build_oracle, build_world
from datasets.simulated_shop.export import write_shop
from features.config import Config
from features.ingestion.ingest import ingest
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import read_tables
from training.backtest import Backtest, run_backtest
from training.cohort import CohortSource
from training.judge.evaluate import ngini, spearman

N_CUSTOMERS, SEED = 8000, 11
START, END = date(2022, 1, 1), date(2025, 1, 1)
CUTOFF, HORIZON_DAYS = date(2024, 7, 5), 180


def simulate(state: Path) -> tuple[Path, pd.DataFrame]:
    """Write the shop below `state` and return its TOML and the oracle's forecast.

    The oracle of all evidence (orders, returns, reviews, complaints, referrals, visits) is the
    yardstick: the champion is given the same tables. That of orders alone is told beside it.
    """
    parameters = Parameters(n_customers=N_CUSTOMERS, start=START, end=END)
    world = build_world(parameters, np.random.default_rng(SEED))
    folder = state / "bench" / "simulated_shop"
    write_shop(world, folder, None, SEED)
    everything = build_oracle(world, CUTOFF, HORIZON_DAYS, "all").set_index("customer_id")
    orders = build_oracle(world, CUTOFF, HORIZON_DAYS).set_index("customer_id")
    oracle = pd.DataFrame({"all": everything["expected_value"], "orders": orders["expected_value"]})
    toml = folder / "simulated_bench.toml"
    text = Path("datasets/simulated_shop.toml").read_text(encoding="utf-8")
    text = text.replace('name = "simulated_shop"', 'name = "simulated_bench"')
    toml.write_text(text.replace('root = "../state/simulated"', 'root = "."'), encoding="utf-8")
    return toml, oracle


def judge_beside_oracle(
    config: Config, state: Path, tell: Progress
) -> tuple[Backtest, pd.DataFrame]:
    """Return the backtest of the simulated shop, and the oracle for its customers in order."""
    toml, oracle = simulate(state)
    name = ingest(toml, state).source
    tables = read_tables(state / "tables" / name)
    source = CohortSource(tables, state, config.features)
    target = Snapshot(CUTOFF, HORIZON_DAYS, tables.history_start)
    backtest = run_backtest(source, target, config.training, tell)
    return backtest, oracle.reindex(list(backtest.cohort.customer_ids))


def oracle_figures(backtest: Backtest, oracle: pd.DataFrame) -> dict[str, Any]:
    """Return the champion's Spearman with realised value over that of each oracle.

    Customers whom the oracle does not know (none are expected) are left out and counted.
    """
    known = oracle["all"].notna().to_numpy()
    y = backtest.cohort.value[known]
    said = backtest.predictions[backtest.winner].value[known]
    best = {scope: oracle[scope].to_numpy()[known] for scope in ("all", "orders")}
    return {
        "champion_over_oracle_spearman": spearman(y, said) / spearman(y, best["all"]),
        "champion_over_orders_oracle_spearman": spearman(y, said) / spearman(y, best["orders"]),
        "champion_over_oracle_ngini": ngini(y, said) / ngini(y, best["all"]),
        "oracle_spearman": spearman(y, best["all"]),
        "champion_with_oracle_spearman": spearman(best["all"] - best["all"].min(), said),
        "n_customers": int(known.sum()),
        "n_unknown_to_oracle": int((~known).sum()),
        "model": backtest.winner,
    }
