"""The prediction log: what was answered, by which release, on which features.

Answers go into a bounded queue; a thread writes them as Parquet segments of their own, each under
another name until it is whole and on the disk. A kill loses what the last `seconds` gathered, never
a segment. Ids are those of the door; whether an answer is kept is decided by sampling, how long by
retention.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from features.durable import sync
from features.identity import door_id

if TYPE_CHECKING:
    from serving.schemas import TierAnswer

FOLDER = "predictions"
MOST_IN_SEGMENT = 5_000
REPEATED = [
    "release", "policy", "status", "tier", "indicated_tier", "tier_since", "risk_level",
]  # fmt: skip
LEFT_BEHIND = ".*.writing"

Row = npt.NDArray[np.float64]
Entry = tuple[float, "TierAnswer", Row | None]
Clock = Callable[[], float]


@dataclass(frozen=True)
class LogSettings:
    """How much is kept.

    Attributes
    ----------
    sample_share : float
        Share of the answers that are kept, 0 to 1; evenly spaced.
    seconds : float
        Between two segments.
    queue_rows : int
        Answers that may wait to be written; more are dropped and counted.
    retention_days : int
        After these a day's segments are removed.
    """

    sample_share: float
    seconds: float
    queue_rows: int
    retention_days: int


class PredictionLog:
    """Keeps answers as Parquet below ``FOLDER/YYYY-MM-DD`` of the state folder.

    Parameters
    ----------
    state : Path
        The state folder.
    settings : LogSettings
        How much is kept.
    clock : callable
        Seconds since 1970.

    Attributes
    ----------
    n_dropped : int
        Answers that found the queue full.
    n_failed : int
        Answers that could not be written (a full disk); the service goes on.
    """

    def __init__(self, state: Path, settings: LogSettings, clock: Clock = time) -> None:
        self.folder = state / FOLDER
        self.settings = settings
        self.n_dropped = 0
        self.n_failed = 0
        self._clock = clock
        self._due = 0.0
        self._n_segments = 0
        self._waiting: deque[Entry] = deque()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, answer: TierAnswer, row: Row | None) -> None:
        """Take an answer, and the features it rests on unless they stand in the look-up; no waiting."""
        self._due += self.settings.sample_share
        if self._due < 1.0:
            return
        self._due -= 1.0
        if len(self._waiting) >= self.settings.queue_rows:
            self.n_dropped += 1
            return
        self._waiting.append((self._clock(), answer, row))

    def start(self) -> None:
        """Begin to write.

        Arrow is imported now: later, its import would stand between a request and its answer.
        """
        import pyarrow.parquet  # noqa: F401

        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def flush(self) -> None:
        """Write what waits now."""
        while entries := self._take():
            try:
                write_segment(self._path(entries[0][0]), entries)
            except OSError:
                self.n_failed += len(entries)

    def remove_old(self) -> None:
        """Remove the days that are past their retention, and half segments of killed workers."""
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        remove_days(self.folder, today - timedelta(days=self.settings.retention_days))

    def _run(self) -> None:
        day = None
        while not self._stopped.wait(self.settings.seconds):
            now = datetime.fromtimestamp(self._clock(), UTC).date()
            if now != day:
                day = now
                self.remove_old()
            self.flush()
        self.flush()

    def _take(self) -> list[Entry]:
        entries: list[Entry] = []
        with contextlib.suppress(IndexError):
            while len(entries) < MOST_IN_SEGMENT:
                entries.append(self._waiting.popleft())
        return entries

    def _path(self, seconds: float) -> Path:
        at = datetime.fromtimestamp(seconds, UTC)
        self._n_segments += 1
        name = f"{at:%H%M%S%f}-{os.getpid()}-{self._n_segments}.parquet"
        return self.folder / at.date().isoformat() / name


def write_segment(path: Path, entries: Sequence[Entry]) -> None:
    """Write answers as one Parquet file: whole and on the disk, or not there."""
    import pyarrow.parquet as pq  # only the thread that writes needs it

    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".{path.name}.writing")
    try:
        pq.write_table(
            _table(entries),
            writing,
            compression="lz4",
            use_dictionary=REPEATED,  # numbers seldom repeat
            write_statistics=False,
        )
        sync(writing)
        writing.rename(path)
        sync(path.parent)
    except BaseException:
        writing.unlink(missing_ok=True)
        raise


def _table(entries: Sequence[Entry]) -> Any:
    """Return answers as a table.

    Columns: ``answered_at`` (UTC), ``release``, ``policy``, ``customer_id`` (as the door gives it;
    null for a vector without one), ``status``, ``tier``, ``indicated_tier``, ``tier_since`` (ISO;
    null where `tier` is not in force), ``risk_level``, ``expected_value`` and ``value_at_risk``
    (currency), ``p_churn``, ``features`` (of a vector, in the order of the release's columns; null where they
    stand in the release's look-up).
    """
    import pyarrow as pa

    answers = [answer for _, answer, _ in entries]
    rows = [row for _, _, row in entries]
    sizes = [0 if row is None else len(row) for row in rows]
    values = np.concatenate([row for row in rows if row is not None] or [np.empty(0)])
    features = pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32()),
        pa.array(values, pa.float64()),
        mask=pa.array([row is None for row in rows], pa.bool_()),
    )
    instants = pa.array([int(at * 1e6) for at, _, _ in entries], pa.timestamp("us", "UTC"))
    ids = [None if a.customer_id is None else door_id(a.customer_id) for a in answers]
    columns: dict[str, Any] = {
        "answered_at": instants,
        "release": pa.array([a.release for a in answers], pa.string()),
        "policy": pa.array([a.policy for a in answers], pa.string()),
        "customer_id": pa.array(ids, pa.string()),
        "status": pa.array([a.status for a in answers], pa.string()),
        "tier": pa.array([a.tier for a in answers], pa.string()),
        "indicated_tier": pa.array([a.indicated_tier for a in answers], pa.string()),
        "tier_since": pa.array([a.tier_since for a in answers], pa.string()),
        "risk_level": pa.array([a.risk_level for a in answers], pa.string()),
        "expected_value": pa.array([a.expected_value for a in answers], pa.float64()),
        "p_churn": pa.array([a.p_churn for a in answers], pa.float64()),
        "value_at_risk": pa.array([a.value_at_risk for a in answers], pa.float64()),
        "features": features,
    }
    return pa.table(columns)


def remove_days(folder: Path, before: date) -> None:
    """Remove the folders of days before a date, and what killed workers left half written."""
    if not folder.is_dir():
        return
    for day in folder.iterdir():
        try:
            is_old = date.fromisoformat(day.name) < before
        except ValueError:
            continue
        if is_old:
            shutil.rmtree(day, ignore_errors=True)
            continue
        for left in day.glob(LEFT_BEHIND):
            process = left.name.split("-")[1]
            if process.isdigit() and not Path("/proc", process).exists():
                left.unlink(missing_ok=True)
