"""Discounts, margins and units, of customer-days.

Each feature is a function named like its column, as in :mod:`features.rfm`; it is computed only
where the column it needs is told.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from features.aggregates import Definition, count_rows, money, named
from features.snapshot import Snapshot

SMALLEST = 1e-6
"""Keeps a denominator above 0, in currency or units."""


def discount_share(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Discounts over what the lines sold would have cost without them."""
    given = days.discount.sum()
    return money(given) / ibis.greatest(money(days.sold.sum() + given), SMALLEST)


def n_discount_days(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days with a discount."""
    return count_rows(days.discount > 0)


def margin_share(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Margin over amount, of the lines whose margin is known."""
    amount = money(days.costed.sum())
    return money(days.margin.sum()) / (amount > 0).ifelse(amount, ibis.null("float64"))


def return_units_share(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Units returned over units sold."""
    sold = ibis.greatest(money(days.units_sold.sum()), SMALLEST)
    return money(days.units_returned.sum()) / sold


def n_units(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Units sold."""
    return money(days.units_sold.sum())


def units_per_day(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Units sold on a day on which any were."""
    return money(days.units_sold.sum()) / count_rows(days.units_sold > 0).nullif(0)


def gross_value_per_unit(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Gross value over units sold; both in millionths."""
    return days.gross.sum().cast("float64") / days.units_sold.sum().cast("float64").nullif(0)


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    return named(
        discount_share,
        n_discount_days,
        margin_share,
        return_units_share,
        n_units,
        units_per_day,
        gross_value_per_unit,
    )
