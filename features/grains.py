"""Every grain with its features, and the one expression that lays them side by side.

A feature is a function named like its column, in a room with others that are made of the same
rows: its grain. A grain is aggregated to one row a customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from features import behaviour, interactions, mix, orders, prices, reviews, rfm, windows
from features.aggregates import Definition, Grain, fits_history
from features.catalogue import COLUMNS, FEATURES, SENTIMENT_COLUMNS
from features.catalogue_of_sentiment import SENTIMENT_FEATURES
from features.customer_days import build_order_days
from features.feature import Feature
from features.sentiment.definitions import DERIVED, SCORED
from features.snapshot import Snapshot

GRAINS = (
    Grain(
        "order_lines",
        build_order_days,
        rfm.definitions() | behaviour.definitions() | windows.definitions() | prices.definitions(),
    ),
    Grain("order_lines", orders.build_orders, orders.definitions()),
    Grain("order_lines", mix.build_categories, mix.category_definitions()),
    Grain("order_lines", mix.build_channels, mix.channel_definitions()),
    Grain("reviews", reviews.build_review_days, reviews.definitions(), reviews.COUNTS),
    Grain(
        "interactions",
        interactions.build_interactions,
        interactions.definitions(),
        interactions.COUNTS,
    ),
    Grain(
        "interactions",
        interactions.build_visits_after_orders,
        interactions.after_orders(),
        frozenset(interactions.after_orders()),
        beside="order_lines",
    ),
)
"""Every kind of rows with its features; the first has a row of every customer."""

EVENT_TABLES = tuple(dict.fromkeys(grain.table for grain in GRAINS))
"""Canonical tables that features are made of."""

_COUNTS = frozenset[str]().union(*(grain.counts for grain in (*GRAINS, SCORED)))


def definitions() -> dict[str, Definition]:
    """Return how each feature of the catalogue is computed, in the catalogue's order."""
    known = {name: define for grain in GRAINS for name, define in grain.definitions.items()}
    return {name: known.pop(name) for name in COLUMNS}


def express_features(
    tables: Mapping[str, ir.Table],
    snapshot: Snapshot,
    told: frozenset[str],
    customers: Sequence[str] | None = None,
) -> ir.Table:
    """Return the feature table of `snapshot` as an Ibis expression, one row a customer.

    Parameters
    ----------
    tables : mapping of str to ibis table
        Canonical tables by name, of which ``order_lines`` must be there; scored reviews beside
        them bring their features.
    snapshot : Snapshot
        What is known, and what is predicted.
    told : frozenset of str
        As :func:`features.known.read_told`; what is not told is unknown of everybody.
    customers : sequence of str, optional
        The only customers whose features are wanted.

    Returns
    -------
    ibis table
        ``customer_id`` and a float64 column for each feature of the catalogue, null where it is
        not known; in no order.
    """
    if customers is not None:
        tables = {
            name: table.filter(table.customer_id.isin(customers)) for name, table in tables.items()
        }
    is_scored = SCORED.table in tables
    features = (*FEATURES, *SENTIMENT_FEATURES) if is_scored else FEATURES
    known = {feature.name for feature in features if _is_known(feature, snapshot, told)}
    grains = (*GRAINS, SCORED) if is_scored else GRAINS
    parts = [_aggregate(grain, tables, snapshot, told, known) for grain in grains]
    table, *others = (part for part in parts if part is not None)
    for i, part in enumerate(others):  # one chain of joins, for each nesting is compiled anew
        table = table.left_join(part, "customer_id", rname=f"{{name}}_of_part_{i}")
    columns = (*COLUMNS, *SENTIMENT_COLUMNS) if is_scored else COLUMNS
    return table.select("customer_id", **{name: _column(table, name, known) for name in columns})


def _is_known(feature: Feature, snapshot: Snapshot, told: frozenset[str]) -> bool:
    """Tell whether anything can be said of a feature at all."""
    if feature.needs and feature.needs not in told:
        return False
    return fits_history(feature.window_days, snapshot)


def _aggregate(
    grain: Grain,
    tables: Mapping[str, ir.Table],
    snapshot: Snapshot,
    told: frozenset[str],
    known: set[str],
) -> ir.Table | None:
    """Return one row a customer with the known features of a grain, None if there are none."""
    wanted = {name: define for name, define in grain.definitions.items() if name in known}
    if not wanted:
        return None
    read = [tables[name] for name in (grain.table, grain.beside) if name]
    rows = grain.rows(*read, snapshot, told)
    return rows.group_by("customer_id").agg(**{n: d(rows, snapshot) for n, d in wanted.items()})


def _column(table: ir.Table, name: str, known: set[str]) -> ir.Value:
    """Return a feature as it stands in the feature table."""
    if name not in known:
        return ibis.null("float64")
    if name in DERIVED:
        return DERIVED[name](table)
    return table[name].fill_null(0.0) if name in _COUNTS else table[name]
