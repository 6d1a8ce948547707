"""The few shapes of aggregate that all features are made of, exact in any order of rows.

Sums are sums of integers or decimals (money in millionths, weights to 12 decimals): neither the order of
rows nor the number of threads can change the last bit of a feature.
"""

from __future__ import annotations

from collections.abc import Callable

import ibis.expr.types as ir

from features.customer_days import MICRO
from features.snapshot import Snapshot

Definition = Callable[[ir.Table, Snapshot], ir.Value]
"""Customer-days and a snapshot in, one aggregate of a customer's days out."""

FINE = 12
"""Decimals that are kept of a weight, an angle or a logarithm."""

MICRO_DECIMALS = 9
"""Decimals that are kept of a weighted number of millionths."""


def named(*definitions: Definition) -> dict[str, Definition]:
    """Return each definition under its own name, which is its column's."""
    return {definition.__name__: definition for definition in definitions}


def money(micro: ir.Value) -> ir.Value:
    """Return millionths as currency (float64)."""
    return micro.cast("float64") / MICRO


def sum_money(days: ir.Table, where: ir.Value) -> ir.Value:
    """Return the net value of the customer-days for which `where` holds, 0 if there is none."""
    return money(where.ifelse(days.net, 0).sum())


def count_days(days: ir.Table, where: ir.Value) -> ir.Value:
    """Return the number of customer-days for which `where` holds, 0 if there is none."""
    return where.ifelse(1, 0).sum().cast("float64")


def sum_exact(value: ir.Value, digits: int) -> ir.Value:
    """Return the sum of float64 values, each rounded to `digits` decimals, as float64."""
    return value.cast(f"decimal(38, {digits})").sum().cast("float64")


def within(days: ir.Table, length: float, start: float = 0) -> ir.Value:
    """Tell whether a day lies in the window of `length` days ending `start` days before the cutoff.

    A window of 7 days holds the ages 1 to 7; of a length that is no whole number, the day it
    ends in counts.
    """
    elapsed = days.age_days - 1
    inside = elapsed < length + start
    return inside & (elapsed >= start) if start else inside
