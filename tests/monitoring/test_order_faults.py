"""Faults of single days of order lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.monitoring_scenarios import build_days, build_reference_of_shop
from features.config import MonitoringSettings
from features.order_days import OrderDays
from monitoring.order_faults import find_order_faults
from training.reference import OrdersReference

SETTINGS = MonitoringSettings()


@pytest.fixture(scope="module")
def reference() -> OrdersReference:
    orders = build_reference_of_shop().orders
    assert orders is not None
    return orders


@pytest.mark.parametrize(
    ("fault", "size", "kinds"),
    [
        (None, 0, []),
        ("unit_slip", 100, ["unit_slip"]),
        ("unit_slip", 0.01, ["unit_slip"]),
        ("unit_slip", 3, []),
        ("half_day", 12, ["half_day"]),
        ("half_day", 21, []),
        ("refused", 0.5, ["refused"]),
        ("refused", 0.8, ["volume", "refused"]),
        ("refused", 0.05, []),
        ("duplicates", 0.5, ["duplicates"]),
        ("nulls", 0.6, ["null_surge"]),
        ("nulls", 0.1, []),
        ("volume", 0.1, ["volume"]),
        ("volume", 0.0, ["volume"]),
        ("volume", 9.0, ["volume"]),
        ("volume", 1.3, []),
        ("new_channel", 0.3, ["new_kind"]),
        ("new_channel", 0.02, []),
    ],
)
def test_a_day_is_called_what_it_is(
    reference: OrdersReference, fault: str | None, size: float, kinds: list[str]
):
    found = find_order_faults(build_days(fault, size), reference, SETTINGS)
    assert [each.kind for each in found] == kinds


@pytest.mark.parametrize("seed", range(10))
def test_sound_days_of_other_seeds_are_silent(reference: OrdersReference, seed: int):
    assert find_order_faults(build_days(None, 0, seed + 100), reference, SETTINGS) == ()


def with_lines(days: OrderDays, usual: float, last: float) -> OrderDays:
    """Return days of `usual` lines, and of `last` on the last day."""
    lines = np.full(len(days), usual)
    lines[-1] = last
    return replace(days, n_lines=lines, n_sales=lines)


@pytest.mark.parametrize(("usual", "kinds"), [(55.0, ["half_day"]), (25.0, [])])
def test_a_day_cut_to_twenty_lines_is_judged_by_those_that_were_to_come(
    reference: OrdersReference, usual: float, kinds: list[str]
):
    quiet = replace(reference, day_range=(0.25, 4.0), week_range=(0.4, 2.5))
    found = find_order_faults(
        with_lines(build_days("half_day", 12.0), usual, 20.0), quiet, SETTINGS
    )
    assert [each.kind for each in found] == kinds


@pytest.mark.parametrize(("last", "kinds"), [(15.0, []), (8.0, ["volume"]), (0.0, ["volume"])])
def test_the_quietest_day_of_one_year_is_not_the_quietest_that_can_be(
    reference: OrdersReference, last: float, kinds: list[str]
):
    """A spring festival had .148 of the usual 101 lines; the quietest day of the year before .299."""
    of_a_year = replace(reference, day_range=(0.299, 4.02), week_range=(0.46, 2.22))
    days = with_lines(build_days(None, 0.0), 101.0, last)
    found = find_order_faults(days, of_a_year, SETTINGS)
    assert [each.kind for each in found] == kinds


def test_a_shop_of_few_lines_says_nothing_about_one_day(reference: Any):
    days = build_days("unit_slip", 100.0)
    few = days.slice(0, len(days))
    for name in ("n_lines", "n_sales"):
        object.__setattr__(few, name, np.full(len(days), 4.0))
    assert find_order_faults(few, reference, SETTINGS) == ()
