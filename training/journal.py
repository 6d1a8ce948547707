"""The journal: who made which release the one that is served, when, why, and on what figures.

``state/journal.jsonl`` is only ever appended to. Each row bears the sha256 of the line before it,
so that a row that was changed or taken out shows; a line that a kill cut short has never counted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from features.durable import sync
from features.errors import InputError

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes
    ----------
    number : int
        1 for the first.
    at : str
        UTC, ISO 8601.
    who : str
        The user of the system, or the job.
    act : str
        ``promote``, ``refuse`` or ``roll back``.
    release, previous : str
        Digest it is about, and of what was served before; empty where there was nothing.
    why : tuple of str
        Reasons in words.
    figures : dict of str to float
        What was measured.
    before : str
        sha256 of the line before; empty for the first.
    """

    number: int
    at: str
    who: str
    act: str
    release: str
    previous: str
    why: tuple[str, ...]
    figures: dict[str, float]
    before: str


def append_entry(
    state: Path,
    at: datetime,
    who: str,
    act: str,
    release: str,
    previous: str,
    why: tuple[str, ...],
    figures: Mapping[str, float],
) -> Entry:
    """Append a row and return it; the caller holds the lock of what the row is about.

    Raises
    ------
    InputError
        If `at` has no time zone.
    """
    if at.tzinfo is None:
        raise InputError(f"{at} has no time zone; expected one", "give the moment in UTC")
    path = state / JOURNAL
    lines = _whole_lines(path)
    entry = Entry(
        number=len(lines) + 1,
        at=at.astimezone(UTC).isoformat(timespec="seconds"),
        who=who,
        act=act,
        release=release,
        previous=previous,
        why=why,
        figures={name: float(value) for name, value in figures.items()},
        before=hashlib.sha256(lines[-1]).hexdigest() if lines else "",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")
        file.write(json.dumps(asdict(entry), sort_keys=True, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
    return entry


def read_journal(state: Path) -> list[Entry]:
    """Return the rows, the oldest first, their chain checked.

    Raises
    ------
    InputError
        If a row was changed, taken out or put in.
    """
    entries: list[Entry] = []
    before = ""
    for line in _whole_lines(state / JOURNAL):
        told = json.loads(line)
        entry = Entry(**{**told, "why": tuple(told["why"])})
        if entry.before != before or entry.number != len(entries) + 1:
            raise InputError(
                f"row {entry.number} of {state / JOURNAL} does not follow the row before it; "
                "expected a journal nobody edited",
                "restore it from the backup; the service goes by pointers.jsonl, not by it",
            )
        before = hashlib.sha256(line).hexdigest()
        entries.append(entry)
    return entries


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that are whole rows; a cut one has never counted."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    for line in content.split(b"\n"):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and "before" in told:
            lines.append(line)
    return lines
