"""Feature tables: exact, in any order of rows, at the edges of every window and of both clocks."""

from __future__ import annotations

import json
from datetime import date, timedelta
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.build import build_features, build_features_from
from features.catalogue import COLUMNS, check_no_audit_columns
from features.config import FeatureSettings
from features.customer_days import LINE_COLUMNS
from features.errors import InputError
from features.snapshot import Snapshot
from features.tables import ORDER_LINES, read_tables

CUTOFF = date(2024, 3, 1)
SNAPSHOT = Snapshot(CUTOFF, horizon_days=30, history_start=date(2023, 2, 20))
LATE = ("b", "2024-02-20", "2024-03-01", None, -50.0, "p")

# customer, day, known day, hour, amount, product
LINES = [
    ("00123", "2024-02-29", "2024-02-29", 10.5, 10.00, "p"),  # age 1, Thursday
    ("00123", "2024-03-01", "2024-03-01", 9.0, 99.00, "x"),  # on the cutoff day
    ("00123", "2024-03-01", "2024-02-29", 9.0, 99.00, "x"),  # paid ahead: known, not happened
    ("123", "2024-02-23", "2024-02-23", 10.0, 15.00, "p"),  # age 7, Friday
    ("123", "2024-02-23", "2024-02-23", 14.0, 5.00, "p"),
    ("123", "2024-02-22", "2024-02-22", 9.0, 30.00, "q"),  # age 8, Thursday
    ("a", "2024-01-31", "2024-01-31", 8.0, 12.75, "p"),  # age 30, Wednesday
    ("a", "2024-01-31", "2024-01-31", None, 7.25, "q"),
    ("a", "2024-01-30", "2024-01-30", None, 0.10, "p"),  # age 31, Tuesday: nets to exactly 0
    ("a", "2024-01-30", "2024-01-30", None, 0.20, "p"),
    ("a", "2024-01-30", "2024-01-30", None, -0.30, "p"),
    ("b", "2024-02-10", "2024-02-10", 20.25, 50.00, None),  # age 20, Saturday
    LATE,  # a return that is known on the cutoff day
    ("b", "2024-02-25", "2024-02-29", 0.0, -5.00, "q"),  # age 5, Sunday: a return known in time
    ("c", "2024-01-01", "2024-01-01", None, -15.00, None),  # age 60, Monday: returns only
    ("d", "2023-03-02", "2023-03-02", 12.0, 100.00, "p"),  # age 365, Thursday
    ("d", "2023-03-31", "2023-03-31", 12.0, 50.00, "p"),  # age 336, Friday: last of the season
    ("d", "2023-04-01", "2023-04-01", 12.0, 7.00, "p"),  # age 335, Saturday: after the season
    ("d", "2023-12-31", "2023-12-31", 12.0, 3.00, None),  # age 61, Sunday
    ("e", "2024-02-01", "2024-03-02", 12.0, 8.00, "p"),  # known after the cutoff: no customer yet
    ("f", "2024-03-05", "2024-03-05", 12.0, 8.00, "p"),  # after the cutoff
    ("g", "2023-02-19", "2023-02-19", 12.0, 8.00, "p"),  # before the observation window
]


def order_lines_of(lines: list[tuple[str, str, str, float | None, float, str | None]]) -> pa.Table:
    """The columns that features need, as a canonical table of order lines."""
    schema = pa.schema([ORDER_LINES.field(name) for name in LINE_COLUMNS])
    rows = [
        {
            "customer_id": customer,
            "day": date.fromisoformat(day),
            "known_day": date.fromisoformat(known),
            "hour": hour,
            "amount": amount,
            "product_id": product,
        }
        for customer, day, known, hour, amount, product in lines
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def is_bit_equal(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    return (
        list(left.columns) == list(right.columns)
        and list(left["customer_id"]) == list(right["customer_id"])
        and left[list(COLUMNS)].to_numpy().tobytes() == right[list(COLUMNS)].to_numpy().tobytes()
    )


def write_source(folder: Path, parts: list[pa.Table]) -> None:
    """Leave behind what an ingestion does: the parts and their account."""
    (folder / "order_lines").mkdir(parents=True)
    for number, part in enumerate(parts):
        pq.write_table(part, folder / "order_lines" / f"part-{number}.parquet")
    account = {
        "source": folder.name,
        "currency": "GBP",
        "value": "amount",
        "history_start": "2023-02-20",
        "data_complete_before": "2024-03-06",
        "digest": "0" * 64,
    }
    (folder / "ingest.json").write_text(json.dumps(account), encoding="utf-8")


def test_money_is_exact_and_a_return_cancels_its_purchase() -> None:
    built = build_features_from(order_lines_of(LINES), SNAPSHOT).set_index("customer_id")
    assert built.loc["a", "first_day_value"] == 0.0  # 0.10 + 0.20 - 0.30 is 5.6e-17 in floats
    assert built.loc["a", "net_spend"] == 20.0
    assert built.loc["d", "net_spend"] == 160.0


def test_a_late_return_counts_from_the_day_after_it_is_known_and_never_before() -> None:
    without = [line for line in LINES if line is not LATE]
    today = build_features_from(order_lines_of(LINES), SNAPSHOT)
    assert is_bit_equal(today, build_features_from(order_lines_of(without), SNAPSHOT))
    tomorrow = Snapshot(date(2024, 3, 2), 30, SNAPSHOT.history_start)
    later = build_features_from(order_lines_of(LINES), tomorrow).set_index("customer_id")
    assert later.loc["b", "net_spend"] == -5.0


@pytest.mark.parametrize(
    ("history_start", "told"),
    [(date(2024, 1, 3), True), (date(2024, 1, 4), False)],  # 58 and 57 days of history
)
def test_a_window_may_be_a_twentieth_longer_than_the_history(
    history_start: date, told: bool
) -> None:
    lines = order_lines_of([("a", "2024-02-29", "2024-02-29", None, 1.0, None)])
    built = build_features_from(lines, Snapshot(CUTOFF, 30, history_start))
    assert built["net_spend_60d"].notna().tolist() == [told]
    assert built["n_order_days_60d"].notna().tolist() == [told]
    assert built["net_spend_30d"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("horizon_days", "history_start", "seen"),
    [
        (30, date(2023, 3, 2), True),  # 365 days of history
        (30, date(2023, 3, 3), False),  # 364
        (364, date(2023, 3, 2), True),
        (365, date(2023, 3, 2), False),
    ],
)
def test_same_season_needs_a_year_of_history_and_a_horizon_under_a_year(
    horizon_days: int, history_start: date, seen: bool
) -> None:
    lines = order_lines_of([("a", "2023-03-03", "2023-03-03", None, 1.0, None)])
    built = build_features_from(lines, Snapshot(CUTOFF, horizon_days, history_start))
    assert built["n_order_days_same_season"].notna().tolist() == [seen]


@pytest.mark.parametrize(("first_day", "told"), [("2023-03-31", [1.0]), ("2023-04-01", [])])
def test_same_season_is_unknown_to_who_came_after_it(first_day: str, told: list[float]) -> None:
    days = (first_day, "2024-02-29")  # ages 336, the last of the season, and 335
    lines = order_lines_of([("a", day, day, None, 1.0, None) for day in days])
    built = build_features_from(lines, SNAPSHOT)
    assert built["n_order_days_same_season"].dropna().tolist() == told
    assert built["net_spend_same_season"].dropna().tolist() == told


def test_three_thousand_uneven_amounts_sum_to_the_same_bits_in_any_order() -> None:
    rng = np.random.default_rng(0)
    days = [(CUTOFF - timedelta(days=int(age))).isoformat() for age in rng.integers(1, 90, 3_000)]
    lines = [
        (f"c{number % 3}", day, day, float(hour), float(amount), "p")
        for number, (day, hour, amount) in enumerate(
            zip(days, rng.uniform(0, 24, 3_000), rng.lognormal(3, 2, 3_000), strict=True)
        )
    ]
    built = build_features_from(order_lines_of(lines), SNAPSHOT, FeatureSettings(threads=2))
    turned = order_lines_of([lines[row] for row in rng.permutation(3_000)])
    assert is_bit_equal(built, build_features_from(turned, SNAPSHOT, FeatureSettings(threads=1)))
    alone = order_lines_of([line for line in lines if line[0] == "c1"])
    of_one = built[built["customer_id"] == "c1"].reset_index(drop=True)
    assert is_bit_equal(of_one, build_features_from(alone, SNAPSHOT))


def test_parts_on_disk_and_a_table_in_memory_give_the_same_bits(tmp_path: Path) -> None:
    lines = order_lines_of(LINES)
    write_source(tmp_path / "shop", [lines.slice(0, 9), lines.slice(9)])
    settings = FeatureSettings(threads=1, memory_limit_mb=256)
    built = build_features(read_tables(tmp_path / "shop"), SNAPSHOT, settings)
    assert is_bit_equal(built, build_features_from(lines, SNAPSHOT, FeatureSettings(threads=2)))


def test_no_audit_column_reaches_a_feature_table() -> None:
    lines = order_lines_of(LINES).append_column("gender", pa.array(["f"] * len(LINES)))
    built = build_features_from(lines, SNAPSHOT)
    check_no_audit_columns(built.columns)
    assert list(built.columns) == ["customer_id", *COLUMNS]


def test_refuses_a_cutoff_before_anything_was_known() -> None:
    early = Snapshot(date(2023, 2, 21), 30, date(2023, 2, 20))
    with pytest.raises(InputError, match="no order line was known before the cutoff 2023-02-21"):
        build_features_from(order_lines_of(LINES), early)


@pytest.mark.parametrize("amount", [nan, float("inf"), 1e13])
def test_refuses_an_amount_that_no_sum_can_hold(amount: float) -> None:
    lines = order_lines_of([("a", "2024-02-29", "2024-02-29", None, amount, None)])
    with pytest.raises(InputError, match="an amount or another number is not finite"):
        build_features_from(lines, SNAPSHOT)


def test_refuses_order_lines_without_their_columns() -> None:
    lines = order_lines_of(LINES).drop_columns(["known_day", "hour"])
    with pytest.raises(InputError, match="order lines without known_day, hour; expected"):
        build_features_from(lines, SNAPSHOT)


def test_refuses_a_source_without_order_lines(tmp_path: Path) -> None:
    write_source(tmp_path / "shop", [])
    with pytest.raises(InputError, match=r"no order lines in .*shop; expected at least one part"):
        build_features(read_tables(tmp_path / "shop"), SNAPSHOT, FeatureSettings())
