"""What a release says of its customers, many at a time or one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array

NO_TIER = -1
SMALLEST_P_ACTIVE = 1e-9
STORED_SCORES = (
    "expected_value",
    "p_churn",
    "value_at_risk",
    "tier",
    "risk",
    "expected_value_low90",
    "expected_value_high90",
    "rung",
    "tier_probability",
    "borderline",
    "lifecycle",
)
"""What a look-up keeps of each customer's scores, in the order of `RowScore`."""
STORED_STANDING = ("tier_in_force", "tier_since")
"""What it keeps behind them of the published assignment: the place of the tier in the assignment's
scheme (`NO_TIER` for none), and the proleptic ordinal of the day it began (0 for none)."""


@dataclass(frozen=True)
class Scores:
    """What a release says of each customer; arrays (n,).

    Attributes
    ----------
    expected_value : array
        Expected net value in the outcome window, currency.
    p_churn : array
        Probability of no positive net value in the outcome window.
    value_if_active : array
        Expected net value given activity, currency.
    value_at_risk : array
        p_churn * value_if_active, currency.
    tier : int array
        0 at the bottom; `NO_TIER` where there is too little data.
    risk : int array
        Level of churn, 0 for the lowest; `NO_TIER` as above.
    expected_value_low90, expected_value_high90 : array
        Between these nine of ten customers' outcomes lie, currency; NaN where the release was
        learned from too few outcomes to tell.
    rung : int array
        Of the cold-start ladder, a position in `RUNGS`.
    tier_probability : array
        That the outcome lies within the boundaries of the tier; NaN as above.
    borderline : array
        1 where the value is so near a boundary that a retraining may move the customer, else 0.
    lifecycle : int array
        State, an index into ``LIFECYCLE``; `NO_TIER` where there is none.
    """

    expected_value: Array
    p_churn: Array
    value_if_active: Array
    value_at_risk: Array
    tier: NDArray[np.int64]
    risk: NDArray[np.int64]
    expected_value_low90: Array
    expected_value_high90: Array
    rung: NDArray[np.int64]
    tier_probability: Array
    borderline: Array
    lifecycle: NDArray[np.int64]


class RowScore(NamedTuple):
    """What a release says of one customer: the fields of `Scores`, each a number."""

    expected_value: float
    p_churn: float
    value_at_risk: float
    tier: int
    risk: int
    expected_value_low90: float
    expected_value_high90: float
    rung: int
    tier_probability: float
    borderline: float
    lifecycle: int
