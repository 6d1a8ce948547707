"""Fit the baselines: whatever a learned model must beat, on the same cohorts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.config import ScorecardSettings
from training.learn.fit import Lesson
from training.models.formulas import FORMULAS, IN_CURRENCY, RFM_WEIGHTS, FormulaModel
from training.models.matrix import Array, FeatureMatrix

N_KNOTS = 20
SMALLEST_STEP = 1e-6  # of the mean value, so that knots rise strictly and the ranking is kept
QUINTILES = (0.2, 0.4, 0.6, 0.8)


def fit_baselines(lesson: Lesson, scorecard: ScorecardSettings) -> dict[str, FormulaModel]:
    """Return every baseline for the target of a lesson, by name.

    A score without a currency (recency, weighted RFM, a constant) becomes a value through the
    mean outcome of equal groups of the newest training cohort, scaled to the horizon where its
    own is shorter.
    """
    plan = lesson.plan
    past = lesson.past
    weights = scorecard.model_dump()
    baselines = {}
    for name in FORMULAS:
        edges = _quintile_edges(lesson.target.features)
        model = FormulaModel(name, plan.target.horizon_days, past, edges, weights=weights)
        if name not in IN_CURRENCY:
            newest = lesson.cohorts[0].cohort
            per_horizon = plan.target.horizon_days / plan.training_horizon_days
            # edges belong to a cohort, so the knots are read with those of their own cohort
            own = FormulaModel(
                name, plan.training_horizon_days, past, _quintile_edges(newest.features),
                weights=weights,
            )  # fmt: skip
            knots = value_knots(own.score(newest.features), newest.value * per_horizon)
            model = replace(model, score_knots=knots[0], value_knots=knots[1])
        baselines[name] = model
    return baselines


def _quintile_edges(features: FeatureMatrix) -> dict[str, list[float]]:
    return {
        name: [float(edge) for edge in np.quantile(features[name], QUINTILES)]
        for name in RFM_WEIGHTS
    }


def value_knots(score: Array, value: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return points of a strictly rising line from score to mean value.

    >>> value_knots(np.array([1.0, 1.0, 2.0, 2.0]), np.array([0.0, 2.0, 4.0, 6.0]))
    ((1.0, 2.0), (1.0, 5.000003))
    """
    inner = np.linspace(0, 1, N_KNOTS + 1)[1:-1]
    edges = np.unique(np.quantile(score, inner, method="higher"))
    group = np.searchsorted(edges, score, side="right")
    size = np.bincount(group)
    held = size > 0
    knots = np.bincount(group, score)[held] / size[held]
    rising = np.maximum.accumulate(np.bincount(group, value)[held] / size[held])
    steps = SMALLEST_STEP * max(float(value.mean()), 1e-9) * np.arange(len(knots))
    return tuple(knots.tolist()), tuple((rising + steps).tolist())
