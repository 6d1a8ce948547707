"""Metrics of predictions, defined so that two people get the same number. Pure.

``y`` is the net value of the outcome window in currency, one entry a customer; it is floored at 0
here, so signed values may be given. ``score`` is an expected value (currency), a probability, or
anything that ranks. A metric that does not exist on the data (nobody bought, say) is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from training.judge.ranking import (
    METRICS,
    TIER_SHARES,
    IntArray,
    Ranking,
    between_over_total,
    positive_cap,
    quota_ends,
)


def ngini(y: ArrayLike, score: ArrayLike) -> float:
    """Gini of the score's ranking over the Gini of the perfect ranking; NaN if y is constant.

    G = mean over ranks of the cumulative share of y in descending order of the ranking, less
    (n + 1) / (2 n); ties in random order, seed 0.

    Examples
    --------
    >>> ngini([0, 10, 30], [1, 2, 3]), round(ngini([0, 10, 30], [3, 2, 1]), 9)
    (1.0, -1.0)
    """
    return _once("ngini", y, score)


def decile_mape(y: ArrayLike, value: ArrayLike) -> float:
    """Mean over ten equal groups by rank of |mean value - mean y| / mean y.

    Ties rank as given; the cut is pandas.qcut's on ranks; groups with mean y = 0 are left out.
    """
    return _once("decile_mape", y, value)


def level_bias(y: ArrayLike, value: ArrayLike) -> float:
    """sum(value) / sum(y): 1 is right, below 1 too low."""
    return _once("level_bias", y, value)


def capture_top10(y: ArrayLike, score: ArrayLike) -> float:
    """Share of y held by the n // 10 customers (at least one) with the highest score."""
    return _once("capture_top10", y, score)


def spearman(y: ArrayLike, score: ArrayLike) -> float:
    """Correlation of ranks, ties at their mean rank; NaN if either is constant."""
    return _once("spearman", y, score)


def mae(y: ArrayLike, value: ArrayLike) -> float:
    """Mean absolute error, currency."""
    return _once("mae", y, value)


def rmse(y: ArrayLike, value: ArrayLike) -> float:
    """Root of the mean squared error, currency."""
    return _once("rmse", y, value)


def auc_active(y: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve of y > 0 ranked by a score, ties counted half; NaN without both."""
    return _once("auc_active", y, score)


def brier(y: ArrayLike, p_active: ArrayLike) -> float:
    """Mean squared difference of p_active and y > 0."""
    return _once("brier", y, p_active)


def ece(y: ArrayLike, p_active: ArrayLike) -> float:
    """Expected calibration error of p_active for y > 0 over 15 bins of equal mass.

    Mean over customers of |share active - mean p_active| of their bin; equal probabilities share
    a bin.
    """
    return _once("ece", y, p_active)


def eta_squared(y: ArrayLike, tier: ArrayLike) -> float:
    """Share of the variance of realised value that tiers explain; NaN if there is none.

    sum n_k (ybar_k - ybar)^2 / sum (y - ybar)^2 of y capped at the 99.5th percentile (linear) of
    its positive values.

    Parameters
    ----------
    y : array_like
        Outcome, currency.
    tier : array_like of int
        Tier of each customer, from 0.
    """
    ranking = Ranking.of(y, tier)
    capped = np.minimum(ranking.y, positive_cap(ranking, ranking.once))
    sums = np.asarray(np.bincount(ranking.score_level, capped), np.float64)
    return between_over_total(capped, ranking.once, sums, np.bincount(ranking.score_level))


def quota_tiers(value: ArrayLike, shares: Sequence[float] = TIER_SHARES) -> IntArray:
    """Return tiers, 0 at the bottom, that hold fixed shares of customers by value.

    Stable ascending rank, cut at round(cumulative share * n).

    Examples
    --------
    >>> quota_tiers([5.0, 1.0, 9.0, 7.0, 3.0], (0.4, 0.4, 0.2)).tolist()
    [1, 0, 2, 1, 0]
    """
    scores = np.asarray(value, np.float64)
    tiers = np.empty(scores.size, np.int64)
    rank = np.arange(scores.size)
    tiers[np.argsort(scores, kind="stable")] = np.searchsorted(
        quota_ends(scores.size, shares)[:-1], rank, side="right"
    )
    return tiers


def eta_squared_quota(y: ArrayLike, value: ArrayLike) -> float:
    """``eta_squared`` of the tiers 70/20/8/2 that the value makes: compares rankings alone."""
    return _once("eta_squared", y, value)


def evaluate_predictions(
    y: ArrayLike, value: ArrayLike, p_active: ArrayLike | None = None
) -> dict[str, float]:
    """Return every metric of one model on one cohort.

    Parameters
    ----------
    y : array_like
        Net value of the outcome window, currency; floored at 0 here.
    value : array_like
        Expected value, currency (a baseline: whatever it ranks by).
    p_active : array_like, optional
        Probability of y > 0. Without it auc_active ranks by value, and brier and ece are missing.

    Returns
    -------
    dict of float
        ngini, decile_mape, level_bias, capture_top10, spearman, mae, rmse, eta_squared (of 70/20/
        8/2 by value), auc_active, and with p_active brier and ece. NaN where undefined.
    """
    return {
        name: METRICS[name](ranking, ranking.once)
        for name, ranking in rankings_of(y, value, p_active).items()
    }


def _once(metric: str, y: ArrayLike, score: ArrayLike) -> float:
    ranking = Ranking.of(y, score)
    return METRICS[metric](ranking, ranking.once)


def rankings_of(y: ArrayLike, value: ArrayLike, p_active: ArrayLike | None) -> dict[str, Ranking]:
    """Return the ranking that each metric of one model reads."""
    by_value = Ranking.of(y, value)
    by_p = by_value if p_active is None else Ranking.of(y, p_active)
    of_p = ("auc_active",) if p_active is None else ("auc_active", "brier", "ece")
    of_value = [name for name in METRICS if name not in ("auc_active", "brier", "ece")]
    return dict.fromkeys(of_value, by_value) | dict.fromkeys(of_p, by_p)
