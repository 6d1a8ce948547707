"""Cadence, returns, basket and habits of hour and weekday.

Each feature is a function named like its column, from customer-days and the snapshot to an Ibis
aggregate, as in :mod:`features.rfm`.
"""

from __future__ import annotations

import math

import ibis
import ibis.expr.types as ir

from features.aggregates import Definition, count_rows, money, named, sum_fine
from features.known import MICRO
from features.rfm import days_since_last_order, first_to_last_days, n_order_days
from features.snapshot import Snapshot

SHORTEST_GAP_DAYS = 1
"""Least usual gap that an order can be overdue against, in days."""

SMALLEST_GROSS = 1e-6
"""Keeps the denominator of the return share above 0, in currency."""

SATURDAY = 5
WEEK_DAYS = 7


# Cadence


def mean_gap_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean days between consecutive order days."""
    gaps = n_order_days(days, snapshot) - 1
    return first_to_last_days(days, snapshot) / gaps.nullif(0)


def gap_sd_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Population standard deviation of the gaps; of one gap it is not told."""
    gaps = days.gap.count()
    spread = gaps * (days.gap * days.gap).sum() - days.gap.sum() * days.gap.sum()
    sd = spread.cast("float64").sqrt() / gaps.cast("float64").nullif(0)
    return (gaps > 1).ifelse(sd, ibis.null("float64"))


def last_gap_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days between the last two order days."""
    return days.is_last.ifelse(days.gap, ibis.null("int32")).max().cast("float64")


def max_gap_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Longest gap between consecutive order days."""
    return days.gap.max().cast("float64")


def overdue_ratio(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days without an order over the usual gap; 0 where one order day tells of no gap."""
    usual = ibis.greatest(mean_gap_days(days, snapshot), SHORTEST_GAP_DAYS)
    ratio = (days_since_last_order(days, snapshot) - 1) / usual
    return (days.count() > 1).ifelse(ratio, 0.0)


def overdue_max_ratio(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days without an order over the longest gap so far."""
    longest = ibis.greatest(max_gap_days(days, snapshot).fill_null(0.0), SHORTEST_GAP_DAYS)
    return (days_since_last_order(days, snapshot) - 1) / longest


# Returns


def return_share(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Value returned over gross value."""
    gross = ibis.greatest(money(days.gross.sum()), SMALLEST_GROSS)
    return money(days.returned.sum()) / gross


def n_return_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days with a return."""
    return count_rows(days.returned > 0)


def n_nonpositive_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days with a day value of 0 or less."""
    return count_rows(days.net <= 0)


# Basket


def lines_per_day(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order lines of an order day."""
    return days.n_lines.sum().cast("float64") / n_order_days(days, snapshot)


def products_per_day(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean number of distinct products of the order days on which products are known."""
    known = days.n_products.count().cast("float64")
    return days.n_products.sum().cast("float64") / known.nullif(0)


def last_day_products(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Distinct products of the last order day."""
    return days.is_last.ifelse(days.n_products, ibis.null("int64")).max().cast("float64")


# Habits


def weekday(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Return the weekday of each customer-day, Monday 0 to Sunday 6.

    Counted back from the cutoff's weekday (going back a day is going on six), for engines do not
    agree on how a date's weekday is numbered.
    """
    return (days.age_days * (WEEK_DAYS - 1) + snapshot.cutoff.weekday()) % WEEK_DAYS


def weekend_share(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Share of the order days that are a Saturday or Sunday."""
    weekend = weekday(days, snapshot) >= SATURDAY
    return count_rows(weekend) / n_order_days(days, snapshot)


def weekday_concentration(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean resultant length of the weekdays, taken as angles on a circle."""
    angle = weekday(days, snapshot).cast("float64") * (2 * math.pi / WEEK_DAYS)
    east, north = sum_fine(angle.cos()), sum_fine(angle.sin())
    return (east * east + north * north).sqrt() / n_order_days(days, snapshot)


def mean_hour(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean over order days of the mean hour of their lines."""
    known = days.hour.count().cast("float64")
    return days.hour.sum().cast("float64") / known.nullif(0) / MICRO


def last_weekday(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Weekday of the last order day, Monday 0 to Sunday 6."""
    last = days.is_last.ifelse(weekday(days, snapshot), ibis.null("int32"))
    return last.max().cast("float64")


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    return named(
        mean_gap_days,
        gap_sd_days,
        last_gap_days,
        max_gap_days,
        overdue_ratio,
        overdue_max_ratio,
        return_share,
        n_return_days,
        n_nonpositive_days,
        lines_per_day,
        products_per_day,
        last_day_products,
        weekend_share,
        weekday_concentration,
        mean_hour,
        last_weekday,
    )
