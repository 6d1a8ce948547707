"""A fair trial: one cohort that neither release had seen, or none at all."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.config import Config
from features.snapshot import Snapshot
from features.store import read_or_build_features
from training.backtest_store import FOLDER, read_backtest
from training.labels import build_labels
from training.promotion import judge_release
from training.release import Release, write_release

FIRST, COHORT, NOW = date(2009, 12, 1), date(2010, 12, 15), date(2011, 6, 13)
CONFIG = Config()


@pytest.fixture
def shop(tmp_path: Path, write_tables: Any) -> Any:
    """Four hundred customers of steady habits, a year and a half long."""
    rng = np.random.default_rng(1)
    lines = []
    for number in range(400):
        rate, size = rng.gamma(1.0, 1 / 60), rng.lognormal(3, 0.8)
        day = int(rng.integers(0, 300))
        while day < (NOW - FIRST).days + 1:
            lines.append((f"c{number:04d}", FIRST + timedelta(days=day), round(size, 2)))
            day += 1 + int(rng.exponential(1 / rate))
    return write_tables(tmp_path / "tables", lines, NOW)


def write_one(
    make_release: Any, rows: Any, state: Path, cutoff: date, cohort: date = COHORT, orders: int = 1
) -> Release:
    made = dataclasses.replace(
        make_release(),
        cutoff=cutoff,
        history_start=FIRST,
        minimum_orders=orders,
        lineage={"data": "d" * 64, "backtest": {"cutoff": cohort.isoformat()}},
    )
    return write_release(made, rows, state / "releases")


def keep(release: Release, shop: Any, state: Path, cohort: date = COHORT) -> Any:
    """Keep, as a backtest, what the release's own formula says of a cohort."""
    snapshot = Snapshot(cohort, release.feature_horizon_days, FIRST)
    frame = read_or_build_features(shop, snapshot, CONFIG.features, state)
    ids = tuple(frame["customer_id"])
    value = release.score(frame[list(release.columns)].to_numpy(np.float64)).expected_value
    outcome = build_labels(shop, Snapshot(cohort, 180, FIRST), ids, NOW).to_numpy()
    kept = pd.DataFrame(
        {"customer_id": ids, "outcome": outcome, "value": value, "best_baseline": value}
    )
    path = state / FOLDER / f"{release.digest}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept.to_parquet(path, index=False)
    return kept


def test_a_champion_made_before_the_cohort_speaks_by_itself(
    shop: Any, tmp_path: Path, make_release: Any, five_customers: Any
):
    champion = write_one(make_release, five_customers.values, tmp_path, date(2010, 12, 1))
    challenger = write_one(make_release, five_customers.values, tmp_path, NOW, orders=2)
    kept = keep(challenger, shop, tmp_path)
    ruling = judge_release(challenger, champion, shop, CONFIG, tmp_path)
    assert ruling is not None
    assert ruling.figures["ngini_difference"] == 0  # the same formula says the same
    assert "it is not surely ahead in nGini or capture" in ruling.reasons
    told = read_backtest(tmp_path, challenger.digest)
    assert told is not None
    assert told.customer_ids == tuple(kept["customer_id"])


def test_a_younger_champion_speaks_by_its_backtest_of_the_same_cohort(
    shop: Any, tmp_path: Path, make_release: Any, five_customers: Any
):
    younger = COHORT + timedelta(days=30)
    champion = write_one(make_release, five_customers.values, tmp_path, younger)
    challenger = write_one(make_release, five_customers.values, tmp_path, NOW, orders=2)
    keep(challenger, shop, tmp_path)
    assert judge_release(challenger, champion, shop, CONFIG, tmp_path) is None
    keep(champion, shop, tmp_path)
    assert judge_release(challenger, champion, shop, CONFIG, tmp_path) is not None


def test_there_is_no_trial_across_cohorts_horizons_or_without_a_kept_backtest(
    shop: Any, tmp_path: Path, make_release: Any, five_customers: Any
):
    old = write_one(make_release, five_customers.values, tmp_path, date(2010, 12, 1))
    challenger = write_one(make_release, five_customers.values, tmp_path, NOW, orders=2)
    assert judge_release(challenger, old, shop, CONFIG, tmp_path) is None
    keep(challenger, shop, tmp_path)
    longer = dataclasses.replace(old, horizon_days=365)
    assert judge_release(challenger, longer, shop, CONFIG, tmp_path) is None
    elsewhere = COHORT - timedelta(days=60)
    other = write_one(make_release, five_customers.values, tmp_path, NOW, elsewhere, orders=3)
    keep(other, shop, tmp_path, elsewhere)
    assert judge_release(challenger, other, shop, CONFIG, tmp_path) is None
