"""Outcomes and scores of the same customers, sorted once, and every metric of them. Pure.

A metric here is a function of a ``Ranking`` and of how many times each customer is counted: once
for the figure itself, as drawn for a bootstrap. A draw costs a few cumulative sums and gives what
sorting the resample anew would give. ``training.judge.evaluate`` says what each metric is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TIER_SHARES = (0.70, 0.20, 0.08, 0.02)
"""Shares, bottom to top, at which methods are compared so that only their ranking differs."""
CAP_QUANTILE = 0.995
ECE_BINS = 15
DECILES = 10


@dataclass(frozen=True)
class Ranking:
    """Outcomes and scores of the same customers, with their sort orders, each made once.

    Raises
    ------
    InputError
        If the two differ in length, are empty, or hold a number that is not finite.
    """

    y: FloatArray
    """Outcome, floored at 0, currency."""
    score: FloatArray

    @classmethod
    def of(cls, y: ArrayLike, score: ArrayLike) -> Ranking:
        """Check and floor the outcomes."""
        outcome, ranked = np.asarray(y, np.float64), np.asarray(score, np.float64)
        if outcome.ndim != 1 or outcome.shape != ranked.shape or not outcome.size:
            raise InputError(
                f"outcomes have shape {outcome.shape} and scores {ranked.shape}; "
                "expected one of each for every customer, and at least one customer",
                "score the customers of the label table, in its order",
            )
        bad = int((~np.isfinite(outcome)).sum() + (~np.isfinite(ranked)).sum())
        if bad:
            raise InputError(
                f"{bad} outcomes or scores are not finite; expected numbers",
                "leave out or fill in customers without a score before evaluating",
            )
        return cls(np.maximum(outcome, 0), ranked)

    @cached_property
    def best_first(self) -> IntArray:
        """Positions by descending score, ties in random order.

        The legacy generator with seed 0: its stream is frozen for good, so the order is too.
        """
        return np.lexsort((np.random.RandomState(0).rand(self.y.size), -self.score))

    @cached_property
    def best_first_stable(self) -> IntArray:
        """Positions by descending score, ties as given."""
        return np.argsort(-self.score, kind="stable")

    @cached_property
    def worst_first(self) -> IntArray:
        """Positions by ascending score, ties as given."""
        return np.argsort(self.score, kind="stable")

    @cached_property
    def y_ascending(self) -> IntArray:
        """Positions by ascending outcome."""
        return np.argsort(self.y, kind="stable")

    @cached_property
    def score_level(self) -> IntArray:
        """Number of the distinct score of each customer, ascending."""
        return np.unique(self.score, return_inverse=True)[1]

    @cached_property
    def y_level(self) -> IntArray:
        """Number of the distinct outcome of each customer, ascending."""
        return np.unique(self.y, return_inverse=True)[1]

    @cached_property
    def once(self) -> IntArray:
        """Every customer counted once."""
        return np.ones(self.y.size, np.int64)


Metric = Callable[[Ranking, IntArray], float]
"""A metric of a ranking in which customer i is counted counts[i] times."""


def _ngini(ranking: Ranking, counts: IntArray) -> float:
    perfect = _gini(ranking.y, ranking.y_ascending[::-1], counts)
    return _gini(ranking.y, ranking.best_first, counts) / perfect if perfect > 1e-12 else np.nan


def _gini(y: FloatArray, order: IntArray, counts: IntArray) -> float:
    c, held = counts[order], (counts * y)[order]
    before = np.cumsum(held) - held
    total, n = held.sum(), int(c.sum())
    if total <= 0:
        return float("nan")
    # A customer drawn c times adds c ranks: before + y, before + 2 y, ..., before + c y.
    cumulative = float((c * before + held * (c + 1) / 2).sum())
    return cumulative / float(total) / n - (n + 1) / (2 * n)


def _decile_mape(ranking: Ranking, counts: IntArray) -> float:
    n = int(counts.sum())
    ends = (n - 1) * np.arange(1, DECILES + 1) // DECILES + 1
    size = np.diff(ends, prepend=0)
    y = _group_sums(ranking.y, ranking.worst_first, counts, ends)
    value = _group_sums(ranking.score, ranking.worst_first, counts, ends)
    kept = (size > 0) & (y > 1e-12 * max(float(y.sum()), 1e-300))
    return float(np.mean(np.abs(value[kept] - y[kept]) / y[kept])) if kept.any() else np.nan


def _level_bias(ranking: Ranking, counts: IntArray) -> float:
    total = float((counts * ranking.y).sum())
    return float((counts * ranking.score).sum()) / total if total > 0 else np.nan


def _capture_top10(ranking: Ranking, counts: IntArray) -> float:
    n = int(counts.sum())
    top = max(n // 10, 1)
    held = _group_sums(ranking.y, ranking.best_first_stable, counts, np.array([top, n]))
    return float(held[0] / held.sum()) if held.sum() > 0 else np.nan


def _spearman(ranking: Ranking, counts: IntArray) -> float:
    a = _mid_ranks(ranking.y_level, counts)
    b = _mid_ranks(ranking.score_level, counts)
    middle = (counts.sum() + 1) / 2
    a, b = a - middle, b - middle
    scale = float(np.sqrt((counts * a * a).sum() * (counts * b * b).sum()))
    return float((counts * a * b).sum()) / scale if scale > 0 else np.nan


def _mae(ranking: Ranking, counts: IntArray) -> float:
    return float((counts * np.abs(ranking.score - ranking.y)).sum() / counts.sum())


def _rmse(ranking: Ranking, counts: IntArray) -> float:
    return float(np.sqrt((counts * (ranking.score - ranking.y) ** 2).sum() / counts.sum()))


def _auc_active(ranking: Ranking, counts: IntArray) -> float:
    active = counts * (ranking.y > 0)
    n, n_active = int(counts.sum()), int(active.sum())
    if n_active in (0, n):
        return float("nan")
    wins = (active * _mid_ranks(ranking.score_level, counts)).sum() - n_active * (n_active + 1) / 2
    return float(wins) / n_active / (n - n_active)


def _brier(ranking: Ranking, counts: IntArray) -> float:
    return float((counts * (ranking.score - (ranking.y > 0)) ** 2).sum() / counts.sum())


def _ece(ranking: Ranking, counts: IntArray) -> float:
    n = int(counts.sum())
    rank = _mid_ranks(ranking.score_level, counts)
    # Customers not drawn may get a rank outside 1..n; they weigh nothing.
    bins = np.clip(np.ceil(rank * ECE_BINS / n).astype(np.int64) - 1, 0, ECE_BINS - 1)
    gap = np.bincount(bins, counts * (ranking.score - (ranking.y > 0)), ECE_BINS)
    return float(np.abs(gap).sum() / n)


def _eta_squared_quota(ranking: Ranking, counts: IntArray) -> float:
    capped = np.minimum(ranking.y, positive_cap(ranking, counts))
    ends = quota_ends(int(counts.sum()), TIER_SHARES)
    sums = _group_sums(capped, ranking.worst_first, counts, ends)
    return between_over_total(capped, counts, sums, np.diff(ends, prepend=0))


def _group_sums(
    values: FloatArray, order: IntArray, counts: IntArray, ends: IntArray
) -> FloatArray:
    """Sums of consecutive groups of the resample in this order, which end after ``ends`` ranks.

    A customer drawn several times may belong to two groups, so his copies are parted.
    """
    c = counts[order]
    drawn, total = np.cumsum(c), np.cumsum((counts * values)[order])
    last = np.searchsorted(drawn, ends)
    upto = total[last] - (drawn[last] - ends) * values[order[last]]
    return np.diff(upto, prepend=0.0)


def _mid_ranks(level: IntArray, counts: IntArray) -> FloatArray:
    """Mean rank, from 1, in the resample of the customers of each level, given to each customer."""
    size = np.bincount(level, counts)
    ranks: FloatArray = np.cumsum(size) - size + (size + 1) / 2
    return ranks[level]


def positive_cap(ranking: Ranking, counts: IntArray) -> float:
    """The 99.5th percentile, linear, of the positive outcomes that are counted; 0 without one."""
    order = ranking.y_ascending
    drawn = np.cumsum((counts * (ranking.y > 0))[order])
    n = int(drawn[-1])
    if n == 0:
        return 0.0
    place = CAP_QUANTILE * (n - 1)
    lower = int(place)
    first, second = np.searchsorted(drawn, [lower + 1, min(lower + 2, n)])
    low, high = ranking.y[order[first]], ranking.y[order[second]]
    return float(low + (high - low) * (place - lower))


def quota_ends(n: int, shares: Sequence[float]) -> IntArray:
    """Ranks after which tiers of these shares end: round(cumulative share * n), bottom to top."""
    if abs(sum(shares) - 1) > 1e-9 or min(shares) < 0:
        raise InputError(
            f"tier shares {tuple(shares)} add to {sum(shares):g}; expected shares that add to 1",
            "correct the shares, bottom to top",
        )
    return np.round(np.round(np.cumsum(shares), 9) * n).astype(np.int64)


def between_over_total(
    y: FloatArray, counts: IntArray, sums: FloatArray, sizes: NDArray[np.integer]
) -> float:
    """Variance between groups of these sums and sizes over the variance of y; NaN without any."""
    mean = float((counts * y).sum() / counts.sum())
    kept = sizes > 0
    between = float((sizes[kept] * (sums[kept] / sizes[kept] - mean) ** 2).sum())
    total = float((counts * (y - mean) ** 2).sum())
    return between / total if total > 1e-12 * float((counts * y * y).sum()) else np.nan


METRICS: dict[str, Metric] = {
    "ngini": _ngini,
    "decile_mape": _decile_mape,
    "level_bias": _level_bias,
    "capture_top10": _capture_top10,
    "spearman": _spearman,
    "mae": _mae,
    "rmse": _rmse,
    "eta_squared": _eta_squared_quota,
    "auc_active": _auc_active,
    "brier": _brier,
    "ece": _ece,
}
"""Every metric by its name; of a value, the last three of a probability."""
