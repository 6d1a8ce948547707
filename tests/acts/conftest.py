"""A small shop that is a year further on than its champion: what acts are tried on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from features.config import Config
from features.progress import Progress
from features.tables import Tables, read_tables
from tests.training.conftest import buy_till_you_die, empty_store, five_customers, make_release
from training.acts.derive import cohort_of, write_derived
from training.acts.order import Shop
from training.artifact import RELEASES, point_to
from training.policy import LevelCorrection, TierPolicy
from training.registry import Registry
from training.release import Release, load_release

AT = datetime(2025, 1, 2, 4, 30, tzinfo=UTC)
__all__ = ["buy_till_you_die", "empty_store", "five_customers", "make_release"]
MADE_AT = date(2024, 4, 1)
HORIZON_DAYS = 90


def quiet() -> Progress:
    """Progress that says nothing to anybody who matters."""
    return Progress(lambda: 0.0)


@dataclass(frozen=True)
class YearOn:
    """A state folder whose champion was made nine months before the data ends."""

    state: Path
    tables: Tables
    config: Config
    champion: str

    def plant(self, policy_of: Callable[[TierPolicy], TierPolicy]) -> Release:
        """Serve the champion under another policy, all of a piece: something that acts can mend."""
        shop = self.shop()
        releases = self.state / RELEASES
        champion = load_release(releases / self.champion)
        cohort = cohort_of(shop, champion, champion.cutoff)
        wrong = write_derived(
            shop, champion, policy_of(champion.policy), cohort, {"act": "planted"}
        )
        point_to(releases, wrong.digest)
        return wrong

    def shop(self, state: Path | None = None) -> Shop:
        folder = state or self.state
        return Shop(self.tables, self.config, folder, Registry(folder), quiet())


def twice_too_high(policy: TierPolicy) -> TierPolicy:
    """A level more than twice too high, with the boundaries that belong to it."""
    level = LevelCorrection(policy.level.value_factor * 2.2, -1.0)
    tiers = [replace(tier, boundary_below=tier.boundary_below * 2.2) for tier in policy.tiers]
    return replace(policy, level=level, tiers=tuple(tiers))


def halved(policy: TierPolicy) -> TierPolicy:
    """Boundaries at half of what they should be."""
    tiers = [replace(tier, boundary_below=tier.boundary_below / 2) for tier in policy.tiers]
    return replace(policy, tiers=tuple(tiers))


@pytest.fixture(scope="session")
def grown(small_tables: Any, tmp_path_factory: Any, empty_store: Path) -> YearOn:
    """The small shop's champion of April 2024, on data up to 2025; made once a session."""
    from training.cohort import CohortSource
    from training.promotion import Note, promote_version
    from training.record import record_training
    from training.run import train

    state = tmp_path_factory.mktemp("grown") / "state"
    state.mkdir()
    shutil.copy(empty_store, state / "mlflow.db")
    shutil.copytree(small_tables.folder, state / "tables" / small_tables.folder.name)
    config = Config()
    training = config.training.model_copy(
        update={
            "horizon_days": HORIZON_DAYS,
            "n_rounds": 20,
            "n_folds": 2,
            "n_cutoffs": 3,
            "num_threads": 1,
        }
    )
    tiers = training.tiers.model_copy(update={"method": "shares"})
    training = training.model_copy(update={"tiers": tiers})
    config = config.model_copy(update={"training": training})
    tables = read_tables(state / "tables" / small_tables.folder.name)
    result = train(CohortSource(tables, state, config.features), config, MADE_AT, state, quiet())
    registry = Registry(state)
    version = record_training(result, config, registry, state, MADE_AT)
    promote_version(state, registry, version, Note(AT, ("the first",), {}))
    return YearOn(state, tables, config, result.release.digest)


@pytest.fixture
def year_on(grown: YearOn, tmp_path: Path) -> YearOn:
    """The grown shop with a state folder of its own."""
    state = tmp_path / "state"
    shutil.copytree(grown.state, state)
    return YearOn(state, grown.tables, grown.config, grown.champion)
