"""The script of the year: what goes wrong when, which act is right, and the days that are looked at.

A finding belongs to the incident that is under way, has not been seen yet and can show itself so.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from datasets.simulated_shop.incidents import Incident

START, MADE_AT, END = date(2022, 1, 1), date(2024, 1, 1), date(2025, 1, 1)
STEP_DAYS = 21
QUARANTINE, ESCALATE = "quarantine_and_alarm", "escalate"
RECALIBRATE, RETRAIN = "recalibrate", "retrain"
OF_LEVEL = ("level", "calibration")
OF_RANKS = ("rank", "critical_input", "inputs", "scores")


@dataclass(frozen=True)
class Planned:
    """One incident of the script.

    Attributes
    ----------
    incident : Incident
        What happens, when, and how large.
    title : str
        For people.
    act : str
        The right one.
    kinds : tuple of str
        Kinds of findings by which it can show itself.
    """

    incident: Incident
    title: str
    act: str
    kinds: tuple[str, ...]

    @property
    def is_fault(self) -> bool:
        """Whether only the records are wrong, so that the upload can be asked for again."""
        return self.act == QUARANTINE


YEAR = (
    Planned(
        Incident("upload_half_day", date(2024, 1, 23), 0.5, 1),
        "an upload ends at noon",
        QUARANTINE,
        ("half_day", "volume"),
    ),
    Planned(
        Incident("new_channel", date(2024, 2, 5), 0.3),
        "live streams sell, a channel nobody knew",
        ESCALATE,
        ("new_kind",),
    ),
    Planned(
        Incident("price_unit_slip", date(2024, 3, 5), 100, 3),
        "amounts come in cents",
        QUARANTINE,
        ("unit_slip",),
    ),
    Planned(
        Incident("upload_nulls", date(2024, 4, 16), 0.6, 2),
        "amounts are missing",
        QUARANTINE,
        ("null_surge", "refused", "half_day", "volume"),
    ),
    Planned(
        Incident("satisfaction_slump", date(2024, 4, 2), 3.0),
        "customers are disappointed and leave",
        RECALIBRATE,
        OF_LEVEL,
    ),
    Planned(
        Incident("upload_duplicates", date(2024, 5, 28), 0.5, 1),
        "an upload runs twice",
        QUARANTINE,
        ("duplicates", "volume"),
    ),
    Planned(
        Incident("slow_decay", date(2024, 6, 3), 0.9, 60),
        "customers lose their habits",
        RETRAIN,
        OF_RANKS,
    ),
    Planned(
        Incident("changed_season", date(2024, 10, 1), 45),
        "the festivals come 45 days later",
        RECALIBRATE,
        OF_LEVEL,
    ),
)


@dataclass(frozen=True)
class Seen:
    """What became of an incident.

    Attributes
    ----------
    planned : Planned
        The incident.
    seen_on : date or None
        When a verdict first acted on it.
    act : str
        Of that verdict; ``none`` where there was none.
    why : str
        The first reason.
    outcome : str
        What the act came to.
    objections : tuple of str
        Why the gate refused it, where it did.
    """

    planned: Planned
    seen_on: date | None = None
    act: str = "none"
    why: str = ""
    outcome: str = ""
    objections: tuple[str, ...] = ()

    @property
    def days(self) -> int | None:
        """Days from the incident to the verdict."""
        return None if self.seen_on is None else (self.seen_on - self.planned.incident.day).days

    @property
    def is_right(self) -> bool:
        """Whether the right act followed."""
        return self.act == self.planned.act


def plan_looks(planned: Sequence[Planned], made_at: date, end: date) -> list[date]:
    """Return the days that are looked at: every third week, and the day after each broken upload.

    >>> looks = plan_looks(YEAR[:1], date(2024, 1, 1), date(2024, 2, 12))
    >>> [day.isoformat() for day in looks]
    ['2024-01-22', '2024-01-24', '2024-02-12']
    """
    n_steps = (end - made_at).days // STEP_DAYS
    regular = {made_at + timedelta(days=STEP_DAYS * k) for k in range(1, n_steps + 1)}
    after = {
        each.incident.day + timedelta(days=each.incident.days) for each in planned if each.is_fault
    }
    return sorted(regular | after | {end})


def kinds_of(reasons: Sequence[str]) -> list[str]:
    """Return the kinds of findings that are named in reasons, in their order.

    >>> kinds_of(["unit_slip of amount on 2024-02-27: 98 (limit 8)", "still there 3 days after"])
    ['unit_slip']
    """
    heads = (reason.partition(" of ") for reason in reasons)
    return [kind for kind, of, _ in heads if of and " " not in kind]


def attribute(seen: Sequence[Seen], told: Mapping[str, Any]) -> tuple[list[Seen], bool]:
    """Return the incidents after a verdict, and whether its act belongs to one of them.

    Parameters
    ----------
    seen : sequence of Seen
        Before it.
    told : mapping
        The verdict as it was written: its ``as_of``, ``act`` and ``reasons``.
    """
    after = list(seen)
    if told["act"] == "none":
        return after, True
    as_of = date.fromisoformat(told["as_of"])
    found = kinds_of(told["reasons"])
    for place, each in enumerate(after):
        is_open = each.seen_on is None and each.planned.incident.day < as_of
        if is_open and set(found) & set(each.planned.kinds):
            after[place] = replace(
                each,
                seen_on=as_of,
                act=told["act"],
                why=next((r for r in told["reasons"] if kinds_of([r])), ""),
                outcome=describe_outcome(told),
                objections=list_objections(told),
            )
            return after, True
    return after, False


def describe_outcome(told: Mapping[str, Any]) -> str:
    """Return what an act came to, in a few words.

    >>> acted = {"status": "refused", "release": "b674ac80078c", "previous": "dd1980fe84f6"}
    >>> describe_outcome({"act": "retrain", "acted": acted})
    'the gate refused b674ac80; dd1980fe goes on'
    >>> describe_outcome({"act": "recalibrate", "acted": {**acted, "status": "done"}})
    'b674ac80 is served instead of dd1980fe'
    """
    if told["act"] == QUARANTINE:
        return "asked for again"
    if told["act"] == ESCALATE:
        return "a human was asked"
    acted = told.get("acted")
    if not acted:
        return "not carried out"
    release, previous = (str(acted.get(key, ""))[:8] for key in ("release", "previous"))
    if release and acted["status"] == "refused":
        return f"the gate refused {release}; {previous} goes on"
    if release and acted["status"] == "done":
        return f"{release} is served instead of {previous}"
    return str(acted["status"])


def list_objections(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why an act was refused: its reasons but the first, which says who asked for it."""
    acted = told.get("acted") or {}
    return tuple(acted.get("reasons", ())[1:]) if acted.get("status") == "refused" else ()
