"""Lifecycle: where a customer stands by the customer's own cadence.

How long ago the last order is says little by itself: forty days are nothing for who comes twice a
year and an alarm for who comes weekly. So the days since the last order are counted in the
customer's own usual gaps. Of few orders the usual gap is drawn to the shop's. Measured on public
shops: docs/decisions/0013.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.config import LIFECYCLE, LifecycleSettings
from training.models.matrix import Array, FeatureMatrix

NO_STATE = -1
NEW, ACTIVE, COOLING, DORMANT, LOST, WON_BACK = range(len(LIFECYCLE))
COLUMNS = ("n_order_days", "days_since_last_order", "first_to_last_days", "last_gap_days")
SHORTEST_GAP_DAYS = 1.0


@dataclass(frozen=True)
class LifecycleRule:
    """The rule of one shop; `Release` holds it.

    Attributes
    ----------
    usual_gap_days : float
        Of the shop: the median over customers who came back of their mean gap.
    usual_gap_weight : float
        So many of the customer's own gaps it counts for.
    cooling_gaps, dormant_gaps, lost_gaps : float
        Usual gaps without an order from which a customer is cooling, dormant, lost.

    Notes
    -----
    The order of the tests: who would be active and has one order day is ``new``; who would be
    active, and whose last gap was that of a lost customer, is ``won_back``.
    """

    usual_gap_days: float
    usual_gap_weight: float
    cooling_gaps: float
    dormant_gaps: float
    lost_gaps: float

    def states(self, features: FeatureMatrix) -> NDArray[np.int64]:
        """Return each customer's state, an index into ``LIFECYCLE``.

        Parameters
        ----------
        features : FeatureMatrix
            The columns of `COLUMNS`; without ``last_gap_days`` nobody is told to be won back.

        Returns
        -------
        int array (n,)
            `NO_STATE` where there is no order day.
        """
        n, since, span = (features[name] for name in COLUMNS[:3])
        last_gap = np.zeros(len(features))
        if COLUMNS[3] in features.columns:
            last_gap = np.nan_to_num(features[COLUMNS[3]])
        with np.errstate(all="ignore"):
            gaps = (since - 1.0) / self._usual(span, n - 1.0)
            before = (last_gap - 1.0) / self._usual(span - last_gap, n - 2.0)
        came_back = (n >= 2) & (before > self.lost_gaps)
        state = np.full(len(n), LOST, np.int64)
        state[gaps <= self.lost_gaps] = DORMANT
        state[gaps <= self.dormant_gaps] = COOLING
        at_ease = gaps <= self.cooling_gaps
        state[at_ease] = ACTIVE
        state[at_ease & came_back] = WON_BACK
        state[at_ease & (n < 2)] = NEW
        state[~((n >= 1) & np.isfinite(gaps))] = NO_STATE
        return state

    def state(self, n: float, since: float, span: float, last_gap: float) -> int:
        """Return one customer's state, as `states` does, of the numbers named in `COLUMNS`."""
        if not (n >= 1 and math.isfinite(n + since + span)):
            return NO_STATE
        gap = last_gap if math.isfinite(last_gap) else 0.0
        gaps = (since - 1.0) / self._usual_one(span, n - 1.0)
        if not gaps <= self.cooling_gaps:
            if gaps <= self.dormant_gaps:
                return COOLING
            return DORMANT if gaps <= self.lost_gaps else LOST
        if n < 2:
            return NEW
        before = (gap - 1.0) / self._usual_one(span - gap, n - 2.0)
        return WON_BACK if before > self.lost_gaps else ACTIVE

    def _usual(self, span: Array, n_gaps: Array) -> Array:
        own = np.maximum(n_gaps, 0.0)
        weighted = (self.usual_gap_weight * self.usual_gap_days + span) / np.maximum(
            self.usual_gap_weight + own, SHORTEST_GAP_DAYS
        )
        return np.maximum(weighted, SHORTEST_GAP_DAYS)

    def _usual_one(self, span: float, n_gaps: float) -> float:
        own = max(n_gaps, 0.0)
        weighted = (self.usual_gap_weight * self.usual_gap_days + span) / max(
            self.usual_gap_weight + own, SHORTEST_GAP_DAYS
        )
        return max(weighted, SHORTEST_GAP_DAYS)

    def to_numbers(self) -> dict[str, float]:
        """Return the rule as JSON values."""
        return asdict(self)


def learn_lifecycle(
    features: FeatureMatrix, settings: LifecycleSettings, horizon_days: int
) -> LifecycleRule:
    """Return the rule of a shop: its settings, and the gap that is usual there.

    Parameters
    ----------
    features : FeatureMatrix
        Of everybody known at the cutoff.
    settings : LifecycleSettings
        Weights and thresholds.
    horizon_days : int
        The usual gap where nobody has come back yet, in days.
    """
    n, span = features["n_order_days"], features["first_to_last_days"]
    again = n > 1
    usual = float(np.median(span[again] / (n[again] - 1))) if again.any() else float(horizon_days)
    return LifecycleRule(
        max(usual, SHORTEST_GAP_DAYS),
        settings.usual_gap_weight,
        settings.cooling_gaps,
        settings.dormant_gaps,
        settings.lost_gaps,
    )


def lifecycle_from(numbers: Mapping[str, Any] | None) -> LifecycleRule | None:
    """Read a rule; a release made before there was one has none."""
    return None if numbers is None else LifecycleRule(**numbers)
