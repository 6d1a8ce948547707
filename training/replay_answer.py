"""An answer given again: from a row of the prediction log and the ids it names, bit for bit.

The row names the release (and through it model, policy and look-up), the customer or the features
that were sent, and the re-tier date of the tier that was in force. Nothing else is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.config import FeatureSettings
from features.errors import InputError
from features.identity import door_id
from features.online import OnlineStore
from features.store import read_or_build_features
from features.tables import read_tables
from training.artifact import RELEASES
from training.assignment.history import tier_in_force
from training.models.matrix import Array
from training.release import Release, load_release
from training.scores import NO_TIER

ID_DIGITS = 12
ANSWERED = (
    "release",
    "policy",
    "status",
    "tier",
    "indicated_tier",
    "risk_level",
    "expected_value",
    "p_churn",
    "value_at_risk",
)
"""The columns of the log that are given again; those a log does not hold yet are passed over."""

Rows = Callable[[Release, str], "Array | None"]
"""Returns the features of a customer as the release knew them; None for nobody."""


@dataclass(frozen=True)
class Replayed:
    """One answer, as it was logged and as it comes out now.

    Attributes
    ----------
    logged, again : dict
        The columns of `ANSWERED` that the log holds.
    """

    logged: dict[str, Any]
    again: dict[str, Any]

    @property
    def differences(self) -> tuple[str, ...]:
        """The columns whose bits differ."""
        return tuple(
            name for name, value in self.logged.items() if repr(value) != repr(self.again[name])
        )


def replay_answer(row: Mapping[str, Any], release: Release, state: Path, rows: Rows) -> Replayed:
    """Give a logged answer again.

    Parameters
    ----------
    row : mapping
        A row of the prediction log, as ``serving.record`` writes it.
    release : Release
        The one that the row names.
    state : Path
        Folder of all results: for the history of the assignments.
    rows : callable
        The features of a customer where the row does not hold them.

    Raises
    ------
    InputError
        If the row holds neither features nor a customer.
    """
    sent, customer = row.get("features"), row.get("customer_id")
    if sent is not None:
        features: Array | None = np.array(sent, dtype=np.float64)
    elif customer is not None:
        features = rows(release, customer)
    else:
        raise InputError(
            "the row holds neither features nor a customer; expected one of them",
            "give a row of the prediction log (state/predictions)",
        )
    again = {
        **dict.fromkeys(ANSWERED),
        "release": release.digest[:ID_DIGITS],
        "policy": release.policy.id[:ID_DIGITS],
        "status": "unknown_customer",
    }
    if features is not None:
        again |= _answer(release, features)
    since = row.get("tier_since")
    if again["status"] == "ok" and since is not None and customer is not None:
        held = tier_in_force(state, release.source, customer, date.fromisoformat(since))
        again["tier"] = held.tier if held and held.since.isoformat() == since else None
    logged = {name: row[name] for name in ANSWERED if name in row}
    return Replayed(logged, {name: again[name] for name in logged})


def _answer(release: Release, features: Array) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        scores = release.score(features[np.newaxis])
    numbers = {
        name: float(getattr(scores, name)[0])
        for name in ("expected_value", "p_churn", "value_at_risk")
    }
    tier, risk = int(scores.tier[0]), int(scores.risk[0])
    if tier == NO_TIER or not math.isfinite(sum(numbers.values())):
        return {"status": "insufficient_data"}
    indicated, levels = release.tiers[tier].id, release.policy.risk
    level = levels[risk].id if levels else None
    return {
        "status": "ok", "tier": indicated, "indicated_tier": indicated, "risk_level": level, **numbers,
    }  # fmt: skip


def find_release(state: Path, release_id: str) -> Release:
    """Return the release that an answer names by the first digits of its digest.

    Raises
    ------
    InputError
        If none or more than one of that beginning is kept.
    ReleaseError
        If it is damaged.
    """
    folder = state / RELEASES
    found = [
        path for path in (folder.iterdir() if folder.is_dir() else ()) if path.name.startswith(release_id)
    ]  # fmt: skip
    if len(found) != 1 or not release_id:
        raise InputError(
            f"{len(found)} releases of {folder} begin with {release_id!r}; expected one",
            "restore the release from the registry, or give more digits",
        )
    return load_release(found[0])


def read_segment(path: Path, row: int | None = None) -> list[tuple[int, dict[str, Any]]]:
    """Read a segment of the prediction log: all of its rows, numbered from 0, or one.

    Raises
    ------
    InputError
        If it cannot be read, or has no such row.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as cause:
        raise InputError(
            f"{path} cannot be read ({type(cause).__name__}); expected a segment of the "
            "prediction log",
            "give a Parquet file of state/predictions",
        ) from cause
    lacking = {"release", "status"} - set(table.column_names)
    if lacking or (row is not None and not 0 <= row < table.num_rows):
        raise InputError(
            f"{path} has {table.num_rows} rows of {', '.join(table.column_names)}; expected a "
            f"segment of the prediction log" + ("" if row is None else f" with a row {row}"),
            "give a Parquet file of state/predictions, and a row of it",
        )
    numbers = range(table.num_rows) if row is None else (row,)
    return [(number, table.slice(number, 1).to_pylist()[0]) for number in numbers]


def kept_rows(state: Path, settings: FeatureSettings) -> Rows:
    """Return what reads a customer's features: from the release's look-up, or built again.

    They are built again only from the very tables that the release was made from.
    """
    stores: dict[str, OnlineStore] = {}
    tables: dict[str, pd.DataFrame] = {}

    def read(release: Release, customer_id: str) -> Array | None:
        folder = state / "online" / release.digest
        if folder.is_dir():
            store = stores.get(release.digest) or OnlineStore.open(folder)
            stores[release.digest] = store
            row = store.read(customer_id)
            places = [store.columns.index(name) for name in release.columns]
            return None if row is None else row[places]
        if release.digest not in tables:
            tables[release.digest] = _built_again(release, state, settings)
        frame = tables[release.digest]
        mine = frame[frame["customer_id"] == door_id(customer_id)]
        if mine.empty:
            return None
        return np.asarray(mine[list(release.columns)].to_numpy(np.float64)[0])

    return read


def _built_again(release: Release, state: Path, settings: FeatureSettings) -> pd.DataFrame:
    now = read_tables(state / "tables" / release.source)
    if now.digest != release.lineage.get("data"):
        raise InputError(
            f"release {release.digest[:ID_DIGITS]} has no look-up, and the tables of "
            f"{release.source} have changed since; expected state/online/{release.digest}",
            "restore the look-up from a backup",
        )
    return read_or_build_features(now, release.feature_snapshot(), settings, state)
