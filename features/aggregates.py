"""The few shapes of aggregate that all features are made of, exact in any order of rows.

Sums are sums of integers (money in millionths, weights to 12 decimals): neither the order of rows
nor the number of threads can change the last bit of a feature.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import ibis.expr.types as ir

from features.known import MICRO
from features.snapshot import Snapshot

Definition = Callable[[ir.Table, Snapshot], ir.Value]
"""Rows of a grain and a snapshot in, one aggregate of a customer's rows out."""

FINE = 10**12
"""Parts of one that are kept of a weight, an angle or a logarithm."""

WINDOW_SLACK = 1.05
"""A fixed window may be this many times as long as the history and still be told."""


@dataclass(frozen=True)
class Grain:
    """One kind of rows, and the features that are aggregated from them.

    Attributes
    ----------
    table : str
        Canonical table that the rows are made of.
    rows : callable
        From the table (and `beside`), the snapshot and what is told to the rows: the known ones
        only.
    definitions : dict of str to Definition
        How each feature is computed.
    counts : frozenset of str
        Features that are 0 for a customer without a row; the others are unknown then.
    beside : str
        Second canonical table that the rows are made of; empty: none.
    """

    table: str
    rows: Callable[..., ir.Table]
    definitions: dict[str, Definition]
    counts: frozenset[str] = frozenset()
    beside: str = ""


def named(*definitions: Definition) -> dict[str, Definition]:
    """Return each definition under its own name, which is its column's."""
    return {definition.__name__: definition for definition in definitions}


def money(micro: ir.Value) -> ir.Value:
    """Return millionths as wholes (float64)."""
    return micro.cast("float64") / MICRO


def sum_money(days: ir.Table, where: ir.Value) -> ir.Value:
    """Return the net value of the customer-days for which `where` holds, 0 if there is none."""
    return money(where.ifelse(days.net, 0).sum())


def count_rows(where: ir.Value) -> ir.Value:
    """Return the number of rows for which `where` holds, 0 if there is none."""
    return where.ifelse(1, 0).sum().cast("float64")


def sum_fine(value: ir.Value) -> ir.Value:
    """Return the sum of float64 values, each rounded to 12 decimals, as float64."""
    return (value * float(FINE)).round().cast("int64").sum().cast("float64") / float(FINE)


def within(rows: ir.Table, length: float, start: float = 0) -> ir.Value:
    """Tell whether a day lies in the window of `length` days ending `start` days before the cutoff.

    A window of 7 days holds the ages 1 to 7; of a length that is no whole number, the day it
    ends in counts.
    """
    inside = rows.age_days <= math.ceil(length + start)
    return inside & (rows.age_days > math.ceil(start)) if start else inside


def fits_history(window_days: int, snapshot: Snapshot) -> bool:
    """Tell whether the history is long enough for a window of that length to mean what it says."""
    return window_days <= WINDOW_SLACK * snapshot.observation_days
