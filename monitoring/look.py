"""What is looked at: features and scores on a day, days of order lines, cohorts that have matured."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from features.config import Config
from features.order_days import OrderDays, read_order_days
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import Tables
from monitoring.drift import Window
from monitoring.order_faults import LEAST_DAYS
from monitoring.performance import Performance, Predicted, judge_cohort
from training.derived import derived_of, level_from
from training.labels import build_labels
from training.models.matrix import Array
from training.release import Release

SCORES = ("expected_value", "p_churn")


def feature_rows(
    tables: Tables, release: Release, as_of: date, config: Config, state: Path
) -> tuple[tuple[str, ...], Array]:
    """Return ids and rows of the release's columns of everybody known before a day."""
    snapshot = Snapshot(as_of, release.feature_horizon_days, release.history_start)
    frame = read_or_build_features(tables, snapshot, config.features, state)
    rows = frame[list(release.columns)].to_numpy(dtype=np.float64)
    return tuple(frame["customer_id"]), np.ascontiguousarray(rows)


def score_window(
    release: Release, rows: Array, as_of: date, expected_rows: float | None = None
) -> Window:
    """Return rows of features with what a release says of them."""
    scores = release.score(rows)
    told = {name: np.asarray(getattr(scores, name)) for name in SCORES}
    return Window(as_of, release.columns, rows, told, scores.tier, expected_rows)


def read_days(
    tables: Tables, as_of: date, n_new_days: int, happened_column: str | None = None
) -> OrderDays:
    """Return the new days of order lines and the weeks they are compared with."""
    first = max(as_of - timedelta(days=LEAST_DAYS + n_new_days), tables.history_start)
    return read_order_days(tables, first, as_of, happened_column)


def judge(
    tables: Tables, release: Release, cutoff: date, as_of: date, config: Config, state: Path
) -> Performance:
    """Hold what a release says of the customers of a cutoff against what they then did."""
    ids, rows = feature_rows(tables, release, cutoff, config, state)
    scores = release.score(rows)
    predicted = Predicted(
        cutoff, release.horizon_days, scores.expected_value, np.asarray(1.0 - scores.p_churn)
    )
    snapshot = Snapshot(cutoff, release.horizon_days, release.history_start)
    outcome = None
    if snapshot.is_mature(min(as_of, tables.data_complete_before)):
        outcome = build_labels(tables, snapshot, ids, as_of).to_numpy(dtype=np.float64)
    backtest = {
        **release.lineage.get("backtest", {}).get("metrics", {}),
        **derived_of(release).get("after", {}),  # a level that was learned again told its own
    }
    return judge_cohort(
        predicted,
        outcome,
        as_of,
        backtest,
        config.monitoring,
        season_unseen=release.season_unseen,
        level_was_seen=cutoff < level_from(release),
        seed=config.training.seed,
    )
