"""Logged requests before a challenger: the same rows, by both releases."""

from __future__ import annotations

import dataclasses
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.snapshot import Snapshot
from training.acts.requests import (
    Answered,
    Logged,
    answer_logged,
    decide_on_answers,
    read_logged,
)
from training.cohort import Cohort
from training.policy import TierPolicy
from training.release import Release, write_release

IDS = ("a", "b", "c", "d", "e")


@pytest.fixture
def served(make_release: Any, five_customers: Any, tmp_path: Path) -> Release:
    return write_release(make_release(), five_customers.values, tmp_path / "releases")


@pytest.fixture
def today(served: Release, five_customers: Any) -> Cohort:
    snapshot = Snapshot(served.cutoff, served.horizon_days, served.history_start)
    return Cohort(snapshot, IDS, five_customers)


def higher(release: Release) -> Release:
    """The release with its boundaries out of reach, so that everybody is in the lowest tier."""
    tiers = [
        dataclasses.replace(tier, boundary_below=1e9 * place if place else -np.inf)
        for place, tier in enumerate(release.tiers)
    ]
    return dataclasses.replace(release, policy=TierPolicy(tuple(tiers), release.policy.risk))


def test_who_moves_who_is_lost_and_how_fast(served: Release, today: Cohort):
    clock = count().__next__
    logged = Logged(("a", "b", "c", "nobody"), today.features.values[4:])
    answered = answer_logged(logged, served, higher(served), today, lambda: float(clock()))
    tier = served.score(today.features.values).tier
    moved = higher(served).score(today.features.values).tier != tier
    assert 1 <= moved.sum() < 4
    assert answered == Answered(5, moved[[0, 1, 2, 4]].mean(), 1, 0, 1.0, 4.0)


def test_without_requests_nothing_speaks_against_it(served: Release, today: Cohort):
    none = Logged((), np.empty((0, len(served.columns))))
    answered = answer_logged(none, served, served, today)
    assert answered.n_requests == 0
    assert decide_on_answers(answered) == ()


def test_a_vector_that_lacks_a_required_column_would_be_lost(served: Release, today: Cohort):
    rows = today.features.values[:1].copy()
    rows[0, served.columns.index("n_order_days")] = np.nan
    answered = answer_logged(Logged((), rows), served, served, today)
    assert answered.n_lost == 1


GOOD = Answered(1000, 0.02, 0, 0, 1.0, 1e5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"moved_share": 0.2}, "20% of the logged requests get another tier"),
        ({"n_lost": 6}, "6 of 1000 logged requests lose their answer"),
        ({"n_lost": 5}, None),
        ({"n_not_finite": 1}, "1 of 1000 logged requests get no finite answer"),
        ({"speed": 0.4}, "0.40 times as fast as the champion"),
        ({"n_requests": 50, "moved_share": 0.5, "n_lost": 9, "speed": 0.1}, None),
        ({"n_requests": 50, "n_not_finite": 1}, "1 of 50 logged requests"),
    ],
)
def test_what_speaks_against_a_challenger(change: dict[str, Any], reason: str | None):
    reasons = decide_on_answers(dataclasses.replace(GOOD, **change))
    if reason is None:
        assert reasons == ()
    else:
        assert len(reasons) == 1
        assert reason in reasons[0]


def test_the_log_is_read_by_release_status_and_width(tmp_path: Path):
    digest = "ab" * 32
    rows = [
        {"release": digest[:12], "status": "ok", "customer_id": "x", "features": None},
        {"release": digest[:12], "status": "ok", "customer_id": None, "features": [1.0, 2.0]},
        {"release": digest[:12], "status": "ok", "customer_id": None, "features": [1.0]},
        {
            "release": digest[:12],
            "status": "unknown_customer",
            "customer_id": "y",
            "features": None,
        },
        {"release": "cd" * 6, "status": "ok", "customer_id": "z", "features": None},
    ]
    day = tmp_path / "predictions" / date(2024, 5, 1).isoformat()
    day.mkdir(parents=True)
    schema = pa.schema(
        {
            "release": pa.string(),
            "status": pa.string(),
            "customer_id": pa.string(),
            "features": pa.list_(pa.float64()),
        }
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), day / "a.parquet")
    (day / "b.parquet").write_bytes(b"no parquet")
    logged = read_logged(tmp_path, digest, 2)
    assert len(logged.customer_ids) == 1
    assert logged.vectors.tolist() == [[1.0, 2.0]]
    assert logged.n_damaged == 1
    assert len(read_logged(tmp_path / "empty", digest, 2)) == 0
