"""The order lines day by day: how many, how large, how late, and what is missing in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.tables import Tables

OPTIONAL = ("hour", "margin", "quantity", "discount", "product_id", "category", "channel")
KINDS = ("channel", "category")
MOST_KINDS = 200
Floats = NDArray[np.float64]

_DAYS = """
    WITH lines AS (
        SELECT * FROM read_parquet($parts)
        WHERE day >= $first AND day < $before AND known_day < $before)
    SELECT day,
        count(*) FILTER (amount > 0) AS n_sales,
        count(*) - count(DISTINCT (customer_id, order_id, occurred_at, product_id, amount, quantity))
            AS n_duplicates,
        median(amount) FILTER (amount > 0) AS median_amount,
        max(hour) FILTER (amount > 0) AS last_hour,
        count(*) AS n_lines,
        {nulls}
    FROM lines GROUP BY day
"""
_KINDS = """
    SELECT day, {column}, count(*) FROM read_parquet($parts)
    WHERE day >= $first AND day < $before AND known_day < $before
        AND amount > 0 AND {column} IS NOT NULL
    GROUP BY ALL
"""
_REFUSED = """
    SELECT TRY_CAST(substr(raw[$column], 1, 10) AS DATE) AS day, count(*)
    FROM read_parquet($parts) WHERE raw IS NOT NULL GROUP BY ALL
"""


@dataclass(frozen=True)
class OrderDays:
    """One entry a day from `first`; days without a line are there too.

    Attributes
    ----------
    first : date
        Of the first entry.
    n_lines, n_sales, n_duplicates, n_refused : array
        Lines; those with an amount above 0; those equal to an earlier one; and those that were
        set aside at the door although they name the day.
    median_amount, last_hour : array
        Of the sales: currency, and the hour of the last one; NaN where there is none.
    n_null : dict of str to array
        Lines without a value, by column.
    kinds : dict of str to dict of str to array
        Sales by column and name.
    """

    first: date
    n_lines: Floats
    n_sales: Floats
    n_duplicates: Floats
    n_refused: Floats
    median_amount: Floats
    last_hour: Floats
    n_null: dict[str, Floats]
    kinds: dict[str, dict[str, Floats]]

    def __len__(self) -> int:
        return len(self.n_lines)

    @property
    def before(self) -> date:
        """The day after the last entry."""
        return self.first + timedelta(days=len(self))

    def slice(self, start: int, end: int) -> OrderDays:
        """Return the entries [start, end)."""
        part = slice(start, end)
        return OrderDays(
            self.first + timedelta(days=start),
            self.n_lines[part],
            self.n_sales[part],
            self.n_duplicates[part],
            self.n_refused[part],
            self.median_amount[part],
            self.last_hour[part],
            {name: each[part] for name, each in self.n_null.items()},
            {c: {k: each[part] for k, each in of.items()} for c, of in self.kinds.items()},
        )


def read_order_days(
    tables: Tables, first: date, before: date, happened_column: str | None = None
) -> OrderDays:
    """Read the days [first, before) as they were known at `before`.

    Parameters
    ----------
    tables : Tables
        Validated tables; ``order_lines`` and what was set aside of them are read.
    first, before : date
        First day, and the day after the last.
    happened_column : str, optional
        The raw files' own column of the time, for the days of lines that were set aside; ISO dates
        are understood, others leave those lines without a day.
    """
    n_days = max((before - first).days, 0)
    parts = [str(path) for path in tables.parts("order_lines")]
    asked = {"parts": parts, "first": first, "before": before}
    nulls = ", ".join(f"count(*) - count({name}) AS null_{name}" for name in OPTIONAL)
    names = ["n_sales", "n_duplicates", "median_amount", "last_hour", "n_lines"]
    names += [f"null_{name}" for name in OPTIONAL]
    told = {name: np.zeros(n_days) for name in names}
    for name in ("median_amount", "last_hour"):
        told[name][:] = np.nan
    kinds: dict[str, dict[str, Floats]] = {}
    with duckdb.connect() as engine:
        rows = engine.execute(_DAYS.format(nulls=nulls), asked).fetchall() if parts else []
        for day, *values in rows:
            for name, value in zip(names, values, strict=True):
                told[name][(day - first).days] = np.nan if value is None else value
        for column in KINDS if parts else ():
            kinds[column] = _read_kinds(engine, column, asked, first, n_days)
        refused = _read_refused(engine, tables, happened_column, first, n_days)
    return OrderDays(
        first,
        told["n_lines"],
        told["n_sales"],
        told["n_duplicates"],
        refused,
        told["median_amount"],
        told["last_hour"],
        {name: told[f"null_{name}"] for name in OPTIONAL},
        kinds,
    )


def _read_kinds(
    engine: duckdb.DuckDBPyConnection,
    column: str,
    asked: dict[str, object],
    first: date,
    n_days: int,
) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for day, name, count in engine.execute(_KINDS.format(column=column), asked).fetchall():
        found.setdefault(str(name), np.zeros(n_days))[(day - first).days] = count
    common = sorted(found, key=lambda name: (-float(found[name].sum()), name))[:MOST_KINDS]
    return {name: found[name] for name in common}


def _read_refused(
    engine: duckdb.DuckDBPyConnection,
    tables: Tables,
    happened_column: str | None,
    first: date,
    n_days: int,
) -> Floats:
    """Return the set-aside order lines of each day."""
    refused = np.zeros(n_days)
    aside = sorted((tables.folder / "quarantine").glob("order_lines-*.parquet"))
    if not aside or happened_column is None:
        return refused
    asked = {"parts": [str(path) for path in aside], "column": happened_column}
    for day, count in engine.execute(_REFUSED, asked).fetchall():
        if day is not None and 0 <= (day - first).days < n_days:
            refused[(day - first).days] += count
    return refused
