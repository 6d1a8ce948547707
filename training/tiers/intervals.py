"""Between which values a customer will lie: intervals of the outcome, learned from what was missed.

A customer brings nothing with probability 1 - p_active, and otherwise the value if active times a
ratio whose distribution is that of the learning cohort, by stratum of expected value. The cohort's
own level is divided out, since a level belongs to a season and the calibration corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.errors import InputError
from training.models.matrix import Array

COVERAGE = 0.90
N_STRATA = 3
N_POINTS = 201
LEAST_ACTIVE = 30  # in a stratum; fewer strata otherwise


@dataclass(frozen=True)
class ValueIntervals:
    """Ratios of outcome to value if active.

    Attributes
    ----------
    edges : tuple of float
        Expected values between the strata, currency.
    ratios : tuple of tuple of float
        For each stratum: the ratio's quantiles at even steps from 0 to 1.
    coverage : float
        Share of customers whose outcome lies within.
    """

    edges: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]
    coverage: float = COVERAGE

    def of(self, expected_value: Array, p_active: Array) -> tuple[Array, Array]:
        """Return the lower and the upper end of each customer's outcome, currency, at least 0.

        The lower end is 0 where the customer may well bring nothing; then the whole error lies
        above. Where nothing is almost certain, both are 0.
        """
        p = np.clip(p_active, 1e-9, 1.0)
        error = 1 - self.coverage
        both_sides = 1 - p < error / 2
        at_low = np.where(both_sides, (error / 2 - (1 - p)) / p, 0.0)
        at_high = (np.where(both_sides, 1 - error / 2, self.coverage) - (1 - p)) / p
        low, high = self._ratio(expected_value, at_low), self._ratio(expected_value, at_high)
        value_if_active = np.maximum(expected_value, 0) / p
        return (
            np.where(both_sides, low * value_if_active, 0.0),
            np.where(at_high > 0, high * value_if_active, 0.0),
        )

    def _ratio(self, expected_value: Array, at: Array) -> Array:
        stratum = np.searchsorted(self.edges, expected_value, side="right")
        steps = np.linspace(0, 1, N_POINTS)
        found = np.empty(len(at))
        for k, ratios in enumerate(self.ratios):
            mine = stratum == k
            found[mine] = np.interp(at[mine], steps, ratios)
        return found


def learn_intervals(
    expected_value: Array, p_active: Array, net_value: Array, coverage: float = COVERAGE
) -> ValueIntervals:
    """Learn intervals on a cohort whose outcomes the model has not seen.

    Parameters
    ----------
    expected_value : array (n,)
        Currency.
    p_active : array (n,)
        Probability of a positive outcome.
    net_value : array (n,)
        Signed realised net value, currency.
    coverage : float
        Wanted share of outcomes within.

    Raises
    ------
    InputError
        If fewer than 30 customers with a positive expected value brought something.
    """
    active = (net_value > 0) & (expected_value > 0)
    n_active = int(np.count_nonzero(active))
    if n_active < LEAST_ACTIVE:
        raise InputError(
            f"{n_active} customers with a positive outcome; expected at least {LEAST_ACTIVE} to "
            "learn intervals from",
            "learn from an earlier or a larger cohort",
        )
    if_active = expected_value[active] / np.clip(p_active[active], 1e-9, 1.0)
    ratio = net_value[active] / if_active * (if_active.sum() / net_value[active].sum())
    n_strata = min(N_STRATA, n_active // LEAST_ACTIVE)
    inner = np.linspace(0, 1, n_strata + 1)[1:-1]
    edges = np.unique(np.quantile(expected_value[active], inner, method="higher"))
    stratum = np.searchsorted(edges, expected_value[active], side="right")
    steps = np.linspace(0, 1, N_POINTS)
    held = [k for k in range(len(edges) + 1) if (stratum == k).any()]
    return ValueIntervals(
        edges=tuple(edges[np.array(held[1:], int) - 1].tolist()),
        ratios=tuple(tuple(np.quantile(ratio[stratum == k], steps).tolist()) for k in held),
        coverage=coverage,
    )


def covered_share(low: Array, high: Array, net_value: Array) -> float:
    """Return the share of outcomes, floored at 0, within their interval, ends included."""
    outcome = np.maximum(net_value, 0)
    return float(((outcome >= low) & (outcome <= high)).mean())
