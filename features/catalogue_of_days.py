"""The features of value, cadence, windows, returns and habits: rows of the catalogue."""

from __future__ import annotations

from features.feature import (
    BTYD,
    CIRCULAR,
    EXPONENTIAL,
    GAMMA_GAMMA,
    HOUSE,
    PARTIAL_DEFECTION,
    RFM,
    SEASONAL_NAIVE,
    Family,
    Feature,
)

WINDOW_DAYS = (7, 14, 30, 60, 90, 180, 365, 730)
"""Lengths of the fixed windows before the cutoff, in days."""

HORIZON_SHARES = {"eighth": 0.125, "quarter": 0.25, "half": 0.5}
"""Windows before the cutoff as a share of the horizon."""

DECAY_HORIZONS = {"quarter": 0.25, "one": 1.0, "three": 3.0}
"""Time constants of the decayed sums, in horizons."""


def _window(
    suffix: str, meaning: str, source: str, family: Family, days: int = 0
) -> tuple[Feature, Feature]:
    """Return the pair of net spend and order days of one window."""
    spend, orders = f"Net spend {meaning}.", f"Order days {meaning}."
    return (
        Feature(f"net_spend_{suffix}", "currency", spend, source, 1, family, window_days=days),
        Feature(f"n_order_days_{suffix}", "days", orders, source, 1, family, window_days=days),
    )


def _decayed(name: str, horizons: float) -> tuple[Feature, Feature]:
    """Return the pair of decayed sums with a time constant of `horizons` horizons."""
    weight = f"weighted by exp(-(age - 1) / ({horizons:g} horizons))"
    return (
        Feature(
            f"decayed_net_spend_{name}_horizon",
            "currency",
            f"Net spend {weight}.",
            EXPONENTIAL,
            1,
            "decay",
        ),
        Feature(
            f"decayed_order_days_{name}_horizon",
            "days",
            f"Order days {weight}.",
            EXPONENTIAL,
            1,
            "decay",
        ),
    )


# fmt: off
_RFM = (
    Feature("n_order_days", "days", "Days with an accepted order line.", RFM, 1, "rfm"),
    Feature("days_since_last_order", "days", "Days from the last order day to the cutoff, 1 for the day before it.", RFM, -1, "rfm"),
    Feature("days_since_second_last_order", "days", "Days from the last order day but one to the cutoff; unknown with fewer than two.", PARTIAL_DEFECTION, -1, "rfm"),
    Feature("days_since_third_last_order", "days", "Days from the last order day but two to the cutoff; unknown with fewer than three.", PARTIAL_DEFECTION, -1, "rfm"),
    Feature("tenure_days", "days", "Days from the first order day to the cutoff: T of the buy-till-you-die triple.", BTYD, 0, "rfm"),
    Feature("first_to_last_days", "days", "Days from the first to the last order day: t_x of the buy-till-you-die triple.", BTYD, 0, "rfm"),
    Feature("net_spend", "currency", "Sum of all amounts, returns subtracted.", RFM, 1, "rfm"),
    Feature("mean_day_value", "currency", "net_spend / n_order_days.", GAMMA_GAMMA, 1, "rfm"),
    Feature("recency_ratio", "share", "(days_since_last_order - 1) / tenure_days.", BTYD, 0, "rfm"),
    Feature("order_rate", "days per day", "n_order_days / max(tenure_days, half a horizon).", BTYD, 0, "rfm"),
    Feature("spend_rate", "currency per day", "net_spend / max(tenure_days, half a horizon).", HOUSE, 0, "rfm"),
    Feature("max_day_value", "currency", "Largest day value.", HOUSE, 1, "rfm"),
    Feature("last_day_value", "currency", "Day value of the last order day.", HOUSE, 1, "rfm"),
    Feature("first_day_value", "currency", "Day value of the first order day.", HOUSE, 0, "rfm"),
    Feature("day_value_sd", "currency", "Population standard deviation of the day values; 0 for one day.", PARTIAL_DEFECTION, 0, "rfm"),
    Feature("day_value_cv", "ratio", "day_value_sd / max(|mean_day_value|, 1e-6).", HOUSE, 0, "rfm"),
    Feature("geometric_mean_day_value", "currency", "exp of the mean of ln(max(gross value of the day, 0.01)).", HOUSE, 1, "rfm"),
    Feature("repeat_net_spend", "currency", "net_spend less first_day_value.", GAMMA_GAMMA, 1, "rfm"),
    Feature("n_positive_days", "days", "Order days with a day value above 0.", GAMMA_GAMMA, 1, "rfm"),
    Feature("positive_day_spend", "currency", "Sum of the day values above 0.", GAMMA_GAMMA, 1, "rfm"),
)

_CADENCE = (
    Feature("mean_gap_days", "days", "Mean days between consecutive order days; unknown with one order day.", PARTIAL_DEFECTION, 0, "cadence"),
    Feature("gap_sd_days", "days", "Population standard deviation of the gaps; unknown with fewer than three order days.", PARTIAL_DEFECTION, 0, "cadence"),
    Feature("last_gap_days", "days", "Days between the last two order days; unknown with one.", HOUSE, 0, "cadence"),
    Feature("max_gap_days", "days", "Longest gap between consecutive order days; unknown with one order day.", HOUSE, 0, "cadence"),
    Feature("overdue_ratio", "ratio", "(days_since_last_order - 1) / max(mean_gap_days, 1); 0 with one order day.", HOUSE, 0, "cadence"),
    Feature("overdue_max_ratio", "ratio", "(days_since_last_order - 1) / max(max_gap_days, 1), the longest gap taken as 0 with one order day.", HOUSE, 0, "cadence"),
)

_RETURNS_AND_HABITS = (
    Feature("return_share", "share", "Value returned / max(gross value, 1e-6).", HOUSE, 0, "returns"),
    Feature("n_return_days", "days", "Order days with a return.", HOUSE, 0, "returns"),
    Feature("n_nonpositive_days", "days", "Order days with a day value of 0 or less.", HOUSE, 0, "returns"),
    Feature("lines_per_day", "lines per day", "Order lines / n_order_days.", HOUSE, 0, "basket"),
    Feature("products_per_day", "products per day", "Mean number of distinct products of an order day; unknown without product ids.", HOUSE, 0, "basket", "product_id"),
    Feature("last_day_products", "products", "Distinct products of the last order day; unknown without product ids on it.", HOUSE, 0, "basket", "product_id"),
    Feature("weekend_share", "share", "Share of order days on a Saturday or Sunday.", PARTIAL_DEFECTION, 0, "habit"),
    Feature("weekday_concentration", "share", "Mean resultant length of the weekdays as angles: 1 if all are the same, 0 if spread evenly.", CIRCULAR, 0, "habit"),
    Feature("mean_hour", "hours", "Mean over order days of the mean shop-local hour of their lines; unknown where only dates are known.", PARTIAL_DEFECTION, 0, "habit", "hour"),
    Feature("last_weekday", "weekday", "Weekday of the last order day, Monday 0 to Sunday 6.", HOUSE, 0, "habit"),
)

_TREND = (
    Feature("n_order_days_twelfth_horizon", "days", "Order days in the last twelfth of a horizon before the cutoff, at least 3 days.", HOUSE, 1, "window"),
    Feature("spend_trend", "ratio", "Net spend of the last horizon less the previous, / (|last| + |previous| + 1e-6).", HOUSE, 0, "window"),
    Feature("order_trend", "ratio", "Order days of the last horizon less the previous, / (last + previous + 1e-6).", HOUSE, 0, "window"),
)
# fmt: on

_WINDOWS = (
    *(
        feature
        for days in WINDOW_DAYS
        for feature in _window(
            f"{days}d",
            f"of the {days} days before the cutoff; unknown if the history is much shorter",
            PARTIAL_DEFECTION,
            "window",
            days,
        )
    ),
    *(
        feature
        for name, share in HORIZON_SHARES.items()
        for feature in _window(
            f"{name}_horizon", f"of the last {share:g} horizons before the cutoff", HOUSE, "window"
        )
    ),
    *_window("last_horizon", "of the last horizon before the cutoff", HOUSE, "window"),
    *_window("previous_horizon", "of the horizon before the last", HOUSE, "window"),
)

_SEASON = _window(
    "same_season",
    "of the days a year before the outcome window; unknown without a year of history, "
    "with a horizon of a year or more, or if the first order came later",
    SEASONAL_NAIVE,
    "season",
)

ORDER_FEATURES: tuple[Feature, ...] = (
    *_RFM,
    *_CADENCE,
    *_WINDOWS,
    *_TREND,
    *(feature for name, k in DECAY_HORIZONS.items() for feature in _decayed(name, k)),
    *_SEASON,
    *_RETURNS_AND_HABITS,
)
"""What customer-days of value tell."""
