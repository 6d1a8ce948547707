"""Rows that are sound by themselves but do not fit the others: looked for over all parts at once.

DuckDB reads the parts; nothing of the raw files is touched. The answer names rows by their part
and their place in it.
"""

from __future__ import annotations

import glob
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import duckdb
import numpy as np
import pyarrow.parquet as pq

from features.ingestion.outcomes import Code
from features.ingestion.source import Rules

MEMORY = "2GB"
THREADS = 2
Engine: TypeAlias = duckdb.DuckDBPyConnection
TABLES = ("order_lines", "customers", "reviews", "interactions")

REPEATED_CUSTOMERS = """
    SELECT part, place FROM customers
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY part, place) > 1"""
CONFLICTING_ORDERS = """
    SELECT part, place FROM order_lines SEMI JOIN (
        SELECT order_id FROM order_lines
        GROUP BY order_id HAVING min(customer_id) <> max(customer_id)) USING (order_id)"""
BEFORE_SIGNUP = """
    SELECT o.part, o.place FROM order_lines o JOIN (
        SELECT customer_id, first(signed_up_day ORDER BY part, place) AS signed_up_day
        FROM customers GROUP BY customer_id) c USING (customer_id)
    WHERE o.day < c.signed_up_day"""
RETURNS = """
    WITH sales AS (
        SELECT customer_id, order_id, product_id, day FROM order_lines
        SEMI JOIN (SELECT customer_id FROM order_lines WHERE is_return) USING (customer_id)
        WHERE NOT is_return AND amount > 0),
    by_order AS (SELECT customer_id, order_id, min(day) AS since FROM sales GROUP BY ALL),
    by_product AS (SELECT customer_id, product_id, min(day) AS since FROM sales
                   WHERE product_id IS NOT NULL GROUP BY ALL)
    SELECT r.part, r.place,
        coalesce(o.since <= r.day, false) OR coalesce(p.since <= r.day, false) AS linked
    FROM order_lines r
    LEFT JOIN by_order o ON o.customer_id = r.customer_id AND o.order_id = r.order_id
    LEFT JOIN by_product p ON p.customer_id = r.customer_id AND p.product_id = r.product_id
    WHERE r.is_return"""
LINKED, UNLINKED = (
    f"SELECT part, place FROM return_lines WHERE {which} linked" for which in ("", "NOT")
)
UNKNOWN = "SELECT part, place FROM {table} ANTI JOIN customers USING (customer_id)"
ORPHAN_REVIEWS = """
    SELECT part, place FROM reviews r
    WHERE NOT EXISTS (SELECT 1 FROM order_lines o WHERE o.customer_id = r.customer_id)
       OR (order_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM order_lines o WHERE o.order_id = r.order_id))"""


@dataclass
class Misfits:
    """Of one part: which rows do not fit the others (codes by place), and what was counted."""

    codes: np.ndarray
    notes: Counter[str] = field(default_factory=Counter)


class _Parts:
    """The parts of all tables as views of one DuckDB."""

    def __init__(self, engine: Engine, parts: list[tuple[str, Path]]) -> None:
        self._engine = engine
        self.found = [Misfits(np.zeros(pq.read_metadata(p).num_rows, np.uint8)) for _, p in parts]
        names = [(str(path), number) for number, (_, path) in enumerate(parts)]
        engine.execute("CREATE TABLE parts (filename VARCHAR, part INTEGER)")
        if names:
            engine.executemany("INSERT INTO parts VALUES (?, ?)", names)
        self.tables = set()
        for table in TABLES:
            paths = [glob.escape(str(path)) for one, path in parts if one == table]
            if not paths:
                continue
            self.tables.add(table)
            listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
            engine.execute(
                f"CREATE VIEW {table} AS SELECT p.part, t.file_row_number AS place, "
                f"t.* EXCLUDE (filename, file_row_number) FROM read_parquet([{listed}], "
                "filename = true, file_row_number = true) t JOIN parts p USING (filename)"
            )

    def keep(self, name: str, query: str) -> None:
        """Keep what a query finds as a table."""
        self._engine.execute(f"CREATE TEMP TABLE {name} AS {query}")

    def places(self, query: str) -> Iterator[tuple[Misfits, np.ndarray]]:
        """Yield the rows that a query finds, part by part."""
        hit = self._engine.execute(query).fetchnumpy()
        part, place = np.asarray(hit["part"]), np.asarray(hit["place"])
        for number in np.unique(part):
            yield self.found[number], place[part == number]

    def set_aside(self, query: str, code: Code) -> None:
        """Mark the rows that a query finds, unless they are marked already."""
        for misfits, place in self.places(query):
            fresh = place[misfits.codes[place] == 0]
            misfits.codes[fresh] = code

    def note(self, query: str, name: str) -> None:
        """Count the rows that a query finds."""
        for misfits, place in self.places(query):
            misfits.notes[name] += len(place)


def find_misfits(engine: Engine, parts: list[tuple[str, Path]], rules: Rules) -> list[Misfits]:
    """Return what does not fit, one answer for each part.

    Parameters
    ----------
    engine : Engine
        Opened by `open_engine`.
    parts : list
        Table and path of each part, in the order in which rows count as earlier or later.
    rules : Rules
        What is set aside and what is kept and counted.
    """
    all_parts = _Parts(engine, parts)
    _look(all_parts, rules)
    return all_parts.found


def _look(parts: _Parts, rules: Rules) -> None:
    parts.set_aside(CONFLICTING_ORDERS, Code.CONFLICTING_ORDER_ID)
    parts.keep("return_lines", RETURNS)
    parts.note(LINKED, "linked_returns")
    if rules.unlinked_returns == "quarantine":
        parts.set_aside(UNLINKED, Code.UNLINKED_RETURN)
    else:
        parts.note(UNLINKED, "unlinked_returns")
    if "customers" in parts.tables:
        if rules.orders_before_signup == "quarantine":
            parts.set_aside(BEFORE_SIGNUP, Code.ORDER_BEFORE_SIGNUP)
        else:
            parts.note(BEFORE_SIGNUP, "orders_before_signup")
        for table in sorted(parts.tables - {"customers"}):
            unknown = UNKNOWN.format(table=table)
            if rules.unknown_customers == "quarantine":
                parts.set_aside(unknown, Code.UNKNOWN_CUSTOMER)
            else:
                parts.note(unknown, "unknown_customers")
        parts.set_aside(REPEATED_CUSTOMERS, Code.DUPLICATE_CUSTOMER)
    if "reviews" in parts.tables:
        parts.note(ORPHAN_REVIEWS, "orphan_reviews")


def find_duplicates(engine: Engine, part: Path) -> np.ndarray:
    """Return the places of the rows of a part that equal an earlier row in every column."""
    columns = ", ".join(f'"{name}"' for name in pq.read_schema(part).names)
    path = glob.escape(str(part)).replace("'", "''")
    read = f"(SELECT * FROM read_parquet('{path}', file_row_number = true))"
    query = f"""
        SELECT file_row_number AS place FROM {read} WHERE hash({columns}) IN (
            SELECT h FROM (SELECT hash({columns}) AS h FROM {read}) GROUP BY h HAVING count(*) > 1)
        QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY file_row_number) > 1
        ORDER BY place"""
    return np.asarray(engine.execute(query).fetchnumpy()["place"])


@contextmanager
def open_engine() -> Iterator[Engine]:
    """Yield a DuckDB of bounded memory, which spills to a folder of its own and fetches nothing."""
    with tempfile.TemporaryDirectory() as spill:
        settings = {
            "memory_limit": MEMORY,
            "threads": str(THREADS),
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with duckdb.connect(config=settings) as engine:
            yield engine
