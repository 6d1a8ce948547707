"""Named columns of numbers: what models take, in training and in the service alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureMatrix:
    """Named float64 columns of equal length; NaN where a feature is not defined.

    Attributes
    ----------
    columns : tuple of str
        Names, in order.
    values : array (n, len(columns))
        C-ordered float64.
    """

    columns: tuple[str, ...]
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, name: str) -> Array:
        """Return one column as a contiguous array of length n."""
        return np.ascontiguousarray(self.values[:, self.columns.index(name)])

    def select(self, columns: tuple[str, ...]) -> FeatureMatrix:
        """Return the named columns, in the order given."""
        if columns == self.columns:
            return self
        index = [self.columns.index(name) for name in columns]
        return FeatureMatrix(columns, np.ascontiguousarray(self.values[:, index]))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> FeatureMatrix:
        """Return the same columns for some rows."""
        return FeatureMatrix(self.columns, np.ascontiguousarray(self.values[rows]))

    def beside(self, other: FeatureMatrix) -> FeatureMatrix:
        """Return the columns of both, side by side."""
        return FeatureMatrix(
            self.columns + other.columns,
            np.ascontiguousarray(np.hstack([self.values, other.values])),
        )


def stack_rows(parts: list[FeatureMatrix]) -> FeatureMatrix:
    """Return the rows of matrices with equal columns, one below the other."""
    return FeatureMatrix(parts[0].columns, np.vstack([part.values for part in parts]))


def weighted_sum(terms: list[Array], weights: list[float]) -> Array:
    """Add weighted arrays left to right.

    Unlike a matrix product, a row's sum does not depend, not even in its last bit, on how many
    rows are scored together.
    """
    total = terms[0] * weights[0]
    for term, weight in zip(terms[1:], weights[1:], strict=True):
        total = total + term * weight
    return total
