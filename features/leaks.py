"""Guards against features that know the future: what changes when the future is taken away leaks.

A feature table is made twice, from all rows and from those that happened and were known before
the cutoff. A column that differs by a bit is refused. Whether a column *is* the answer, copied,
takes outcomes to tell: :mod:`training.leaks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.build import build_features
from features.config import FeatureSettings
from features.errors import InputError
from features.snapshot import Snapshot
from features.tables import Tables

SAMPLE_CUSTOMERS = 256
"""Customers whose features are made a second time in a training run."""

Rows = Mapping[str, pa.Table]
"""Tables by name, each with the dates ``day`` and ``known_day``."""

FrameBuilder = Callable[[Rows, Snapshot], pd.DataFrame]
"""Makes a feature table (``customer_id`` and numbers) of tables at a moment."""


def check_no_leaks(
    tables: Tables, snapshot: Snapshot, frame: pd.DataFrame, settings: FeatureSettings
) -> None:
    """Refuse a feature table of which a column knows what came at or after the cutoff.

    The features of a fixed sample of the customers are made again from tables that were cut at
    the cutoff on both clocks.

    Parameters
    ----------
    tables : Tables
        What the feature table was made of.
    snapshot : Snapshot
        Its moment.
    frame : pandas.DataFrame
        The feature table, whole.
    settings : FeatureSettings
        With which it was built.

    Raises
    ------
    InputError
        Naming the columns that change.
    """
    step = max(1, len(frame) // SAMPLE_CUSTOMERS)
    sample = frame.iloc[::step]
    again = build_features(
        tables, snapshot, settings, sample["customer_id"].tolist(), truncate=True
    )
    check_unchanged(sample, again, snapshot)


def check_cutoff_invariance(build: FrameBuilder, rows: Rows, snapshot: Snapshot) -> None:
    """Refuse a function that makes other features when rows at or after the cutoff are removed.

    Raises
    ------
    InputError
        Naming the columns that change.
    """
    check_unchanged(build(rows, snapshot), build(before(rows, snapshot), snapshot), snapshot)


def before(rows: Rows, snapshot: Snapshot) -> dict[str, pa.Table]:
    """Return the tables without the rows that happened or became known at or after the cutoff."""
    cutoff = pa.scalar(snapshot.cutoff, pa.date32())
    return {
        name: table.filter(
            pc.and_(pc.less(table["day"], cutoff), pc.less(table["known_day"], cutoff))
        )
        for name, table in rows.items()
    }


def check_unchanged(frame: pd.DataFrame, again: pd.DataFrame, snapshot: Snapshot) -> None:
    """Refuse columns of `frame` that `again`, made without the future, does not have bit for bit.

    Raises
    ------
    InputError
        Naming the columns, or telling that the customers differ.
    """
    kept = frame.set_index("customer_id")
    remade = again.set_index("customer_id").reindex(kept.index)
    if len(again) != len(frame) or not again["customer_id"].isin(frame["customer_id"]).all():
        raise InputError(
            f"{len(frame)} customers at {snapshot.cutoff}, {len(again)} when rows at or after it "
            "are removed; expected the same ones",
            "leave out who was first known at or after the cutoff",
        )
    changed = [
        str(name)
        for name in kept.columns
        if name not in remade.columns or not _are_same_bits(kept[name], remade[name])
    ]
    if changed:
        raise InputError(
            f"{', '.join(changed)} changes when rows at or after {snapshot.cutoff} are removed; "
            "expected features of what was known before it",
            "make it of rows with day and known_day before the cutoff only",
        )


def _are_same_bits(left: pd.Series, right: pd.Series) -> bool:
    """Tell whether two columns are the same numbers, unknown where the other is."""
    return np.array_equal(
        left.to_numpy(dtype=np.float64), right.to_numpy(dtype=np.float64), equal_nan=True
    )
