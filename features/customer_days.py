"""Order lines -> customer-days: the one place where a row is let past the cutoff, or not.

Money is counted in whole millionths of the currency from here on. Sums of integers do not depend
on the order of rows, threads or partitions, so the same lines give the same features bit for bit,
and a purchase and its return cancel to exactly 0.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from features.snapshot import Snapshot

MICRO = 1_000_000
"""Units of money (millionths of the currency) and of the hour in one whole."""

LINE_COLUMNS = ("customer_id", "day", "known_day", "hour", "amount", "product_id")
"""Columns of order_lines that features are made of."""

SECONDS_A_DAY = 86_400


def to_micro(value: ir.Value) -> ir.Value:
    """Return `value` in whole millionths, halves away from zero."""
    return (value.cast("float64") * MICRO).round().cast("int64")


def known_lines(order_lines: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Keep the lines that happened in the observation window and were known before the cutoff.

    Both clocks: ``history_start <= day < cutoff`` and ``known_day < cutoff``. A return that
    arrives late, or a line booked after the fact, is as if it did not exist yet.
    """
    cutoff = ibis.literal(snapshot.cutoff)
    return order_lines.filter(
        order_lines.day >= ibis.literal(snapshot.history_start),
        order_lines.day < cutoff,
        order_lines.known_day < cutoff,
    )


def build_customer_days(order_lines: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Sum the known lines of each customer and day.

    Parameters
    ----------
    order_lines : ibis table
        Canonical order lines (:data:`features.tables.ORDER_LINES`), of which only
        :data:`LINE_COLUMNS` are read.
    snapshot : Snapshot
        What is known, and when.

    Returns
    -------
    ibis table
        One row a customer and day: ``customer_id``; ``age_days`` (cutoff - day, 1 or more);
        ``net``, ``gross`` and ``returned`` (millionths of the currency: the sum of all amounts,
        of those above 0 and of those below it, the last without its sign); ``n_lines``;
        ``n_products`` (distinct, null where no product is known); ``hour`` (mean, in
        millionths of an hour; null where none is known).
    """
    lines = known_lines(order_lines, snapshot)
    lines = lines.select(
        "customer_id", "day", "product_id", amount=to_micro(lines.amount), hour=to_micro(lines.hour)
    )
    days = lines.group_by("customer_id", "day").agg(
        net=lines.amount.sum(),
        gross=ibis.greatest(lines.amount, 0).sum(),
        n_lines=lines.count(),
        n_products=lines.product_id.nunique(),
        hour_sum=lines.hour.sum(),
        n_hours=lines.hour.count(),
    )
    return days.select(
        "customer_id",
        "net",
        "gross",
        "n_lines",
        age_days=_days_before(days.day, snapshot),
        returned=days.gross - days.net,
        n_products=days.n_products.nullif(0),
        hour=(days.hour_sum.cast("float64") / days.n_hours.nullif(0)).round().cast("int64"),
    )


def _days_before(day: ir.Value, snapshot: Snapshot) -> ir.Value:
    """Return the whole days from `day` to the cutoff."""
    seconds = day.cast("timestamp").epoch_seconds()
    cutoff_seconds = (snapshot.cutoff.toordinal() - EPOCH_ORDINAL) * SECONDS_A_DAY
    return ((ibis.literal(cutoff_seconds, "int64") - seconds) // SECONDS_A_DAY).cast("int64")


EPOCH_ORDINAL = 719_163
"""1970-01-01 as a proleptic Gregorian ordinal."""


def add_neighbours(days: ir.Table) -> ir.Table:
    """Add to each customer-day what the days around it tell.

    Returns
    -------
    ibis table
        The customer-days with ``previous_age`` and ``second_previous_age`` (``age_days`` of the
        customer's order day before this one and of the one before that, null where there is
        none); ``gap`` (days since the previous one); ``is_first`` and ``is_last``; and
        ``deviation`` (``net`` less the customer's mean ``net``, in millionths).
    """
    in_time = ibis.window(group_by="customer_id", order_by=ibis.desc("age_days"))
    whole = ibis.window(group_by="customer_id")
    days = days.mutate(
        previous_age=days.age_days.lag(1).over(in_time),
        second_previous_age=days.age_days.lag(2).over(in_time),
        next_age=days.age_days.lead(1).over(in_time),
        total=days.net.sum().over(whole),
        n_days=days.count().over(whole),
    )
    mean = days.total.cast("float64") / days.n_days.cast("float64")
    return days.mutate(
        gap=days.previous_age - days.age_days,
        is_first=days.previous_age.isnull(),
        is_last=days.next_age.isnull(),
        deviation=days.net.cast("float64") - mean,
    ).drop("next_age", "total", "n_days")
