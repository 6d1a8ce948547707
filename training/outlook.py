"""What a release says beside the expected value, learned from the backtest: intervals, near tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import InputError
from training.backtest import LEARNED, Backtest
from training.boundaries import TierBoundaries, cut_at_shares
from training.cohort import Cohort
from training.learn.spread import calibration_error, figures_of_spread, learn_spread
from training.learn.unseen import unseen_prediction
from training.models.matrix import Array, FeatureMatrix
from training.models.model import Prediction
from training.spread import IntArray, Spread, rungs_of

LEAST_FACTOR = 1.05  # boundaries themselves move by as much between resamples
LARGEST_FACTOR = 2.0
ONE_STANDARD_ERROR = 0.6827
N_NEAR = 200


@dataclass(frozen=True)
class Outlook:
    """What is learned of a release's answers.

    Attributes
    ----------
    spread : Spread or None
        Of outcomes around the expected value; None where too few customers brought something.
    reason : str or None
        Why there is no spread.
    borderline_factors : tuple of float
        For each boundary, bottom to top: a value within this factor of it is borderline.
    figures : dict
        How intervals and probabilities of tiers that were learned on an earlier cohort held on the
        backtest's; empty where there is no earlier one.
    """

    spread: Spread | None
    reason: str | None
    borderline_factors: tuple[float, ...]
    figures: dict[str, float]


def learn_outlook(
    backtest: Backtest,
    shares: Sequence[float],
    served: tuple[FeatureMatrix, Array],
    feature_horizon_days: int,
) -> Outlook:
    """Learn the outlook of the release that `backtest` speaks for.

    Parameters
    ----------
    backtest : Backtest
        Its winner is what is released.
    shares : sequence of float
        Of customers in each tier, bottom to top.
    served : FeatureMatrix and array (n,)
        Of the cohort that is served: features, and what the released model expects of it.
    feature_horizon_days : int
        With which the served features were built.
    """
    cohort, prediction = backtest.cohort, backtest.predictions[backtest.winner]
    features, expected_value = served
    reason, spread = None, None
    try:
        spread = learn_spread(
            rungs_of(cohort.features["n_positive_days"]),
            prediction.value,
            prediction.p_active,
            _net_value(cohort),
        )
    except InputError as cause:
        reason = cause.found
    before = None
    if feature_horizon_days == cohort.feature_horizon_days:
        model = backtest.models[backtest.winner]
        before = model.predict(features).value
    return Outlook(
        spread,
        reason,
        learn_borderline(expected_value, before, shares),
        _figures(backtest, shares),
    )


def learn_borderline(
    expected_value: Array, before: Array | None, shares: Sequence[float]
) -> tuple[float, ...]:
    """Return within which factor of each boundary a customer is borderline.

    A customer one standard error from a boundary is on its other side after one retraining in
    six. The error is that between the released model and the one of a horizon ago, both looking at
    today's customers: the 68th percentile of how far the 200 customers nearest the boundary stand
    from it under the one and under the other, in logarithms, each with boundaries at `shares`.

    Parameters
    ----------
    expected_value, before : array (n,)
        Of the released model and the earlier one, currency; without the earlier one, or where
        boundaries are not above 0, the factor is 1.05.
    shares : sequence of float
        Of customers in each tier, bottom to top.
    """
    cuts = cut_at_shares(expected_value, shares).cuts
    if before is None:
        return (LEAST_FACTOR,) * len(cuts)
    return tuple(
        _factor(expected_value, cut, before, cut_before)
        for cut, cut_before in zip(cuts, cut_at_shares(before, shares).cuts, strict=True)
    )


def _factor(value: Array, cut: float, before: Array, cut_before: float) -> float:
    known = (value > 0) & (before > 0)
    if min(cut, cut_before) <= 0 or not known.any():
        return LEAST_FACTOR
    distance = np.log(value[known] / cut)
    near = np.argsort(np.abs(distance), kind="stable")[:N_NEAR]
    change = np.log(before[known][near] / cut_before) - distance[near]
    factor = float(np.exp(np.quantile(np.abs(change), ONE_STANDARD_ERROR)))
    return min(max(factor, LEAST_FACTOR), LARGEST_FACTOR)


def _figures(backtest: Backtest, shares: Sequence[float]) -> dict[str, float]:
    """Return how a spread learned on the newest training cohort held on the backtest's.

    Nothing where that cohort's horizon is shorter than the one that is predicted.
    """
    lesson = backtest.fitted.lesson
    if backtest.winner != LEARNED or lesson.plan.scaled_horizon:
        return {}
    earlier = lesson.cohorts[0].cohort
    unseen = unseen_prediction(backtest.fitted)
    try:
        spread = learn_spread(
            rungs_of(earlier.features["n_positive_days"]),
            unseen.value,
            unseen.p_active,
            _net_value(earlier),
        )
    except InputError:
        return {}
    return figures_on(spread, backtest.cohort, backtest.predictions[LEARNED], shares)


def figures_on(
    spread: Spread, cohort: Cohort, prediction: Prediction, shares: Sequence[float]
) -> dict[str, float]:
    """Return how a spread held on a later cohort: coverage by rung, error of tier probabilities."""
    rung = rungs_of(cohort.features["n_positive_days"])
    value, p_active = prediction.value, prediction.p_active
    boundaries = cut_at_shares(value, shares)
    tier = boundaries.assign(value)
    probability = tier_probabilities(spread, rung, value, p_active, boundaries, tier)
    came_true = boundaries.assign(cohort.value) == tier
    return {
        **figures_of_spread(spread, rung, value, p_active, _net_value(cohort)),
        "tier_probability_ece": calibration_error(probability, came_true),
        "tier_probability_mean": float(probability.mean()),
        "tier_came_true_share": float(came_true.mean()),
    }


def tier_probabilities(
    spread: Spread,
    rung: IntArray,
    value: Array,
    p_active: Array,
    boundaries: TierBoundaries,
    tier: IntArray,
) -> Array:
    """Return the probability that each outcome lies within the boundaries of its tier."""
    bounds = np.array([-np.inf, *boundaries.cuts, np.inf])
    above = spread.shares_below(rung, value, p_active, bounds[tier + 1])
    return np.asarray(above - spread.shares_below(rung, value, p_active, bounds[tier]))


def _net_value(cohort: Cohort) -> Array:
    if cohort.net_value is None:
        raise ValueError(f"the outcomes of {cohort.snapshot.cutoff} have not matured")
    return cohort.net_value
