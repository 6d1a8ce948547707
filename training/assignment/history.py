"""What was published, append-only: which tier was in force for whom on any past day.

``state/assignments/SOURCE/DATE`` holds ``tiers.parquet``, ``moves.parquet`` and ``manifest.json``,
whose digest covers the content of both. A folder is written beside its place and renamed into it,
and one that is there is never written again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.durable import replace_folder
from features.errors import InputError
from features.identity import door_id
from training.assignment.in_force import NOTHING_IN_FORCE, TiersInForce

FOLDER = "assignments"
TIERS, MOVES, MANIFEST = "tiers.parquet", "moves.parquet", "manifest.json"
RESTORE = "restore the folder from a backup"


@dataclass(frozen=True)
class Published:
    """One published assignment.

    Attributes
    ----------
    day : date
        From which it holds.
    digest : str
        Of its content.
    tiers, moves : DataFrame
        As `Proposal`.
    summary : dict
        As `Proposal`.
    off_calendar : str or None
        Why it was made on a day that is no re-tier date.
    """

    day: date
    digest: str
    tiers: pd.DataFrame
    moves: pd.DataFrame
    summary: dict[str, Any]
    off_calendar: str | None = None

    @property
    def scheme(self) -> tuple[dict[str, str], ...]:
        """Its tiers, bottom to top: ``id``, ``zh`` and ``en``."""
        return tuple(self.summary["scheme"])

    @property
    def release(self) -> str:
        """Digest of the release it was made with."""
        return str(self.summary["release"])


class InForce(NamedTuple):
    """The tier of one customer on a day.

    Attributes
    ----------
    tier : str
        Its id.
    since : date
        The re-tier date from which it has held.
    published : date
        The re-tier date that says so.
    reason : str
        Of `training.assignment.REASONS`.
    """

    tier: str
    since: date
    published: date
    reason: str


def folder_of(state: Path, source: str) -> Path:
    """Return where the assignments of a source lie."""
    return state / FOLDER / source


def list_days(state: Path, source: str) -> list[date]:
    """Return the days of the published assignments, rising."""
    folder = folder_of(state, source)
    days = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            days.append(date.fromisoformat(path.name))
        except ValueError:
            continue
    return sorted(days)


def newest_day(state: Path, source: str, until: date | None = None) -> date | None:
    """Return the day of the last assignment, on or before `until`; None where there is none."""
    days = [day for day in list_days(state, source) if until is None or day <= until]
    return days[-1] if days else None


def read_published(state: Path, source: str, day: date) -> Published:
    """Read one published assignment, its content held to its digest.

    Raises
    ------
    InputError
        If it is not there, or was changed.
    """
    folder = folder_of(state, source) / day.isoformat()
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        tiers = pq.read_table(folder / TIERS, partitioning=None).to_pandas()
        moves = pq.read_table(folder / MOVES, partitioning=None).to_pandas()
        digest, summary = str(told["digest"]), dict(told["proposal"])
        off_calendar = told["off_calendar"]
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as cause:
        raise InputError(
            f"{folder} cannot be read ({type(cause).__name__}); expected a published assignment",
            RESTORE,
        ) from cause
    if digest_of(tiers, moves, summary) != digest:
        raise InputError(f"{folder} has been changed; expected digest {digest[:12]}", RESTORE)
    return Published(day, digest, tiers, moves, summary, off_calendar)


def read_newest(state: Path, source: str, until: date | None = None) -> Published | None:
    """Read the last published assignment, on or before `until`; None where there is none."""
    day = newest_day(state, source, until)
    return None if day is None else read_published(state, source, day)


def write_published(state: Path, source: str, published: Published) -> Path:
    """Write an assignment to its place, whole or not at all; the caller holds the lock.

    Raises
    ------
    InputError
        If that day or a later one is published with another content.
    """
    folder = folder_of(state, source) / published.day.isoformat()
    newest = newest_day(state, source)
    if newest is not None and newest >= published.day:
        there = newest == published.day and read_published(state, source, newest).digest
        if there != published.digest:
            raise InputError(
                f"tiers from {newest} on are published; expected a later day than that, found "
                f"another content for {published.day}",
                "the history is append-only: publish on the next date",
            )
        return folder
    told = {
        "digest": published.digest,
        "off_calendar": published.off_calendar,
        "proposal": published.summary,
    }
    with replace_folder(folder) as new:
        pq.write_table(_table(published.tiers), new / TIERS, compression="zstd")
        pq.write_table(_table(published.moves), new / MOVES, compression="zstd")
        text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True)
        (new / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return folder


def tier_in_force(state: Path, source: str, customer_id: str, day: date) -> InForce | None:
    """Return the tier that was in force for a customer on a day; None where there was none.

    Raises
    ------
    InputError
        If the assignment of that day cannot be read.
    """
    published = read_newest(state, source, day)
    if published is None:
        return None
    mine = published.tiers[published.tiers["customer_id"] == door_id(customer_id)]
    if mine.empty:
        return None
    row = mine.iloc[0]
    return InForce(row["tier"], row["since"], published.day, row["reason"])


def read_in_force(state: Path, source: str, day: date | None = None) -> TiersInForce:
    """Return everybody's tier in force on a day (now, without one), as look-ups take it."""
    published = read_newest(state, source, day)
    if published is None:
        return NOTHING_IN_FORCE
    place = {row["id"]: i for i, row in enumerate(published.scheme)}
    ids = published.tiers["customer_id"]
    return TiersInForce(
        scheme=published.scheme,
        places=dict(zip(ids, (place[one] for one in published.tiers["tier"]), strict=True)),
        since=dict(zip(ids, published.tiers["since"], strict=True)),
    )


def digest_of(tiers: pd.DataFrame, moves: pd.DataFrame, summary: Mapping[str, Any]) -> str:
    """Return the sha256 of an assignment's content, whatever the file format does with it."""
    digest = hashlib.sha256(json.dumps(summary, ensure_ascii=False, sort_keys=True).encode())
    for frame in (tiers, moves):
        for name in frame.columns:
            digest.update(f"\0{name}\0".encode())
            digest.update(_column_bytes(frame[name]))
    return digest.hexdigest()


def _column_bytes(column: pd.Series[Any]) -> bytes:
    if column.dtype.kind in "if":
        wide = np.float64 if column.dtype.kind == "f" else np.int64
        return column.to_numpy(wide).tobytes()
    return json.dumps([None if one is None else str(one) for one in column]).encode()


def _table(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as a table whose columns have the same types with rows and without."""
    types = {"i": pa.int64(), "f": pa.float64()}
    fields = [
        pa.field(
            name,
            pa.date32() if name == "since" else types.get(frame[name].dtype.kind, pa.string()),
        )
        for name in frame.columns
    ]
    return pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False)
