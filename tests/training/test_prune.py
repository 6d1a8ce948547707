"""Pruning: what is served, was served, answered or is referred to stays; the rest goes by rule."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.config import Config, PruningSettings
from features.durable import hold_lock
from features.errors import InputError, LockedError
from training.artifact import RELEASES, point_to
from training.promotion import LOCK
from training.prune.plan import LAST_GOOD, parse_now, plan_pruning
from training.prune.run import prune

NOW = datetime(2025, 6, 1, tzinfo=UTC)
NAMES = "abcdef0123"


def digest_of(name: str) -> str:
    return name * 64


def make_release(state: Path, name: str, age_days: int, parent: str = "") -> str:
    """A folder that looks like a release, with everything that belongs to one."""
    digest = digest_of(name)
    folder = state / RELEASES / digest
    folder.mkdir(parents=True)
    lineage = {"derived": {"parent": digest_of(parent)}} if parent else {}
    (folder / "release.json").write_text(json.dumps({"lineage": lineage}), encoding="utf-8")
    (state / "online" / digest).mkdir(parents=True)
    (state / "online" / digest / "data.mdb").write_bytes(b"x" * 100)
    (state / "reports" / digest[:12]).mkdir(parents=True)
    (state / "backtests").mkdir(exist_ok=True)
    (state / "backtests" / f"{digest}.parquet").write_bytes(b"x")
    moment = (NOW - timedelta(days=age_days)).timestamp()
    os.utime(folder, (moment, moment))
    return digest


def write_day(state: Path, day: str, name: str) -> Path:
    folder = state / "predictions" / day
    folder.mkdir(parents=True)
    table = pa.table({"release": [digest_of(name)[:12]]})
    pq.write_table(table, folder / "1.parquet")
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Ten releases, the oldest first; c, then e were promoted, then c was gone back to."""
    for place, name in enumerate(NAMES):
        make_release(tmp_path, name, 100 - place, parent="a" if name == "e" else "")
    for name in "cec":
        point_to(tmp_path / RELEASES, digest_of(name))
    return tmp_path


def config(keep: int = 0) -> Config:
    return Config(pruning=PruningSettings(keep_releases=keep))


def kept(state: Path, keep: int = 0, champion: str = "") -> dict[str, str]:
    plan = plan_pruning(state, config(keep), NOW, champion)
    return {digest[0]: why for digest, why in plan.kept.items()}


def test_served_and_rollback_and_their_parents_stay(state: Path):
    assert kept(state) == {
        "c": "is served",
        "e": "a rollback goes to it",
        "a": "parent of eeeeeeeeeeee",
    }


def test_the_newest_stay_beside_them(state: Path):
    assert {name for name, why in kept(state, 2).items() if why == "among the newest"} == {"2", "3"}


def test_champion_fallback_and_those_that_answered_stay(state: Path):
    (state / LAST_GOOD).parent.mkdir()
    (state / LAST_GOOD).write_text(json.dumps({"digest": digest_of("d"), "number": 2}))
    write_day(state, "2025-05-20", "f")
    write_day(state, "2025-01-01", "0")  # beyond the retention
    told = kept(state, champion=digest_of("b"))
    assert (told["b"], told["d"]) == (
        "is the registry's champion",
        "a service last answered with it",
    )
    assert told["f"] == "answered within the retention of the prediction log"
    assert set(told) == set("abcdef")


def test_a_dry_run_removes_nothing_and_a_run_removes_what_it_told(state: Path):
    old = write_day(state, "2025-01-01", "0")
    before = sorted(state.rglob("*"))
    plan, n_failed = prune(state, config(), NOW, None, dry_run=True)
    locks = {state / LOCK, state / ".retrain.lock"}
    assert sorted(path for path in state.rglob("*") if path not in locks) == before
    assert n_failed == 0
    done, _ = prune(state, config(), NOW, None, dry_run=False)
    assert done == plan
    assert not any(each.path.exists() for each in plan.removals)
    assert not old.exists()
    for folder in (RELEASES, "online"):
        names = {path.name[0] for path in (state / folder).iterdir() if path.is_dir()}
        assert names == set("ace")
    assert {path.name[0] for path in (state / "reports").iterdir()} == set("ace")
    assert {path.name[0] for path in (state / "backtests").iterdir()} == set("ace")
    again, _ = prune(state, config(), NOW, None, dry_run=False)
    assert again.removals == ()


def test_feature_tables_and_what_killed_runs_left_go_by_age(state: Path):
    new, old = (state / "features" / "shop" / name for name in ("new.parquet", "old.parquet"))
    new.parent.mkdir(parents=True)
    for path, days in ((new, 59), (old, 61)):
        path.write_bytes(b"x")
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (moment, moment))
    dead, alive = (
        state / RELEASES / f".{digest_of('9')}.{pid}" for pid in (2**22 + 1, os.getpid())
    )
    dead.mkdir()
    alive.mkdir()
    prune(state, config(), NOW, None, dry_run=False)
    assert (new.exists(), old.exists()) == (True, False)
    assert (alive.exists(), dead.exists()) == (True, False)


def test_a_segment_that_cannot_be_read_stops_the_pruning(state: Path):
    (write_day(state, "2025-05-20", "f") / "2.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="whose releases must stay"):
        plan_pruning(state, config(), NOW, "")


def test_while_a_promotion_goes_on_nothing_is_pruned(state: Path):
    with hold_lock(state / LOCK), pytest.raises(LockedError, match="another run holds"):
        prune(state, config(), NOW, None, dry_run=False)


def test_a_state_without_anything_has_nothing_to_prune(tmp_path: Path):
    plan, _ = prune(tmp_path, config(), NOW, None, dry_run=False)
    assert dataclasses.asdict(plan) == {"removals": (), "kept": {}}


def test_a_moment_without_a_time_zone_is_utc():
    assert parse_now("2025-06-01") == NOW


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=6),
    st.sampled_from([*NAMES, ""]),
    st.integers(0, 3),
)
def test_whatever_was_promoted_served_and_previous_always_stay(
    tmp_path_factory: pytest.TempPathFactory, promoted: list[str], champion: str, keep: int
):
    state = tmp_path_factory.mktemp("any")
    for place, name in enumerate(NAMES):
        make_release(state, name, 100 - place)
    for name in promoted:
        point_to(state / RELEASES, digest_of(name))
    plan, _ = prune(state, config(keep), NOW, None, dry_run=False)
    there = {path.name[0] for path in (state / RELEASES).iterdir() if path.is_dir()}
    assert promoted[-1] in there
    before = [name for name in promoted if name != promoted[-1]]
    assert not before or before[-1] in there
    assert there == {digest[0] for digest in plan.kept}
