"""R4, R7, R8: killed at named points and at random moments, started at once, run twice.

TIERWISE_HARDEN=full kills 300 times, twelve of them at named points, and starts ten at once.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import EXIT_LOCKED
from tests.acts.conftest import AT, YearOn, twice_too_high
from tests.acts.kills import (
    KILLED,
    RandomKills,
    at_once,
    do_act,
    do_promote,
    in_child,
    shop_of,
)
from training.acts.order import Order
from training.acts.retrain import FOLDER, retrain
from training.artifact import RELEASES
from training.journal import read_journal
from training.promotion import Note, served_digest
from training.registry import Registry
from training.release import load_release, write_release

pytestmark = pytest.mark.slow
RETRAIN = Order("retrain", AT, "drift", incident="2025-01-01-rank")
RECALIBRATE = Order("recalibrate", AT, "level", incident="2025-01-01-level")
FULL = os.environ.get("TIERWISE_HARDEN") == "full"
N_PROMOTIONS, N_RECALIBRATIONS, N_RETRAININGS = (200, 60, 28) if FULL else (6, 2, 1)
SECONDS = 20.0  # an act takes less, and what it takes is learned from those that end
N_AT_ONCE = 10 if FULL else 3
ENDS = {"promote", "refuse", "roll back", "abandon"}


def check_alias_resolves(state: Path) -> None:
    """What the alias and the pointer name can be loaded, at any moment."""
    champion = Registry(state).champion()
    assert champion is not None
    load_release(state / RELEASES / champion.digest)
    load_release(state / RELEASES / served_digest(state))


def check_settled(state: Path) -> None:
    """One champion: alias and pointer agree; the journal is closed; no version twice."""
    registry = Registry(state)
    champion = registry.champion()
    assert champion is not None
    assert champion.digest == served_digest(state)
    assert read_journal(state)[-1].act in ENDS
    digests = [version.digest for version in registry.versions()]
    assert len(digests) == len(set(digests))


@pytest.fixture
def two_versions(
    tmp_path: Path, empty_store: Path, make_release: Any, five_customers: Any
) -> tuple[Path, str, str]:
    """A state of two registered releases, the first of which is served."""
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(empty_store, state / "mlflow.db")
    registry, made = Registry(state), []
    for minimum_orders in (1, 2):
        release = dataclasses.replace(make_release(), minimum_orders=minimum_orders)
        digest = write_release(release, five_customers.values, state / RELEASES).digest
        with registry.run("train") as run_id:
            registry.register(run_id, state / RELEASES / digest, {"source": "hand_made"})
        made.append(digest)
    do_promote(state, made[0], Note(AT, ("the first",), {}))
    return state, made[0], made[1]


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("training.promotion:append_entry", 1),  # intent
        ("training.registry:Registry.set_champion", 1),
        ("training.artifact:append_pointer", 1),
        ("training.promotion:point_to", 1),
    ],
)
def test_a_promotion_killed_at_any_point_is_finished_by_the_next(
    two_versions: tuple[Path, str, str], place: str, nth: int
):
    state, one, two = two_versions
    note = Note(AT, ("it is ahead",), {"ngini_difference": 0.02})
    assert in_child(do_promote, state, two, note, place=place, nth=nth) == KILLED
    check_alias_resolves(state)
    assert served_digest(state) in (one, two)
    do_promote(state, two, note)
    check_settled(state)
    assert served_digest(state) == two
    ends = [entry.act for entry in read_journal(state)]
    assert ends.count("intend") == sum(act in ("promote", "abandon") for act in ends)


@pytest.fixture(scope="module")
def off_level(grown: YearOn, tmp_path_factory: Any) -> tuple[YearOn, str]:
    """The grown shop with a level to mend, and the release an undisturbed recalibration makes."""
    state = tmp_path_factory.mktemp("off") / "state"
    shutil.copytree(grown.state, state)
    world = YearOn(state, grown.tables, grown.config, grown.champion)
    world.plant(twice_too_high)
    calm = tmp_path_factory.mktemp("calm") / "state"
    shutil.copytree(state, calm)
    do_act(calm, grown.config, RECALIBRATE)
    return world, served_digest(calm)


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("training.release:write_files", 1),
        ("training.registry:Registry.register", 1),
        ("training.acts.settle:write_lookup", 1),
        ("training.promotion:append_entry", 2),  # promoted, and nobody was told
    ],
)
def test_a_recalibration_killed_at_any_point_is_done_once(
    off_level: tuple[YearOn, str], tmp_path: Path, place: str, nth: int
):
    world, expected = off_level
    state = tmp_path / "state"
    shutil.copytree(world.state, state)
    args = (state, world.config, RECALIBRATE)
    assert in_child(do_act, *args, place=place, nth=nth) == KILLED
    check_alias_resolves(state)
    do_act(*args)
    do_act(*args)
    check_settled(state)
    assert served_digest(state) == expected
    assert len(Registry(state).versions()) == 2
    assert [entry.act for entry in read_journal(state)].count("promote") == 2


@pytest.fixture(scope="module")
def retrained(grown: YearOn, tmp_path_factory: Any) -> tuple[Path, str]:
    """What an undisturbed retraining makes of the grown shop."""
    state = tmp_path_factory.mktemp("retrained") / "state"
    shutil.copytree(grown.state, state)
    acted = retrain(shop_of(state, grown.config), RETRAIN)
    return state, acted.release


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("training.learn.kept:write_durably", 5),
        ("training.release:write_files", 1),
        ("training.registry:Registry.register", 1),
        ("training.acts.retrain:write_durably", 1),
    ],
)
def test_a_retraining_killed_at_any_point_goes_on_to_the_same_release(
    grown: YearOn, retrained: tuple[Path, str], tmp_path: Path, place: str, nth: int
):
    state = tmp_path / "state"
    shutil.copytree(grown.state, state)
    args = (state, grown.config, RETRAIN)
    assert in_child(do_act, *args, place=place, nth=nth) == KILLED
    check_alias_resolves(state)
    boosters = state / FOLDER / "boosters"
    kept = {path.name: path.stat().st_mtime_ns for path in boosters.glob("[!.]*.txt")}
    assert len(kept) >= nth
    acted = retrain(shop_of(state, grown.config), RETRAIN)
    assert acted.release == retrained[1]
    assert not boosters.exists() or place.startswith("training.acts")
    check_settled(state)
    assert len(Registry(state).versions()) == 2


def test_r8_the_same_inputs_give_the_same_digest_and_no_new_version(
    grown: YearOn, retrained: tuple[Path, str], tmp_path: Path
):
    state = tmp_path / "state"
    shutil.copytree(retrained[0], state)
    told = [(each.number, each.digest) for each in Registry(state).versions()]
    again = retrain(shop_of(state, grown.config), Order("retrain", AT, "by hand"))
    assert again.release == retrained[1]
    assert [(each.number, each.digest) for each in Registry(state).versions()] == told
    shutil.rmtree(state / FOLDER)  # trained anew it is the same, too
    anew = retrain(shop_of(state, grown.config), Order("retrain", AT, "by hand"))
    assert anew.release == retrained[1]
    assert [(each.number, each.digest) for each in Registry(state).versions()] == told


def test_r7_of_retrainings_at_once_one_runs_and_the_others_exit_75(grown: YearOn, tmp_path: Path):
    state = tmp_path / "state"
    shutil.copytree(grown.state, state)
    codes = at_once(N_AT_ONCE, do_act, state, grown.config, RETRAIN)
    assert codes == [0, *[EXIT_LOCKED] * (N_AT_ONCE - 1)]
    check_settled(state)
    assert len(Registry(state).versions()) == 2


def test_r4_promotions_killed_at_random_moments_are_finished_by_the_next(
    two_versions: tuple[Path, str, str],
):
    state, one, two = two_versions
    note, kills = Note(AT, ("it is ahead",), {}), RandomKills(np.random.default_rng(4), SECONDS)
    number = 0
    while kills.n < N_PROMOTIONS:
        target = (two, one)[number % 2]
        kills.strike(do_promote, state, target, note)
        check_alias_resolves(state)
        do_promote(state, target, note)
        check_settled(state)
        assert served_digest(state) == target
        number += 1


def play_act(
    before: Path, scratch: Path, world: YearOn, order: Order, expected: str, n_kills: int
) -> None:
    """Kill an act at random moments, each time from the same state, and do it again."""
    kills, number = RandomKills(np.random.default_rng(5), SECONDS), 0
    while kills.n < n_kills:
        state = scratch / f"state{number}"  # of its own: connections are kept by their path
        shutil.copytree(before, state)
        args = (state, world.config, order)
        kills.strike(do_act, *args)
        check_alias_resolves(state)
        do_act(*args)
        check_settled(state)
        assert len(Registry(state).versions()) == 2
        assert served_digest(state) == expected
        shutil.rmtree(state)
        number += 1


def test_r4_recalibrations_killed_at_random_moments_are_done_once(
    off_level: tuple[YearOn, str], tmp_path: Path
):
    world, expected = off_level
    play_act(world.state, tmp_path, world, RECALIBRATE, expected, N_RECALIBRATIONS)


def test_r4_retrainings_killed_at_random_moments_go_on_to_the_same_release(
    grown: YearOn, retrained: tuple[Path, str], tmp_path: Path
):
    served = served_digest(retrained[0])
    play_act(grown.state, tmp_path, grown, RETRAIN, served, N_RETRAININGS)
