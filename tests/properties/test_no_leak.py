"""For any order log: what is not known at the cutoff changes no feature, nor does anything else.

All comparisons are of bits, not of numbers within a tolerance. To be brief each line is a review
and an interaction, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build_features_from
from features.catalogue import COLUMNS
from features.config import FeatureSettings
from features.snapshot import Snapshot
from features.tables import INTERACTIONS, ORDER_LINES, REVIEWS

SNAPSHOT = Snapshot(date(2024, 3, 1), horizon_days=30, history_start=date(2022, 11, 1))
KEYS = ("customer_id", "day", "known_day")
LINE_COLUMNS = (
    *KEYS, "order_id", "hour", "amount", "margin", "quantity", "discount", "product_id", "category",
    "channel",
)  # fmt: skip
IDS = ("00123", "123", "a", "é", *(f"c{number}" for number in range(12)))
Line = dict[str, Any]

# Few worlds, each of many customers: a build takes as long for forty lines as for four.
few = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def lines_of(day: st.SearchStrategy[int], known_after: st.SearchStrategy[int]) -> Any:
    """Lines of `day` days before the cutoff (0 or less: not before) that were known later."""

    def line(age: int, delay: int, **rest: Any) -> Line:
        happened = SNAPSHOT.cutoff - timedelta(days=age)
        return {"day": happened, "known_day": happened + timedelta(days=delay), **rest}

    return st.builds(
        line,
        age=day,
        delay=known_after,
        customer_id=st.sampled_from(IDS),
        hour=st.none() | st.floats(0, 23.99),
        amount=st.floats(-1e4, 1e4) | st.integers(-999_999, 999_999).map(lambda n: n / 70),
        product_id=st.none() | st.sampled_from(["p", "q", "r"]),
        order_id=st.sampled_from(["o1", "o2", "o3"]),
        margin=st.none() | st.floats(-1e3, 1e3),
        quantity=st.none() | st.integers(-5, 5).map(float),
        discount=st.none() | st.floats(0, 1e3),
        category=st.none() | st.sampled_from(["tea", "cup"]),
        channel=st.none() | st.sampled_from(["app", "web", "store"]),
        stars=st.none() | st.integers(1, 5).map(float),
        kind=st.sampled_from(["visit", "cart", "complaint", "referral", "message_open"]),
    )


# Known in time: at least one day before the cutoff, with all of the delay before it too.
known = lines_of(st.integers(4, 480) | st.integers(4, 6), st.integers(0, 3))
happened_later = lines_of(st.integers(-40, 0), st.integers(-60, 5))
known_later = lines_of(st.integers(1, 480), st.integers(480, 600))


def build(lines: Sequence[Line], threads: int = 1) -> pd.DataFrame:
    def table_of(canonical: pa.Schema, columns: Sequence[str]) -> pa.Table:
        schema = pa.schema([canonical.field(name) for name in columns])
        rows = [{name: line[name] for name in columns} for line in lines]
        return pa.Table.from_pylist(rows, schema=schema)

    return build_features_from(
        table_of(ORDER_LINES, LINE_COLUMNS),
        SNAPSHOT,
        FeatureSettings(threads=threads),
        reviews=table_of(REVIEWS, (*KEYS, "stars")),
        interactions=table_of(INTERACTIONS, (*KEYS, "kind")),
    )


def read_bits(features: pd.DataFrame) -> dict[str, bytes]:
    """The bits of each customer's features, in the order of the table."""
    rows = features[list(COLUMNS)].to_numpy()
    return {
        customer: row.tobytes() for customer, row in zip(features["customer_id"], rows, strict=True)
    }


@few
@given(
    lines=st.lists(known, min_size=1, max_size=60),
    unknown=st.lists(happened_later | known_later, min_size=1, max_size=25),
)
def test_a_row_at_or_after_the_cutoff_or_known_then_changes_no_feature(
    lines: list[Line], unknown: list[Line]
) -> None:
    assert read_bits(build([*unknown, *lines])) == read_bits(build(lines))


@few
@given(lines=st.lists(known, min_size=2, max_size=60), seed=st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_the_threads_change_a_bit(
    lines: list[Line], seed: Any
) -> None:
    shuffled = seed.sample(lines, len(lines))
    assert list(read_bits(build(shuffled, threads=2)).items()) == list(
        read_bits(build(lines)).items()
    )


def anchor_of(kind: str) -> Line:
    """A line of somebody else that tells every column, so that what is told stays the same."""
    day = SNAPSHOT.cutoff - timedelta(days=9)
    numbers = dict.fromkeys(("hour", "amount", "margin", "quantity", "discount", "stars"), 1.0)
    texts = {"order_id": "o", "product_id": "p", "category": "tea", "channel": "app"}
    return {"customer_id": "anchor", "day": day, "known_day": day, "kind": kind} | numbers | texts


ANCHORS = [anchor_of(k) for k in ("visit", "cart", "complaint", "referral", "message_open")]


@few
@given(lines=st.lists(known, min_size=1, max_size=60))
def test_a_customer_alone_has_the_features_had_among_many(lines: list[Line]) -> None:
    alone = lines[0]["customer_id"]
    of_one = read_bits(build([*ANCHORS, *(x for x in lines if x["customer_id"] == alone)]))
    among_many = read_bits(build([*ANCHORS, *lines]))
    assert of_one == {name: among_many[name] for name in (alone, "anchor")}
