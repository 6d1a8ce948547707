"""What can be released for customers under contract: functions from a matrix to the logit of churn.

Numbers and LightGBM texts only. A row's logit is the same alone or among others, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.interpolate import BSpline

from training.models.booster import TextBooster
from training.models.matrix import Array, FeatureMatrix, weighted_sum

DEGREE = 3


class LogitModel(Protocol):
    """A fitted model of churn."""

    def logits(self, matrix: FeatureMatrix) -> Array:
        """Return the logit of churn of each row, before calibration."""

    def to_numbers(self) -> dict[str, Any]:
        """Return everything that is not a tree, as JSON values."""

    def to_texts(self) -> dict[str, str]:
        """Return LightGBM texts by file name."""


@dataclass(frozen=True)
class ConstantLogit:
    """The same for everybody."""

    logit: float
    kind: str = field(default="constant", init=False)

    def logits(self, matrix: FeatureMatrix) -> Array:
        """Return the constant."""
        return np.full(len(matrix), self.logit)

    def to_numbers(self) -> dict[str, Any]:
        """Return the constant."""
        return asdict(self)

    def to_texts(self) -> dict[str, str]:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class StepLogit:
    """One column alone: the rate of churn in each of its steps, or of its values.

    Attributes
    ----------
    column : str
        Of the source.
    cuts, steps : tuple of float
        Of a number: a step ends below its cut.
    missing : float
        Of a number: the logit where there is none.
    values : dict
        Of a category: the logit by column of the matrix.
    """

    column: str
    cuts: tuple[float, ...] = ()
    steps: tuple[float, ...] = ()
    missing: float = 0.0
    values: dict[str, float] = field(default_factory=dict)
    kind: str = field(default="step", init=False)

    def logits(self, matrix: FeatureMatrix) -> Array:
        """Return the logit of each row's step or value."""
        if self.values:
            return weighted_sum([matrix[name] for name in self.values], [*self.values.values()])
        x = matrix[self.column]
        stepped = np.array(self.steps)[np.searchsorted(self.cuts, x, side="right")]
        return np.where(np.isnan(x), self.missing, stepped)

    def to_numbers(self) -> dict[str, Any]:
        """Return the steps."""
        return asdict(self)

    def to_texts(self) -> dict[str, str]:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class SplineLogit:
    """A sum of smooth functions of numbers and of terms of categories.

    Attributes
    ----------
    intercept : float
    linear : dict
        Coefficient by column of the matrix.
    fills : dict
        What stands for a missing number.
    missing : dict
        What is added where a number is missing.
    splines : dict
        Knots and coefficients of a cubic B-spline by number; constant outside its knots.
    """

    intercept: float
    linear: dict[str, float]
    fills: dict[str, float]
    missing: dict[str, float]
    splines: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    kind: str = field(default="spline", init=False)

    def logits(self, matrix: FeatureMatrix) -> Array:
        """Return the sum of each row."""
        total = np.full(len(matrix), self.intercept)
        for name, coefficient in self.linear.items():
            x = matrix[name]
            if name in self.fills:
                absent = np.isnan(x)
                x = np.where(absent, self.fills[name], x)
                total = total + self.missing.get(name, 0.0) * absent
            if name in self.splines:
                knots, coefficients = map(np.array, self.splines[name])
                inside = np.clip(x, knots[DEGREE], knots[-DEGREE - 1])
                total = total + BSpline(knots, coefficients, DEGREE)(inside)
            total = total + coefficient * x
        return total

    def to_numbers(self) -> dict[str, Any]:
        """Return the coefficients."""
        return asdict(self)

    def to_texts(self) -> dict[str, str]:
        """Return nothing."""
        return {}


class TreesLogit:
    """The mean of the raw scores of boosters that were fitted with different seeds.

    Parameters
    ----------
    texts : dict of str to str
        LightGBM's text by file name.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)
        self._boosters = [TextBooster(text) for text in texts.values()]

    def logits(self, matrix: FeatureMatrix) -> Array:
        """Return the mean raw score of each row."""
        scores = [b.predict(matrix.values, raw_score=True, num_threads=1) for b in self._boosters]
        return weighted_sum(scores, [1 / len(scores)] * len(scores))

    def to_numbers(self) -> dict[str, Any]:
        """Return the names of the texts."""
        return {"kind": "trees", "texts": [*self._texts]}

    def to_texts(self) -> dict[str, str]:
        """Return LightGBM's texts."""
        return dict(self._texts)


@dataclass(frozen=True)
class MeanLogit:
    """The mean of the logits of several models."""

    parts: tuple[LogitModel, ...]

    def logits(self, matrix: FeatureMatrix) -> Array:
        """Return the mean logit of each row."""
        share = 1 / len(self.parts)
        return weighted_sum([p.logits(matrix) for p in self.parts], [share] * len(self.parts))

    def to_numbers(self) -> dict[str, Any]:
        """Return the parts."""
        return {"kind": "mean", "parts": [part.to_numbers() for part in self.parts]}

    def to_texts(self) -> dict[str, str]:
        """Return LightGBM's texts of all parts."""
        return {name: text for part in self.parts for name, text in part.to_texts().items()}


def logit_model_from(told: Mapping[str, Any], texts: Mapping[str, str]) -> LogitModel:
    """Return the model of `to_numbers` and `to_texts`.

    Raises
    ------
    KeyError
        If the kind is unknown or a part is missing.
    """
    kind = told["kind"]
    rest = {name: value for name, value in told.items() if name != "kind"}
    if kind == "trees":
        return TreesLogit({name: texts[name] for name in rest["texts"]})
    if kind == "mean":
        return MeanLogit(tuple(logit_model_from(part, texts) for part in rest["parts"]))
    if kind == "spline":
        splines = {n: (tuple(knots), tuple(c)) for n, (knots, c) in rest["splines"].items()}
        return SplineLogit(**(rest | {"splines": splines}))
    if kind == "step":
        return StepLogit(**(rest | {"cuts": tuple(rest["cuts"]), "steps": tuple(rest["steps"])}))
    if kind == "constant":
        return ConstantLogit(**rest)
    raise KeyError(kind)
