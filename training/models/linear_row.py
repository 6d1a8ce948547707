"""The linear members of the blend for one customer, all at once and the same to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, pairwise
from operator import add

import numpy as np

from training.models.matrix import Array
from training.models.transform import LARGEST_STANDARD_SCORE, LinearInputs, LinearModel


class LinearRow:
    """The mean predictors of groups of linear models for one row; their inputs are made once.

    Inputs of several groups that are standardised alike are one. Each model's terms stand in its own
    order and end in the last place, behind terms of an input that is always 0, so that all models
    are added up at once: 0 before the first term changes no bit of the sum.

    Parameters
    ----------
    groups : sequence of (LinearInputs, sequence of LinearModel)
        Models that share their inputs, and whose mean is asked for.
    design : sequence of str
        The names of a row's numbers, in order.

    Notes
    -----
    The buffers are its own: one instance belongs to one thread.
    """

    def __init__(
        self,
        groups: Sequence[tuple[LinearInputs, Sequence[LinearModel]]],
        design: Sequence[str],
    ) -> None:
        place_of = {name: place for place, name in enumerate(design)}
        made: dict[tuple[int, float, float], int] = {}
        terms: list[list[int]] = []
        for inputs, models in groups:
            triples = zip(inputs.columns, inputs.mean, inputs.deviation, strict=True)
            own = [
                made.setdefault((place_of[name], mean, deviation), len(made))
                for name, mean, deviation in triples
            ]
            terms.extend([own] * len(models))
        shape = (len(terms), max(map(len, terms)))
        self._terms = np.full(shape, len(made))
        self._coefficients = np.zeros(shape)
        fitted = [model for _, models in groups for model in models]
        for row, (own, model) in enumerate(zip(terms, fitted, strict=True)):
            self._terms[row, shape[1] - len(own) :] = own
            self._coefficients[row, shape[1] - len(own) :] = model.coefficients
        self._intercepts = np.array([model.intercept for model in fitted])
        ends = list(accumulate(len(models) for _, models in groups))
        self._groups = list(pairwise([0, *ends]))
        self._columns = np.array([place for place, _, _ in made])
        self._mean = np.array([mean for _, mean, _ in made])
        self._deviation = np.array([deviation for _, _, deviation in made])
        self._inputs = np.zeros(len(made) + 1)  # the last one is always 0
        self._known, self._size = self._inputs[:-1], np.empty(len(made))
        self._missing = np.empty(len(made), bool)
        self._most = np.full(len(made), LARGEST_STANDARD_SCORE)
        self._least = -self._most
        self._products, self._sums = np.empty(shape), np.empty(shape)
        self._last = self._sums[:, -1]

    def predict(self, design: Array) -> list[float]:
        """Return each group's mean, as ``members.mean_prediction`` on ``LinearInputs.transform``."""
        known, size, missing = self._known, self._size, self._missing
        design.take(self._columns, out=known, mode="clip")
        np.isnan(known, out=missing)
        np.copyto(known, 0.0, where=missing)
        np.log1p(np.abs(known, out=size), out=size)
        np.copysign(size, known, out=known)
        np.subtract(known, self._mean, out=known)
        np.divide(known, self._deviation, out=known)
        np.maximum(known, self._least, out=known)
        np.minimum(known, self._most, out=known)
        self._inputs.take(self._terms, out=self._products, mode="clip")
        np.multiply(self._products, self._coefficients, out=self._products)
        # accumulate adds from left to right, as the array form does; a sum or a product would not.
        np.add.accumulate(self._products, axis=1, out=self._sums)
        sums = (self._last + self._intercepts).tolist()
        return [mean_of(sums[start:end]) for start, end in self._groups]


def mean_of(numbers: Sequence[float]) -> float:
    """Return the mean of numbers that are added from left to right."""
    return reduce(add, numbers) / len(numbers)  # Python's own sum makes up for rounding
