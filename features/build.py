"""The one function that makes features: batch, training and tests all pass through it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from features import behaviour, rfm, windows
from features.aggregates import Definition
from features.catalogue import COLUMNS
from features.config import FeatureSettings
from features.customer_days import LINE_COLUMNS, add_neighbours, build_customer_days
from features.errors import InputError
from features.snapshot import Snapshot
from features.tables import ORDER_LINES, Tables


def definitions() -> dict[str, Definition]:
    """Return how each feature of the catalogue is computed, in the catalogue's order."""
    known = {**rfm.definitions(), **behaviour.definitions(), **windows.definitions()}
    return {name: known.pop(name) for name in COLUMNS}


def express_features(order_lines: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Return the feature table of `snapshot` as an Ibis expression, one row a customer.

    Parameters
    ----------
    order_lines : ibis table
        Canonical order lines.
    snapshot : Snapshot
        What is known, and what is predicted.

    Returns
    -------
    ibis table
        ``customer_id`` and a float64 column for each feature of the catalogue, null where it is
        not known, in order of ``customer_id``.
    """
    days = add_neighbours(build_customer_days(order_lines, snapshot))
    features = {name: define(days, snapshot) for name, define in definitions().items()}
    table = days.group_by("customer_id").agg(**features)
    return table.select("customer_id", *COLUMNS).order_by("customer_id")


def build_features(tables: Tables, snapshot: Snapshot, settings: FeatureSettings) -> pd.DataFrame:
    """Build the feature table of one source at one cutoff.

    Parameters
    ----------
    tables : Tables
        The validated tables of the source.
    snapshot : Snapshot
        What is known, and what is predicted.
    settings : FeatureSettings
        Threads and memory; neither changes a bit of the result.

    Returns
    -------
    pandas.DataFrame
        ``customer_id`` (str), then the float64 columns of the catalogue in order, NaN where a
        value is not known; one row for each customer with a line that happened and was known
        before the cutoff, in order of ``customer_id``.

    Raises
    ------
    InputError
        If there are no order lines, none is known at the cutoff, or an amount is no finite number
        that a sum can hold.
    """
    parts = [str(part) for part in tables.parts("order_lines")]
    if not parts:
        raise InputError(
            f"no order lines in {tables.folder}; expected at least one part",
            f"ingest the source {tables.source} again",
        )
    with _engine(settings) as engine:
        return _collect(engine, engine.read_parquet(parts), snapshot)


def build_features_from(
    order_lines: pa.Table, snapshot: Snapshot, settings: FeatureSettings | None = None
) -> pd.DataFrame:
    """Build the feature table of order lines in memory; otherwise as :func:`build_features`.

    Parameters
    ----------
    order_lines : pyarrow.Table
        Canonical order lines (:data:`features.tables.ORDER_LINES`); columns that features do not
        need may be missing.
    """
    missing = [name for name in LINE_COLUMNS if name not in order_lines.column_names]
    if missing:
        raise InputError(
            f"order lines without {', '.join(missing)}; expected the canonical columns",
            "pass a table with the schema features.tables.ORDER_LINES",
        )
    lines = order_lines.select(LINE_COLUMNS).cast(
        pa.schema([ORDER_LINES.field(name) for name in LINE_COLUMNS])
    )
    with _engine(settings or FeatureSettings()) as engine:
        return _collect(engine, ibis.memtable(lines), snapshot)


def _collect(engine: Any, order_lines: ir.Table, snapshot: Snapshot) -> pd.DataFrame:
    """Run the one expression and return its rows."""
    try:
        table = engine.to_pyarrow(express_features(order_lines, snapshot))
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as cause:
        raise InputError(
            "an amount or hour is no finite number that a sum can hold; expected amounts of at "
            "most some 1e12 in size",
            "quarantine such lines when ingesting",
        ) from cause
    if table.num_rows == 0:
        raise InputError(
            f"no order line was known before the cutoff {snapshot.cutoff}; expected at least one",
            "choose a later cutoff or add older orders",
        )
    features: pd.DataFrame = table.to_pandas()
    return features


@contextmanager
def _engine(settings: FeatureSettings) -> Iterator[Any]:
    """Open DuckDB in memory, with its overflow in a folder of its own, and close it."""
    with tempfile.TemporaryDirectory(prefix="tierwise-") as overflow:
        engine = ibis.duckdb.connect(
            threads=settings.threads,
            memory_limit=f"{settings.memory_limit_mb}MB",
            temp_directory=overflow,
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,
        )
        try:
            yield engine
        finally:
            engine.disconnect()
