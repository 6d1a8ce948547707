"""The logged requests, answered by a challenger before it is promoted: who moves, who is refused.

Both releases score the same rows, so the passing of time is no move: a vector as it was sent, a
customer who was asked for as the challenger knows them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.identity import door_id
from training.cohort import Cohort
from training.gate import MOST_MOVED
from training.models.matrix import Array
from training.release import Release
from training.scores import NO_TIER

T = TypeVar("T")
FOLDER = "predictions"
COLUMNS = ["release", "status", "customer_id", "features"]
NEWEST_DAYS = 7
MOST_REQUESTS = 20_000
JUDGED_FROM = 200
"""Fewer requests are told, not judged."""
MOST_LOST = 0.005
LEAST_SPEED = 0.5
ROUNDS = 5


@dataclass(frozen=True)
class Logged:
    """Requests that were answered.

    Attributes
    ----------
    customer_ids : tuple of str
        Of those who were asked for by id.
    vectors : array (n, width)
        That were sent, in the order of the served release's columns.
    n_damaged : int
        Segments that could not be read.
    """

    customer_ids: tuple[str, ...]
    vectors: Array
    n_damaged: int = 0

    def __len__(self) -> int:
        return len(self.customer_ids) + len(self.vectors)


@dataclass(frozen=True)
class Answered:
    """How a challenger answers what the champion answered.

    Attributes
    ----------
    n_requests : int
        Looked at.
    moved_share : float
        Who get another tier.
    n_lost : int
        Had a tier, and would get none: unknown customers, required columns that were not sent.
    n_not_finite : int
        Answers that are no numbers.
    speed : float
        Rows per CPU-second over those of the champion; 1 where nothing was timed.
    rows_per_cpu_s : float
        Of the challenger.
    """

    n_requests: int
    moved_share: float
    n_lost: int
    n_not_finite: int
    speed: float
    rows_per_cpu_s: float

    def figures(self) -> dict[str, float]:
        """Return them for the journal."""
        return {
            "requests": self.n_requests,
            "requests_moved_share": self.moved_share,
            "requests_lost": self.n_lost,
            "requests_not_finite": self.n_not_finite,
            "requests_speed": self.speed,
            "requests_rows_per_cpu_s": self.rows_per_cpu_s,
        }


def read_logged(state: Path, release: str, width: int) -> Logged:
    """Read what a release answered on the newest days of the prediction log, at most 20,000.

    Parameters
    ----------
    state : Path
        The state folder.
    release : str
        Digest of what was served.
    width : int
        Of its columns; vectors of another width are passed over.
    """
    days = sorted(each for each in (state / FOLDER).glob("????-??-??") if each.is_dir())
    ids: list[str] = []
    vectors: list[Array] = []
    n_damaged = 0
    for path in (path for day in days[-NEWEST_DAYS:] for path in sorted(day.glob("[!.]*.parquet"))):
        try:
            told = pq.read_table(path, columns=COLUMNS, partitioning=None).to_pylist()
        except (OSError, pa.ArrowException, KeyError):
            n_damaged += 1
            continue
        for row in told:
            if (
                row["status"] != "ok"
                or not row["release"]
                or not release.startswith(row["release"])
            ):
                continue
            if row["features"] is None:
                ids.append(door_id(row["customer_id"]))
            elif len(row["features"]) == width:
                vectors.append(np.array(row["features"], dtype=np.float64))
    kept_ids = _thin(ids, MOST_REQUESTS // 2)
    kept = _thin(vectors, MOST_REQUESTS - len(kept_ids))
    rows = np.vstack(kept) if kept else np.empty((0, width))
    return Logged(tuple(kept_ids), rows, n_damaged)


def answer_logged(
    logged: Logged,
    champion: Release,
    challenger: Release,
    today: Cohort,
    clock: Callable[[], float] = time.process_time,
) -> Answered:
    """Let both releases answer the requests.

    Parameters
    ----------
    logged : Logged
        What was asked.
    champion, challenger : Release
        What is served, and what may be.
    today : Cohort
        Everybody at the challenger's cutoff, with the columns of both.
    clock : callable
        CPU-seconds.
    """
    place = {one: number for number, one in enumerate(today.customer_ids)}
    known = [place[one] for one in logged.customer_ids if one in place]
    n_unknown = len(logged.customer_ids) - len(known)
    old = np.vstack([today.features.select(champion.columns).values[known], logged.vectors])
    new = np.vstack(
        [
            today.features.select(challenger.columns).values[known],
            _as_columns(logged.vectors, champion.columns, challenger.columns),
        ]
    )
    if not len(old):
        return Answered(len(logged), 0.0, n_unknown, 0, 1.0, 0.0)
    tier_old, _ = _answers(champion, old)
    tier_new, finite = _answers(challenger, new)
    tier_new[_lacks_required(challenger, new)] = ""
    had = tier_old != ""
    n_lost = int((had & (tier_new == "")).sum()) + n_unknown
    both = had & (tier_new != "")
    moved = float((tier_old[both] != tier_new[both]).mean()) if both.any() else 0.0
    slow, fast = _times(champion, old, challenger, new, clock)
    return Answered(
        len(logged),
        moved,
        n_lost,
        int((~finite & (tier_new != "")).sum()),
        slow / max(fast, 1e-9),
        len(new) / max(fast, 1e-9),
    )


def decide_on_answers(answered: Answered) -> tuple[str, ...]:
    """Return what speaks against a challenger; nothing below `JUDGED_FROM` requests but numbers."""
    reasons = []
    n = answered.n_requests
    if answered.n_not_finite:
        reasons.append(f"{answered.n_not_finite} of {n} logged requests get no finite answer")
    if n < JUDGED_FROM:
        return tuple(reasons)
    if answered.n_lost > MOST_LOST * n:
        reasons.append(f"{answered.n_lost} of {n} logged requests lose their answer")
    if answered.moved_share > MOST_MOVED:
        reasons.append(
            f"{answered.moved_share:.0%} of the logged requests get another tier; expected at "
            f"most {MOST_MOVED:.0%}"
        )
    if answered.speed < LEAST_SPEED:
        reasons.append(f"it answers {answered.speed:.2f} times as fast as the champion")
    return tuple(reasons)


def _answers(release: Release, rows: Array) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return the id of each row's tier (empty for none), and whether its numbers are finite."""
    with np.errstate(all="ignore"):
        scores = release.score(rows)
    names = np.array([*(tier.id for tier in release.tiers), ""])
    finite = np.isfinite(scores.expected_value) & np.isfinite(scores.p_churn)
    return names[np.where(scores.tier == NO_TIER, len(names) - 1, scores.tier)], finite


def _as_columns(rows: Array, have: Sequence[str], want: Sequence[str]) -> Array:
    """Return rows in another order of columns; what was not sent is missing."""
    place = {name: number for number, name in enumerate(have)}
    told = np.full((len(rows), len(want)), np.nan)
    for number, name in enumerate(want):
        if name in place:
            told[:, number] = rows[:, place[name]]
    return told


def _lacks_required(release: Release, rows: Array) -> NDArray[np.bool_]:
    places = [release.columns.index(name) for name in release.required]
    return np.asarray(np.isnan(rows[:, places]).any(axis=1))


def _times(
    champion: Release, old: Array, challenger: Release, new: Array, clock: Callable[[], float]
) -> tuple[float, float]:
    """Return the median CPU-seconds of both, in turns."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for times, release, rows in zip(spent, (champion, challenger), (old, new), strict=True):
            begun = clock()
            release.score(rows)
            times.append(clock() - begun)
    return median(spent[0]), median(spent[1])


def _thin(values: Sequence[T], most: int) -> Sequence[T]:
    """Return at most so many, evenly spread."""
    if len(values) <= most:
        return values
    return [values[i] for i in np.linspace(0, len(values) - 1, most).round().astype(int)]
