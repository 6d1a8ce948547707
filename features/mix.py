"""How broad a customer buys: categories and channels of the lines sold."""

from __future__ import annotations

import ibis.expr.types as ir

from features.aggregates import Definition, named
from features.known import known_rows
from features.snapshot import Snapshot


def build_categories(order_lines: ir.Table, snapshot: Snapshot, told: frozenset[str]) -> ir.Table:
    """Count the lines sold of each customer and category: ``customer_id``, ``n``."""
    return _counts_by(order_lines, snapshot, "category")


def build_channels(order_lines: ir.Table, snapshot: Snapshot, told: frozenset[str]) -> ir.Table:
    """Count the lines sold of each customer and channel: ``customer_id``, ``n``."""
    return _counts_by(order_lines, snapshot, "channel")


def _counts_by(order_lines: ir.Table, snapshot: Snapshot, column: str) -> ir.Table:
    lines = known_rows(order_lines, snapshot)
    lines = lines.filter(lines.amount >= 0, lines[column].notnull())
    return lines.group_by("customer_id", column).agg(n=lines.count()).drop(column)


def n_categories(categories: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Distinct categories."""
    return categories.count().cast("float64")


def category_concentration(categories: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Concentration of the lines on few categories."""
    return _concentration(categories)


def n_channels(channels: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Distinct channels."""
    return channels.count().cast("float64")


def channel_concentration(channels: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Concentration of the lines on few channels."""
    return _concentration(channels)


def main_channel_share(channels: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Share of the channel that most lines came through."""
    return channels.n.max().cast("float64") / channels.n.sum().cast("float64")


def _concentration(counts: ir.Table) -> ir.Value:
    """Sum of squared shares; whole numbers until the one division."""
    total = counts.n.sum().cast("float64")
    return (counts.n * counts.n).sum().cast("float64") / (total * total)


def category_definitions() -> dict[str, Definition]:
    """Return the features of categories under their columns' names."""
    return named(n_categories, category_concentration)


def channel_definitions() -> dict[str, Definition]:
    """Return the features of channels under their columns' names."""
    return named(n_channels, channel_concentration, main_channel_share)
