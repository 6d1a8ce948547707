"""Churn: three probabilities of buying stacked into one, brought to the level of the season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

from training.learn.crossfit import ONE_CLASS_LOGIT, TrainingCohort
from training.models.blend import ChurnStack, faded_sigmoid, stack_inputs
from training.models.matrix import Array
from training.models.transform import LinearModel

STACK_C = 0.01
# Half way to equal coefficients. Cross-fitting holds out customers but not times, so it flatters the
# trees, which have seen the period that they are asked about.
STACK_SHRINKAGE = 0.5
LARGEST_SHARE_ACTIVE = 0.995
LARGEST_SHIFT = 8.0


def learn_stack(
    cohorts: Sequence[TrainingCohort], unseen: Sequence[dict[str, Array]]
) -> LinearModel:
    """Learn the logistic stack on unseen probabilities of the training cohorts.

    Returns
    -------
    LinearModel
        On the three logits of `stack_inputs`, the coefficients shrunk half way to their mean; its
        level is set by `anchor`.
    """
    inputs = [
        np.column_stack(stack_inputs(scores, cohort.expected["p_active"]))
        for cohort, scores in zip(cohorts, unseen, strict=True)
    ]
    active = np.concatenate([cohort.cohort.active for cohort in cohorts])
    weight = np.concatenate([np.full(len(c.cohort), c.weight) for c in cohorts])
    if active.all() or not active.any():
        return LinearModel(ONE_CLASS_LOGIT if active.all() else -ONE_CLASS_LOGIT, (0.0,) * 3)
    model = LogisticRegression(C=STACK_C, max_iter=300)
    model.fit(np.concatenate(inputs), active, sample_weight=weight)
    shrunk = (1 - STACK_SHRINKAGE) * model.coef_[0] + STACK_SHRINKAGE * model.coef_[0].mean()
    return LinearModel(float(model.intercept_[0]), tuple(float(c) for c in shrunk))


def anchor(
    model: LinearModel,
    scores: Mapping[str, Array],
    p_bought: Array,
    share_active: float,
    fade: Array | float = 1.0,
) -> ChurnStack:
    """Shift the stack so that its mean on a cohort is the share expected to be active.

    Parameters
    ----------
    model : LinearModel
        Of `learn_stack`.
    scores, p_bought, fade
        Of the target cohort, as `ChurnStack.predict` takes them.
    share_active : float
        The mean to reach; held at .995.
    """
    logits = model.predict(stack_inputs(scores, p_bought))
    wanted = min(max(share_active, 1 - LARGEST_SHARE_ACTIVE), LARGEST_SHARE_ACTIVE)

    def excess(shift: float) -> float:
        return float(faded_sigmoid(logits + shift, fade).mean()) - wanted

    low, high = -LARGEST_SHIFT, LARGEST_SHIFT
    if excess(low) > 0 or excess(high) < 0:
        return ChurnStack(model, low if excess(low) > 0 else high)
    return ChurnStack(model, float(brentq(excess, low, high, xtol=1e-12)))
