"""The prediction log as monitoring reads it: what one release answered in a span of days."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from training.models.matrix import Array

FOLDER = "predictions"
COLUMNS = ["release", "status", "tier", "expected_value", "p_churn", "features"]


@dataclass(frozen=True)
class Answers:
    """Answers of the days [first, before).

    Attributes
    ----------
    n_by_day : dict of date to int
        Answers of any release.
    n_of_release, n_of_others : int
        Answers of the release asked for, and of others.
    statuses, tiers : dict of str to int
        Of that release.
    rows : array (n, width)
        Features of the vectors that were sent, as they came.
    n_damaged : int
        Segments that could not be read.
    """

    n_by_day: dict[date, int] = field(default_factory=dict)
    n_of_release: int = 0
    n_of_others: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    tiers: dict[str, int] = field(default_factory=dict)
    rows: Array = field(default_factory=lambda: np.empty((0, 0)))
    n_damaged: int = 0


def read_answers(state: Path, first: date, before: date, release: str, width: int) -> Answers:
    """Read the segments of the days [first, before).

    Parameters
    ----------
    state : Path
        The state folder.
    first, before : date
        First day (UTC), and the day after the last.
    release : str
        Digest of the release, or its beginning.
    width : int
        Features of that release; vectors of another width are passed over.
    """
    by_day: dict[date, int] = {}
    statuses, tiers = Counter[str](), Counter[str]()
    rows: list[Array] = []
    n_of_release = n_of_others = n_damaged = 0
    day = first
    while day < before:
        for path in sorted((state / FOLDER / day.isoformat()).glob("[!.]*.parquet")):
            try:
                told = pq.read_table(path, columns=COLUMNS).to_pydict()
            except (OSError, ValueError, KeyError):
                n_damaged += 1
                continue
            mine = [release.startswith(each) and bool(each) for each in told["release"]]
            by_day[day] = by_day.get(day, 0) + len(mine)
            n_of_release += sum(mine)
            n_of_others += len(mine) - sum(mine)
            statuses.update(s for s, own in zip(told["status"], mine, strict=True) if own)
            tiers.update(t for t, own in zip(told["tier"], mine, strict=True) if own and t)
            rows += [
                np.array(row, dtype=np.float64)
                for row, own in zip(told["features"], mine, strict=True)
                if own and row is not None and len(row) == width
            ]
        day += timedelta(days=1)
    return Answers(
        by_day,
        n_of_release,
        n_of_others,
        dict(sorted(statuses.items())),
        dict(sorted(tiers.items())),
        np.vstack(rows) if rows else np.empty((0, width)),
        n_damaged,
    )
