"""A whole feature table typed out by hand, of a world at the edges of every window and both clocks."""

from __future__ import annotations

from datetime import date
from math import cos, exp, nan, pi, sin, sqrt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.build import build_features_from
from features.catalogue import COLUMNS
from features.snapshot import Snapshot
from features.tables import INTERACTIONS, ORDER_LINES, REVIEWS

CUTOFF = date(2024, 3, 1)
SNAPSHOT = Snapshot(CUTOFF, horizon_days=30, history_start=date(2023, 2, 20))

# fmt: off
# customer, day, known day (- is the day itself), hour, amount, product, order, units, discount,
# margin, category, channel
LINES = [
    ("00123", "2024-02-29", "-", 10.5, 10.00, "p", "o1", 1, 2.50, 4.00, "tea", "app"),  # age 1, Thursday
    ("00123", "2024-03-01", "-", 9.0, 99.00, "x", "o2", 5, 9.00, 9.00, "cup", "web"),  # on the cutoff day
    ("00123", "2024-03-01", "2024-02-29", 9.0, 99.00, "x", "o2", 5, 9.00, 9.00, "cup", "web"),  # paid ahead
    ("123", "2024-02-23", "-", 10.0, 15.00, "p", "o3", 3, 0.00, 5.00, "tea", "app"),  # age 7, Friday
    ("123", "2024-02-23", "-", 14.0, 5.00, "p", "o3", 1, 5.00, None, "cup", "app"),
    ("123", "2024-02-22", "-", 9.0, 30.00, "q", "o4", 2, 0.00, 10.00, "tea", "web"),  # age 8, Thursday
    ("a", "2024-01-31", "-", 8.0, 12.75, "p", "o5", 1, None, None, "tea", None),  # age 30, Wednesday
    ("a", "2024-01-31", "-", None, 7.25, "q", "o5", 1, None, None, None, None),
    ("a", "2024-01-30", "-", None, 0.10, "p", "o6", 1, 0.00, 0.05, "cup", None),  # age 31, Tuesday: nets to exactly 0
    ("a", "2024-01-30", "-", None, 0.20, "p", "o6", 2, 0.05, 0.10, "cup", None),
    ("a", "2024-01-30", "-", None, -0.30, "p", "o6", -3, None, -0.15, "cup", None),
    ("b", "2024-02-10", "-", 20.25, 50.00, None, "o7", 10, 0.00, 20.00, "tea", "store"),  # age 20, Saturday
    ("b", "2024-02-20", "2024-03-01", None, -50.00, "p", "o7", -10, None, -20.00, "tea", "store"),  # known too late
    ("b", "2024-02-25", "2024-02-29", 0.0, -5.00, "q", "o7", -1, None, -2.00, "tea", "store"),  # age 5, Sunday
    ("c", "2024-01-01", "-", None, -15.00, None, "o8", -1, None, None, "tea", "app"),  # age 60, Monday: a credit note
    ("d", "2023-03-02", "-", 12.0, 100.00, "p", "o9", 4, 0.00, 40.00, "tea", "web"),  # age 365, Thursday
    ("d", "2023-03-31", "-", 12.0, 50.00, "p", "o10", 2, 10.00, 20.00, "cup", "web"),  # age 336, Friday: last of the season
    ("d", "2023-04-01", "-", 12.0, 7.00, "p", "o10", 1, 3.00, 2.00, "cup", "app"),  # age 335, Saturday: after the season
    ("d", "2023-12-31", "-", 12.0, 3.00, None, "o11", 1, 0.00, None, "tea", "app"),  # age 61, Sunday
    ("e", "2024-02-01", "2024-03-02", 12.0, 8.00, "p", "o12", 1, 0.00, 1.00, "tea", "app"),  # no customer yet
    ("f", "2024-03-05", "-", 12.0, 8.00, "p", "o13", 1, 0.00, 1.00, "tea", "app"),  # after the cutoff
    ("g", "2023-02-19", "-", 12.0, 8.00, "p", "o14", 1, 0.00, 1.00, "tea", "app"),  # before the observation window
]

# customer, day, known day, stars
REVIEWED = [
    ("00123", "2024-02-29", "-", 5),  # age 1
    ("00123", "2024-02-28", "2024-03-01", 1),  # known too late
    ("123", "2024-01-10", "-", 4),  # age 51: before the last horizon
    ("123", "2024-02-26", "-", 2),  # age 4
    ("123", "2024-02-26", "-", None),
    ("a", "2024-02-01", "2024-02-02", None),  # age 29
    ("d", "2023-05-01", "-", 1),  # age 305
    ("d", "2024-02-20", "-", 3),  # age 10
    ("d", "2024-02-20", "-", 4),
    ("z", "2024-02-20", "-", 1),  # no customer
]

# customer, day, known day, kind
INTERACTED = [
    ("00123", "2024-02-29", "-", "visit"),  # age 1
    ("00123", "2024-03-01", "-", "visit"),  # on the cutoff day
    ("00123", "2024-02-29", "-", "cart"),
    ("123", "2024-01-31", "-", "visit"),  # age 30
    ("123", "2024-01-30", "-", "visit"),  # age 31
    ("123", "2023-12-02", "-", "visit"),  # age 90
    ("123", "2023-12-01", "-", "visit"),  # age 91
    ("a", "2023-12-01", "-", "complaint"),
    ("a", "2024-02-10", "2024-02-29", "complaint"),  # age 20
    ("a", "2024-02-11", "2024-03-01", "complaint"),  # known too late
    ("b", "2024-02-01", "-", "referral"),
    ("b", "2024-02-01", "-", "message_open"),
    ("b", "2023-12-01", "-", "message_open"),
    ("c", "2024-01-01", "-", "visit"),  # age 60: the day of the last order
    ("c", "2024-02-15", "-", "visit"),  # age 15
    ("c", "2024-02-15", "-", "visit"),
    ("c", "2024-02-16", "2024-03-01", "visit"),  # known too late
    ("d", "2023-06-01", "-", "visit"),  # age 274
]
# fmt: on

CUSTOMERS = ["00123", "123", "a", "b", "c", "d"]
ADJACENT = cos(pi / 7)  # resultant length of two neighbouring weekdays
NEVER: list[float] = [nan] * 6
D = 1e-6  # what keeps a denominator above 0
# fmt: off
EXPECTED: dict[str, list[float]] = {
    "n_order_days": [1, 2, 2, 2, 1, 4],
    "days_since_last_order": [1, 7, 30, 5, 60, 61],
    "days_since_second_last_order": [nan, 8, 31, 20, nan, 335],
    "days_since_third_last_order": [nan, nan, nan, nan, nan, 336],
    "tenure_days": [1, 8, 31, 20, 60, 365],
    "first_to_last_days": [0, 1, 1, 15, 0, 304],
    "net_spend": [10, 50, 20, 45, -15, 160],
    "mean_day_value": [10, 25, 10, 22.5, -15, 40],
    "recency_ratio": [0, .75, 29 / 31, .2, 59 / 60, 60 / 365],
    "order_rate": [1 / 15, 2 / 15, 2 / 31, .1, 1 / 60, 4 / 365],
    "spend_rate": [10 / 15, 50 / 15, 20 / 31, 2.25, -.25, 160 / 365],
    "max_day_value": [10, 30, 20, 50, -15, 100],
    "last_day_value": [10, 20, 20, -5, -15, 3],
    "first_day_value": [10, 30, 0, 50, -15, 100],
    "day_value_sd": [0, 5, 10, 27.5, 0, sqrt(1539.5)],
    "day_value_cv": [0, .2, 1, 27.5 / 22.5, 0, sqrt(1539.5) / 40],
    "geometric_mean_day_value": [10, sqrt(600), sqrt(6), sqrt(.5), .01, 105_000 ** .25],
    "repeat_net_spend": [0, 20, 20, -5, 0, 60],
    "n_positive_days": [1, 2, 1, 1, 0, 4],
    "positive_day_spend": [10, 50, 20, 50, 0, 160],
    "mean_gap_days": [nan, 1, 1, 15, nan, 304 / 3],
    "gap_sd_days": [nan, nan, nan, nan, nan, sqrt(135_338) / 3],
    "last_gap_days": [nan, 1, 1, 15, nan, 274],
    "max_gap_days": [nan, 1, 1, 15, nan, 274],
    "overdue_ratio": [0, 6, 29, 4 / 15, 0, 180 / 304],
    "overdue_max_ratio": [0, 6, 29, 4 / 15, 59, 60 / 274],
    "net_spend_7d": [10, 20, 0, -5, 0, 0],
    "n_order_days_7d": [1, 1, 0, 1, 0, 0],
    "net_spend_14d": [10, 50, 0, -5, 0, 0],
    "n_order_days_14d": [1, 2, 0, 1, 0, 0],
    "net_spend_30d": [10, 50, 20, 45, 0, 0],
    "n_order_days_30d": [1, 2, 1, 2, 0, 0],
    "net_spend_60d": [10, 50, 20, 45, -15, 0],
    "n_order_days_60d": [1, 2, 2, 2, 1, 0],
    "net_spend_90d": [10, 50, 20, 45, -15, 3],
    "n_order_days_90d": [1, 2, 2, 2, 1, 1],
    "net_spend_180d": [10, 50, 20, 45, -15, 3],
    "n_order_days_180d": [1, 2, 2, 2, 1, 1],
    "net_spend_365d": [10, 50, 20, 45, -15, 160],
    "n_order_days_365d": [1, 2, 2, 2, 1, 4],
    "net_spend_730d": NEVER,
    "n_order_days_730d": NEVER,
    "net_spend_eighth_horizon": [10, 0, 0, 0, 0, 0],  # ages 1 to 4
    "n_order_days_eighth_horizon": [1, 0, 0, 0, 0, 0],
    "net_spend_quarter_horizon": [10, 50, 0, -5, 0, 0],  # ages 1 to 8
    "n_order_days_quarter_horizon": [1, 2, 0, 1, 0, 0],
    "net_spend_half_horizon": [10, 50, 0, -5, 0, 0],  # ages 1 to 15
    "n_order_days_half_horizon": [1, 2, 0, 1, 0, 0],
    "net_spend_last_horizon": [10, 50, 20, 45, 0, 0],  # ages 1 to 30
    "n_order_days_last_horizon": [1, 2, 1, 2, 0, 0],
    "net_spend_previous_horizon": [0, 0, 0, 0, -15, 0],  # ages 31 to 60
    "n_order_days_previous_horizon": [0, 0, 1, 0, 1, 0],
    "n_order_days_twelfth_horizon": [1, 0, 0, 0, 0, 0],  # ages 1 to 3
    "spend_trend": [10 / (10 + D), 50 / (50 + D), 20 / (20 + D), 45 / (45 + D), 15 / (15 + D), 0],
    "order_trend": [1 / (1 + D), 2 / (2 + D), 0, 2 / (2 + D), -1 / (1 + D), 0],
    **{
        f"decayed_{what}_{name}_horizon": [
            sum(round(weight * exp(-(age - 1) / (30 * k)), decimals) for age, weight in days)
            for days in ages
        ]
        for name, k in (("quarter", .25), ("one", 1), ("three", 3))
        for what, decimals, ages in (
            ("net_spend", 6, (
                [(1, 10)], [(7, 20), (8, 30)], [(30, 20), (31, 0)], [(5, -5), (20, 50)],
                [(60, -15)], [(365, 100), (336, 50), (335, 7), (61, 3)],
            )),
            ("order_days", 12, (
                [(1, 1)], [(7, 1), (8, 1)], [(30, 1), (31, 1)], [(5, 1), (20, 1)],
                [(60, 1)], [(365, 1), (336, 1), (335, 1), (61, 1)],
            )),
        )
    },
    "net_spend_same_season": [nan, nan, nan, nan, nan, 150],  # ages 336 to 365
    "n_order_days_same_season": [nan, nan, nan, nan, nan, 2],
    "return_share": [0, 0, .3 / 20.3, .1, 15 / D, 0],
    "n_return_days": [0, 0, 1, 1, 1, 0],
    "n_nonpositive_days": [0, 0, 1, 1, 1, 0],
    "lines_per_day": [1, 1.5, 2.5, 1, 1, 1],
    "products_per_day": [1, 1, 1.5, 1, nan, 1],
    "last_day_products": [1, 1, 2, 1, nan, nan],
    "weekend_share": [0, 0, 0, 1, 0, .5],
    "weekday_concentration": [1, ADJACENT, ADJACENT, ADJACENT, 1, sin(4 * pi / 7) / 4 / sin(pi / 7)],
    "mean_hour": [10.5, 10.5, 8, 10.125, nan, 12],
    "last_weekday": [3, 4, 2, 6, 0, 6],
    "discount_share": [.2, 1 / 11, .05 / 20.35, 0, 0, 13 / 173],
    "n_discount_days": [1, 1, 1, 0, 0, 2],
    "margin_share": [.4, 1 / 3, nan, .4, nan, 62 / 157],
    "return_units_share": [0, 0, .6, .1, 1 / D, 0],
    "n_units": [1, 6, 5, 10, 0, 8],
    "units_per_day": [1, 3, 2.5, 10, nan, 2],
    "gross_value_per_unit": [10, 50 / 6, 20.3 / 5, 5, nan, 20],
    "n_orders": [1, 2, 2, 1, 0, 3],
    "return_lag_days": [nan, nan, 0, 15, nan, nan],
    "n_categories": [1, 2, 2, 1, nan, 2],
    "category_concentration": [1, 5 / 9, 5 / 9, 1, nan, .5],
    "n_channels": [1, 2, nan, 1, nan, 2],
    "channel_concentration": [1, 5 / 9, nan, 1, nan, .5],
    "main_channel_share": [1, 2 / 3, nan, 1, nan, .5],
    "n_reviews": [1, 3, 1, 0, 0, 3],
    "days_since_last_review": [1, 4, 29, nan, nan, 10],
    "mean_stars": [5, 3, nan, nan, nan, 8 / 3],
    "last_stars": [5, 2, nan, nan, nan, 3.5],
    "share_low_stars": [0, .5, nan, nan, nan, 1 / 3],
    "stars_trend": [nan, -2, nan, nan, nan, 2.5],
    "n_visits_30d": [1, 1, 0, 0, 2, 0],
    "n_visits_90d": [1, 3, 0, 0, 3, 0],
    "n_visits_since_last_order": [0, 0, 0, 0, 2, 0],
    "days_since_last_visit": [1, 30, nan, nan, 15, 274],
    "n_complaints": [0, 0, 2, 0, 0, 0],
    "n_complaints_90d": [0, 0, 1, 0, 0, 0],
    "days_since_last_complaint": [nan, nan, 20, nan, nan, nan],
    "n_referrals": [0, 0, 0, 1, 0, 0],
    "n_message_opens_90d": [0, 0, 0, 1, 0, 0],
    "n_carts_90d": [1, 0, 0, 0, 0, 0],
}
# fmt: on


def table_of(rows: list[Any], names: str, schema: pa.Schema) -> pa.Table:
    """The named columns of a canonical table; a known day of "-" is the day itself."""
    columns = names.split()
    told = [dict(zip(columns, row, strict=True)) for row in rows]
    for row in told:
        row["known_day"] = row["day"] if row["known_day"] == "-" else row["known_day"]
        row |= {name: date.fromisoformat(row[name]) for name in ("day", "known_day")}
    return pa.Table.from_pylist(told, schema=pa.schema([schema.field(name) for name in columns]))


ORDER_LOG = table_of(
    LINES,
    "customer_id day known_day hour amount product_id order_id quantity discount margin category channel",
    ORDER_LINES,
)
REVIEW_LOG = table_of(REVIEWED, "customer_id day known_day stars", REVIEWS)
INTERACTION_LOG = table_of(INTERACTED, "customer_id day known_day kind", INTERACTIONS)


def test_whole_feature_table_of_a_small_world() -> None:
    built = build_features_from(
        ORDER_LOG, SNAPSHOT, reviews=REVIEW_LOG, interactions=INTERACTION_LOG
    )
    expected = pd.DataFrame({"customer_id": CUSTOMERS, **EXPECTED})
    expected = expected.astype(dict.fromkeys(COLUMNS, np.float64))
    assert tuple(EXPECTED) == COLUMNS
    pd.testing.assert_frame_equal(built, expected, rtol=1e-11, atol=1e-11)


UNTOLD = {
    "hour": ["mean_hour"],
    "product_id": ["products_per_day", "last_day_products"],
    "discount": ["discount_share", "n_discount_days"],
    "margin": ["margin_share"],
    "quantity": ["return_units_share", "n_units", "units_per_day", "gross_value_per_unit"],
    "category": ["n_categories", "category_concentration"],
    "channel": ["n_channels", "channel_concentration", "main_channel_share"],
}


def test_what_no_line_tells_is_unknown_of_everybody_and_the_rest_stays_as_it_was() -> None:
    empty = {name: pa.nulls(len(LINES), ORDER_LINES.field(name).type) for name in UNTOLD}
    log = ORDER_LOG.drop_columns(list(empty))
    for name, values in empty.items():
        log = log.append_column(name, values)
    built = build_features_from(log, SNAPSHOT)
    unknown = {name for names in UNTOLD.values() for name in names}
    unknown |= set(COLUMNS[COLUMNS.index("n_reviews") :])
    expected = pd.DataFrame(
        {
            name: [nan] * 6 if name in unknown else np.array(values, dtype=float)
            for name, values in EXPECTED.items()
        }
    )
    pd.testing.assert_frame_equal(built[list(COLUMNS)], expected, rtol=1e-11, atol=1e-11)


def test_what_is_told_only_from_the_cutoff_on_is_not_told_yet() -> None:
    late = [("a", "2024-03-01", "-", 5), ("b", "2024-02-20", "2024-03-01", 5)]
    first = [("a", "2024-03-01", "-", "visit"), ("a", "2024-02-29", "-", "complaint")]
    built = build_features_from(
        ORDER_LOG,
        SNAPSHOT,
        reviews=table_of(late, "customer_id day known_day stars", REVIEWS),
        interactions=table_of(first, "customer_id day known_day kind", INTERACTIONS),
    ).set_index("customer_id")
    assert built["n_reviews"].isna().all()
    assert built["n_visits_90d"].isna().all()
    assert built["n_complaints"].tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("history_start", "told"), [(date(2023, 12, 6), True), (date(2023, 12, 7), False)]
)
def test_a_count_of_90_days_is_unknown_where_the_history_is_much_shorter(
    history_start: date, told: bool
) -> None:
    snapshot = Snapshot(CUTOFF, 30, history_start)  # 86 and 85 days of history
    built = build_features_from(ORDER_LOG, snapshot, interactions=INTERACTION_LOG)
    assert built["n_visits_90d"].notna().all() == told
    assert built["n_visits_30d"].notna().all()
