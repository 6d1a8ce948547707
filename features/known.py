"""The one place where a row is let past the cutoff, or not; and how time and money are counted.

Money is counted in whole millionths of the currency from here on. Sums of integers do not depend
on the order of rows, threads or partitions, so the same rows give the same features bit for bit,
and a purchase and its return cancel to exactly 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from features.snapshot import Snapshot

MICRO = 1_000_000
"""Units of money (millionths of the currency), of hours, units and stars in one whole."""

SECONDS_A_DAY = 86_400

EPOCH_ORDINAL = 719_163
"""1970-01-01 as a proleptic Gregorian ordinal."""

N_FEW = 1_000
"""Rows that are looked at to see which columns a source fills in."""

OPTIONAL_COLUMNS = {
    "order_lines": (
        "order_id", "hour", "margin", "quantity", "discount", "product_id", "category", "channel",
    ),
    "reviews": ("stars",),
}  # fmt: skip
"""Columns that a source may leave out; features that need them are unknown then."""


def to_micro(value: ir.Value) -> ir.Value:
    """Return `value` in whole millionths, halves away from zero."""
    return (value.cast("float64") * MICRO).round().cast("int64")


@ibis.udf.agg.builtin(name="sum")  # type: ignore[untyped-decorator]
def _sum_wide(value: dt.int64) -> dt.Decimal(38, 0):  # type: ignore[valid-type]
    """Sum of whole numbers as the engine gives it: 128 bits wide."""


def sum_whole(value: ir.Value) -> ir.Value:
    """Return the exact sum of whole numbers in 64 bits; the engine refuses one that is larger."""
    return _sum_wide(value).cast("int64")


def known_rows(table: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Keep the rows that happened in the observation window and were known before the cutoff.

    Both clocks: ``history_start <= day < cutoff`` and ``known_day < cutoff``. A return that
    arrives late, or a line booked after the fact, is as if it did not exist yet.
    """
    cutoff = ibis.literal(snapshot.cutoff)
    return table.filter(
        table.day >= ibis.literal(snapshot.history_start),
        table.day < cutoff,
        table.known_day < cutoff,
    )


def age_days(day: ir.Value, snapshot: Snapshot) -> ir.Value:
    """Return the whole days from `day` to the cutoff, 1 for the day before it."""
    seconds = day.cast("timestamp").epoch_seconds()
    cutoff_seconds = (snapshot.cutoff.toordinal() - EPOCH_ORDINAL) * SECONDS_A_DAY
    return ((ibis.literal(cutoff_seconds, "int64") - seconds) // SECONDS_A_DAY).cast("int32")


def read_told(engine: Any, tables: Mapping[str, ir.Table], snapshot: Snapshot) -> frozenset[str]:
    """Return what the source had told of anybody before the cutoff.

    Parameters
    ----------
    engine : ibis backend
        Reads the tables.
    tables : mapping of str to ibis table
        Canonical tables by name; a table the source does not have is left out.
    snapshot : Snapshot
        What is known, and when: a column that is told only later is not told yet.

    Returns
    -------
    frozenset of str
        Columns of :data:`OPTIONAL_COLUMNS` with a value, ``reviews`` if there is one, and the
        kinds of interactions that were seen.
    """
    told: set[str] = set()
    for name, columns in OPTIONAL_COLUMNS.items():
        if name in tables:
            told |= _columns_told(engine, known_rows(tables[name], snapshot), columns)
    if "reviews" in tables and _is_any(engine, known_rows(tables["reviews"], snapshot)):
        told.add("reviews")
    if "interactions" in tables:
        kinds = known_rows(tables["interactions"], snapshot).select("kind").distinct()
        told |= set(engine.to_pyarrow(kinds)["kind"].to_pylist())
    return frozenset(told)


def _columns_told(engine: Any, rows: ir.Table, columns: tuple[str, ...]) -> set[str]:
    """Return the columns with a value: a few rows tell of most, the others are asked one by one."""
    asked = [column for column in columns if column in rows.columns]
    few = engine.to_pyarrow(rows.select(*asked, one=1).limit(N_FEW))
    told = {column for column in asked if few[column].null_count < few.num_rows}
    if few.num_rows < N_FEW:
        return told
    return told | {
        column
        for column in asked
        if column not in told and _is_any(engine, rows.filter(rows[column].notnull()))
    }


def _is_any(engine: Any, rows: ir.Table) -> bool:
    """Tell whether there is a row at all; stops at the first."""
    return bool(engine.to_pyarrow(rows.select(one=1).limit(1)).num_rows)
