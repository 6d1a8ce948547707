"""The features of discounts, margins, orders, mix, reviews and interactions: rows of the catalogue.

Each names what it needs: where a source had told nothing of it before the cutoff, it is unknown
of everybody.
"""

from __future__ import annotations

from features.feature import CONCENTRATION, HOUSE, PARTIAL_DEFECTION, RFM, Feature

VISIT_WINDOW_DAYS = (30, 90)
"""Lengths of the windows in which visits are counted, in days."""

RECENT_DAYS = 90
"""Length of the window in which other interactions are counted, in days."""

# fmt: off
_PRICES = (
    Feature("discount_share", "share", "Discounts / max(amounts above 0 + discounts, 1e-6).", PARTIAL_DEFECTION, 0, "price", "discount"),
    Feature("n_discount_days", "days", "Order days with a discount.", PARTIAL_DEFECTION, 0, "price", "discount"),
    Feature("margin_share", "share", "Margin / amount of the lines whose margin is known; unknown if that amount is not above 0.", HOUSE, 0, "price", "margin"),
    Feature("return_units_share", "share", "Units returned / max(units sold, 1e-6).", HOUSE, 0, "returns", "quantity"),
    Feature("n_units", "units", "Units sold.", HOUSE, 0, "basket", "quantity"),
    Feature("units_per_day", "units per day", "Units sold / order days on which units were sold; unknown without one.", HOUSE, 0, "basket", "quantity"),
    Feature("gross_value_per_unit", "currency per unit", "Gross value / units sold; unknown without units.", HOUSE, 0, "price", "quantity"),
)

_ORDERS = (
    Feature("n_orders", "orders", "Distinct order ids with a line that is no return.", RFM, 1, "rfm", "order_id"),
    Feature("return_lag_days", "days", "Mean over the orders that came back, in part or whole, of the days from the first line sold to the first return; unknown without one.", HOUSE, 0, "returns", "order_id"),
)

_MIX = (
    Feature("n_categories", "categories", "Distinct categories of the lines sold; unknown if none is told.", PARTIAL_DEFECTION, 0, "mix", "category"),
    Feature("category_concentration", "share", "Sum of the squared shares of the categories in the lines sold: 1 if there is one.", CONCENTRATION, 0, "mix", "category"),
    Feature("n_channels", "channels", "Distinct channels of the lines sold; unknown if none is told.", HOUSE, 0, "mix", "channel"),
    Feature("channel_concentration", "share", "Sum of the squared shares of the channels in the lines sold: 1 if there is one.", CONCENTRATION, 0, "mix", "channel"),
    Feature("main_channel_share", "share", "Largest share of a channel in the lines sold.", HOUSE, 0, "mix", "channel"),
)

# Sentiment of the texts belongs here, made of the same review days as the stars.
_OPINIONS = (
    Feature("n_reviews", "reviews", "Reviews.", HOUSE, 0, "opinion", "reviews"),
    Feature("days_since_last_review", "days", "Days from the last review to the cutoff; unknown without one.", HOUSE, 0, "opinion", "reviews"),
    Feature("mean_stars", "stars", "Mean stars of the reviews; unknown without stars.", HOUSE, 0, "opinion", "stars"),
    Feature("last_stars", "stars", "Mean stars of the last day with stars; unknown without.", HOUSE, 0, "opinion", "stars"),
    Feature("share_low_stars", "share", "Share of 2 stars or fewer in the reviews with stars; unknown without.", HOUSE, 0, "opinion", "stars"),
    Feature("stars_trend", "stars", "Mean stars of the last horizon less the mean before it; unknown without both.", HOUSE, 0, "opinion", "stars"),
)

_INTERACTIONS = (
    *(Feature(f"n_visits_{days}d", "visits", f"Visits of the {days} days before the cutoff; unknown if the history is much shorter.", HOUSE, 0, "interaction", "visit", days) for days in VISIT_WINDOW_DAYS),
    Feature("n_visits_since_last_order", "visits", "Visits on days after the last order day.", HOUSE, 0, "interaction", "visit"),
    Feature("days_since_last_visit", "days", "Days from the last visit to the cutoff; unknown without one.", HOUSE, 0, "interaction", "visit"),
    Feature("n_complaints", "complaints", "Complaints.", PARTIAL_DEFECTION, 0, "interaction", "complaint"),
    Feature("n_complaints_90d", "complaints", "Complaints of the 90 days before the cutoff; unknown if the history is much shorter.", HOUSE, 0, "interaction", "complaint", RECENT_DAYS),
    Feature("days_since_last_complaint", "days", "Days from the last complaint to the cutoff; unknown without one.", HOUSE, 0, "interaction", "complaint"),
    Feature("n_referrals", "referrals", "Customers brought.", HOUSE, 0, "interaction", "referral"),
    Feature("n_message_opens_90d", "messages", "Messages opened in the 90 days before the cutoff; unknown if the history is much shorter.", HOUSE, 0, "interaction", "message_open", RECENT_DAYS),
    Feature("n_carts_90d", "carts", "Carts filled in the 90 days before the cutoff; unknown if the history is much shorter.", HOUSE, 0, "interaction", "cart", RECENT_DAYS),
)
# fmt: on

EVENT_FEATURES: tuple[Feature, ...] = (*_PRICES, *_ORDERS, *_MIX, *_OPINIONS, *_INTERACTIONS)
"""What is told beside the value of customer-days."""
