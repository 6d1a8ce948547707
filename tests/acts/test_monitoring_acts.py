"""Verdict and act are one incident: carried out once, also after a kill, and told to a human if not."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.durable import hold_lock
from features.errors import EXIT_ACTED, EXIT_DONE, EXIT_WANTS_HUMAN, LockedError
from monitoring.act import MOST_TRIES, Acting, carry_out
from monitoring.run import Outcome, run_monitoring
from monitoring.verdicts import act_path, read_acted, read_memory, read_newest
from tests.acts.conftest import AT, YearOn, quiet, twice_too_high
from training.acts.quarantine import Window, write_quarantine
from training.acts.retrain import LOCK
from training.journal import read_journal
from training.promotion import served_digest
from training.registry import Registry

END = date(2025, 1, 1)
LATER = date(2090, 1, 1)
pytestmark = pytest.mark.slow


def acting() -> Acting:
    return Acting(Registry, AT, quiet())


def run(world: YearOn, act: Acting | None, as_of: date = END) -> Outcome:
    return run_monitoring(
        world.tables, world.config, world.state, as_of, "happened_at", lambda line: None, act
    )


def promotions(state: Path) -> int:
    return sum(entry.act == "promote" for entry in read_journal(state))


def test_a_verdict_without_acting_stays_open_and_the_next_run_carries_it_out_once(year_on: YearOn):
    wrong = year_on.plant(twice_too_high)
    before = promotions(year_on.state)
    decided = run(year_on, None)  # as if killed between the verdict and its act
    assert (decided.told["act"], decided.exit_code, decided.acted) == (
        "recalibrate",
        EXIT_ACTED,
        (),
    )
    memory, _ = read_memory(year_on.state, LATER)
    incident = memory.of("level")
    assert incident is not None
    assert (incident.asked_on, incident.acted_on) == (END, None)

    done = run(year_on, acting())
    assert [each["status"] for each in done.acted] == ["done"]
    assert (done.exit_code, done.is_new) == (EXIT_ACTED, False)
    made = served_digest(year_on.state)
    assert made == done.acted[0]["release"] != wrong.digest
    memory, _ = read_memory(year_on.state, LATER)
    incident = memory.of("level")
    assert incident is not None
    assert incident.acted_on == END
    assert promotions(year_on.state) == before + 1

    again = run(year_on, acting())
    assert (again.acted, again.is_new, again.exit_code) == ((), False, EXIT_DONE)
    assert promotions(year_on.state) == before + 1

    act_path(year_on.state, decided.told).unlink()  # killed after the promotion, before the file
    after_kill = run(year_on, acting())
    assert [each["status"] for each in after_kill.acted] == ["done"]
    assert after_kill.acted[0]["release"] == made == served_digest(year_on.state)
    assert promotions(year_on.state) == before + 1


def test_an_act_that_cannot_be_done_wants_a_human_and_is_not_tried_again(year_on: YearOn):
    year_on.plant(twice_too_high)
    source = year_on.tables.source
    broken = Window(date(2024, 5, 1), date(2024, 5, 2), source, year_on.tables.digest, "unit_slip")
    write_quarantine(year_on.state, [broken])
    served = served_digest(year_on.state)
    outcome = run(year_on, acting())
    assert outcome.exit_code == EXIT_WANTS_HUMAN
    assert outcome.acted[0]["status"] == "refused"
    assert "has matured by 2024-05-01" in outcome.acted[0]["reasons"][0]
    assert served_digest(year_on.state) == served
    memory, _ = read_memory(year_on.state, LATER)
    incident = memory.of("level")
    assert incident is not None
    assert (incident.is_escalated, incident.acted_on) == (True, None)
    assert run(year_on, acting()).acted == ()


def test_a_locked_retraining_leaves_the_act_open_and_no_look_is_lost(year_on: YearOn):
    run(year_on, None)
    told = dict(read_newest(year_on.state) or {}, act="retrain", cause="rank")
    with hold_lock(year_on.state / LOCK), pytest.raises(LockedError, match="another run holds"):
        carry_out(told, year_on.tables, year_on.config, year_on.state, acting())
    left: Any = read_acted(year_on.state, told)
    assert (left["status"], left["n_tries"]) == ("begun", 0)


def test_an_act_that_was_cut_short_three_times_counts_as_failed(year_on: YearOn):
    run(year_on, None, END - timedelta(days=1))
    told = dict(read_newest(year_on.state) or {}, act="retrain", cause="rank")
    path = act_path(year_on.state, told)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"status": "begun", "n_tries": MOST_TRIES}), encoding="utf-8")
    acted = carry_out(told, year_on.tables, year_on.config, year_on.state, acting())
    assert (acted["status"], acted["reasons"]) == ("failed", ["3 runs of it were cut short"])


def test_the_act_of_a_release_that_is_no_longer_served_is_superseded(year_on: YearOn):
    year_on.plant(twice_too_high)
    decided = run(year_on, None)
    from training.artifact import RELEASES, point_to

    point_to(year_on.state / RELEASES, year_on.champion)
    outcome = run(year_on, acting())
    assert outcome.acted[0]["status"] == "superseded"
    assert read_acted(year_on.state, decided.told) == outcome.acted[0]
    assert served_digest(year_on.state) == year_on.champion
