"""The frozen reference: edges, shares, importances, tiers and order days, and back from JSON."""

from __future__ import annotations

import json
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ReleaseError
from features.order_days import read_order_days
from training.artifact import read_files
from training.orders_reference import day_ratios, describe_orders, week_ratios
from training.reference import (
    FILE,
    describe_column,
    find_edges,
    read_importances,
    reference_bytes,
    reference_from,
    share_in_bins,
)

MONDAY = date(2024, 1, 1)


def test_a_frequent_value_has_a_bin_of_its_own():
    values = np.array([0.0] * 50 + list(range(1, 51)))
    edges = find_edges(values)
    shares = share_in_bins(values, edges)
    inside = np.searchsorted(edges, 0.0, side="right")
    assert shares[inside] == 0.5
    moved = share_in_bins(values + 1e-9, edges)
    assert moved[inside] == 0.0


def test_a_column_without_a_known_value_has_no_edges_and_is_all_missing():
    column = describe_column("empty", [np.full(7, np.nan)])
    assert (column.edges, column.shares, column.scale) == ((), ((0.0, 1.0),), None)


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=60),
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60),
)
def test_shares_sum_to_one_on_anybodys_edges(values: list[float], made_on: list[float]):
    edges = find_edges(np.array(made_on))
    assert all(low < high for low, high in pairwise(edges))
    shares = share_in_bins(np.array(values), edges)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()


def test_one_row_at_ten_times_the_maximum_moves_one_row_of_one_bin():
    values = np.linspace(1, 100, 500)
    edges = find_edges(values)
    before, after = share_in_bins(values, edges), share_in_bins(np.append(values[1:], 1e3), edges)
    assert np.abs(after - before).max() == pytest.approx(1 / 500)


def test_gains_are_shared_among_the_columns_and_sum_to_one(small_world: Any):
    release = small_world.result.release
    importances = read_importances(release.model)
    assert set(importances) == set(release.columns)
    assert sum(importances.values()) == pytest.approx(1.0, abs=1e-4)
    assert max(importances.values()) > 3 / len(importances)


def test_a_formula_without_trees_weighs_its_columns_alike(make_release: Any):
    importances = read_importances(make_release().model)
    assert set(importances.values()) == {1 / len(importances)}


def test_the_reference_of_the_small_shop_stands_under_its_manifest(small_world: Any):
    _, files = read_files(small_world.release_folder)
    reference = reference_from(files[FILE])
    release = small_world.result.release
    assert reference.cutoff == release.cutoff == reference.moments[0].cutoff
    assert [column.name for column in reference.columns] == list(release.columns)
    assert [tier.id for tier in reference.tiers] == [tier.id for tier in release.tiers]
    cutoffs = [moment.cutoff for moment in reference.moments]
    assert cutoffs == sorted(cutoffs, reverse=True)
    assert len(cutoffs) > 3
    for column in (*reference.columns, *reference.scores):
        assert len(column.shares) == len(cutoffs)
        assert {len(row) for row in column.shares} == {len(column.edges) + 2}
    assert reference.orders is not None
    assert set(reference.orders.kinds) == {"channel", "category"}
    assert reference_from(reference_bytes(reference)) == reference


def test_a_damaged_reference_says_what_to_do():
    with pytest.raises(ReleaseError, match="is no reference"):
        reference_from(b'{"cutoff": "2024-01-01"}')
    with pytest.raises(ReleaseError, match="train again"):
        reference_from(json.dumps([1]).encode())


# --- order days ------------------------------------------------------------------------------


def test_order_days_of_a_hand_made_shop(tmp_path: Any, write_tables: Any):
    lines = [
        ("a", MONDAY, 10.0),
        ("a", MONDAY, 30.0),
        ("b", MONDAY + timedelta(2), 5.0),
        ("b", MONDAY + timedelta(2), -5.0),
        ("c", MONDAY + timedelta(1), 9.0, MONDAY + timedelta(9)),  # known too late
    ]
    tables = write_tables(tmp_path / "tables", lines, date(2024, 2, 1))
    days = read_order_days(tables, MONDAY, MONDAY + timedelta(4))
    assert len(days) == 4
    assert days.before == date(2024, 1, 5)
    assert days.n_lines.tolist() == [2, 0, 2, 0]
    assert days.n_sales.tolist() == [2, 0, 1, 0]
    assert days.n_duplicates.tolist() == [0, 0, 0, 0]
    assert days.median_amount[[0, 2]].tolist() == [20.0, 5.0]
    assert np.isnan(days.median_amount[[1, 3]]).all()
    assert days.slice(2, 4).first == date(2024, 1, 3)


def test_ratios_compare_with_the_same_weekdays_and_the_weeks_before():
    steady = np.full(70, 40.0)
    doubled = steady.copy()
    doubled[-1] = 80.0
    assert np.isnan(day_ratios(steady)[:28]).all()
    assert day_ratios(doubled)[-1] == 2.0
    assert week_ratios(doubled)[-1] == pytest.approx((6 * 40 + 80) / 7 / 40)
    assert np.isnan(day_ratios(np.full(70, 3.0))).all()  # too few to tell


def test_a_few_days_are_no_reference(tmp_path: Any, write_tables: Any):
    tables = write_tables(tmp_path / "tables", [("a", MONDAY, 1.0)], date(2024, 2, 1))
    assert describe_orders(read_order_days(tables, MONDAY, date(2024, 1, 20))) is None
