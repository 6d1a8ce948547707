"""Two re-tier dates of a hand-made shop: shown first, published once, told for every day."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.durable import hold_lock
from features.errors import InputError, LockedError
from features.online import OnlineStore
from tests.training.assignment.conftest import FIRST, IDS, POLICY, SECOND, SPENT, House
from training.assignment.attribution import CAUSES
from training.assignment.history import (
    list_days,
    read_in_force,
    read_published,
    tier_in_force,
)
from training.assignment.run import dry_run, propose_day, publish
from training.jobs import JOBS
from training.models.formulas import FormulaModel
from training.policy import LevelCorrection
from training.release import write_release


def tiers_of(house: House, day: date) -> dict[str, str]:
    published = read_published(house.state, "hand_made", day)
    return dict(zip(published.tiers["customer_id"], published.tiers["tier"], strict=True))


def play(house: House, day: date, overrides: Path | None = None, release: Any = None) -> None:
    job = house.job(overrides, release)
    dry_run(job, day)
    publish(job, day)


# --- the first date --------------------------------------------------------------------------


def test_whole_tiers_of_the_first_date(house: House):
    play(house, FIRST)
    tiers = read_published(house.state, "hand_made", FIRST).tiers
    # five of ten seats at silver and above, two of them gold; c2 is worth gold and finds none left
    assert tiers.to_dict("list") == {
        "customer_id": list(IDS),
        "tier": ["gold"] * 2 + ["silver"] * 3 + ["regular"] * 5,
        "since": [FIRST] * 10,
        "previous_tier": [None] * 10,
        "indicated_tier": ["gold"] * 3 + ["silver"] * 4 + ["regular"] * 3,
        "expected_value": [float(value) for value in SPENT.values()],
        "reason": ["value"] * 2 + ["no_seat"] + ["value"] * 2 + ["no_seat"] * 2 + ["value"] * 3,
    }


def test_a_dry_run_shows_and_publishes_nothing(house: House, capsys: pytest.CaptureFixture[str]):
    given = ["--state", str(house.state), "--date", "2011-07-01"]
    assert JOBS.run(["assign", *given, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "tiers from 2011-07-01 on: 10 customers (10 new, 0 gone, 0 with too little" in told
    assert "Gold and above: 2 of 2 seats" in told
    assert "nobody had a tier before: nobody moves" in told
    assert "next re-tier date: 2011-10-01" in told
    assert list_days(house.state, "hand_made") == []
    assert tier_in_force(house.state, "hand_made", "c0", date(2012, 1, 1)) is None
    assert not (house.state / "online").exists()


def test_publishing_serves_the_tier_and_is_once_and_for_all(
    house: House, capsys: pytest.CaptureFixture[str]
):
    given = ["--state", str(house.state), "--date", "2011-07-01"]
    JOBS.run(["assign", *given, "--dry-run"])
    digest = capsys.readouterr().out.rpartition("dry run ")[2].partition(":")[0]
    assert JOBS.run(["assign", *given, "--publish", "--digest", digest]) == 0
    folder = house.state / "assignments" / "hand_made" / "2011-07-01"
    assert {path.name for path in folder.iterdir()} == {
        "tiers.parquet", "moves.parquet", "manifest.json",
    }  # fmt: skip
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert JOBS.run(["assign", *given, "--publish"]) == 0
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()} == before
    store = OnlineStore.open(house.state / "online" / house.release.digest)
    assert [row["id"] for row in store.meta["tiers_in_force"]] == ["regular", "silver", "gold"]
    assert store.read_scores("c0")[-2:] == (2.0, float(FIRST.toordinal()))
    store.close()
    (table,) = (house.state / "scores").glob("*.parquet")
    scores = pq.read_table(table).to_pandas().set_index("customer_id")
    assert (scores["tier"]["c2"], scores["indicated_tier"]["c2"]) == ("silver", "gold")
    assert set(scores["tier_since"]) == {"2011-07-01"}


# --- what is refused -------------------------------------------------------------------------


def test_a_day_outside_the_calendar_needs_a_reason_and_keeps_it(house: House):
    day, job = date(2011, 8, 15), house.job()
    dry_run(job, day)
    with pytest.raises(
        InputError, match=r"2011-08-15 is no re-tier date .* expected 2011-07-01 or 2011-10-01"
    ):
        publish(job, day)
    publish(job, day, off_calendar=" first publication ")
    assert read_published(house.state, "hand_made", day).off_calendar == "first publication"


def test_publishing_without_a_dry_run_is_refused(house: House):
    with pytest.raises(InputError, match=r"no dry run of 2011-07-01 in .*; expected one that"):
        publish(house.job(), FIRST)


def test_what_the_dry_run_did_not_show_is_not_published(house: House, tmp_path: Path):
    dry_run(house.job(), FIRST)
    overrides = tmp_path / "overrides.csv"
    overrides.write_text("customer_id,tier,expires,reason\nc9,gold,2012-01-01,a board member\n")
    with pytest.raises(InputError, match=r"expected \w{12}, which the dry run showed"):
        publish(house.job(overrides), FIRST)
    with pytest.raises(InputError, match="expected ffffffffffff, which the dry run showed"):
        publish(house.job(), FIRST, digest="f" * 64)
    assert list_days(house.state, "hand_made") == []
    assert publish(house.job(), FIRST, digest=propose_day(house.job(), FIRST).digest[:8])


def test_the_history_is_append_only(house: House):
    play(house, SECOND)
    with pytest.raises(
        InputError, match="tiers from 2011-10-01 on are published; expected a later"
    ):
        dry_run(house.job(), FIRST)
    # the same day with other rules: another content
    other = house.promoted(replace(POLICY, capacities=(0.9, 0.8)))
    dry_run(house.job(release=other), SECOND)
    with pytest.raises(InputError, match="append-only"):
        publish(house.job(release=other), SECOND)
    assert list_days(house.state, "hand_made") == [SECOND]


@pytest.mark.parametrize(
    ("day", "match"),
    [
        (date(2011, 4, 1), "the release knows what came until 2011-06-13; expected a re-tier date"),
        (date(2012, 1, 1), "is complete before 2011-12-10; expected it to reach"),
    ],
)
def test_a_day_before_the_release_or_after_the_data_is_refused(house: House, day: date, match: str):
    with pytest.raises(InputError, match=match):
        dry_run(house.job(), day)


def test_a_changed_history_is_refused(house: House):
    play(house, FIRST)
    manifest = house.state / "assignments" / "hand_made" / "2011-07-01" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"n_customers": 10', '"n_customers": 11'))
    with pytest.raises(InputError, match="has been changed; expected digest"):
        read_published(house.state, "hand_made", FIRST)
    manifest.write_text("{}")
    with pytest.raises(InputError, match=r"cannot be read \(KeyError\); expected a published"):
        tier_in_force(house.state, "hand_made", "c0", SECOND)


def test_two_runs_at_once_are_one(house: House):
    dry_run(house.job(), FIRST)
    with (
        hold_lock(house.state / "assignments" / "hand_made" / ".lock"),
        pytest.raises(LockedError, match="another run holds"),
    ):
        publish(house.job(), FIRST)


def test_an_interruption_leaves_nothing_and_the_next_run_publishes(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    job, write = house.job(), pq.write_table
    dry_run(job, FIRST)

    def interrupted(table: Any, path: Path, **more: Any) -> None:
        if path.name == "moves.parquet":
            raise KeyboardInterrupt
        write(table, path, **more)

    monkeypatch.setattr(pq, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(job, FIRST)
    monkeypatch.undo()
    assert list_days(house.state, "hand_made") == []
    publish(job, FIRST)
    assert list_days(house.state, "hand_made") == [FIRST]


# --- the second date -------------------------------------------------------------------------


def test_whole_moves_of_the_second_date(house: House):
    play(house, FIRST)
    play(house, SECOND)
    moves = read_published(house.state, "hand_made", SECOND).moves
    told = moves[["customer_id", "from_tier", "to_tier", "levels", "behaviour", "rule", "reason"]]
    assert told.to_dict("split")["data"] == [
        # worth 550 now; c2 keeps out of gold as c1 and c5 are better
        ["c5", "regular", "gold", 2, 1, 1, "value"],
        # 600 of 900 came back: two levels at once, for a claw-back takes the protection
        ["c0", "gold", "silver", -1, -1, 0, "claw_back"],
        # c0 and c5 take two of the five seats
        ["c4", "silver", "regular", -1, 0, -1, "no_seat"],
    ]
    assert (moves[list(CAUSES)].sum(axis=1) == moves["levels"]).all()
    assert tiers_of(house, SECOND) == {
        **dict.fromkeys(IDS, "regular"),
        "c0": "silver", "c1": "gold", "c2": "silver", "c3": "silver", "c5": "gold",
    }  # fmt: skip


def test_since_stays_while_the_tier_stays(house: House):
    play(house, FIRST)
    play(house, SECOND)
    tiers = read_published(house.state, "hand_made", SECOND).tiers.set_index("customer_id")
    moved = {"c0", "c4", "c5"}
    assert {one for one in IDS if tiers["since"][one] == SECOND} == moved
    in_force = read_in_force(house.state, "hand_made")
    places, since = in_force.of(["c5", "c1", "nobody"])
    assert places.tolist() == [2, 2, -1]
    assert since.tolist() == [SECOND.toordinal(), FIRST.toordinal(), 0]


def test_the_tier_in_force_of_any_past_day(house: House, capsys: pytest.CaptureFixture[str]):
    play(house, FIRST)
    play(house, SECOND)
    found = {
        day: tier_in_force(house.state, "hand_made", "c5", day)
        for day in (FIRST - timedelta(days=1), FIRST, SECOND - timedelta(days=1), SECOND)
    }
    assert [one and (one.tier, one.since, one.published) for one in found.values()] == [
        None, ("regular", FIRST, FIRST), ("regular", FIRST, FIRST), ("gold", SECOND, SECOND),
    ]  # fmt: skip
    assert tier_in_force(house.state, "hand_made", "nobody", SECOND) is None
    where = ["in-force", "--state", str(house.state), "--day"]
    assert JOBS.run([*where, "2011-09-30", "--customer", "c5"]) == 0
    assert (
        capsys.readouterr().out == "regular since 2011-07-01 (no_seat; published for 2011-07-01)\n"
    )
    assert JOBS.run([*where, "2011-11-11"]) == 0
    assert "gold: 2\n  silver: 3\n  regular: 5\n" in capsys.readouterr().out
    with pytest.raises(InputError, match="no tiers of hand_made were in force on 2011-06-30"):
        JOBS.run([*where, "2011-06-30"])
    with pytest.raises(InputError, match="customer 5 had no tier on 2011-11-11"):
        JOBS.run([*where, "2011-11-11", "--customer", "5"])


def test_the_list_of_moves_for_a_spreadsheet(house: House, capsys: pytest.CaptureFixture[str]):
    play(house, FIRST)
    given = ["--state", str(house.state), "--date", "2011-10-01", "--dry-run"]
    JOBS.run(["assign", *given])
    told = capsys.readouterr().out
    assert "3 of 10 move (30.0%)" in told
    assert "Behaviour: in 2 moves, 1 levels up, 1 down" in told
    assert "1 customers lost their protection by refunds" in told
    folder = house.state / "assignments" / "hand_made" / "dry-run" / "2011-10-01"
    with (folder / "moves.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Customer"] for row in rows] == ["c5", "c0", "c4"]
    assert rows[1]["Reason"] == "claw-back by refunds"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["proposal"]["moves"] == [
        {"from": "gold", "to": "silver", "n": 1},
        {"from": "regular", "to": "gold", "n": 1},
        {"from": "silver", "to": "regular", "n": 1},
    ]


def test_an_override_holds_a_seat_outside_the_capacities(house: House, tmp_path: Path):
    overrides = tmp_path / "overrides.toml"
    overrides.write_text(
        '[[override]]\ncustomer_id = "c9"\ntier = "gold"\nexpires = 2011-09-01\nreason = "board"\n'
    )
    play(house, FIRST, overrides)
    first = tiers_of(house, FIRST)
    # the others' nine customers have four seats at silver and above, one of them gold
    assert first == {
        **dict.fromkeys(IDS, "regular"),
        "c0": "gold", "c1": "silver", "c2": "silver", "c3": "silver", "c9": "gold",
    }  # fmt: skip
    play(house, SECOND, overrides)  # it has expired: one level down at most
    assert tiers_of(house, SECOND)["c9"] == "silver"


# --- causes ----------------------------------------------------------------------------------


def causes_of(house: House, release: Any) -> dict[str, list[int]]:
    """Levels by cause of everybody who moves on a second date with another release."""
    moves = propose_day(house.job(release=release), SECOND).moves
    assert (moves[list(CAUSES)].sum(axis=1) == moves["levels"]).all()
    return {
        row["customer_id"]: [row[cause] for cause in CAUSES] for row in moves.to_dict("records")
    }


ROOMY = replace(POLICY, capacities=(1.0, 1.0))  # so that no seat decides


@pytest.fixture
def roomy(house: House) -> House:
    house.release = house.promoted(ROOMY)
    play(house, FIRST)
    return house


def test_a_move_by_behaviour_alone(roomy: House):
    assert causes_of(roomy, roomy.release) == {
        "c5": [1, 0, 0, 0, 0, 0],
        "c7": [1, 0, 0, 0, 0, 0],
        "c0": [-1, 0, 0, 0, 0, 0],
    }


def test_a_move_by_the_level(roomy: House):
    doubled = roomy.promoted(replace(ROOMY, level=LevelCorrection(2.0)))
    causes = causes_of(roomy, doubled)
    assert causes["c3"] == causes["c4"] == [0, 0, 1, 0, 0, 0]  # 300 and 200 count for 600 and 400
    assert "c0" not in causes  # fell by behaviour, and rose again by the level


def test_a_move_by_the_boundaries_undoes_one_by_the_level(roomy: House):
    tiers = tuple(replace(one, boundary_below=2 * one.boundary_below) for one in ROOMY.tiers)
    cut_again = roomy.promoted(replace(ROOMY, tiers=tiers, level=LevelCorrection(2.0)))
    assert causes_of(roomy, cut_again) == {
        "c5": [1, 0, 0, 0, 0, 0],
        "c7": [1, 0, 0, 0, 0, 0],
        "c0": [-1, 0, 1, -1, 0, 0],
    }
    higher = roomy.promoted(replace(ROOMY, tiers=tiers))
    causes = causes_of(roomy, higher)
    assert causes["c6"] == [0, 0, 0, -1, 0, 0]
    assert "c4" not in causes  # who lies on the boundary belongs above it


def test_a_move_by_the_model(roomy: House, make_release: Any, five_customers: Any):
    made = replace(make_release(), history_start=roomy.tables.history_start, policy=ROOMY)
    recency = FormulaModel("recency", 180, made.model.buy_till_you_die, {})
    other = write_release(
        replace(made, model=recency), five_customers.values, roomy.state / "releases"
    )
    causes = causes_of(roomy, other)
    # days since the last order rank everybody below the boundaries of money
    assert causes["c1"] == [0, -2, 0, 0, 1, 0]  # and nobody falls two levels at once
    assert causes["c4"] == [0, -1, 0, 0, 0, 0]


def test_without_the_old_release_the_cause_is_untold(roomy: House):
    other = roomy.promoted(replace(ROOMY, level=LevelCorrection(2.0)))
    shutil.rmtree(roomy.state / "releases" / roomy.release.digest)
    assert causes_of(roomy, other)["c3"] == [0, 0, 0, 0, 0, 1]


def test_a_tier_that_the_scheme_no_longer_has_becomes_the_next_lower(roomy: House):
    two = replace(ROOMY, tiers=ROOMY.tiers[:2], capacities=(1.0,))
    proposal = propose_day(roomy.job(release=roomy.promoted(two)), SECOND)
    held = dict(zip(proposal.tiers["customer_id"], proposal.tiers["tier"], strict=True))
    assert held["c1"] == "silver"
    row = proposal.moves.set_index("customer_id").loc["c1"]
    assert (row["from_tier"], row["to_tier"], row["levels"]) == ("gold", "silver", 0)
