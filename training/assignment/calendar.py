"""When tiers are assigned anew: a calendar of its own, apart from scoring. Pure."""

from __future__ import annotations

from datetime import date
from typing import Literal

from features.config import AssignmentSettings
from features.errors import InputError

MONTHS_BETWEEN: dict[Literal["month", "quarter", "half_year", "year"], int] = {
    "month": 1,
    "quarter": 3,
    "half_year": 6,
    "year": 12,
}


def is_re_tier_date(day: date, settings: AssignmentSettings) -> bool:
    """Return whether the calendar has a re-tier date on a day.

    >>> is_re_tier_date(date(2011, 10, 1), AssignmentSettings(every="quarter", day=1))
    True
    """
    return day.day == settings.day and (day.month - 1) % MONTHS_BETWEEN[settings.every] == 0


def next_re_tier_date(after: date, settings: AssignmentSettings) -> date:
    """Return the first re-tier date later than a day.

    >>> next_re_tier_date(date(2011, 12, 1), AssignmentSettings(every="quarter", day=1))
    datetime.date(2012, 1, 1)
    """
    return _step(after, settings, forward=True)


def newest_re_tier_date(until: date, settings: AssignmentSettings) -> date:
    """Return the last re-tier date on or before a day.

    >>> newest_re_tier_date(date(2011, 12, 1), AssignmentSettings(every="quarter", day=1))
    datetime.date(2011, 10, 1)
    """
    return until if is_re_tier_date(until, settings) else _step(until, settings, forward=False)


def check_calendar(day: date, settings: AssignmentSettings, off_calendar: str | None) -> None:
    """Refuse a day that is not a re-tier date unless a reason is given.

    Raises
    ------
    InputError
        Naming the dates before and after.
    """
    if is_re_tier_date(day, settings) or (off_calendar or "").strip():
        return
    before, after = newest_re_tier_date(day, settings), next_re_tier_date(day, settings)
    raise InputError(
        f"{day} is no re-tier date (every {settings.every}, day {settings.day}); expected "
        f"{before} or {after}",
        'wait for the next date, or give a reason: --off-calendar "REASON"',
    )


def _step(day: date, settings: AssignmentSettings, *, forward: bool) -> date:
    every = MONTHS_BETWEEN[settings.every]
    months = day.year * 12 + day.month - 1
    months -= months % every
    candidates = [
        date((months + every * i) // 12, (months + every * i) % 12 + 1, settings.day)
        for i in (-1, 0, 1)
    ]
    if forward:
        return min(one for one in candidates if one > day)
    return max(one for one in candidates if one < day)
