"""Every planted leak is refused by name, and none of our own features is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.leaks import (
    FUNCTIONS,
    SNAPSHOT,
    Leak,
    backdated_columns,
    build_with,
    draw_rows,
    outcome_of,
)
from features.build import build_features_from
from features.catalogue import COLUMNS
from features.errors import InputError
from features.leaks import Rows, before, check_cutoff_invariance, check_unchanged
from features.snapshot import Snapshot
from training.leaks import check_no_answer, revealing_area


@pytest.fixture(scope="module")
def rows() -> dict[str, pa.Table]:
    return draw_rows()


@pytest.fixture(scope="module")
def value(rows: Rows) -> np.ndarray:
    return outcome_of(rows, SNAPSHOT).to_numpy()


def build_ours(rows: Rows, snapshot: Snapshot) -> pd.DataFrame:
    return build_features_from(
        rows["order_lines"],
        snapshot,
        reviews=rows["reviews"],
        interactions=rows["interactions"],
    )


def test_there_are_twenty(value: np.ndarray) -> None:
    assert len(FUNCTIONS) + len(backdated_columns(value)) == 20


@pytest.mark.parametrize("leak", FUNCTIONS, ids=lambda leak: leak.__name__)
def test_a_function_that_reads_past_the_cutoff_is_refused(leak: Leak, rows: Rows) -> None:
    with pytest.raises(InputError, match=f"^{leak.__name__} changes when rows at or after 2024"):
        check_cutoff_invariance(build_with(leak), rows, SNAPSHOT)


@pytest.mark.parametrize("name", list(backdated_columns(np.arange(-60.0, 60.0))))
def test_a_column_that_is_the_answer_is_refused_until_it_is_meant(
    name: str, value: np.ndarray
) -> None:
    column = backdated_columns(value)[name][:, None]
    with pytest.raises(InputError, match=f"^{name} alone tells who will be active .AUC (1|0.9)"):
        check_no_answer([name], column, value > 0)
    check_no_answer([name], column, value > 0, meant=[name])


def test_none_of_our_features_is_refused(rows: Rows, value: np.ndarray) -> None:
    ours = build_ours(rows, SNAPSHOT)
    check_unchanged(ours, build_ours(before(rows, SNAPSHOT), SNAPSHOT), SNAPSHOT)
    assert ours[list(COLUMNS)].notna().any().sum() >= 90
    check_no_answer(COLUMNS, ours[list(COLUMNS)].to_numpy(), value > 0)


def test_customers_who_came_later_are_refused(rows: Rows) -> None:
    def build(rows: Rows, snapshot: Snapshot) -> pd.DataFrame:
        lines = rows["order_lines"].to_pandas()
        return lines.groupby("customer_id", as_index=False)["amount"].sum()

    with pytest.raises(InputError, match=r"customers at 2024-01-01, .* when rows at or after it"):
        check_cutoff_invariance(build, rows, SNAPSHOT)


def test_few_customers_say_nothing() -> None:
    active = np.array([True] * 19 + [False] * 500)
    assert revealing_area(active.astype(float), active) == 0.5
