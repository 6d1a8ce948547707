"""A hand-made shop of ten customers that lives through two re-tier dates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import Config, FeatureSettings
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import Tables, read_tables
from training.artifact import RELEASES, point_to
from training.assignment.run import Job
from training.boundaries import Tier
from training.policy import TierPolicy
from training.release import Release, write_release

FIRST, SECOND = date(2011, 7, 1), date(2011, 10, 1)
COMPLETE = date(2011, 12, 10)
IDS = tuple(f"c{i}" for i in range(10))
TIERS = (
    Tier("regular", {"zh": "普通", "en": "Regular"}, -np.inf, 0.7),
    Tier("silver", {"zh": "白银", "en": "Silver"}, 100.0, 0.2),
    Tier("gold", {"zh": "黄金", "en": "Gold"}, 400.0, 0.1),
)
POLICY = TierPolicy(TIERS, capacities=(0.5, 0.2))

START = date(2011, 5, 1)
SPENT = dict(zip(IDS, (900, 500, 450, 300, 200, 150, 120, 60, 30, 10), strict=True))
"""Before the first date. With at most 181 days of tenure the expected value is the net spend."""
LATER = (
    ("c5", date(2011, 8, 1), 400),
    ("c7", date(2011, 8, 2), 70),
    ("c0", date(2011, 8, 3), -600),
)
"""Between the two: c5 and c7 buy more, c0 sends back most of what earned the tier."""


@dataclass
class House:
    """The shop in a state folder, with a promoted release."""

    state: Path
    tables: Tables
    release: Release
    make: Callable[[TierPolicy], Release]

    def job(self, overrides: Path | None = None, release: Release | None = None) -> Job:
        return Job(release or self.release, self.tables, Config(), self.state, overrides)

    def promoted(self, policy: TierPolicy) -> Release:
        """Write and promote a release of another policy."""
        release = self.make(policy)
        point_to(self.state / RELEASES, release.digest)
        return release


@pytest.fixture(scope="session")
def written_shop(tmp_path_factory: pytest.TempPathFactory, write_tables: Any) -> Path:
    """The state folder of the shop, with the feature tables of both dates."""
    state = tmp_path_factory.mktemp("assignment") / "state"
    lines = [(one, START + timedelta(days=i), SPENT[one]) for i, one in enumerate(IDS)]
    tables = write_tables(state / "tables" / "hand_made", [*lines, *LATER], COMPLETE)
    told = {
        "source": "hand_made",
        "currency": "GBP",
        "history_start": tables.history_start.isoformat(),
        "data_complete_before": COMPLETE.isoformat(),
        "digest": tables.digest,
        "value": "amount",
    }
    (tables.folder / "ingest.json").write_text(json.dumps(told), encoding="utf-8")
    for day in (date(2011, 6, 13), FIRST, SECOND):
        snapshot = Snapshot(day, 180, tables.history_start)
        read_or_build_features(tables, snapshot, FeatureSettings(), state)
    return state


@pytest.fixture
def house(tmp_path: Path, written_shop: Path, make_release: Any, five_customers: Any) -> House:
    state = tmp_path / "state"
    shutil.copytree(written_shop, state)
    tables = read_tables(state / "tables" / "hand_made")

    def make(policy: TierPolicy) -> Release:
        made = replace(make_release(), history_start=tables.history_start, policy=policy)
        return write_release(made, five_customers.values, state / RELEASES)

    house = House(state, tables, make(POLICY), make)
    point_to(state / RELEASES, house.release.digest)
    return house
