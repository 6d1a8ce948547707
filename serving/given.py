"""A feature vector as a caller sends it: held to the release's features, and made a row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from serving import refusals
from serving.schemas import FeatureName

Row = npt.NDArray[np.float64]


class GivenVectors:
    """Reads feature vectors for one release.

    Parameters
    ----------
    features : sequence of FeatureName
        What a vector may hold, in the order of the release's columns.
    """

    def __init__(self, features: Sequence[FeatureName]) -> None:
        self._names = tuple(known.name for known in features)
        self._known = frozenset(self._names)
        self._required = np.array([i for i, known in enumerate(features) if known.required])
        self._least = np.array([0.0 if known.unit == "days" else -math.inf for known in features])

    def read(self, features: Mapping[str, float | None], path: str) -> Row:
        """Return a vector in the release's order; missing and null become NaN.

        Raises
        ------
        Refused
            422 naming the field below `path`: an unknown feature, days below zero, a required
            feature without a number.
        """
        row = np.array([*map(features.get, self._names)], dtype=np.float64)
        if (
            not self._known.issuperset(features)
            or np.count_nonzero(row < self._least)
            or math.isnan(row.take(self._required).sum())
        ):
            self._check(features, row, path)
        return row

    def _check(self, features: Mapping[str, float | None], row: Row, path: str) -> None:
        """Raise for the first field that is wrong."""
        least = dict(zip(self._names, self._least.tolist(), strict=True))
        for name, value in features.items():
            if name not in least:
                raise refusals.unknown_feature(f"{path}.{name}", name, self._names)
            if value is not None and value < least[name]:
                raise refusals.negative(f"{path}.{name}", value)
        for place in self._required.tolist():
            if math.isnan(row[place]):
                name = self._names[place]
                raise refusals.missing_feature(f"{path}.{name}", name)
