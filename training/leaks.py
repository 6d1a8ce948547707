"""Guards against a column that is the answer: it tells by itself who will be active.

Pure; outcomes come in as an argument. The guard against columns that change when the future is
taken away needs no outcomes: :mod:`features.leaks`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError

HIGHEST_AUC = 0.98
"""No honest column reaches it; the best features of any shop we know stay below .9."""

FEWEST_OF_A_CLASS = 20
"""Customers of each class below which an area says nothing."""


def check_no_answer(
    columns: Sequence[str],
    values: NDArray[np.float64],
    active: NDArray[np.bool_],
    meant: Collection[str] = (),
) -> None:
    """Refuse a column that tells by itself who is active in the outcome window.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns.
    values : array (n, len(columns))
        Their values, NaN where unknown.
    active : array (n,) of bool
        Who brought value in the outcome window.
    meant : collection of str
        Columns that may (``features.meant``).

    Raises
    ------
    InputError
        Naming the first such column and its area under the ROC curve.
    """
    for name, column in zip(columns, values.T, strict=True):
        if name in meant:
            continue
        area = revealing_area(column, active)
        if area >= HIGHEST_AUC:
            raise InputError(
                f"{name} alone tells who will be active (AUC {area:.3f}); expected below "
                f"{HIGHEST_AUC} of anything that was known before the cutoff",
                f'remove it, or, if it is meant, add "{name}" to features.meant',
            )


def revealing_area(column: NDArray[np.float64], active: NDArray[np.bool_]) -> float:
    """Return how well a column tells the active from the others, .5 to 1, in either direction.

    The largest area under the ROC curve with unknown values below all others, above them, and
    left out; of fewer than :data:`FEWEST_OF_A_CLASS` of a class, .5.

    >>> revealing_area(np.repeat([0.0, 1.0], 20), np.repeat([True, False], 20))
    1.0
    """
    known = ~np.isnan(column)
    low, high = np.where(known, column, -np.inf), np.where(known, column, np.inf)
    views = ((low, active), (high, active), (column[known], active[known]))
    areas = [_area(values, told) for values, told in views]
    return max(max(area, 1 - area) for area in areas)


def _area(values: NDArray[np.float64], active: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, ties counted half."""
    n_active = int(active.sum())
    n_others = len(active) - n_active
    if min(n_active, n_others) < FEWEST_OF_A_CLASS:
        return 0.5
    from scipy.stats import rankdata  # takes seconds: only once it is needed

    ranks = float(rankdata(values)[active].sum())
    return (ranks - n_active * (n_active + 1) / 2) / (n_active * n_others)
