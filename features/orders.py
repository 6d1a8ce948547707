"""Orders by their id: how many there were, and how soon what was bought came back."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from features.aggregates import Definition, named
from features.known import age_days, known_rows
from features.snapshot import Snapshot


def build_orders(order_lines: ir.Table, snapshot: Snapshot, told: frozenset[str]) -> ir.Table:
    """Gather the known lines of each customer and order id.

    Returns
    -------
    ibis table
        ``customer_id``; ``sold_age`` and ``returned_age``: days from the first line that is no
        return, and from the first that is one, to the cutoff; null where there is none.
    """
    lines = known_rows(order_lines, snapshot)
    never = ibis.null("date")
    orders = lines.group_by("customer_id", "order_id").agg(
        sold=(lines.amount >= 0).ifelse(lines.day, never).min(),
        returned=(lines.amount < 0).ifelse(lines.day, never).min(),
    )
    return orders.select(
        "customer_id",
        sold_age=age_days(orders.sold, snapshot),
        returned_age=age_days(orders.returned, snapshot),
    )


def n_orders(orders: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Distinct order ids with a line that is no return."""
    return orders.sold_age.count().cast("float64")


def return_lag_days(orders: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Mean days from the first line sold of an order to its first return.

    A credit note with an id of its own is linked to no order, and tells of no lag.
    """
    lag = orders.sold_age - orders.returned_age
    lag = (lag >= 0).ifelse(lag, ibis.null("int32"))
    return lag.sum().cast("float64") / lag.count().cast("float64").nullif(0)


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    return named(n_orders, return_lag_days)
