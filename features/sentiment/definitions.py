"""Features of what customers wrote: scores of their reviews, as of the cutoff.

Each is a function named like its column over scored review days, as in :mod:`features.reviews`.
Scores are counted in whole millionths, so sums do not depend on the order of rows.
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from features.aggregates import Definition, Grain, named, within
from features.known import MICRO, age_days, known_rows, to_micro
from features.sentiment.scores import SCORES
from features.snapshot import Snapshot

NEGATIVE_BELOW = 0.5
"""P(positive) below which a review is a negative one."""
FEWEST_STARS, STAR_STEPS = 1, 4
"""Stars go from 1 to 5: laid on 0 to 1 to be compared with a score."""


def build_scored_days(scores: ir.Table, snapshot: Snapshot, told: frozenset[str]) -> ir.Table:
    """Sum the known scored reviews of each customer and day.

    Returns
    -------
    ibis table
        ``customer_id``, ``age_days``, ``n``, ``score`` (millionths), ``n_negative``, and of those
        with stars ``n_starred`` and ``apart``: score less stars on 0 to 1 (millionths).
    """
    known = known_rows(scores, snapshot)
    stars = (known.stars - FEWEST_STARS) / STAR_STEPS
    rows = known.select(
        "customer_id",
        age_days=age_days(known.day, snapshot),
        score=to_micro(known.score),
        apart=to_micro(known.score - stars),
    )
    return rows.group_by("customer_id", "age_days").agg(
        n=rows.count(),
        score=rows.score.sum(),
        n_negative=(rows.score < to_micro(ibis.literal(NEGATIVE_BELOW))).ifelse(1, 0).sum(),
        n_starred=rows.apart.count(),
        apart=rows.apart.sum(),
    )


def n_scored_reviews(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Number of reviews with a text."""
    return days.n.sum().cast("float64")


def days_since_last_scored_review(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last review with a text to the cutoff."""
    return days.age_days.min().cast("float64")


def mean_sentiment(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean P(positive) of the reviews."""
    return _mean_score(days, ibis.literal(True))


def last_sentiment(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean P(positive) of the last day with a review."""
    return (days.score.cast("float64") / days.n.cast("float64") / MICRO).argmin(days.age_days)


def sentiment_trend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean P(positive) of the last horizon less the mean of all before it."""
    recent = within(days, snapshot.horizon_days)
    return _mean_score(days, recent) - _mean_score(days, ~recent)


def share_negative_reviews(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Share of the reviews whose text is negative."""
    return days.n_negative.sum().cast("float64") / days.n.sum().cast("float64")


def days_since_negative_review(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last negative review to the cutoff."""
    age = (days.n_negative > 0).ifelse(days.age_days, ibis.null("int32"))
    return age.min().cast("float64")


def sentiment_minus_stars(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean of P(positive) less (stars - 1) / 4: what the stars do not say."""
    apart = days.apart.fill_null(0).sum().cast("float64")
    return apart / days.n_starred.sum().cast("float64").nullif(0) / MICRO


def _mean_score(days: ir.Table, where: ir.Value) -> ir.Value:
    score = where.ifelse(days.score, 0).sum().cast("float64")
    return score / where.ifelse(days.n, 0).sum().cast("float64").nullif(0) / MICRO


def silent_days_since_complaint(customers: ir.Table) -> ir.Value:
    """Days from the last negative review to the cutoff if no order came after it, else 0."""
    complained = customers.days_since_negative_review
    is_silent = complained <= customers.days_since_last_order
    return ibis.ifelse(complained.isnull(), ibis.null("float64"), is_silent.ifelse(complained, 0.0))


DERIVED: dict[str, Callable[[ir.Table], ir.Value]] = {
    "silent_days_since_complaint": silent_days_since_complaint
}
"""Features made of other features of the same customer."""

SCORED = Grain(
    SCORES,
    build_scored_days,
    named(
        n_scored_reviews,
        days_since_last_scored_review,
        mean_sentiment,
        last_sentiment,
        sentiment_trend,
        share_negative_reviews,
        days_since_negative_review,
        sentiment_minus_stars,
    ),
    frozenset({"n_scored_reviews"}),
)
"""Scored reviews with their features; there only where the reviews of a source were scored."""


def definitions() -> dict[str, Definition]:
    """Return every aggregated feature of this module under its column's name."""
    return SCORED.definitions
