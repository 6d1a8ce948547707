"""Value: which members enter the blend, and the shape of the score, learned on unseen scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import TweedieRegressor

from training.judge.evaluate import ngini
from training.learn.crossfit import TWEEDIE_POWER, WINSOR_QUANTILE, TrainingCohort
from training.models.blend import SMALLEST_SCORE, freeze_mixture
from training.models.matrix import Array
from training.models.members import VALUE_MEMBERS

GUARD_COHORTS = 3
GUARD_RELATIVE_LOSS = 0.10
GUARD_STANDARD_ERRORS = 2.0
GUARD_DRAWS = 40
STRUCTURAL_MEMBER = "mbgnbd"
UNSTEADY_LEVEL = 0.05  # deviation of the log levels from which the structural member counts in full
SMALLEST_POWER = 0.1  # the shape may flatten the score but never turn its order round


def learn_weights(
    cohorts: Sequence[TrainingCohort], unseen: Sequence[dict[str, Array]], seed: int
) -> dict[str, float]:
    """Return each member's weight: equal, but 0 for one that ranks clearly worse.

    A member is dropped where its unseen nGini, averaged over the three newest cohorts, lies below
    the best member's by more than a tenth and by more than two paired bootstrap errors, and only
    where the best has skill at all.

    Parameters
    ----------
    cohorts : sequence of TrainingCohort
        Newest first.
    unseen : sequence of dict
        Cross-fitted member scores of each cohort.
    seed : int
        Of the bootstrap.
    """
    weights = dict.fromkeys(VALUE_MEMBERS, 1.0)
    recent = list(zip(cohorts, unseen, strict=True))[:GUARD_COHORTS]
    recent = [(c, scores) for c, scores in recent if c.cohort.value.sum() > 0]
    mean = {
        name: float(np.mean([ngini(c.cohort.value, scores[name]) for c, scores in recent]))
        for name in VALUE_MEMBERS
    }
    best = max(VALUE_MEMBERS, key=lambda name: mean[name])
    lagging = [
        name
        for name in VALUE_MEMBERS
        if mean[best] - mean[name] > GUARD_RELATIVE_LOSS * abs(mean[best])
    ]
    if not lagging:
        return weights
    newest, scores = recent[0]
    draws = _bootstrap_ngini(newest.cohort.value, scores, [best, *lagging], seed)
    if mean[best] <= GUARD_STANDARD_ERRORS * float(np.std(draws[best])):
        return weights
    for name in lagging:
        error = float(np.std(draws[best] - draws[name]))
        if mean[best] - mean[name] > GUARD_STANDARD_ERRORS * error:
            weights[name] = 0.0
    return weights


def _bootstrap_ngini(
    value: Array, scores: dict[str, Array], names: list[str], seed: int
) -> dict[str, Array]:
    """Return nGini of each named member on the same customer resamples."""
    generator = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(GUARD_DRAWS):
        rows = generator.integers(0, len(value), len(value))
        if value[rows].sum() <= 0:
            continue
        for name in names:
            found[name].append(ngini(value[rows], scores[name][rows]))
    return {name: np.array(values) for name, values in found.items()}


def weigh_structure(
    weights: Mapping[str, float], cohorts: Sequence[TrainingCohort]
) -> dict[str, float]:
    """Return the weights with that of buy-till-you-die lowered where one period is like the other.

    It learns nothing of how a period spends, which is its strength where periods differ (a member
    that has learned the last one is then wrong about the next) and its weakness where they do not.
    How far the training cohorts' levels lie apart tells which shop it is: the weight is
    (deviation of the log level / .05) squared, at most 1; with one cohort it stays.
    """
    others = sum(weight for name, weight in weights.items() if name != STRUCTURAL_MEMBER)
    if len(cohorts) < 2 or others == 0:
        return dict(weights)
    deviation = float(np.std([np.log(cohort.level) for cohort in cohorts], ddof=1))
    share = min(1.0, (deviation / UNSTEADY_LEVEL) ** 2)
    return {**weights, STRUCTURAL_MEMBER: share * weights[STRUCTURAL_MEMBER]}


def learn_power(
    cohorts: Sequence[TrainingCohort],
    unseen: Sequence[dict[str, Array]],
    weights: dict[str, float],
) -> float:
    """Return b of value ~ a * score ** b by Tweedie deviance on unseen scores.

    Values are winsorised and divided by their cohort's mean, so only the shape is learned; b is
    held at .1 or more, so the order of the score, and with it monotonicity, is kept.
    """
    scores, values, row_weights = [], [], []
    for cohort, member_scores in zip(cohorts, unseen, strict=True):
        value = cohort.cohort.value
        capped = np.minimum(value, np.quantile(value[value > 0], WINSOR_QUANTILE))
        scores.append(freeze_mixture(member_scores, weights).mix(member_scores))
        values.append(capped / capped.mean())
        row_weights.append(np.full(len(value), cohort.weight))
    log_score = np.log(np.maximum(np.concatenate(scores), SMALLEST_SCORE))
    model = TweedieRegressor(power=TWEEDIE_POWER, alpha=0.0, link="log", max_iter=300)
    model.fit(log_score[:, None], np.concatenate(values), np.concatenate(row_weights))
    return max(float(model.coef_[0]), SMALLEST_POWER)
