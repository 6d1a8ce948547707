"""Order lines -> customer-days: what every feature of value, cadence and basket is made of."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from features.known import age_days, known_rows, sum_whole, to_micro
from features.snapshot import Snapshot

LINE_COLUMNS = ("customer_id", "day", "known_day", "hour", "amount", "product_id")
"""Columns of order_lines without which no feature table is made in memory."""


def build_customer_days(
    order_lines: ir.Table, snapshot: Snapshot, told: frozenset[str]
) -> ir.Table:
    """Sum the known lines of each customer and day.

    Parameters
    ----------
    order_lines : ibis table
        Canonical order lines (:data:`features.tables.ORDER_LINES`), with a column
        ``value`` beside them where it is not the amount whose future is predicted.
    snapshot : Snapshot
        What is known, and when.
    told : frozenset of str
        Optional columns that are told; of the others nothing is read.

    Returns
    -------
    ibis table
        One row a customer and day: ``customer_id``; ``age_days`` (cutoff - day, 1 or more);
        ``net``, ``gross`` and ``returned`` (millionths of the currency: the value of all lines,
        of those with an amount above 0 and of those with one below it, the last with its sign
        turned); ``n_lines``; and of what is told ``n_products`` (distinct), ``hour`` (mean, in
        millionths of an hour), ``discount`` and ``sold`` (sum of the amounts above 0),
        ``units_sold`` and ``units_returned``, ``margin`` and ``costed`` (amount of the lines
        whose margin is known), all in millionths; null where none is known.
    """
    lines = known_rows(order_lines, snapshot)
    read = {
        name: to_micro(lines[name])
        for name in ("hour", "discount", "quantity", "margin", "value")
        if name in told or (name == "value" and name in lines.columns)
    }
    products = ["product_id"] if "product_id" in told else []
    lines = lines.select("customer_id", "day", *products, amount=to_micro(lines.amount), **read)
    value = lines.value if "value" in lines.columns else lines.amount
    days = lines.group_by("customer_id", "day").agg(
        net=sum_whole(value),
        gross=sum_whole((lines.amount > 0).ifelse(value, 0)),
        returned=sum_whole((lines.amount < 0).ifelse(-value, 0)),
        n_lines=lines.count(),
        **_sums_told(lines, told),
    )
    made = {"age_days": age_days(days.day, snapshot)}
    if "product_id" in told:
        made["n_products"] = days.n_products.nullif(0)
    if "hour" in told:
        mean = days.hour_sum.cast("float64") / days.n_hours.nullif(0)
        made["hour"] = mean.round().cast("int64")
    kept = [name for name in days.columns if name not in {"day", "hour_sum", "n_hours", *made}]
    return days.select(*kept, **made)


def _sums_told(lines: ir.Table, told: frozenset[str]) -> dict[str, ir.Value]:
    """Return the aggregates of the optional columns that are told."""
    sums: dict[str, ir.Value] = {}
    if "product_id" in told:
        sums["n_products"] = lines.product_id.nunique()
    if "hour" in told:
        sums |= {"hour_sum": sum_whole(lines.hour), "n_hours": lines.hour.count()}
    if "discount" in told:
        sums["discount"] = sum_whole(lines.discount.fill_null(0))
        sums["sold"] = sum_whole((lines.amount > 0).ifelse(lines.amount, 0))
    if "quantity" in told:
        sums["units_sold"] = sum_whole(ibis.greatest(lines.quantity, 0))
        sums["units_returned"] = sum_whole(ibis.greatest(-lines.quantity, 0))
    if "margin" in told:
        sums["margin"] = sum_whole(lines.margin)
        sums["costed"] = sum_whole(lines.margin.notnull().ifelse(lines.amount, 0))
    return sums


def add_neighbours(days: ir.Table) -> ir.Table:
    """Add to each customer-day what the days around it tell.

    Returns
    -------
    ibis table
        The customer-days with ``previous_age``, ``second_previous_age`` and ``next_age``
        (``age_days`` of the customer's order day before this one, of the one before that and of
        the one after, null where there is none); ``gap`` (days since the previous one);
        ``is_first`` and ``is_last``.
    """
    in_time = ibis.window(group_by="customer_id", order_by=ibis.desc("age_days"))
    days = days.mutate(
        previous_age=days.age_days.lag(1).over(in_time),
        second_previous_age=days.age_days.lag(2).over(in_time),
        next_age=days.age_days.lead(1).over(in_time),
    )
    return days.mutate(
        gap=days.previous_age - days.age_days,
        is_first=days.previous_age.isnull(),
        is_last=days.next_age.isnull(),
    )


def build_order_days(order_lines: ir.Table, snapshot: Snapshot, told: frozenset[str]) -> ir.Table:
    """Return the customer-days with their neighbours: the rows of the first grain."""
    return add_neighbours(build_customer_days(order_lines, snapshot, told))
