"""The outcome window: the only module of the house that reads rows at or after a cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import InputError
from features.snapshot import Snapshot
from features.tables import Tables

_OUTCOMES = """
    SELECT customer_id,
           CAST(sum(CAST(round({value} * 1000000) AS HUGEINT)) AS DOUBLE) / 1000000 AS net_value
    FROM read_parquet($parts)
    WHERE day >= $cutoff AND day < $outcome_end AND known_day < $known_before
    GROUP BY customer_id
"""


def build_labels(
    tables: Tables, snapshot: Snapshot, customer_ids: Sequence[str], known_before: date
) -> pd.Series:
    """Return each customer's net value in the outcome window.

    Parameters
    ----------
    tables : Tables
        Validated tables; ``order_lines`` is read.
    snapshot : Snapshot
        Names the window [cutoff, cutoff + horizon_days).
    customer_ids : sequence of str
        The cohort: everybody who was known before the cutoff.
    known_before : date
        The moment of learning: a row that became known on or after it does not count.

    Returns
    -------
    Series
        Index customer_id in the order given; float64 ``net_value`` in the source's currency:
        revenue (or margin, as the source says) less refunds, signed, 0 where nothing happened.
        Summed in millionths of the currency unit, so the sum does not depend on the order of
        rows.

    Raises
    ------
    InputError
        If the window is not over: labels that have not matured are never used.
    """
    if not snapshot.is_mature(min(known_before, tables.data_complete_before)):
        raise InputError(
            f"outcomes of {snapshot.cutoff} end on {snapshot.outcome_end}; expected them to end "
            f"by {min(known_before, tables.data_complete_before)}, up to which they are known",
            "choose an earlier cutoff or a shorter horizon",
        )
    parts = [str(part) for part in tables.parts("order_lines")]
    with duckdb.connect() as connection:
        outcomes = connection.execute(
            _OUTCOMES.format(value=tables.value_column),
            {
                "parts": parts,
                "cutoff": snapshot.cutoff,
                "outcome_end": snapshot.outcome_end,
                "known_before": known_before,
            },
        ).df()
    by_customer = outcomes.set_index("customer_id")["net_value"]
    asked = pd.Index(customer_ids, name="customer_id")
    labels: pd.Series[float] = by_customer.reindex(asked, fill_value=0.0)
    return labels


def floor_at_zero(net_value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value that models learn and metrics compare: a net refund counts as nothing.

    >>> floor_at_zero(np.array([-3.0, 0.0, 2.5])).tolist()
    [0.0, 0.0, 2.5]
    """
    return np.maximum(net_value, 0.0)
