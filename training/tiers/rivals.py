"""What a shop would use instead of learned boundaries, each of the same interface.

A rival sees what the learned scheme sees, the score and the outcome of one cohort, and says which
share of customers each tier holds; on the cohort it is applied to the shares are cut by the score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from features.config import TierSettings
from training.models.matrix import Array
from training.tiers.cells import Cells, candidate_cuts, count_cells
from training.tiers.limits import TierLimits
from training.tiers.programme import build_programme

N_STARTS = 10
N_STEPS = 100
KMEANS_TOLERANCE = 1e-9

Shares = tuple[float, ...]


def fixed_shares(score: Array, outcome: Array, settings: TierSettings) -> Shares:
    """The shares of the configuration, 70/20/8/2 by default."""
    return settings.shares


def equal_shares(score: Array, outcome: Array, settings: TierSettings) -> Shares:
    """As many customers in each tier: quartiles of four."""
    n = len(settings.ids)
    return (1 / n,) * n


def natural_breaks(score: Array, outcome: Array, settings: TierSettings) -> Shares:
    """Jenks's natural breaks of the score (1967): exact in one dimension, on cells, no limits."""
    n = len(settings.ids)
    cells = count_cells(score, np.zeros(len(score)), candidate_cuts(score, 200))
    if len(cells) < n:
        return (1.0,) + (0.0,) * (n - 1)
    # the outcome rises by construction, so nothing but the squares is asked
    rising = Cells(
        cells.cuts,
        cells.n,
        cells.score,
        outcome=np.concatenate([[0.0], np.cumsum(np.diff(cells.n) * np.arange(len(cells)))]),
        outcome_squares=cells.n,
        payers=cells.n,
    )
    free = TierLimits(settings.ids, (0.0,) * n, (1.0,) * n, (0.0,) * (n - 1), 1, 0, 0.0)
    programme = build_programme(rising, free)
    inner = programme.solve(programme.score_gain)
    if inner is None:
        return (1.0,) + (0.0,) * (n - 1)
    return _shares_of(cells.share_above[inner])


def k_means(score: Array, outcome: Array, settings: TierSettings) -> Shares:
    """k-means of the logarithm of the score, best of 10 starts (Lloyd 1957, as field tools do)."""
    n = len(settings.ids)
    values = np.sort(np.log1p(np.maximum(score, 0)))
    rng = np.random.default_rng(0)
    best, least = np.full(n - 1, np.inf), np.inf
    for _ in range(N_STARTS):
        cuts, cost = _lloyd(values, np.sort(rng.choice(values, n)))
        if cost < least:
            best, least = cuts, cost
    return _shares_of((values[:, np.newaxis] >= best).mean(axis=0))


def _lloyd(values: Array, centres: Array) -> tuple[Array, float]:
    """Return the cuts between centres when they no longer move, and the squares within."""
    running = np.concatenate([[0.0], np.cumsum(values)])
    squares = float((values * values).sum())
    cost = np.inf
    cuts = (centres[1:] + centres[:-1]) / 2
    for _ in range(N_STEPS):
        cuts = (centres[1:] + centres[:-1]) / 2
        ends = np.concatenate([[0], np.searchsorted(values, cuts), [len(values)]])
        n, total = np.diff(ends), np.diff(running[ends])
        centres = np.where(n > 0, total / np.maximum(n, 1), centres)
        now = squares - float((total * total / np.maximum(n, 1)).sum())
        if cost - now <= KMEANS_TOLERANCE * squares:
            break
        cost = now
    return cuts, min(cost, now)


def _shares_of(at_or_above: Array) -> Shares:
    ends = np.concatenate([[1.0], at_or_above, [0.0]])
    return tuple((-np.diff(ends)).tolist())


RIVALS: dict[str, Callable[[Array, Array, TierSettings], Shares]] = {
    "fixed_shares": fixed_shares,
    "quartiles": equal_shares,
    "natural_breaks": natural_breaks,
    "k_means": k_means,
}
"""Every rival by name; the first line of a docstring is its description in reports.

The weighted RFM scorecard and the oracle are rivals in the score rather than in the shares: they
are the shares of the configuration on `training.models.formulas` and on the outcome itself.
"""


def breach_points(shares: Shares, settings: TierSettings) -> float:
    """Return the largest excess of a share over its maximum, in percentage points; 0 for none.

    >>> breach_points((0.25, 0.25, 0.25, 0.25), TierSettings())
    20.0
    """
    over = np.subtract(shares, settings.maximum_shares)
    return round(100 * max(float(over.max()), 0.0), 9)
