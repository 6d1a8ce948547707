"""Fit the learned model for one target snapshot, with nothing known at or after its cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from threadpoolctl import threadpool_limits

from features.config import TrainingSettings
from features.errors import InputError, NoSkillError
from features.progress import Progress
from training.cohort import Cohort, CohortSource
from training.learn.churn import anchor, learn_stack
from training.learn.crossfit import CrossFit, TrainingCohort, fit_members, training_cohort
from training.learn.level import Level, learn_level
from training.learn.value import learn_power, learn_weights, weigh_structure
from training.models.blend import ABSENCE, SMALLEST_SCORE, BlendModel, absence_fade, freeze_mixture
from training.models.btyd import BuyTillYouDie, fit_buy_till_you_die, purchase_history
from training.models.transform import expectations_of, with_expectations
from training.split import TrainingPlan

ABSENCE_QUANTILE = 0.98  # the oldest few stand for nobody


@dataclass(frozen=True)
class Lesson:
    """All that may be learned from for one target: its plan, its cohorts, and its features.

    Attributes
    ----------
    plan : TrainingPlan
        Cutoffs and weights.
    cohorts : tuple of TrainingCohort
        Newest first; labelled.
    target : Cohort
        The cohort at the plan's cutoff, without outcomes.
    past : BuyTillYouDie
        Fitted on the target cohort's own past.
    level : Level
        The level correction read from matured cohorts.
    """

    plan: TrainingPlan
    cohorts: tuple[TrainingCohort, ...]
    target: Cohort
    past: BuyTillYouDie
    level: Level


def gather(
    plan: TrainingPlan,
    source: CohortSource,
    settings: TrainingSettings,
    tell: Progress,
) -> Lesson:
    """Build every cohort of a plan.

    Parameters
    ----------
    plan : TrainingPlan
        What to build.
    source : CohortSource
        Where from.
    settings : TrainingSettings
        For the least number of customers.
    tell : Progress
        Is told each cohort.

    Raises
    ------
    InputError
        If a cohort has too few customers, or none of them ever paid.
    NoSkillError
        If no customer of any training cohort bought in its outcome window.
    """
    known: dict[date, TrainingCohort] = {}
    weights = dict(zip(plan.cutoffs, plan.weights, strict=True))

    def cohort_at(cutoff: date) -> TrainingCohort:
        if cutoff not in known:
            tell(f"cohort {cutoff}")
            cohort = source.cohort(plan.training_snapshot(cutoff))
            cohort = source.labelled(cohort, known_before=plan.target.cutoff)
            model = fit_buy_till_you_die(purchase_history(cohort.features))
            known[cutoff] = training_cohort(cohort, model, weights.get(cutoff, 1.0))
        return known[cutoff]

    target = source.cohort(plan.feature_snapshot, outcome=plan.target)
    _check_enough(target, settings.minimum_customers)
    cohorts = tuple(
        cohort
        for cohort in (cohort_at(cutoff) for cutoff in plan.cutoffs)
        if len(cohort.cohort) >= settings.minimum_customers and cohort.cohort.active.any()
    )
    if not cohorts:
        raise NoSkillError(
            f"no training cohort before {plan.target.cutoff} has {settings.minimum_customers} "
            "customers of whom at least one bought again; expected one or more",
            "wait for more data, or shorten training.horizon_days",
        )
    past = fit_buy_till_you_die(purchase_history(target.features))
    expected = expectations_of(target.features, past, plan.target.horizon_days)
    return Lesson(plan, cohorts, target, past, learn_level(plan, cohort_at, expected))


def _check_enough(cohort: Cohort, minimum_customers: int) -> None:
    n_customers = len(cohort)
    if n_customers < minimum_customers:
        raise InputError(
            f"{n_customers} customer{'s' if n_customers != 1 else ''} before "
            f"{cohort.snapshot.cutoff}; expected at least {minimum_customers} to learn from",
            "add more orders, choose a later cutoff, or lower training.minimum_customers",
        )


@dataclass(frozen=True)
class Fitted:
    """A fitted blend and what was learned on the way."""

    model: BlendModel
    crossfit: CrossFit
    lesson: Lesson


def fit_blend(lesson: Lesson, settings: TrainingSettings) -> Fitted:
    """Fit the learned model: members, blend, shape, level and churn stack.

    Every number that depends on a whole cohort is frozen here on the target's features, so that
    a customer scored alone gets the same answer as among ten thousand.
    """
    with threadpool_limits(1):  # sums in one order, so that the digest does not hang on the cores
        return _fit_blend(lesson, settings)


def longest_absence(cohorts: Sequence[TrainingCohort]) -> float:
    """Return the days since the last order that training reaches: the largest 98th percentile."""
    return max(
        float(np.quantile(cohort.cohort.features[ABSENCE], ABSENCE_QUANTILE)) for cohort in cohorts
    )


def _fit_blend(lesson: Lesson, settings: TrainingSettings) -> Fitted:
    plan, target = lesson.plan, lesson.target
    crossfit = fit_members(lesson.cohorts, target.features, settings)
    weights = learn_weights(lesson.cohorts, crossfit.unseen, settings.seed)
    weights = weigh_structure(weights, lesson.cohorts)
    power = learn_power(lesson.cohorts, crossfit.unseen, weights)
    stack = learn_stack(lesson.cohorts, crossfit.unseen)

    features = target.features.select(crossfit.columns)
    past = lesson.past
    expected = expectations_of(features, past, plan.training_horizon_days)
    at_horizon = expectations_of(features, past, plan.target.horizon_days)
    scores = crossfit.members.predict(
        with_expectations(features, expected), at_horizon["mbgnbd_value"]
    )
    mixture = freeze_mixture(scores, weights)
    absence = None if plan.scaled_horizon else longest_absence(lesson.cohorts)
    fade = absence_fade(features, absence)
    shaped = np.maximum(mixture.mix(scores), SMALLEST_SCORE) ** power / fade
    total = lesson.level.value_ratio * float(at_horizon["bgnbd_value"].sum())
    share_active = lesson.level.active_ratio * float(at_horizon["p_active"].mean())
    model = BlendModel(
        columns=crossfit.columns,
        training_horizon_days=plan.training_horizon_days,
        horizon_days=plan.target.horizon_days,
        buy_till_you_die=past,
        members=crossfit.members,
        mixture=mixture,
        power=power,
        scale=total / float(shaped.sum()),
        churn=anchor(stack, scores, expected["p_active"], share_active, fade),
        longest_absence_days=absence,
    )
    return Fitted(model, crossfit, lesson)
