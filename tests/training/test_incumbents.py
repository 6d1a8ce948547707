"""The champion's schemes: who stays near them, and when training again is training the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.errors import ReleaseError
from training.artifact import point_to
from training.incumbents import Incumbents, incumbents_of, read_incumbents
from training.learn.level import Level
from training.learn_policy import learn_policy
from training.release import Release, load_release, write_release
from training.tiers.incumbent import Incumbent

CUTOFF, HORIZON = date(2011, 6, 13), 180
LINEAGE = {
    "data": "d",
    "sentiment": {},
    "configuration": "c",
    "code": "e",
    "versions": {"numpy": "2"},
}
SHARES = {"silver": pytest.approx(0.3), "gold": pytest.approx(0.1), "diamond": 0.02}
CUTS = {"silver": 60.0, "gold": 230.0, "diamond": 900.0}


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def champion(make_release: Any, five_customers: Any, releases: Path) -> Release:
    made = replace(make_release(), lineage=LINEAGE)
    written = write_release(made, five_customers.values, releases)
    point_to(releases, written.digest)
    return written


def read(releases: Path, **other: Any) -> Incumbents | None:
    asked = {
        "source": "hand_made", "cutoff": CUTOFF, "horizon_days": HORIZON,
        "lineage": {**LINEAGE, "data": "newer"},
    } | other  # fmt: skip
    return read_incumbents(releases, **asked)


def test_whole_schemes_of_the_champion(champion: Release, releases: Path):
    found = read(releases)
    assert found is not None
    assert found.policy == champion.policy.id
    assert found.tiers == Incumbent(SHARES, CUTS)
    assert found.risk == Incumbent({"high": 0.6}, {"high": 0.3})


def test_nothing_promoted_or_of_another_source_is_no_incumbent(champion: Release, releases: Path):
    assert read(releases / "none") is None
    assert read(releases, source="another") is None


def test_money_of_another_horizon_is_not_compared(champion: Release, releases: Path):
    found = read(releases, horizon_days=90)
    assert found is not None
    assert found.tiers == Incumbent(SHARES, {})


def test_the_run_that_made_the_champion_stays_near_what_it_stayed_near(
    champion: Release, releases: Path, five_customers: Any
):
    assert read(releases, lineage=LINEAGE) is None
    assert read(releases, lineage=LINEAGE, cutoff=date(2011, 7, 1)) is not None
    before = incumbents_of(replace(champion.policy, capacities=(0.5, 0.2, 0.1)))
    policy = replace(champion.policy, lineage={"incumbent": before.told()})
    next_one = write_release(
        replace(champion, policy=policy, digest=""), five_customers.values, releases
    )
    point_to(releases, next_one.digest)
    assert read(releases, lineage=LINEAGE) == before
    recut = replace(policy, lineage={**policy.lineage, "replaces": "p", "why": "shares moved"})
    other = write_release(
        replace(champion, policy=recut, digest=""), five_customers.values, releases
    )
    point_to(releases, other.digest)
    found = read(releases, lineage=LINEAGE)
    assert found is not None
    assert found.policy == recut.id


def test_a_damaged_champion_is_told(champion: Release, releases: Path):
    (releases / champion.digest / "policy.json").write_bytes(b"{}")
    with pytest.raises(ReleaseError, match=r"policy\.json has been changed"):
        read(releases)


# --- learned near them -----------------------------------------------------------------------


def learn(world: Any, incumbents: Incumbents | None) -> Any:
    backtest = world.result.backtest
    level = Level(1.0, 1.0, "none", (), season_unseen=False)
    model, features = backtest.models["blend"], backtest.cohort.features
    return learn_policy(world.config, backtest, model, level, features, incumbents)


def away(policy: Any, incumbent: Incumbent) -> float:
    shares = incumbents_of(policy).tiers.shares_at_or_above
    both = shares.keys() & incumbent.shares_at_or_above.keys()
    return sum(abs(shares[one] - incumbent.shares_at_or_above[one]) for one in both)


def test_tiers_are_drawn_to_the_incumbent_and_name_it(small_world: Any):
    free = learn(small_world, None)
    held = incumbents_of(free.policy)
    shares = {one: 0.8 * share for one, share in held.tiers.shares_at_or_above.items()}
    near = replace(held, policy="p" * 64, tiers=Incumbent(shares, held.tiers.boundaries))
    kept = learn(small_world, near)
    assert away(kept.policy, near.tiers) < away(free.policy, near.tiers)
    assert kept.policy.lineage["incumbent"] == near.told()
    assert free.policy.lineage["incumbent"] is None
    assert kept.policy.id != free.policy.id
    assert learn(small_world, near).policy.id == kept.policy.id


def test_a_slip_of_units_against_the_incumbent_is_told(small_world: Any):
    held = incumbents_of(learn(small_world, None).policy)
    pennies = {one: 100 * cut for one, cut in held.tiers.boundaries.items()}
    slipped = replace(held, tiers=Incumbent(held.tiers.shares_at_or_above, pennies))
    flags = learn(small_world, slipped).flags
    assert [flag.partition(":")[0] for flag in flags if "unit_slip" in flag] == ["unit_slip"]
    assert not [flag for flag in learn(small_world, held).flags if "unit_slip" in flag]


def test_the_release_of_the_small_shop_had_no_incumbent(small_world: Any):
    release = load_release(small_world.release_folder)
    assert release.policy.lineage["incumbent"] is None
