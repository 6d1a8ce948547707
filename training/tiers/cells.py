"""Candidate cuts of a score, and the sums between them: whatever follows costs the same for any n.

A cut is an observed score, and a customer at a cut belongs above it, so customers who tie are
never parted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array

SCORE_CAP_QUANTILE = 0.995
TAIL_MASS = 0.2  # half of the candidates lie above its quantile
SMALLEST_TAIL_MASS = 0.002
SMALLEST_TAIL_CUSTOMERS = 30

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """Customers counted and summed between neighbouring candidate cuts.

    Position p, from 0 to the number of cells, lies below cell p; all arrays but `cuts` are running
    sums over the cells below each position, (n_cells + 1,).

    Attributes
    ----------
    cuts : array (n_cells - 1,)
        Rising observed scores; ``cuts[p - 1]`` lies at position p.
    n, score, outcome, outcome_squares, payers : array
        Customers, their capped score, their outcome and its square, and how many of them have a
        positive outcome.
    """

    cuts: Array
    n: Array
    score: Array
    outcome: Array
    outcome_squares: Array
    payers: Array

    def __len__(self) -> int:
        return len(self.cuts) + 1

    @property
    def n_customers(self) -> float:
        """All customers."""
        return float(self.n[-1])

    @cached_property
    def share_above(self) -> Array:
        """Share of customers at or above each position."""
        return np.asarray(1 - self.n / self.n[-1])

    def boundaries(self, positions: IntArray) -> tuple[float, ...]:
        """Return the scores at inner positions."""
        return tuple(self.cuts[positions - 1].tolist())


def candidate_cuts(
    score: Array, n_cuts: int, least_below: float = 0.0, least_above: float = 0.0
) -> Array:
    """Return at most `n_cuts` observed scores above the least, rising.

    All of them where there are no more; otherwise half evenly spread below the 80th percentile of
    customers and half geometric in tail mass above it, where the upper tiers lie.

    Parameters
    ----------
    score : array (n,)
        Ranks the customers.
    n_cuts : int
        How many cuts are wanted.
    least_below, least_above : float
        Shares of customers that every cut leaves below and above itself: no cut is spent where
        no boundary may be.

    Examples
    --------
    >>> candidate_cuts(np.array([3.0, 1.0, 1.0, 2.0]), 10).tolist()
    [2.0, 3.0]
    """
    ranked = np.sort(score)
    is_new = np.empty(len(ranked), bool)
    is_new[:1], is_new[1:] = False, ranked[1:] > ranked[:-1]
    if np.count_nonzero(is_new) <= n_cuts:
        return np.asarray(ranked[is_new])
    tail = min(TAIL_MASS, 1 - least_below)
    smallest = max(SMALLEST_TAIL_CUSTOMERS / len(ranked), SMALLEST_TAIL_MASS, least_above)
    n_lower = n_cuts - n_cuts // 2
    lower = np.linspace(least_below, 1 - tail, n_lower + 1)[1:]
    upper = 1 - np.geomspace(tail, min(smallest, tail), n_cuts // 2 + 1)[1:]
    # quantile(method="higher"), of scores that are sorted already
    places = np.ceil(np.concatenate([lower, upper]) * (len(ranked) - 1)).astype(np.int64)
    cuts = np.unique(ranked[places])
    return np.asarray(cuts[cuts > ranked[0]])


def count_cells(score: Array, outcome: Array, cuts: Array) -> Cells:
    """Count and sum customers between cuts.

    Parameters
    ----------
    score : array (n,)
        Ranks the customers; for the sums it is capped at its 99.5th percentile.
    outcome : array (n,)
        What was realised, at least 0.
    cuts : array
        Rising observed scores.
    """
    cell = np.searchsorted(cuts, score, side="right")
    capped = np.minimum(score, np.quantile(score, SCORE_CAP_QUANTILE))

    def running(weights: Array | None) -> Array:
        counted = np.bincount(cell, weights, minlength=len(cuts) + 1)
        return np.concatenate([[0.0], np.cumsum(counted, dtype=np.float64)])

    return Cells(
        cuts=cuts,
        n=running(None),
        score=running(capped),
        outcome=running(outcome),
        outcome_squares=running(outcome * outcome),
        payers=running((outcome > 0).astype(np.float64)),
    )
