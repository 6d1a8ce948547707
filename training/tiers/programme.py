"""The best scheme among all that keep the limits: an exact dynamic programme over cells.

Maximises the sum of squares between tiers, of the score, of the outcome or of a mixture. The state
keeps the last tier, since whether the next may follow depends on the means of both. After Jenks
(1967) and Fisher (1958), whose programme has no constraint between neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array
from training.tiers.cells import Cells, IntArray
from training.tiers.limits import TierLimits

BoolArray = NDArray[np.bool_]
COUNT_TOLERANCE = 1e-9  # of all customers, when a share is turned into a count


@dataclass(frozen=True)
class Programme:
    """Every scheme that keeps the limits, as tables over the positions each boundary may take.

    Attributes
    ----------
    cells : Cells
        What is cut.
    positions : tuple of int array
        Where each boundary may lie, bottom to top; the first is always 0, the last the end.
    allowed : tuple of bool array
        For each tier, over (position below, position above): whether it keeps its own limits.
    rising : tuple of bool array
        For each inner boundary, over (position of the boundary below, its own, the one above):
        whether both tiers are allowed and the mean outcome rises enough.
    score_gain, outcome_gain : tuple of array
        For each tier: its sum of squares between, of the score and of the outcome.
    """

    cells: Cells
    positions: tuple[IntArray, ...]
    allowed: tuple[BoolArray, ...]
    rising: tuple[BoolArray, ...]
    score_gain: tuple[Array, ...]
    outcome_gain: tuple[Array, ...]

    def solve(
        self, gain: Sequence[Array], penalty: Sequence[Array] | None = None
    ) -> IntArray | None:
        """Return the inner positions of the scheme with the greatest gain, or None if none is.

        Parameters
        ----------
        gain : sequence of array
            For each tier, over (position below, position above).
        penalty : sequence of array, optional
            For each inner boundary, over its positions: subtracted.
        """
        if not all(len(positions) for positions in self.positions):
            return None
        value = np.where(self.allowed[0], gain[0], -np.inf)
        chosen: list[IntArray] = []
        for k, rising in enumerate(self.rising):
            value = np.where(rising, value[:, :, np.newaxis], -np.inf)
            chosen.append(value.argmax(axis=0))
            value = value.max(axis=0) + gain[k + 1]
            if penalty is not None:
                value = value - penalty[k][:, np.newaxis]
        # the last boundary is the end: one column remains
        place, above = int(value[:, 0].argmax()), 0
        if not np.isfinite(value[place, 0]):
            return None
        places = [place]
        for before in reversed(chosen[1:]):
            place, above = int(before[place, above]), place
            places.append(place)
        inner = zip(self.positions[1:-1], reversed(places), strict=True)
        return np.array([positions[i] for positions, i in inner], np.int64)

    def score_between(self, inner: IntArray) -> float:
        """Return the sum of squares between tiers of the score: the J_v of a scheme."""
        return between(self.cells, self.cells.score, inner)

    def outcome_between(self, inner: IntArray) -> float:
        """Return the sum of squares between tiers of the realised outcome: the J_y of a scheme."""
        return between(self.cells, self.cells.outcome, inner)


def between(cells: Cells, sums: Array, inner: IntArray) -> float:
    """Return the sum of squares between tiers of a quantity, given its running sums."""
    places = np.concatenate([[0], inner, [len(cells)]])
    n, total = np.diff(cells.n[places]), np.diff(sums[places])
    return float((total * total / np.maximum(n, 1)).sum() - sums[-1] ** 2 / cells.n[-1])


def build_programme(cells: Cells, limits: TierLimits) -> Programme:
    """Lay out every scheme that keeps the limits; `len(limits)` is at least 2."""
    positions = _windows(cells, limits)
    tiers = [_Blocks.between(cells, low, high) for low, high in pairwise(positions)]
    allowed = [block.n_customers_ok(limits, k, cells.n_customers) for k, block in enumerate(tiers)]
    rising = [
        _rises(tiers[k - 1], tiers[k], limits, k)
        & allowed[k - 1][:, :, np.newaxis]
        & allowed[k][np.newaxis, :, :]
        for k in range(1, len(tiers))
    ]
    return Programme(
        cells=cells,
        positions=tuple(positions),
        allowed=tuple(allowed),
        rising=tuple(rising),
        score_gain=tuple(block.gain(cells, cells.score) for block in tiers),
        outcome_gain=tuple(block.gain(cells, cells.outcome) for block in tiers),
    )


def _windows(cells: Cells, limits: TierLimits) -> list[IntArray]:
    """Return where each boundary may lie, given only what the shares below and above add up to."""
    n, least, most = cells.n_customers, limits.minimum_shares, limits.maximum_shares
    slack = COUNT_TOLERANCE * n
    inner = np.arange(1, len(cells))
    windows = [np.zeros(1, np.int64)]
    for k in range(1, len(limits)):
        low = max(sum(least[:k]), 1 - sum(most[k:])) * n - slack
        high = min(sum(most[:k]), 1 - sum(least[k:])) * n + slack
        below = cells.n[inner]
        windows.append(inner[(below >= low) & (below <= high)])
    return [*windows, np.array([len(cells)], np.int64)]


@dataclass(frozen=True)
class _Blocks:
    """All blocks of cells between two sets of positions, (n_low, n_high)."""

    low: IntArray
    high: IntArray
    n: Array
    payers: Array
    mean: Array
    squared_error: Array
    """Of the mean outcome; infinite where there are not two customers."""

    @classmethod
    def between(cls, cells: Cells, low: IntArray, high: IntArray) -> _Blocks:
        def over(running: Array) -> Array:
            return running[np.newaxis, high] - running[low, np.newaxis]

        n = np.where(low[:, np.newaxis] < high[np.newaxis, :], over(cells.n), 0.0)
        held = np.maximum(n, 1)
        mean = over(cells.outcome) / held
        spread = np.maximum(over(cells.outcome_squares) - held * mean * mean, 0)
        squared_error = np.where(n > 1, spread / np.maximum(n - 1, 1) / held, np.inf)
        return cls(low, high, n, over(cells.payers), mean, squared_error)

    def n_customers_ok(self, limits: TierLimits, tier: int, n_all: float) -> BoolArray:
        slack = COUNT_TOLERANCE * n_all
        least = max(limits.minimum_shares[tier] * n_all - slack, limits.n_customers_min)
        most = np.floor(limits.maximum_shares[tier] * n_all + slack)
        enough: BoolArray = (
            (self.n >= least) & (self.n <= most) & (self.payers >= limits.n_payers_min)
        )
        return enough & (self.n > 0)

    def gain(self, cells: Cells, sums: Array) -> Array:
        """Return n (mean - mean of all)^2 of a quantity, given its running sums."""
        mean_of_all = sums[-1] / cells.n[-1]
        total = sums[np.newaxis, self.high] - sums[self.low, np.newaxis]
        deviation = total / np.maximum(self.n, 1) - mean_of_all
        return np.asarray(self.n * deviation * deviation)


def _rises(lower: _Blocks, upper: _Blocks, limits: TierLimits, boundary: int) -> BoolArray:
    """Return whether the mean rises enough, over (below, boundary, above)."""
    rise = upper.mean[np.newaxis, :, :] - lower.mean[:, :, np.newaxis]
    enough: BoolArray = (rise > 0) & (rise >= limits.gaps[boundary - 1])
    if limits.rise_standard_errors > 0:
        errors = upper.squared_error[np.newaxis, :, :] + lower.squared_error[:, :, np.newaxis]
        enough &= rise >= limits.rise_standard_errors * np.sqrt(errors)
    return enough
