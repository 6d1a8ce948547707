"""One customer's scores, bit for bit those that the release gives to ten thousand."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from training.lifecycle import COLUMNS
from training.models.matrix import Array
from training.models.one_row import RowPredict, row_predicts_of
from training.scores import NO_TIER, SMALLEST_P_ACTIVE, RowScore
from training.spread import rung_of

if TYPE_CHECKING:
    from training.release import Release

STRETCHES = (1.0, 2.7, 0.3)


class RowScorer:
    """Scores one row at a time, bit for bit as `Release.score`; one instance belongs to one thread.

    Where the model has a quick form for one row, and this form gives the answers of `Release.score`
    to the last bit on the golden rows as they are, stretched and shrunk, it is used.

    Attributes
    ----------
    is_quick : bool
        Whether the quick form is in use.
    """

    def __init__(self, release: Release) -> None:
        self._release = release
        self._cuts = release.boundaries.cuts
        self._risk_cuts = release.policy.risk_boundaries.cuts
        self._correct = release.policy.level.correct_one
        self._bounds = (-math.inf, *self._cuts, math.inf)
        self._borderlands = release.borderlands
        self._n_positive = release.columns.index("n_positive_days")
        self._rule = release.policy.lifecycle
        self._history = [
            release.columns.index(name) if name in release.columns else None for name in COLUMNS
        ]
        self._minimum_orders = release.minimum_orders
        self._spread = release.spread
        self._quick: RowPredict | None = None
        for quick in row_predicts_of(release.model):
            self._quick = quick
            if self._agrees(release.golden_rows):
                break
            self._quick = None
        self.is_quick = self._quick is not None

    def score(self, row: Array) -> RowScore:
        """Score one row in the order of the release's columns, (len(columns),)."""
        if self._quick is not None:
            try:
                value, p_active = self._correct(*self._quick(row))
            except ArithmeticError:
                return self._slowly(row)
            p_churn = 1.0 - p_active
            value_at_risk = p_churn * (value / max(p_active, SMALLEST_P_ACTIVE))
            n_positive = row.item(self._n_positive)
            rung = rung_of(n_positive)
            tier = bisect_right(self._cuts, value)
            low, high, probability = self._spread_of(rung, value, p_active, tier)
            risk = bisect_right(self._risk_cuts, p_churn)
            if not n_positive >= self._minimum_orders:
                tier = risk = NO_TIER
            state = self._state(row)
            return RowScore(
                value, p_churn, value_at_risk, tier, risk, low, high, rung, probability,
                self._borderline(value), state,
            )  # fmt: skip
        return self._slowly(row)

    def _spread_of(
        self, rung: int, value: float, p_active: float, tier: int
    ) -> tuple[float, float, float]:
        spread = self._spread
        if spread is None:
            return math.nan, math.nan, math.nan
        low, high = spread.interval_of_one(rung, value, p_active)
        below = spread.share_below_of_one(rung, value, p_active, self._bounds[tier])
        above = spread.share_below_of_one(rung, value, p_active, self._bounds[tier + 1])
        return low, high, above - below

    def _borderline(self, value: float) -> float:
        for start, end in self._borderlands:
            if start <= value < end:
                return 1.0
        return 0.0

    def _slowly(self, row: Array) -> RowScore:
        with np.errstate(all="ignore"):
            scores = self._release.score(row[np.newaxis])
        return RowScore(
            float(scores.expected_value[0]),
            float(scores.p_churn[0]),
            float(scores.value_at_risk[0]),
            int(scores.tier[0]),
            int(scores.risk[0]),
            float(scores.expected_value_low90[0]),
            float(scores.expected_value_high90[0]),
            int(scores.rung[0]),
            float(scores.tier_probability[0]),
            float(scores.borderline[0]),
            int(scores.lifecycle[0]),
        )

    def _state(self, row: Array) -> int:
        """Return the state of one row; what a release does not carry is not known."""
        if self._rule is None:
            return NO_TIER
        read = row.item
        numbers = [math.nan if place is None else read(place) for place in self._history]
        return self._rule.state(*numbers)

    def _agrees(self, rows: Array) -> bool:
        """Whether both forms give the same bits on rows as they are, stretched and shrunk."""
        if not len(rows):
            return False
        return all(
            repr(self.score(row)) == repr(self._slowly(row))
            for factor in STRETCHES
            for row in rows * factor
        )
