"""Freeze the reference of a release: the cohorts it was made on, scored by it, its order days and its reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from features.config import TrainingSettings
from features.order_days import read_order_days
from features.sentiment.periods import read_text_periods
from features.tables import Tables
from training.cohort import Cohort, CohortSource
from training.models.matrix import Array, FeatureMatrix
from training.orders_reference import DAYS_LOOKED_AT, describe_orders
from training.reference import OrdersReference, Reference, build_reference
from training.release import Release
from training.scores import NO_TIER

if TYPE_CHECKING:
    from training.learn.fit import Lesson  # brings the learners with it

SPACING_DAYS = 45
MOST_ROWS = 5000
"""Customers of each cohort that are scored; the columns' shares are of all of them."""
SCORES = ("expected_value", "p_churn")


def freeze_reference(
    release: Release, lesson: Lesson, source: CohortSource, settings: TrainingSettings
) -> Reference:
    """Return the reference of a release that is about to be written.

    Parameters
    ----------
    release : Release
        What scores.
    lesson : Lesson
        Its target cohort and its training cohorts, which are the moments of the year before.
    source : CohortSource
        Where the cohorts between the newest matured one and the target come from.
    settings : TrainingSettings
        For the least number of customers and the agreed shares of the tiers.
    """
    cohorts = [lesson.target, *(each.cohort for each in lesson.cohorts)]
    cohorts += _between(lesson, source, settings.minimum_customers)
    return freeze_cohorts(release, cohorts, source.tables, settings)


def freeze_cohorts(
    release: Release, cohorts: Sequence[Cohort], tables: Tables, settings: TrainingSettings
) -> Reference:
    """Return the reference of a release from cohorts: its own, and earlier ones.

    Parameters
    ----------
    release : Release
        What scores.
    cohorts : sequence of Cohort
        With the features of the release, in any order.
    tables : Tables
        For the days of order lines before the release's cutoff.
    settings : TrainingSettings
        For the agreed shares of the tiers.
    """
    matrices = sorted(
        ((c.snapshot.cutoff, c.features.select(release.columns)) for c in cohorts),
        key=lambda pair: pair[0],
        reverse=True,
    )
    scored = [release.score(_sample(matrix)) for _, matrix in matrices]
    return build_reference(
        release.cutoff,
        matrices,
        {name: [getattr(scores, name) for scores in scored] for name in SCORES},
        [_shares(scores.tier, len(release.tiers)) for scores in scored],
        release.model,
        release.tiers,
        agreed_shares(settings),
        freeze_orders(tables, release.cutoff),
        read_text_periods(tables, release.cutoff, release.cutoff),
    )


def agreed_shares(settings: TrainingSettings) -> Mapping[str, tuple[float, float]]:
    """Return the least and the greatest share that was agreed for each tier, by its id."""
    tiers = settings.tiers
    return {
        name: (low, high)
        for name, low, high in zip(
            tiers.ids, tiers.minimum_shares, tiers.maximum_shares, strict=True
        )
    }


def freeze_orders(tables: Tables, cutoff: date) -> OrdersReference | None:
    """Return what the days of the year before a cutoff looked like."""
    first = max(tables.history_start, cutoff - timedelta(days=DAYS_LOOKED_AT))
    return describe_orders(read_order_days(tables, first, cutoff))


def _between(lesson: Lesson, source: CohortSource, minimum_customers: int) -> Sequence[Cohort]:
    """Return cohorts, every 45 days, between the newest training cohort and the target."""
    plan = lesson.plan
    newest = max(plan.cutoffs)
    found = []
    cutoff = plan.target.cutoff - timedelta(days=SPACING_DAYS)
    while cutoff > newest + timedelta(days=SPACING_DAYS // 2):
        cohort = source.cohort(plan.training_snapshot(cutoff))
        if len(cohort) >= minimum_customers:
            found.append(cohort)
        cutoff -= timedelta(days=SPACING_DAYS)
    return found


def _sample(matrix: FeatureMatrix) -> Array:
    """Return at most `MOST_ROWS` rows, evenly spread; customers stand in order of their ids."""
    places = np.unique(np.linspace(0, len(matrix) - 1, min(MOST_ROWS, len(matrix))).round())
    return matrix.values[places.astype(np.int64)]


def _shares(tier: np.ndarray[tuple[int], np.dtype[np.int64]], n_tiers: int) -> list[float]:
    """Return the share of each tier among the customers who have one."""
    placed = tier[tier != NO_TIER]
    counts = np.bincount(placed, minlength=n_tiers)
    return [float(count) / max(placed.size, 1) for count in counts]
