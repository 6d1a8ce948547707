"""The ladder: what is seen -> which act. Pure; what it must remember goes in and comes out.

Boundaries and levels go stale before ranks do, so each cause has the least act that mends it:

data fault        quarantine and alarm; nothing else that broken data says is believed
ranks, inputs     retrain, challenge, gate
level             recalibrate value and p_active
shares of tiers   cut the boundaries again
a new name        a human looks, and where a release has no reference, or one that is too old, and
                  where reviews come in another number, language, length or tone

A cause is one incident until it has not been seen for some windows. It has one act; within the
cooldown there is no second one, and when it is still there after that a human is asked, as where
the act was refused. An incident was acted on when its act is done, not when it is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from features.config import MonitoringSettings
from monitoring.finding import Cause, Finding

Act = Literal["none", "quarantine_and_alarm", "recalibrate", "recut", "retrain", "escalate"]
ACT_OF: dict[Cause, Act] = {
    "data": "quarantine_and_alarm",
    "rank": "retrain",
    "level": "recalibrate",
    "share": "recut",
    "reference": "escalate",
    "new_kind": "escalate",
    "text": "escalate",
}
PRECEDENCE: tuple[Cause, ...] = ("data", "rank", "level", "share", "reference", "new_kind", "text")
OF_ANSWERS = ("critical_input", "inputs", "scores", "tier_shares")
"""Kinds that compare answers with a reference: a release that was just promoted moves them."""
FROM_INPUTS = ("critical_input", "inputs", "scores")


@dataclass(frozen=True)
class Incident:
    """One cause, from when it was first seen until it has been quiet.

    Attributes
    ----------
    cause : str
        A key of `ACT_OF`.
    opened_on, seen_on : date
        First and last seen.
    acted_on : date or None
        When its act was done.
    n_quiet : int
        Windows since, in which it was not seen.
    is_escalated : bool
        Whether a human was asked.
    asked_on : date or None
        When its act was decided, whoever carries it out.
    """

    cause: Cause
    opened_on: date
    seen_on: date
    acted_on: date | None = None
    n_quiet: int = 0
    is_escalated: bool = False
    asked_on: date | None = None

    @property
    def tried_on(self) -> date | None:
        """The day of its act: done, or else decided."""
        return self.acted_on or self.asked_on


@dataclass(frozen=True)
class Memory:
    """What one run leaves for the next.

    Attributes
    ----------
    incidents : tuple of Incident
        Open ones, at most one a cause.
    last_acts : dict of str to date
        When each cause last had an act decided, closed incidents too: the cooldown counts from it.
    """

    incidents: tuple[Incident, ...] = ()
    last_acts: dict[str, date] = field(default_factory=dict)

    def of(self, cause: Cause) -> Incident | None:
        """Return the open incident of a cause."""
        return next((each for each in self.incidents if each.cause == cause), None)


@dataclass(frozen=True)
class Seen:
    """Everything that one run looked at.

    Attributes
    ----------
    as_of : date
        Of the window.
    findings : tuple of Finding
        Of the order lines, of drift and of matured cohorts.
    is_insufficient : bool
        Whether the window had too few rows to say anything.
    promoted_on : date or None
        When the release that answers was promoted.
    ranks_held_for : date or None
        Cutoff of the newest matured cohort whose ranking held.
    """

    as_of: date
    findings: tuple[Finding, ...] = ()
    is_insufficient: bool = False
    promoted_on: date | None = None
    ranks_held_for: date | None = None


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    Attributes
    ----------
    act : str
        A value of `Act`.
    cause : str or None
        Of the act, or of what is waited for.
    reasons : tuple of str
        For people.
    quarantine : bool
        Whether the window's data must not be learned from.
    memory : Memory
        For the next run.
    """

    act: Act
    cause: Cause | None
    reasons: tuple[str, ...]
    quarantine: bool
    memory: Memory


def decide_act(seen: Seen, memory: Memory, settings: MonitoringSettings) -> Decision:
    """Choose the act for what is seen.

    Parameters
    ----------
    seen : Seen
        Of one window.
    memory : Memory
        Of the runs before.
    settings : MonitoringSettings
        Cooldown, settling time, and when an incident is closed.
    """
    told, notes = _believed(seen, memory, settings)
    causes = {each.cause for each in told}
    kept = _age(memory, causes, seen, settings)
    if not told:
        if seen.is_insufficient:
            notes = (*notes, "too few rows to say anything")
        return Decision("none", None, notes or ("nothing is beyond its limit",), False, kept)
    cause = _first_to_mend(causes, kept)
    reasons = (*notes, *(str(each) for each in told if each.cause == cause))
    incident = kept.of(cause) or Incident(cause, seen.as_of, seen.as_of)
    act, why, incident = _step(incident, kept, seen.as_of, settings)
    others = tuple(each for each in kept.incidents if each.cause != cause)
    acts = dict(kept.last_acts)
    if act not in ("none", "escalate"):
        acts[cause] = seen.as_of
    after = Memory((*others, incident), acts)
    return Decision(act, cause, (*reasons, *why), cause == "data", after)


def _first_to_mend(causes: set[Cause], memory: Memory) -> Cause:
    """Return the cause that comes first; one that a human has been asked about hides no other."""
    seen = [each for each in PRECEDENCE if each in causes]
    told = {each.cause for each in memory.incidents if each.is_escalated}
    return next((each for each in seen if each not in told), seen[0])


def _step(
    incident: Incident, memory: Memory, today: date, settings: MonitoringSettings
) -> tuple[Act, tuple[str, ...], Incident]:
    """Return the act of one incident that is seen today, why, and the incident after it."""
    cause = incident.cause
    if incident.is_escalated:
        return "none", ("a human has been asked already",), incident
    if ACT_OF[cause] == "escalate":
        return "escalate", (), replace(incident, is_escalated=True, acted_on=today)
    free_on = memory.last_acts.get(cause, date.min) + timedelta(days=settings.cooldown_days)
    if cause in memory.last_acts and today < free_on:
        return (
            "none",
            (f"acted on {memory.last_acts[cause]}; not again before {free_on}",),
            incident,
        )
    if incident.tried_on is None:
        is_done = cause == "data"  # told is all there is to do
        return (
            ACT_OF[cause],
            (),
            replace(incident, asked_on=today, acted_on=today if is_done else None),
        )
    why = (
        f"still there {(today - incident.tried_on).days} days after the act of {incident.tried_on}"
    )
    return "escalate", (why,), replace(incident, is_escalated=True)


def after_act(memory: Memory, cause: Cause, day: date, *, is_done: bool) -> Memory:
    """Return the memory once an act has ended. Pure.

    Parameters
    ----------
    memory : Memory
        That decided it.
    cause : str
        Of the incident.
    day : date
        Of the verdict.
    is_done : bool
        False where the act was refused or failed: then a human is asked at once.
    """
    kept = tuple(
        each
        if each.cause != cause
        else replace(each, acted_on=day)
        if is_done
        else replace(each, is_escalated=True)
        for each in memory.incidents
    )
    return Memory(kept, memory.last_acts)


def _believed(
    seen: Seen, memory: Memory, settings: MonitoringSettings
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings that count, and why others do not."""
    told, notes = seen.findings, []
    faults = tuple(each for each in told if each.cause == "data")
    if faults:
        if len(faults) < len(told):
            notes.append("what broken data says besides is not believed")
        return faults, tuple(notes)
    if seen.promoted_on is not None:
        since = (seen.as_of - seen.promoted_on).days
        settling = -settings.settle_days <= since < settings.settle_days  # not when looking back
        if settling and any(each.kind in OF_ANSWERS for each in told):
            told = tuple(each for each in told if each.kind not in OF_ANSWERS)
            notes.append(f"a release was promoted on {seen.promoted_on}: answers settle first")
    opened = memory.of("rank")
    opened_on = opened.opened_on if opened is not None else seen.as_of
    if seen.ranks_held_for is not None and seen.ranks_held_for >= opened_on:
        if any(each.kind in FROM_INPUTS for each in told):
            notes.append(f"inputs moved, but the ranking of {seen.ranks_held_for} held")
        told = tuple(each for each in told if each.kind not in FROM_INPUTS)
    if {"level", "share"} <= {each.cause for each in told}:
        notes.append("the shares follow the level")
    return told, tuple(notes)


def _age(memory: Memory, causes: set[Cause], seen: Seen, settings: MonitoringSettings) -> Memory:
    """Return the memory with what is seen marked, and what has been quiet closed."""
    kept = []
    for each in memory.incidents:
        if each.cause in causes:
            kept.append(replace(each, seen_on=seen.as_of, n_quiet=0))
        elif seen.is_insufficient or "data" in causes:
            kept.append(each)  # nothing was said about it
        elif each.n_quiet + 1 < settings.close_after:
            kept.append(replace(each, n_quiet=each.n_quiet + 1))
    return Memory(tuple(kept), memory.last_acts)


def memory_to_json(memory: Memory) -> dict[str, Any]:
    """Return a memory as JSON values."""
    return {
        "incidents": [
            {
                "cause": each.cause,
                "opened_on": each.opened_on.isoformat(),
                "seen_on": each.seen_on.isoformat(),
                "acted_on": each.acted_on.isoformat() if each.acted_on else None,
                "n_quiet": each.n_quiet,
                "is_escalated": each.is_escalated,
                "asked_on": each.asked_on.isoformat() if each.asked_on else None,
            }
            for each in memory.incidents
        ],
        "last_acts": {cause: day.isoformat() for cause, day in sorted(memory.last_acts.items())},
    }


def memory_from_json(told: Mapping[str, Any]) -> Memory:
    """Rebuild a memory from `memory_to_json`."""
    return Memory(
        tuple(
            Incident(
                each["cause"],
                date.fromisoformat(each["opened_on"]),
                date.fromisoformat(each["seen_on"]),
                date.fromisoformat(each["acted_on"]) if each["acted_on"] else None,
                int(each["n_quiet"]),
                bool(each["is_escalated"]),
                date.fromisoformat(each["asked_on"]) if each.get("asked_on") else None,
            )
            for each in told["incidents"]
        ),
        {cause: date.fromisoformat(day) for cause, day in told["last_acts"].items()},
    )
