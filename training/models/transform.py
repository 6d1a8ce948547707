"""From catalogue features to model inputs; the same code in training, batch and service.

Buy-till-you-die expectations are computed here and not in ``features``: they belong to the fit
that a release carries, and one customer's expectation needs only that customer's own numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from training.models.btyd import BuyTillYouDie, purchase_history
from training.models.matrix import Array, FeatureMatrix, weighted_sum

EXPECTATIONS = (
    "bgnbd_orders",
    "mbgnbd_orders",
    "mbgnbd_p_alive",
    "repeat_value",
    "all_value",
    "bgnbd_value",
    "mbgnbd_value",
)
"""Buy-till-you-die expectations that trees and linear models take as inputs."""

LINEAR_INPUTS = (
    "net_spend",
    "net_spend_last_horizon",
    "net_spend_previous_horizon",
    "decayed_net_spend_quarter_horizon",
    "decayed_net_spend_one_horizon",
    "decayed_net_spend_three_horizon",
    "n_order_days",
    "n_order_days_last_horizon",
    "decayed_order_days_quarter_horizon",
    "decayed_order_days_one_horizon",
    "decayed_order_days_three_horizon",
    "days_since_last_order",
    "first_to_last_days",
    "mean_day_value",
    "last_day_value",
    "max_day_value",
    "first_day_value",
    "mbgnbd_value",
    "bgnbd_value",
    "mbgnbd_orders",
    "all_value",
    "mean_gap_days",
    "max_gap_days",
    "geometric_mean_day_value",
    "days_since_second_last_order",
    "n_units",
    "units_per_day",
    "gross_value_per_unit",
    "net_spend_same_season",
    "n_order_days_same_season",
    "spend_rate",
    "net_spend_quarter_horizon",
    "lines_per_day",
)
"""Inputs of the linear value member; the logistic member reads every column."""

LARGEST_STANDARD_SCORE = 5.0
SMALLEST_BASE = 1e-3  # of the mean expectation


def expectations_of(
    features: FeatureMatrix, model: BuyTillYouDie, horizon_days: int
) -> dict[str, Array]:
    """Return every buy-till-you-die expectation of each row, as `BuyTillYouDie.expectations`."""
    return model.expectations(purchase_history(features), horizon_days)


def with_expectations(features: FeatureMatrix, expected: dict[str, Array]) -> FeatureMatrix:
    """Return the features with the columns of `EXPECTATIONS` beside them."""
    columns = np.column_stack([expected[name] for name in EXPECTATIONS])
    return features.beside(FeatureMatrix(EXPECTATIONS, columns))


def base_value(expected: dict[str, Array], mean: float | None = None) -> Array:
    """Return the level-free yardstick that targets are divided by, in currency.

    The geometric mean of MBG/NBD and BG/NBD, each times Gamma-Gamma on all orders, floored at a
    thousandth of the mean expectation (of this cohort unless `mean` is given).
    """
    product = expected["mbgnbd_value"] * expected["bgnbd_all_value"]
    floor = max(float(expected["mbgnbd_value"].mean()) if mean is None else mean, 1e-9)
    return np.maximum(np.sqrt(product), SMALLEST_BASE * floor)


@dataclass(frozen=True)
class LinearInputs:
    """Signed-log features, standardised on the training rows.

    Attributes
    ----------
    columns : tuple of str
        The inputs that exist.
    mean, deviation : tuple of float
        Of sign(x) * log(1 + abs(x)) on the training rows; a missing value counts as 0.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def transform(self, features: FeatureMatrix) -> list[Array]:
        """Return one standardised array (n,) a column, within five deviations."""
        scored = []
        for name, mean, deviation in zip(self.columns, self.mean, self.deviation, strict=True):
            standard = (signed_log(features[name]) - mean) / deviation
            scored.append(np.clip(standard, -LARGEST_STANDARD_SCORE, LARGEST_STANDARD_SCORE))
        return scored


def learn_linear_inputs(
    features: FeatureMatrix, names: Collection[str] = LINEAR_INPUTS
) -> LinearInputs:
    """Learn the standardisation of the named inputs that exist from training rows."""
    columns = tuple(name for name in names if name in features.columns)
    logs = [signed_log(features[name]) for name in columns]
    return LinearInputs(
        columns,
        tuple(float(column.mean()) for column in logs),
        tuple(float(column.std()) + 1e-6 for column in logs),
    )


def signed_log(values: Array) -> Array:
    """Return sign(x) * log(1 + abs(x)), 0 where x is missing."""
    known = np.where(np.isnan(values), 0.0, values)
    return np.sign(known) * np.log1p(np.abs(known))


@dataclass(frozen=True)
class LinearModel:
    """A linear predictor on `LinearInputs`."""

    intercept: float
    coefficients: tuple[float, ...]

    def predict(self, inputs: list[Array]) -> Array:
        """Return intercept + sum of coefficient * input, (n,), on the scale of the link."""
        return weighted_sum(inputs, list(self.coefficients)) + self.intercept


def sigmoid(logit: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-logit))


def logit(probability: Array, margin: float = 1e-4) -> Array:
    """Return log(p / (1 - p)) with p held within [margin, 1 - margin]."""
    held = np.clip(probability, margin, 1 - margin)
    return np.log(held / (1 - held))
