"""The ladder over time: one incident a cause, one act a cooldown, nothing lost."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import MonitoringSettings
from monitoring.finding import CAUSE_OF, KINDS, Finding
from monitoring.ladder import (
    ACT_OF,
    PRECEDENCE,
    Decision,
    Memory,
    Seen,
    after_act,
    decide_act,
    memory_from_json,
    memory_to_json,
)

DAY = date(2024, 1, 1)
SETTINGS = MonitoringSettings()


def finding(kind: str) -> Finding:
    return Finding(kind, "a column", 2.0, 1.0)  # type: ignore[arg-type]


def play(kinds_by_day: list[list[str]]) -> list[Decision]:
    memory = Memory()
    decisions = []
    for number, kinds in enumerate(kinds_by_day):
        seen = Seen(DAY + timedelta(days=number), tuple(map(finding, kinds)))
        decision = decide_act(seen, memory, SETTINGS)
        memory = decision.memory
        decisions.append(decision)
    return decisions


def acts(decisions: list[Decision]) -> list[tuple[int, str]]:
    return [(day, each.act) for day, each in enumerate(decisions) if each.act != "none"]


def test_every_kind_has_a_cause_and_every_cause_an_act_and_a_place():
    assert set(CAUSE_OF) == set(KINDS)
    assert set(CAUSE_OF.values()) == set(ACT_OF) == set(PRECEDENCE)


def test_what_persists_is_acted_on_once_and_told_to_a_human_once_the_cooldown_is_over():
    assert acts(play([["critical_input"]] * 100)) == [(0, "retrain"), (30, "escalate")]


def test_an_incident_is_closed_by_quiet_windows_and_a_new_one_waits_for_the_cooldown():
    days = [["rank"]] + [[]] * 5 + [["rank"]] * 40
    assert acts(play(days)) == [(0, "retrain"), (30, "retrain")]


def test_one_quiet_window_does_not_close_an_incident():
    days = [["rank"] if day % 2 == 0 else [] for day in range(35)]
    assert acts(play(days)) == [(0, "retrain"), (30, "escalate")]


def test_broken_data_is_quarantined_each_day_but_is_one_incident():
    decisions = play([["unit_slip"], ["unit_slip", "critical_input"], []])
    assert acts(decisions) == [(0, "quarantine_and_alarm")]
    assert [each.quarantine for each in decisions] == [True, True, False]
    assert decisions[1].reasons[0] == "what broken data says besides is not believed"


def test_days_of_broken_data_say_nothing_about_other_incidents():
    days = [["rank"]] + [["empty"]] * 10 + [["rank"]] * 25
    assert acts(play(days)) == [(0, "retrain"), (1, "quarantine_and_alarm"), (30, "escalate")]


def test_causes_do_not_block_each_other():
    days = [["rank"], ["tier_shares"], ["level"], ["new_kind"]]
    assert [each.act for each in play(days)] == ["retrain", "recut", "recalibrate", "escalate"]


@settings(max_examples=50)
@given(st.lists(st.lists(st.sampled_from(KINDS), max_size=3), max_size=60))
def test_no_cause_acts_twice_in_a_cooldown_and_nothing_is_lost(days: list[list[str]]):
    decisions = play(days)
    last: dict[str, int] = {}
    for day, each in enumerate(decisions):
        if each.act not in ("none", "escalate"):
            assert each.cause is not None
            assert day - last.get(each.cause, -1000) >= SETTINGS.cooldown_days
            last[each.cause] = day
        if days[day] and each.act == "none":
            assert each.reasons
            assert each.cause is None or each.memory.of(each.cause) is not None


def test_an_act_that_was_refused_asks_a_human_and_one_that_was_done_waits_for_the_cooldown():
    decided = play([["rank"]])[0]
    incident = decided.memory.of("rank")
    assert incident is not None
    assert (incident.asked_on, incident.acted_on) == (DAY, None)
    refused = after_act(decided.memory, "rank", DAY, is_done=False)
    done = after_act(decided.memory, "rank", DAY, is_done=True)
    seen = Seen(DAY + timedelta(days=SETTINGS.cooldown_days), (finding("rank"),))
    after_refusal = decide_act(seen, refused, SETTINGS)
    assert (after_refusal.act, after_refusal.reasons[-1]) == (
        "none",
        "a human has been asked already",
    )
    after_doing = decide_act(seen, done, SETTINGS)
    assert after_doing.act == "escalate"
    assert after_doing.reasons[-1] == f"still there 30 days after the act of {DAY}"


def test_broken_data_is_acted_on_once_it_is_told():
    incident = play([["unit_slip"]])[0].memory.of("data")
    assert incident is not None
    assert incident.acted_on == DAY


def test_a_promotion_is_not_waited_for_when_looking_back_a_year():
    kinds = (finding("tier_shares"),)
    for days, act in (
        (-400, "recut"),
        (-1, "none"),
        (0, "none"),
        (1, "none"),
        (2, "recut"),
        (400, "recut"),
    ):
        seen = Seen(DAY, kinds, promoted_on=DAY - timedelta(days=days))
        assert decide_act(seen, Memory(), SETTINGS).act == act


def test_a_memory_that_was_written_before_acts_had_outcomes_is_read():
    told = memory_to_json(play([["rank"]])[0].memory)
    del told["incidents"][0]["asked_on"]
    incident = memory_from_json(told).of("rank")
    assert incident is not None
    assert incident.tried_on is None


@settings(max_examples=10, deadline=None)
@given(st.lists(st.booleans(), min_size=200, max_size=200), st.integers(0, 2**31))
def test_r16_over_a_thousand_checks_one_retraining_a_cooldown_and_no_trigger_lost(
    outcomes: list[bool], seed: int
):
    """Whatever comes of the acts: done, refused, or the cause comes back."""
    rng = np.random.default_rng(seed)
    memory, retrained, ended = Memory(), [], iter(outcomes)
    for number in range(1000):
        kinds = [kind for kind in ("rank", "level", "unit_slip") if rng.uniform() < 0.3]
        day = DAY + timedelta(days=number)
        asked = {each.cause for each in memory.incidents if each.is_escalated}
        decision = decide_act(Seen(day, tuple(map(finding, kinds))), memory, SETTINGS)
        memory = decision.memory
        if decision.act == "retrain":
            retrained.append(number)
        if decision.act in ("retrain", "recalibrate") and decision.cause is not None:
            memory = after_act(memory, decision.cause, day, is_done=next(ended, True))
        causes = {CAUSE_OF[kind] for kind in kinds}
        causes = {"data"} if "data" in causes else causes - asked or causes
        if causes:  # the worst nobody was asked about is acted on, or its incident says why not
            worst = next(each for each in PRECEDENCE if each in causes)
            assert decision.cause == worst
            assert memory.of(worst) is not None
            assert decision.act != "none" or decision.reasons
    assert len(retrained) >= 1
    assert all(np.diff(retrained) >= SETTINGS.cooldown_days)


def test_a_storm_of_a_thousand_checks_retrains_at_most_once_a_cooldown():
    rng = np.random.default_rng(0)
    days = [["critical_input"] if rng.uniform() < 0.4 else [] for _ in range(1000)]
    decisions = play(days)
    retrained = [day for day, act in acts(decisions) if act == "retrain"]
    assert np.diff(retrained).min() >= SETTINGS.cooldown_days
    assert len(retrained) > 5
    for day, kinds in enumerate(days):
        if kinds:  # no trigger is lost: it acts, or its incident is open
            assert decisions[day].act != "none" or decisions[day].memory.of("rank") is not None


def test_a_memory_survives_being_written_down():
    memory = play([["rank"], ["empty"], ["new_kind"]])[-1].memory
    assert len(memory.incidents) == 3
    assert memory_from_json(json.loads(json.dumps(memory_to_json(memory)))) == memory


def test_a_cause_that_a_human_was_asked_about_hides_no_other():
    days = [["rank"]] * 40 + [["rank", "level"]] * 3
    assert acts(play(days)) == [(0, "retrain"), (30, "escalate"), (40, "recalibrate")]
    assert acts(play([["rank", "level"]] * 3)) == [(0, "retrain")]


def test_an_insufficient_window_closes_nothing():
    memory = play([["rank"]])[0].memory
    for number in range(1, 6):
        seen = Seen(DAY + timedelta(days=number), is_insufficient=True)
        decision = decide_act(seen, memory, SETTINGS)
        memory = decision.memory
        assert decision.reasons == ("too few rows to say anything",)
    assert memory.of("rank") is not None
