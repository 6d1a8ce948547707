"""The one function that makes features: batch, training and tests all pass through it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from features.config import FeatureSettings
from features.customer_days import LINE_COLUMNS
from features.errors import InputError
from features.grains import EVENT_TABLES, express_features
from features.known import known_rows, read_told
from features.own import add_own_columns
from features.sentiment.scores import REVIEW_SCORES, SCORES, choose_scores, has_scores
from features.snapshot import Snapshot
from features.tables import SCHEMAS, Tables


def build_features(
    tables: Tables,
    snapshot: Snapshot,
    settings: FeatureSettings,
    customers: Sequence[str] | None = None,
    *,
    truncate: bool = False,
) -> pd.DataFrame:
    """Build the feature table of one source at one cutoff.

    Parameters
    ----------
    tables : Tables
        The validated tables of the source.
    snapshot : Snapshot
        What is known, and what is predicted.
    settings : FeatureSettings
        Threads and memory, neither of which changes a bit of the result; and the files of the
        shop's own columns.
    customers : sequence of str, optional
        The only customers that are wanted; their features are the same bits.
    truncate : bool
        Take every row that happened or became known at or after the cutoff out of the tables
        first, which changes nothing unless a feature leaks.

    Returns
    -------
    pandas.DataFrame
        ``customer_id`` (str), then the float64 columns of the catalogue in order, those of
        sentiment where the reviews were scored, and the shop's own, NaN where a value is not known; one row for each customer with a line that happened and was known
        before the cutoff, in order of ``customer_id``.

    Raises
    ------
    InputError
        If there are no order lines, none is known at the cutoff, an amount is no finite number
        that a sum can hold, or a file of own columns cannot be used.
    """
    parts = {name: [str(part) for part in tables.parts(name)] for name in EVENT_TABLES}
    is_scored = settings.sentiment.enabled and has_scores(tables)
    scores = choose_scores(tables, snapshot.cutoff) if is_scored else None
    if scores is not None:
        parts[SCORES] = [str(scores)]
    if not parts["order_lines"]:
        raise InputError(
            f"no order lines in {tables.folder}; expected at least one part",
            f"ingest the source {tables.source} again",
        )
    with _engine(settings) as engine:
        read = {name: engine.read_parquet(paths) for name, paths in parts.items() if paths}
        if is_scored and scores is None:  # its heads are all younger than the cutoff
            read[SCORES] = ibis.memtable(REVIEW_SCORES.empty_table())
        if tables.value_column != "amount":
            lines = read["order_lines"]
            read["order_lines"] = lines.mutate(value=lines[tables.value_column])
        if truncate:
            read = {name: known_rows(table, snapshot) for name, table in read.items()}
        features = _collect(engine, read, snapshot, customers)
    return add_own_columns(features, snapshot, settings.extra)


def build_features_from(
    order_lines: pa.Table,
    snapshot: Snapshot,
    settings: FeatureSettings | None = None,
    *,
    reviews: pa.Table | None = None,
    interactions: pa.Table | None = None,
    review_scores: pa.Table | None = None,
) -> pd.DataFrame:
    """Build the feature table of tables in memory; otherwise as :func:`build_features`.

    Parameters
    ----------
    order_lines, reviews, interactions : pyarrow.Table
        Canonical tables (:data:`features.tables.SCHEMAS`); columns that features can do without
        may be missing, as may the last two tables.
    review_scores : pyarrow.Table, optional
        Scored reviews (:data:`features.sentiment.scores.REVIEW_SCORES`), if there are any.
    """
    missing = [name for name in LINE_COLUMNS if name not in order_lines.column_names]
    if missing:
        raise InputError(
            f"order lines without {', '.join(missing)}; expected the canonical columns",
            "pass a table with the schema features.tables.ORDER_LINES",
        )
    given = {"order_lines": order_lines, "reviews": reviews, "interactions": interactions}
    read = {
        name: ibis.memtable(_canonical(name, table))
        for name, table in given.items()
        if table is not None
    }
    if review_scores is not None:
        read[SCORES] = ibis.memtable(review_scores)
    with _engine(settings or FeatureSettings()) as engine:
        return _collect(engine, read, snapshot)


def _canonical(name: str, table: pa.Table) -> pa.Table:
    """Return the canonical columns that a table has, with their canonical types."""
    fields = [field for field in SCHEMAS[name] if field.name in table.column_names]
    return table.select([field.name for field in fields]).cast(pa.schema(fields))


def _collect(
    engine: Any,
    tables: Mapping[str, ir.Table],
    snapshot: Snapshot,
    customers: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Run the one expression and return its rows in order of customer."""
    told = read_told(engine, tables, snapshot)
    try:
        table = engine.to_pyarrow(express_features(tables, snapshot, told, customers))
    except (duckdb.ConversionException, duckdb.OutOfRangeException) as cause:
        raise InputError(
            "an amount or another number is not finite or too large for a sum to hold; expected "
            "amounts of at most some 1e12 in size",
            "quarantine such lines when ingesting",
        ) from cause
    if table.num_rows == 0:
        raise InputError(
            f"no order line was known before the cutoff {snapshot.cutoff}; expected at least one",
            "choose a later cutoff or add older orders",
        )
    features: pd.DataFrame = table.sort_by("customer_id").to_pandas()
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
