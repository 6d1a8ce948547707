"""Metrics of a probability of churn over cross-validation folds. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.judge.ranking import METRICS, IntArray, Metric, Ranking
from training.judge.resample import draw_counts


def pr_auc(churned: ArrayLike, p_churn: ArrayLike) -> float:
    """Average precision: sum over thresholds of (rise of recall) * precision; NaN if nobody left.

    >>> round(pr_auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 6)
    0.833333
    """
    ranking = Ranking.of(np.asarray(churned, np.float64), p_churn)
    return _pr_auc(ranking, ranking.once)


def _pr_auc(ranking: Ranking, counts: IntArray) -> float:
    levels = ranking.score_level
    n = np.bincount(levels, counts)[::-1]
    hits = np.bincount(levels, counts * (ranking.y > 0))[::-1]
    total = hits.sum()
    if total == 0:
        return float("nan")
    seen = np.cumsum(n)
    precision = np.cumsum(hits) / np.maximum(seen, 1)
    return float((hits * precision).sum() / total)


RANKED: dict[str, Metric] = {"auc": METRICS["auc_active"], "pr_auc": _pr_auc}
"""Taken in each fold and averaged: scores of two folds' models need not compare."""
POOLED = {"brier": METRICS["brier"], "ece": METRICS["ece"]}
CHURN_METRICS = (*RANKED, *POOLED)


def evaluate_churn(
    churned: ArrayLike,
    p_churn: ArrayLike,
    fold: NDArray[np.int64],
    *,
    draws: int = 0,
    seed: int = 0,
) -> dict[str, float]:
    """Return auc, pr_auc (means over folds), brier and ece, with draws each with ``_se``.

    Parameters
    ----------
    churned : array_like of bool
        Who left.
    p_churn : array_like
        Probability to leave, of a model that had not seen the customer's fold.
    fold : int array
        Of each customer.
    draws, seed : int
        Bootstrap resamples of customers for the standard errors; seed of their generator.
    """
    y, p = np.asarray(churned, np.float64), np.asarray(p_churn, np.float64)
    whole = Ranking.of(y, p)
    rows = [np.flatnonzero(fold == k) for k in np.unique(fold)]
    parts = [(at, Ranking.of(y[at], p[at])) for at in rows]

    def metrics(counts: IntArray) -> list[float]:
        ranked = [
            float(np.mean([of(part, counts[at]) for at, part in parts])) for of in RANKED.values()
        ]
        return ranked + [of(whole, counts) for of in POOLED.values()]

    figures = dict(zip(CHURN_METRICS, metrics(whole.once), strict=True))
    if draws:
        drawn = np.array([metrics(counts) for counts in draw_counts(y.size, draws, seed)])
        for i, name in enumerate(CHURN_METRICS):
            known = drawn[np.isfinite(drawn[:, i]), i]
            figures[f"{name}_se"] = float(np.std(known, ddof=1)) if known.size > 1 else np.nan
    return figures
