"""The level learned again: a factor of value, and slope and shift of p_active's logit. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.identity import hash_bucket
from training.judge.evaluate import evaluate_predictions
from training.labels import floor_at_zero
from training.learn.level import steady_ratio
from training.models.matrix import Array
from training.models.model import Prediction
from training.models.transform import logit
from training.policy import LevelCorrection

PRIOR_CUSTOMERS = 25.0
"""The prior on slope 1 and shift 0 counts for about so many customers."""
SLOPES = (0.25, 4.0)
MOST_STEPS = 50
TOLD = ("level_bias", "ece", "brier")


def learn_correction(prediction: Prediction, net_value: Array) -> LevelCorrection:
    """Learn what brings predictions to the level of a matured cohort.

    The factor of value is realised over predicted, shrunk by its error of sampling
    (`training.learn.level.steady_ratio`). Slope and shift of the logit of p_active are those of
    Platt (1999), with a prior on 1 and 0 so that a handful of customers moves little. None of them
    changes a rank.

    Parameters
    ----------
    prediction : Prediction
        Of the cohort, at the level that is served.
    net_value : array (n,)
        Its outcome, signed, currency.
    """
    slope, shift = _platt(logit(prediction.p_active), (net_value > 0).astype(np.float64))
    return LevelCorrection(
        value_factor=steady_ratio(floor_at_zero(net_value), prediction.value),
        active_logit_shift=shift,
        active_logit_slope=slope,
    )


def _platt(logits: Array, active: Array) -> tuple[float, float]:
    """Return slope and shift of the most probable logistic line, by Newton's method."""
    design = np.column_stack([logits, np.ones(len(logits))])
    start = np.array([1.0, 0.0])
    prior = np.diag([PRIOR_CUSTOMERS / 4.0] * 2)
    line = start.copy()
    for _ in range(MOST_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ line, -500, 500)))
        gradient = design.T @ (active - p) - prior @ (line - start)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + prior
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        line = line + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return float(np.clip(line[0], *SLOPES)), float(line[1])


def correct_unseen(
    customer_ids: Sequence[str], prediction: Prediction, net_value: Array
) -> Prediction:
    """Return each half of a cohort corrected by what was learned on the other half.

    So the level that is told afterwards is that of customers the correction had not seen.
    """
    half = np.array([hash_bucket(one, 2, "recalibrate") for one in customer_ids])
    value, p_active = np.empty(len(half)), np.empty(len(half))
    for mine in (0, 1):
        seen, held = half != mine, half == mine
        if not held.any():
            continue
        if not seen.any():
            seen = held
        learned = learn_correction(
            Prediction(prediction.value[seen], prediction.p_active[seen]), net_value[seen]
        )
        told = learned.correct(Prediction(prediction.value[held], prediction.p_active[held]))
        value[held], p_active[held] = told.value, told.p_active
    return Prediction(value, p_active)


def figures_of(prediction: Prediction, net_value: Array) -> dict[str, float]:
    """Return level, calibration error and Brier score of a cohort."""
    told = evaluate_predictions(net_value, prediction.value, prediction.p_active)
    return {name: told[name] for name in TOLD}
