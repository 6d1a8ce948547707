"""Rows that stand out alone: one wrong value is a wrong row, not a change of the world. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array

ALONE = 5.0


def find_lone_rows(values: Array) -> NDArray[np.int64]:
    """Return the rows whose value in some column is far beyond that of every other row.

    Parameters
    ----------
    values : array (n, columns)
        NaN and infinite values are passed over.

    Returns
    -------
    int array
        Rising; at most one row for each column: the one whose size is more than `ALONE` times the
        next. Two rows that are wrong alike stand out no more, and count.

    Examples
    --------
    >>> find_lone_rows(np.array([[1.0, 2.0], [2.0, 100.0], [3.0, 3.0], [np.nan, 4.0]])).tolist()
    [1]
    """
    if len(values) < 2:
        return np.empty(0, np.int64)
    sizes = np.abs(values)
    most = sizes.max(axis=0)
    unknown = ~np.isfinite(most)
    if unknown.any():
        part = sizes[:, unknown]
        part[~np.isfinite(part)] = 0.0
        sizes[:, unknown] = part
        most = sizes.max(axis=0)
    alone = np.count_nonzero(sizes * ALONE >= most, axis=0) == 1
    rows = []
    for column in np.flatnonzero(alone):
        row = int(sizes[:, column].argmax())
        if np.count_nonzero(sizes[:, column]) > 1:
            rows.append(row)
    return np.unique(np.array(rows, dtype=np.int64))
