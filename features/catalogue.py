"""The features: what each is called, in which unit, what it means, and whose method it is.

Data only, free of any engine, so that the service can describe a feature without one. How a
feature is computed stands in :mod:`features.rfm` and :mod:`features.behaviour`, under the name it
has here. *Day value* is the net value of one customer-day, returns subtracted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from features.errors import InputError, did_you_mean

Family = Literal["rfm", "cadence", "window", "decay", "season", "returns", "basket", "habit"]

WINDOW_DAYS = (7, 14, 30, 60, 90, 180, 365, 730)
"""Lengths of the fixed windows before the cutoff, in days."""

HORIZON_SHARES = {"eighth": 0.125, "quarter": 0.25, "half": 0.5}
"""Windows before the cutoff as a share of the horizon."""

DECAY_HORIZONS = {"quarter": 0.25, "one": 1.0, "three": 3.0}
"""Time constants of the decayed sums, in horizons."""

AUDIT_ONLY = frozenset({"gender", "sex", "age", "birth", "birthday", "birthdate", "income"})
"""Words that name what is kept for the audit of fairness and is never a feature."""

RFM = "RFM, Hughes 1994"
BTYD = "BG/NBD, Fader, Hardie and Lee 2005"
GAMMA_GAMMA = "Gamma-Gamma, Fader and Hardie 2013"
PARTIAL_DEFECTION = "partial defection, Buckinx and Van den Poel 2005"
EXPONENTIAL = "exponential smoothing, Brown 1959"
SEASONAL_NAIVE = "seasonal naive forecast, Hyndman and Athanasopoulos 2021"
CIRCULAR = "mean resultant length, Mardia and Jupp 2000"
HOUSE = "Tierwise"


@dataclass(frozen=True)
class Feature:
    """One column of the feature table.

    Attributes
    ----------
    name : str
        Column name.
    unit : str
        Unit of the values; ``currency`` is the currency of the source.
    meaning : str
        One sentence, with when the value is unknown (NaN).
    source : str
        Where the method comes from.
    monotone : int
        Sign that its effect on the value is held to: +1 up, -1 down, 0 free.
    family : str
        The room it belongs to.
    """

    name: str
    unit: str
    meaning: str
    source: str
    monotone: Literal[-1, 0, 1]
    family: Family


def _window(suffix: str, meaning: str, source: str, family: Family) -> tuple[Feature, Feature]:
    """Return the pair of net spend and order days of one window."""
    return (
        Feature(f"net_spend_{suffix}", "currency", f"Net spend {meaning}.", source, 1, family),
        Feature(f"n_order_days_{suffix}", "days", f"Order days {meaning}.", source, 1, family),
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
    Feature("products_per_day", "products per day", "Mean number of distinct products of an order day; unknown without product ids.", HOUSE, 0, "basket"),
    Feature("last_day_products", "products", "Distinct products of the last order day; unknown without product ids on it.", HOUSE, 0, "basket"),
    Feature("weekend_share", "share", "Share of order days on a Saturday or Sunday.", PARTIAL_DEFECTION, 0, "habit"),
    Feature("weekday_concentration", "share", "Mean resultant length of the weekdays as angles: 1 if all are the same, 0 if spread evenly.", CIRCULAR, 0, "habit"),
    Feature("mean_hour", "hours", "Mean over order days of the mean shop-local hour of their lines; unknown where only dates are known.", PARTIAL_DEFECTION, 0, "habit"),
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

FEATURES: tuple[Feature, ...] = (
    *_RFM,
    *_CADENCE,
    *_WINDOWS,
    *_TREND,
    *(feature for name, k in DECAY_HORIZONS.items() for feature in _decayed(name, k)),
    *_SEASON,
    *_RETURNS_AND_HABITS,
)
"""Every feature, in the order of the columns of a feature table."""

COLUMNS: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
"""Names of the features, in order; a feature table is ``customer_id`` and these."""


def feature_named(name: str) -> Feature:
    """Return the feature of that name.

    Raises
    ------
    InputError
        If there is none.

    >>> feature_named("days_since_last_order").monotone
    -1
    """
    for feature in FEATURES:
        if feature.name == name:
            return feature
    raise InputError(
        f'no feature "{name}"; {did_you_mean(name, COLUMNS)}',
        "name a feature of docs/glossary.md",
    )


def schema_digest(columns: Iterable[str] = COLUMNS) -> str:
    """Return the sha256 of the full descriptions of `columns`, in their order.

    Two tables with one digest have the same columns, in the same order, meaning the same.

    Raises
    ------
    InputError
        If a column is no feature.
    """
    told = [asdict(feature_named(column)) for column in columns]
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_no_audit_columns(columns: Iterable[str]) -> None:
    """Refuse a column that names what is kept for the audit only.

    Raises
    ------
    InputError
        Naming the first such column.

    >>> check_no_audit_columns(["tenure_days", "net_spend"])
    """
    for column in columns:
        found = AUDIT_ONLY & set(column.lower().split("_"))
        if found:
            raise InputError(
                f"column {column} tells {min(found)}; expected no audit-only column as a feature",
                "keep gender, age and income in customers.audit_only",
            )
