"""Days that broken data has put under quarantine: nothing is learned from them.

Monitoring writes ``state/quarantine.json`` and lifts what has been mended; every act reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from features.durable import write_durably
from features.errors import InputError
from features.tables import Tables
from training.acts.order import Order

FILE = "quarantine.json"
LIFTED = "quarantine_lifted.jsonl"


@dataclass(frozen=True)
class Window:
    """Days that are not learned from.

    Attributes
    ----------
    first, before : date
        First day, and the day after the last.
    source : str
        Of the tables.
    data : str
        Digest of the tables in which they were found broken.
    why : str
        What was found.
    is_lacking : bool
        Whether lines are only missing. What stays missing is taken as it is once the incident is
        closed; what is wrong stays out until it is mended or lifted by hand.
    """

    first: date
    before: date
    source: str
    data: str
    why: str
    is_lacking: bool = False


def read_quarantine(state: Path) -> tuple[Window, ...]:
    """Return the windows under quarantine, the oldest first.

    Raises
    ------
    InputError
        If the file is not what `write_quarantine` writes.
    """
    path = state / FILE
    if not path.is_file():
        return ()
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Window(
                date.fromisoformat(row["first"]),
                date.fromisoformat(row["before"]),
                str(row["source"]),
                str(row["data"]),
                str(row["why"]),
                bool(row["is_lacking"]),
            )
            for row in rows
        )
    except (ValueError, LookupError, TypeError) as cause:
        raise InputError(
            f"{path} is no list of windows ({type(cause).__name__}); expected what monitoring wrote",
            "remove it and run: python -m monitoring run",
        ) from cause


def write_quarantine(state: Path, windows: Iterable[Window]) -> None:
    """Replace the windows under quarantine."""
    rows = [asdict(each) for each in sorted(windows, key=lambda each: (each.first, each.before))]
    text = json.dumps(rows, default=date.isoformat, ensure_ascii=False, indent=1, sort_keys=True)
    state.mkdir(parents=True, exist_ok=True)
    write_durably(state / FILE, text.encode() + b"\n")


def lift_window(state: Path, before: date, why: str) -> Window:
    """Take the window that ends before a day out of quarantine, and keep a line of why.

    Raises
    ------
    InputError
        If there is none, or no reason is given.
    """
    windows = read_quarantine(state)
    found = [each for each in windows if each.before == before]
    if not found or not why.strip():
        there = ", ".join(str(each.before) for each in windows) or "none"
        raise InputError(
            f"no window before {before} to lift for {why!r}; expected a reason, and one of: {there}",
            "give --before DAY of a window of state/quarantine.json, and --why",
        )
    with (state / LIFTED).open("a", encoding="utf-8") as file:
        for each in found:
            row = {**asdict(each), "lifted_because": why}
            file.write(json.dumps(row, default=date.isoformat, ensure_ascii=False) + "\n")
    write_quarantine(state, [each for each in windows if each not in found])
    return found[0]


def learn_before(state: Path, tables: Tables, order: Order) -> date:
    """Return the first day that an act does not learn from.

    The end of the complete data, or the first day under quarantine where one lies before it. A
    day that was asked for is refused rather than moved.

    Raises
    ------
    InputError
        If the order's day lies behind a day under quarantine, or outside the data.
    """
    end = tables.data_complete_before
    asked = order.as_of
    if asked is not None and not tables.history_start < asked <= end:
        raise InputError(
            f"{asked} lies outside the data; expected a day after {tables.history_start} and at "
            f"most {end}",
            "choose a day within the data",
        )
    if order.despite_quarantine:
        return asked or end
    mine = [each for each in read_quarantine(state) if each.source == tables.source]
    first = min((each.first for each in mine), default=end)
    if asked is not None and asked > first:
        raise InputError(
            f"the days from {first} on are under quarantine ({mine[0].why}); expected to learn "
            "before them",
            f"ask for the data again, or learn --as-of {first}, or say --despite-quarantine WHY",
        )
    return min(asked or end, first)
