"""The features of what customers wrote: rows of the catalogue that only scored sources have."""

from __future__ import annotations

from features.feature import HOUSE, PARTIAL_DEFECTION, Feature

# fmt: off
SENTIMENT_FEATURES: tuple[Feature, ...] = (
    Feature("n_scored_reviews", "reviews", "Reviews with a text.", HOUSE, 0, "opinion"),
    Feature("days_since_last_scored_review", "days", "Days from the last review with a text to the cutoff; unknown without one.", HOUSE, 0, "opinion"),
    Feature("mean_sentiment", "probability", "Mean P(positive) of the reviews' texts; unknown without one.", HOUSE, 0, "opinion"),
    Feature("last_sentiment", "probability", "Mean P(positive) of the last day with a review's text; unknown without one.", HOUSE, 0, "opinion"),
    Feature("sentiment_trend", "probability", "Mean P(positive) of the last horizon less the mean before it; unknown without both.", HOUSE, 0, "opinion"),
    Feature("share_negative_reviews", "share", "Share of the reviews with a text whose P(positive) is below 0.5; unknown without one.", HOUSE, 0, "opinion"),
    Feature("days_since_negative_review", "days", "Days from the last review with P(positive) below 0.5 to the cutoff; unknown without one.", HOUSE, 0, "opinion"),
    Feature("sentiment_minus_stars", "probability", "Mean of P(positive) less (stars - 1) / 4; unknown without a review with both.", HOUSE, 0, "opinion"),
    Feature("silent_days_since_complaint", "days", "days_since_negative_review if no order came after that day, else 0; unknown without a negative review.", PARTIAL_DEFECTION, 0, "opinion"),
)
# fmt: on
"""In the order of the columns; they stand between the catalogue's and the shop's own."""
