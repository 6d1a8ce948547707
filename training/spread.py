"""How far outcomes spread around what was expected: intervals, and the chance of each tier. Pure.

A customer brings nothing with probability 1 - p_active, otherwise the value if active times a
ratio. The distribution of that ratio is that of a cohort the model had not seen, by rung of the
cold-start ladder and stratum of expected value. Many customers and one are told the same to the
last bit: both forms do the same sums in the same order.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array

Rung = Literal["no_orders", "one_order", "repeat"]
RUNGS: tuple[Rung, ...] = ("no_orders", "one_order", "repeat")
"""The cold-start ladder, by order days with a positive value: 0, 1, 2 or more."""
N_POINTS = 201
LAST_POINT = N_POINTS - 1
COVERAGE = 0.90
LEAST_P_ACTIVE = 1e-9

IntArray = NDArray[np.int64]


def rung_of(n_positive_days: float) -> int:
    """Return the rung of a customer as a position in `RUNGS`.

    >>> [RUNGS[rung_of(n)] for n in (0.0, 1.0, 2.0, 30.0)]
    ['no_orders', 'one_order', 'repeat', 'repeat']
    """
    return int(n_positive_days >= 1) + int(n_positive_days >= 2)


def rungs_of(n_positive_days: Array) -> IntArray:
    """Return each customer's rung, as `rung_of`."""
    return (n_positive_days >= 1).astype(np.int64) + (n_positive_days >= 2)


@dataclass(frozen=True)
class RungSpread:
    """Ratios of outcome to value if active, on one rung.

    Attributes
    ----------
    edges : tuple of float
        Expected values between the strata, rising, currency.
    ratios : tuple of tuple of float
        For each stratum: quantiles of the ratio at 201 even steps from 0 to 1.
    n_active : tuple of int
        For each stratum: the customers it was learned from.
    """

    edges: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]
    n_active: tuple[int, ...]


@dataclass(frozen=True)
class Spread:
    """The spread of outcomes on every rung that gets a tier.

    Attributes
    ----------
    one_order, repeat : RungSpread
        By rung; a customer without orders is told as one with one order.
    coverage : float
        Share of customers whose outcome lies within its interval.
    """

    one_order: RungSpread
    repeat: RungSpread
    coverage: float = COVERAGE

    def intervals(self, rung: IntArray, value: Array, p_active: Array) -> tuple[Array, Array]:
        """Return the lower and upper ends between which each outcome will lie.

        Parameters
        ----------
        rung : int array (n,)
            Positions in `RUNGS`.
        value, p_active : array (n,)
            Expected value, currency, and probability of a positive outcome.

        Returns
        -------
        tuple of array (n,)
            Currency, at least 0. Where a customer may well bring nothing the lower end is 0 and
            the whole error lies above; where nothing is nearly certain both are 0, and the upper
            end may lie below the expected value.
        """
        p = np.maximum(p_active, LEAST_P_ACTIVE)
        error = 1 - self.coverage
        nothing = 1 - p
        both_sides = nothing < error / 2
        if_active = np.maximum(value, 0.0) / p
        group = self._groups(rung, value)
        at_low = np.where(both_sides, (error / 2 - nothing) / p, 0.0)
        at_high = (np.where(both_sides, 1 - error / 2, self.coverage) - nothing) / p
        low = np.where(both_sides, self._ratios_at(group, at_low) * if_active, 0.0)
        is_above = at_high > 0
        ratio = self._ratios_at(group, np.where(is_above, at_high, 0.0))
        return low, np.where(is_above, ratio * if_active, 0.0)

    def interval_of_one(self, rung: int, value: float, p_active: float) -> tuple[float, float]:
        """Return the interval of one customer, bit for bit as `intervals`."""
        p = max(p_active, LEAST_P_ACTIVE)
        error = 1 - self.coverage
        nothing = 1 - p
        if_active = max(value, 0.0) / p
        ratios = self._ratios_of_one(rung, value)
        if nothing < error / 2:
            low = _ratio_at(ratios, (error / 2 - nothing) / p) * if_active
            return low, _ratio_at(ratios, (1 - error / 2 - nothing) / p) * if_active
        at_high = (self.coverage - nothing) / p
        return 0.0, _ratio_at(ratios, at_high) * if_active if at_high > 0 else 0.0

    def shares_below(self, rung: IntArray, value: Array, p_active: Array, bound: Array) -> Array:
        """Return the probability that each outcome, floored at 0, lies below a bound, currency."""
        p = np.maximum(p_active, LEAST_P_ACTIVE)
        is_positive = value > 0
        with np.errstate(over="ignore"):
            ratio = bound * p / np.where(is_positive, value, 1.0)
        group = self._groups(rung, value)
        below = np.ones(len(ratio))
        for k, table in enumerate(self._table):
            mine = (group == k) & is_positive
            below[mine] = _shares_below_ratio(table, ratio[mine])
        share = (1 - p) + p * below
        return np.where(bound <= 0, 0.0, np.where(bound == math.inf, 1.0, share))

    def share_below_of_one(self, rung: int, value: float, p_active: float, bound: float) -> float:
        """Return the probability of one customer, bit for bit as `shares_below`."""
        if bound <= 0:
            return 0.0
        if bound == math.inf:
            return 1.0
        p = max(p_active, LEAST_P_ACTIVE)
        below = 1.0
        if value > 0:
            below = _share_below_ratio(self._ratios_of_one(rung, value), bound * p / value)
        return (1 - p) + p * below

    @cached_property
    def _table(self) -> Array:
        return np.array([*self.one_order.ratios, *self.repeat.ratios])

    def _groups(self, rung: IntArray, value: Array) -> IntArray:
        """Return each customer's row of the table."""
        one = np.searchsorted(self.one_order.edges, value, side="right")
        more = len(self.one_order.ratios) + np.searchsorted(self.repeat.edges, value, side="right")
        return np.where(rung >= 2, more, one).astype(np.int64)

    def _ratios_of_one(self, rung: int, value: float) -> tuple[float, ...]:
        spread = self.repeat if rung >= 2 else self.one_order
        return spread.ratios[bisect_right(spread.edges, value)]

    def _ratios_at(self, group: IntArray, at: Array) -> Array:
        """Return the ratio's quantile of each customer's group."""
        place = at * LAST_POINT
        with np.errstate(invalid="ignore"):  # a score that is no number has no interval
            step = np.clip(place.astype(np.int64), 0, LAST_POINT - 1)
        below, above = self._table[group, step], self._table[group, step + 1]
        return np.asarray(below + (above - below) * (place - step))


def _ratio_at(ratios: tuple[float, ...], at: float) -> float:
    place = at * LAST_POINT
    step = min(int(place), LAST_POINT - 1)
    below, above = ratios[step], ratios[step + 1]
    return below + (above - below) * (place - step)


def _shares_below_ratio(table: Array, ratio: Array) -> Array:
    """Return the share of a group whose ratio lies below each given one."""
    after = np.searchsorted(table, ratio, side="right")
    step = np.clip(after, 1, LAST_POINT)
    below, above = table[step - 1], table[step]
    is_inside = (after > 0) & (after < N_POINTS)
    width = np.where(is_inside, above - below, 1.0)
    share = (step - 1 + (ratio - below) / width) / LAST_POINT
    return np.where(is_inside, share, np.where(after > 0, 1.0, 0.0))


def _share_below_ratio(ratios: tuple[float, ...], ratio: float) -> float:
    after = bisect_right(ratios, ratio)
    if after == 0:
        return 0.0
    if after == N_POINTS:
        return 1.0
    below, above = ratios[after - 1], ratios[after]
    return (after - 1 + (ratio - below) / (above - below)) / LAST_POINT


def spread_to_numbers(spread: Spread | None) -> dict[str, Any] | None:
    """Return a spread as JSON values."""
    return None if spread is None else asdict(spread)


def spread_from(numbers: Mapping[str, Any] | None) -> Spread | None:
    """Return the spread that `spread_to_numbers` wrote."""
    if numbers is None:
        return None
    one_order, repeat = (
        RungSpread(
            tuple(rung["edges"]),
            tuple(tuple(ratios) for ratios in rung["ratios"]),
            tuple(rung["n_active"]),
        )
        for rung in (numbers["one_order"], numbers["repeat"])
    )
    return Spread(one_order, repeat, numbers["coverage"])
