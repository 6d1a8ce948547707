"""What customers said, counted: reviews and their stars.

Sentiment of the texts will be aggregated from the same review days.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from features.aggregates import Definition, named, within
from features.known import MICRO, age_days, known_rows, to_micro
from features.snapshot import Snapshot

LOW_STARS = 2
"""Stars up to which a review is a bad one."""

COUNTS = frozenset({"n_reviews"})
"""Features that are 0 for a customer without a review."""


def build_review_days(reviews: ir.Table, snapshot: Snapshot, told: frozenset[str]) -> ir.Table:
    """Sum the known reviews of each customer and day.

    Returns
    -------
    ibis table
        ``customer_id``, ``age_days``, ``n``, and of those with stars ``n_starred``, ``stars``
        (millionths) and ``n_low``.
    """
    known = known_rows(reviews, snapshot)
    stars = to_micro(known.stars)
    known = known.select("customer_id", age_days=age_days(known.day, snapshot), stars=stars)
    return known.group_by("customer_id", "age_days").agg(
        n=known.count(),
        n_starred=known.stars.count(),
        stars=known.stars.sum(),
        n_low=(known.stars <= LOW_STARS * MICRO).ifelse(1, 0).sum(),
    )


def n_reviews(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Number of reviews."""
    return days.n.sum().cast("float64")


def days_since_last_review(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last review to the cutoff."""
    return days.age_days.min().cast("float64")


def mean_stars(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean stars of the reviews."""
    return _mean_stars(days, ibis.literal(True))


def last_stars(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean stars of the last day with stars."""
    of_day = days.stars.cast("float64") / days.n_starred.nullif(0).cast("float64") / MICRO
    return of_day.argmin(days.age_days)


def share_low_stars(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Share of the reviews with stars that have few."""
    return days.n_low.sum().cast("float64") / days.n_starred.sum().cast("float64").nullif(0)


def stars_trend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean stars of the last horizon less the mean of all before it."""
    recent = within(days, snapshot.horizon_days)
    return _mean_stars(days, recent) - _mean_stars(days, ~recent)


def _mean_stars(days: ir.Table, where: ir.Value) -> ir.Value:
    stars = where.ifelse(days.stars.fill_null(0), 0).sum().cast("float64")
    n_starred = where.ifelse(days.n_starred, 0).sum().cast("float64")
    return stars / n_starred.nullif(0) / MICRO


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    return named(
        n_reviews, days_since_last_review, mean_stars, last_stars, share_low_stars, stars_trend
    )
