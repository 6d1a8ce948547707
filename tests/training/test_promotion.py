"""Promotion and rollback: pointer, alias and journal agree, also after a kill between them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.durable import hold_lock
from features.errors import LockedError, ReleaseError
from training.artifact import RELEASES, point_to
from training.journal import read_journal
from training.promotion import (
    LOCK,
    Note,
    close_journal,
    promote_version,
    refuse_version,
    roll_back_release,
    served_digest,
)
from training.registry import Registry, Version, move_champion
from training.release import write_release

AT = datetime(2024, 5, 1, tzinfo=UTC)
NOTE = Note(AT, ("it is ahead",), {"ngini_difference": 0.02, "not_finite": float("nan")})


@pytest.fixture
def versions(mlflow_state: Path, make_release: Any, five_customers: Any) -> list[Version]:
    """Two registered releases."""
    registry = Registry(mlflow_state)
    made = []
    for minimum_orders in (1, 2):
        release = dataclasses.replace(make_release(), minimum_orders=minimum_orders)
        digest = write_release(release, five_customers.values, mlflow_state / RELEASES).digest
        with registry.run("train") as run_id:
            made.append(registry.register(run_id, mlflow_state / RELEASES / digest, {}))
    return made


def acts(state: Path) -> list[tuple[str, str]]:
    return [(entry.act, entry.release) for entry in read_journal(state)]


def test_pointer_alias_and_journal_agree_there_and_back(
    mlflow_state: Path, versions: list[Version]
):
    registry, (one, two) = Registry(mlflow_state), versions
    for version in versions:
        promote_version(mlflow_state, registry, version, NOTE)
        champion = registry.champion()
        assert champion is not None
        assert champion.digest == served_digest(mlflow_state) == version.digest
    assert roll_back_release(mlflow_state, NOTE) == one.digest == served_digest(mlflow_state)
    assert move_champion(mlflow_state, one.digest) == "the registry's champion is version 1 again"
    champion = registry.champion()
    assert champion is not None
    assert champion.number == one.number
    assert acts(mlflow_state) == [
        ("intend", one.digest),
        ("promote", one.digest),
        ("intend", two.digest),
        ("promote", two.digest),
        ("roll back", one.digest),
    ]
    last = read_journal(mlflow_state)[3]
    assert (last.previous, last.why) == (one.digest, ("it is ahead",))
    assert last.figures == {"ngini_difference": 0.02}


def test_a_refusal_is_written_down_and_moves_nothing(mlflow_state: Path, versions: list[Version]):
    promote_version(mlflow_state, Registry(mlflow_state), versions[0], NOTE)
    refuse_version(mlflow_state, versions[1], Note(AT, ("it is behind",), {}))
    assert served_digest(mlflow_state) == versions[0].digest
    assert acts(mlflow_state)[-1] == ("refuse", versions[1].digest)


@pytest.mark.parametrize("is_pointed", [True, False])
def test_what_a_kill_left_open_is_closed_by_what_is_served(
    mlflow_state: Path, versions: list[Version], is_pointed: bool
):
    from training.promotion import _write

    _write(mlflow_state, NOTE, "intend", versions[0].digest, "")
    if is_pointed:  # killed after the pointer, before the last row
        point_to(mlflow_state / RELEASES, versions[0].digest)
    close_journal(mlflow_state, AT)
    expected = "promote" if is_pointed else "abandon"
    assert acts(mlflow_state) == [("intend", versions[0].digest), (expected, versions[0].digest)]
    close_journal(mlflow_state, AT)
    assert len(acts(mlflow_state)) == 2
    promote_version(mlflow_state, Registry(mlflow_state), versions[1], NOTE)
    assert served_digest(mlflow_state) == versions[1].digest


def test_of_two_promotions_at_once_one_runs(mlflow_state: Path, versions: list[Version]):
    registry = Registry(mlflow_state)
    with hold_lock(mlflow_state / LOCK), pytest.raises(LockedError, match="another run holds"):
        promote_version(mlflow_state, registry, versions[0], NOTE)
    assert served_digest(mlflow_state) == ""


def test_where_nothing_was_served_before_there_is_nothing_to_roll_back_to(
    mlflow_state: Path, versions: list[Version]
):
    promote_version(mlflow_state, Registry(mlflow_state), versions[0], NOTE)
    with pytest.raises(ReleaseError, match="nothing was served before"):
        roll_back_release(mlflow_state, NOTE)
    assert served_digest(mlflow_state) == versions[0].digest


def test_a_digest_the_registry_does_not_know_leaves_its_alias(
    mlflow_state: Path, versions: list[Version]
):
    said = move_champion(mlflow_state, "f" * 64)
    assert said == "the registry knows no version of ffffffffffff; its alias stays"
