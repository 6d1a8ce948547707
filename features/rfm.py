"""Recency, frequency and money: how long ago, how often and how much.

Each feature is a function named like its column. It takes the customer-days of
:func:`features.customer_days.add_neighbours` and the snapshot, and returns an Ibis expression that
aggregates the days of one customer. Units and sources stand in :mod:`features.catalogue`.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from features.aggregates import (
    Definition,
    count_rows,
    money,
    named,
    sum_fine,
    sum_money,
)
from features.known import MICRO
from features.snapshot import Snapshot

SHORTEST_MONEY = 1e-6
"""Money below which a denominator is not followed, in currency."""

LOWEST_GROSS = 0.01
"""Gross value of a day below which its logarithm is not followed, in currency."""


# How often and how long ago


def n_order_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days with an accepted order line."""
    return days.count().cast("float64")


def days_since_last_order(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last order day to the cutoff."""
    return days.age_days.min().cast("float64")


def days_since_second_last_order(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last order day but one to the cutoff."""
    return days.is_last.ifelse(days.previous_age, ibis.null("int32")).max().cast("float64")


def days_since_third_last_order(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last order day but two to the cutoff."""
    return days.is_last.ifelse(days.second_previous_age, ibis.null("int32")).max().cast("float64")


def tenure_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the first order day to the cutoff."""
    return days.age_days.max().cast("float64")


def first_to_last_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the first order day to the last."""
    return tenure_days(days, snapshot) - days_since_last_order(days, snapshot)


def recency_ratio(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Share of the tenure that has passed without an order."""
    return (days_since_last_order(days, snapshot) - 1) / tenure_days(days, snapshot)


def order_rate(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days per day of tenure, of half a horizon at least."""
    return n_order_days(days, snapshot) / _tenure_floored(days, snapshot)


def _tenure_floored(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    return ibis.greatest(tenure_days(days, snapshot), snapshot.horizon_days / 2)


# How much


def net_spend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Sum of all amounts, returns subtracted."""
    return money(days.net.sum())


def mean_day_value(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean net value of an order day."""
    return net_spend(days, snapshot) / n_order_days(days, snapshot)


def spend_rate(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Net spend per day of tenure, of half a horizon at least."""
    return net_spend(days, snapshot) / _tenure_floored(days, snapshot)


def max_day_value(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Largest net value of an order day."""
    return money(days.net.max())


def last_day_value(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Net value of the last order day."""
    return sum_money(days, days.is_last)


def first_day_value(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Net value of the first order day."""
    return sum_money(days, days.is_first)


def day_value_sd(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Population standard deviation of the day values; exact up to its root."""
    total, wide = days.net.sum(), days.net.cast("decimal(38, 0)")
    spread = days.count() * (wide * wide).sum() - total * total
    return spread.cast("float64").sqrt() / n_order_days(days, snapshot) / MICRO


def day_value_cv(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Standard deviation of the day values over the size of their mean."""
    size = ibis.greatest(mean_day_value(days, snapshot).abs(), SHORTEST_MONEY)
    return day_value_sd(days, snapshot) / size


def geometric_mean_day_value(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Geometric mean of the gross day values, each of a hundredth at least."""
    logarithm = ibis.greatest(money(days.gross), LOWEST_GROSS).ln()
    return (sum_fine(logarithm) / n_order_days(days, snapshot)).exp()


def repeat_net_spend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Net spend after the first order day."""
    return sum_money(days, ~days.is_first)


def n_positive_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days with a day value above 0."""
    return count_rows(days.net > 0)


def positive_day_spend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Sum of the day values above 0."""
    return sum_money(days, days.net > 0)


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    return named(
        n_order_days,
        days_since_last_order,
        days_since_second_last_order,
        days_since_third_last_order,
        tenure_days,
        first_to_last_days,
        net_spend,
        mean_day_value,
        recency_ratio,
        order_rate,
        spend_rate,
        max_day_value,
        last_day_value,
        first_day_value,
        day_value_sd,
        day_value_cv,
        geometric_mean_day_value,
        repeat_net_spend,
        n_positive_days,
        positive_day_spend,
    )
