"""What customers did beside buying: visits, carts, complaints, referrals, opened messages.

Each feature is a function named like its column, or a count of one kind in one window.
"""

from __future__ import annotations

from functools import partial

import ibis
import ibis.expr.types as ir

from features.aggregates import Definition, count_rows, named, within
from features.catalogue_of_events import RECENT_DAYS, VISIT_WINDOW_DAYS
from features.known import age_days, known_rows
from features.snapshot import Snapshot


def build_interactions(
    interactions: ir.Table, snapshot: Snapshot, told: frozenset[str]
) -> ir.Table:
    """Keep the known interactions: ``customer_id``, ``kind``, ``age_days``."""
    known = known_rows(interactions, snapshot)
    return known.select("customer_id", "kind", age_days=age_days(known.day, snapshot))


def build_visits_after_orders(
    interactions: ir.Table, order_lines: ir.Table, snapshot: Snapshot, told: frozenset[str]
) -> ir.Table:
    """Keep the known visits on days after the customer's last known order day.

    Returns
    -------
    ibis table
        ``customer_id`` and ``age_days`` of each such visit.
    """
    lines = known_rows(order_lines, snapshot)
    last = lines.group_by("customer_id").agg(last_day=lines.day.max())
    visits = known_rows(interactions, snapshot)
    visits = visits.filter(visits.kind == "visit").join(last, "customer_id")
    after = visits.filter(visits.day > visits.last_day)
    return after.select("customer_id", age_days=age_days(after.day, snapshot))


def n_visits_since_last_order(visits: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Visits after the last order day."""
    return visits.count().cast("float64")


def n_recent(rows: ir.Table, snapshot: Snapshot, kind: str, window_days: int) -> ir.Value:
    """Interactions of one kind in a window."""
    return count_rows((rows.kind == kind) & within(rows, window_days))


def days_since_last_visit(rows: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last visit to the cutoff."""
    return _days_since(rows, "visit")


def n_complaints(rows: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Number of complaints."""
    return count_rows(rows.kind == "complaint")


def days_since_last_complaint(rows: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Days from the last complaint to the cutoff."""
    return _days_since(rows, "complaint")


def n_referrals(rows: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Customers brought."""
    return count_rows(rows.kind == "referral")


def _days_since(rows: ir.Table, kind: str) -> ir.Value:
    return (rows.kind == kind).ifelse(rows.age_days, ibis.null("int32")).min().cast("float64")


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    told = named(days_since_last_visit, n_complaints, days_since_last_complaint, n_referrals)
    for length in VISIT_WINDOW_DAYS:
        told[f"n_visits_{length}d"] = partial(n_recent, kind="visit", window_days=length)
    for name, kind in (
        ("n_complaints_90d", "complaint"),
        ("n_message_opens_90d", "message_open"),
        ("n_carts_90d", "cart"),
    ):
        told[name] = partial(n_recent, kind=kind, window_days=RECENT_DAYS)
    return told


def after_orders() -> dict[str, Definition]:
    """Return the features of visits after the last order under their columns' names."""
    return named(n_visits_since_last_order)


COUNTS = frozenset(name for name in definitions() if name.startswith("n_"))
"""Features that are 0 for a customer without interactions."""
