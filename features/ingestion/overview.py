"""What came in and what became of it, in figures: the content of the data report."""

from __future__ import annotations

import glob
import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.parquet as pq

from features.ingestion.across import Engine, open_engine
from features.tables import SCHEMAS, Tables

MOST_BUCKETS = 120  # bars of a picture
EXAMPLES = 3  # of each code
NO_RANGE = frozenset({"customer_id", "order_id", "review_id", "text", "attributes", "audit_only"})
"""Columns of which no single value is shown: ids, words of people, audit columns."""


@dataclass(frozen=True)
class ColumnFigures:
    """One column of a canonical table; `lowest` and `highest` are empty where they tell people."""

    table: str
    name: str
    kind: str
    rows: int
    nulls: int
    distinct: int
    lowest: str
    highest: str


@dataclass(frozen=True)
class Bucket:
    """Order lines of a day, week or month: how many, what they bring, what returns take."""

    start: date
    lines: int
    positive: float
    negative: float


@dataclass(frozen=True)
class Example:
    """A row that was set aside, by the one cell that it was set aside for."""

    file: str
    row: int
    code: str
    column: str
    cell: str


@dataclass(frozen=True)
class Overview:
    """The content of the data report; `account` is what ingest.json holds."""

    account: dict[str, Any]
    columns: list[ColumnFigures]
    bucket: str
    buckets: list[Bucket]
    examples: list[Example]


def read_overview(tables: Tables) -> Overview:
    """Return the figures of the validated tables of one source.

    Parameters
    ----------
    tables : Tables
        What an ingestion left.
    """
    account = json.loads((tables.folder / "ingest.json").read_text(encoding="utf-8"))
    with open_engine() as engine:
        columns = [
            figures
            for table in SCHEMAS
            if tables.parts(table)
            for figures in _describe(engine, tables, table)
        ]
        bucket, buckets = _over_time(engine, tables)
    return Overview(account, columns, bucket, buckets, _read_examples(tables))


def _from(tables: Tables, table: str) -> str:
    paths = (glob.escape(str(part)).replace("'", "''") for part in tables.parts(table))
    listed = ", ".join(f"'{path}'" for path in paths)
    return f"read_parquet([{listed}])"


def _describe(engine: Engine, tables: Tables, table: str) -> list[ColumnFigures]:
    schema = SCHEMAS[table]
    asked = ["count(*)"]
    for name in schema.names:
        plain = (
            f'CAST("{name}" AS VARCHAR)' if name in {"attributes", "audit_only"} else f'"{name}"'
        )
        asked.append(f'count("{name}")')
        asked.append(f"approx_count_distinct({plain})")
        told = name not in NO_RANGE
        asked += (
            [f'CAST(min("{name}") AS VARCHAR)', f'CAST(max("{name}") AS VARCHAR)']
            if told
            else ["''"] * 2
        )
    answer = engine.execute(f"SELECT {', '.join(asked)} FROM {_from(tables, table)}").fetchone()
    assert answer is not None
    rows, cells = answer[0], answer[1:]
    return [
        ColumnFigures(
            table,
            field.name,
            str(field.type),
            rows,
            rows - cells[4 * i],
            min(cells[4 * i + 1], cells[4 * i]),
            cells[4 * i + 2] or "",
            cells[4 * i + 3] or "",
        )
        for i, field in enumerate(schema)
    ]


def _over_time(engine: Engine, tables: Tables) -> tuple[str, list[Bucket]]:
    """Return the width of a bar and the bars, none left out between the first and the last."""
    span = (tables.data_complete_before - tables.history_start).days
    bucket = "day" if span <= MOST_BUCKETS else "week" if span <= 7 * MOST_BUCKETS else "month"
    query = f"""
        WITH told AS (
            SELECT CAST(date_trunc('{bucket}', day) AS DATE) AS start, count(*) AS lines,
                sum(greatest(amount, 0)) AS positive, sum(greatest(-amount, 0)) AS negative
            FROM {_from(tables, "order_lines")} GROUP BY start),
        every AS (
            SELECT CAST(unnest(generate_series(min(start), max(start), INTERVAL 1 {bucket}))
                AS DATE) AS start FROM told)
        SELECT start, coalesce(lines, 0), coalesce(positive, 0), coalesce(negative, 0)
        FROM every LEFT JOIN told USING (start) ORDER BY start"""
    return bucket, [Bucket(*row) for row in engine.execute(query).fetchall()]


def _read_examples(tables: Tables) -> list[Example]:
    found: list[Example] = []
    counted: Counter[str] = Counter()
    for path in sorted((tables.folder / "quarantine").glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(10_000):
                for row in batch.to_pylist():
                    if counted[row["code"]] < EXAMPLES:
                        counted[row["code"]] += 1
                        found.append(_example(row))
    return sorted(found, key=lambda one: (one.code, one.file, one.row))


def _example(row: dict[str, Any]) -> Example:
    column = row["column"] or ""  # none where the whole row is at fault: it may tell of people
    cell = dict(row["raw"] or []).get(column) if column else None
    return Example(row["file"], row["row"], row["code"], column, cell or "")
