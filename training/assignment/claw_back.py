"""Claw-back: who loses the protection of a tier because refunds took back what earned it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from features.tables import Tables

_REFUNDS = """
    SELECT customer_id,
           sum(CASE WHEN day >= since AND value < 0 THEN -value ELSE 0 END) AS refunded,
           sum(CASE WHEN day < since AND day >= earned_from AND value > 0 THEN value ELSE 0 END)
               AS paid
    FROM (
        SELECT customer_id, day, since, earned_from,
               CAST(round({value} * 1000000) AS HUGEINT) AS value
        FROM read_parquet($parts) JOIN standing USING (customer_id)
        WHERE day < $today AND known_day < $today
    )
    GROUP BY customer_id
"""


def find_clawed_back(
    tables: Tables, since: Mapping[str, date], today: date, horizon_days: int, share: float
) -> set[str]:
    """Return the customers whose refunds since their tier began reach a share of what earned it.

    Parameters
    ----------
    tables : Tables
        ``order_lines`` is read; nothing known on or after `today` counts.
    since : mapping of str to date
        The day each customer's tier began.
    today : date
        The re-tier date.
    horizon_days : int
        What was paid in so many days before the tier began, earned it.
    share : float
        Refunds over what was paid, from which the tier is clawed back.
    """
    if not since:
        return set()
    earned_from = [day - timedelta(days=horizon_days) for day in since.values()]
    standing = pa.table(
        {
            "customer_id": pa.array(list(since), pa.string()),
            "since": pa.array(list(since.values()), pa.date32()),
            "earned_from": pa.array(earned_from, pa.date32()),
        }
    )
    parts = [str(part) for part in tables.parts("order_lines")]
    with duckdb.connect() as connection:
        connection.register("standing", standing)
        rows = connection.execute(
            _REFUNDS.format(value=tables.value_column), {"parts": parts, "today": today}
        ).fetchall()
    return {customer for customer, refunded, paid in rows if paid > 0 and refunded >= share * paid}
