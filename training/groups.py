"""The groups that a release is audited by: region, tenure, and columns that are never features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import duckdb
import numpy as np

from features.config import TrainingSettings
from features.tables import Tables
from training.backtest import Backtest
from training.boundaries import Tier, cut_at_shares
from training.judge.fairness import GroupFigures, Judged, measure_groups
from training.models.matrix import Array

TENURE_BANDS = ((90, "under 90 days"), (365, "90 to 364 days"), (np.inf, "365 days and more"))
MOST_GROUPS = 12
N_BANDS = 4
NOT_KNOWN = ""

_CUSTOMERS = """
    SELECT customer_id, region, map_keys(audit_only), map_values(audit_only)
    FROM read_parquet($parts)
"""


def audit_groups(
    backtest: Backtest, tiers: Sequence[Tier], tables: Tables, settings: TrainingSettings
) -> tuple[GroupFigures, ...]:
    """Hold the backtest of the released model against what came, group by group."""
    cohort, prediction = backtest.cohort, backtest.predictions[backtest.winner]
    boundaries = cut_at_shares(prediction.value, [tier.share for tier in tiers])
    judged = Judged(
        cohort.value, prediction.value, prediction.p_active, boundaries.assign(prediction.value)
    )
    groups = read_groups(tables, cohort.customer_ids, cohort.features["tenure_days"])
    return measure_groups(judged, groups, settings.fairness, len(tiers), settings.seed)


def read_groups(
    tables: Tables, customer_ids: Sequence[str], tenure_days: Array
) -> dict[str, list[str]]:
    """Return for each attribute the group of each customer; empty where it is not known.

    Parameters
    ----------
    tables : Tables
        ``customers`` is read, as it stands today: it is audited by, never learned from.
    customer_ids : sequence of str
        The cohort.
    tenure_days : array (n,)
        Of each customer at the cutoff.

    Returns
    -------
    dict of str to list of str
        ``tenure``; with a table of customers ``region`` and each audit-only column that tells
        anybody of the cohort. A column of many numbers is told in quarters, one of many words by its
        twelve most frequent and the others together.
    """
    groups = {"tenure": [_tenure_band(days) for days in tenure_days.tolist()]}
    parts = [str(part) for part in tables.parts("customers")]
    if not parts:
        return groups
    known: dict[str, dict[str, str]] = {}
    with duckdb.connect() as connection:
        told = connection.execute(_CUSTOMERS, {"parts": parts}).fetchall()
    for customer_id, region, names, values in told:
        mine = {name: value for name, value in zip(names or (), values or (), strict=True) if value}
        known[customer_id] = mine | ({"region": region} if region else {})
    attributes = sorted({name for mine in known.values() for name in mine})
    for attribute in attributes:
        cells = [
            known.get(customer_id, {}).get(attribute, NOT_KNOWN) for customer_id in customer_ids
        ]
        if any(cells):
            groups[attribute] = banded(cells)
    return groups


def _tenure_band(days: float) -> str:
    return next((name for limit, name in TENURE_BANDS if days < limit), NOT_KNOWN)


def banded(cells: Sequence[str]) -> list[str]:
    """Return few groups for a column: quarters of many numbers, the most frequent of many words.

    >>> banded(["a", "", "b"])
    ['a', '', 'b']
    >>> sorted(set(banded([str(year) for year in range(1940, 2000)])))
    ['1940 to 1954', '1955 to 1969', '1970 to 1984', '1985 to 1999']
    """
    counted = Counter(cell for cell in cells if cell)
    if len(counted) <= MOST_GROUPS:
        return list(cells)
    try:
        numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        frequent = {
            cell for cell, _ in sorted(counted.items(), key=lambda c: (-c[1], c[0]))[:MOST_GROUPS]
        }
        return [cell if cell in frequent or not cell else "(others)" for cell in cells]
    return _quarters(numbers)


def _quarters(numbers: Array) -> list[str]:
    known = numbers[np.isfinite(numbers)]
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, N_BANDS + 1)[1:-1], method="higher"))
    band = np.searchsorted(cuts, numbers, side="right")
    names = {
        k: f"{known[inside].min():g} to {known[inside].max():g}"
        for k in range(len(cuts) + 1)
        if (inside := np.searchsorted(cuts, known, side="right") == k).any()
    }
    return [
        names[int(k)] if np.isfinite(number) else NOT_KNOWN
        for k, number in zip(band, numbers, strict=True)
    ]
