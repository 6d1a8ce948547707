"""What a fitted blend says of customers it has not seen: of its newest training cohort, by folds."""

from __future__ import annotations

import numpy as np

from training.learn.churn import anchor
from training.learn.fit import Fitted
from training.models.blend import SMALLEST_SCORE, freeze_mixture
from training.models.model import Prediction


def unseen_prediction(fitted: Fitted) -> Prediction:
    """Return the cross-fitted prediction of the newest training cohort.

    Each customer is scored by members that were fitted without it; the few numbers of the blend
    (weights, power, stack) were learned with it. The level of value and activity is that cohort's
    own.
    """
    cohort, scores = fitted.lesson.cohorts[0], fitted.crossfit.unseen[0]
    model = fitted.model
    mixture = freeze_mixture(scores, model.mixture.weights)
    shaped = np.maximum(mixture.mix(scores), SMALLEST_SCORE) ** model.power
    value = shaped * (float(cohort.cohort.value.sum()) / float(shaped.sum()))
    p_bought = cohort.expected["p_active"]
    stack = anchor(model.churn.model, scores, p_bought, float(cohort.cohort.active.mean()))
    return Prediction(value, stack.predict(scores, p_bought))
