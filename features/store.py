"""Feature tables kept by what they were made of, so that nothing is built twice or read stale.

``state/features/SOURCE/CUTOFF-HORIZONd-KEY.parquet``, where the key digests the tables, the
snapshot, the catalogue and the code that defines the features. A file that is damaged or of
another key is built again; it never fails a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import (
    aggregates,
    behaviour,
    build,
    customer_days,
    grains,
    interactions,
    known,
    mix,
    orders,
    own,
    prices,
    reviews,
    rfm,
    windows,
)
from features.build import build_features
from features.catalogue import COLUMNS, SENTIMENT_COLUMNS, schema_digest
from features.config import FeatureSettings
from features.own import own_column_names, own_digest
from features.sentiment import definitions as sentiment
from features.sentiment.scores import has_scores, scores_digest
from features.snapshot import Snapshot
from features.tables import Tables

KEY_FIELD = b"tierwise.key"
"""Name of the key in the metadata of a kept feature table."""

DEFINED_IN = (
    aggregates,
    behaviour,
    build,
    customer_days,
    grains,
    interactions,
    known,
    mix,
    orders,
    own,
    prices,
    reviews,
    rfm,
    sentiment,
    windows,
)
"""The modules whose text decides what a feature is."""


def schema_of(settings: FeatureSettings, *, scored: bool = False) -> pa.Schema:
    """Return the schema of a kept feature table: sentiment if scored, the shop's own columns last."""
    sentiment_columns = SENTIMENT_COLUMNS if scored else ()
    columns = (*COLUMNS, *sentiment_columns, *own_column_names(settings.extra))
    return pa.schema(
        [
            pa.field("customer_id", pa.string(), nullable=False),
            *(pa.field(name, pa.float64()) for name in columns),
        ]
    )


@cache
def definition_digest() -> str:
    """Return the sha256 of the catalogue and of the code that defines the features."""
    digest = hashlib.sha256(schema_digest().encode())
    for module in DEFINED_IN:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def feature_key(tables: Tables, snapshot: Snapshot, settings: FeatureSettings) -> str:
    """Return the sha256 of all that decides a feature table's content."""
    told = {
        "tables": tables.digest,
        "value": tables.value_column,
        "cutoff": snapshot.cutoff.isoformat(),
        "horizon_days": snapshot.horizon_days,
        "history_start": snapshot.history_start.isoformat(),
        "definitions": definition_digest(),
        "own": own_digest(settings.extra),
    }
    if settings.sentiment.enabled and has_scores(tables):
        told["sentiment"] = str(scores_digest(tables, snapshot.cutoff))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def read_or_build_features(
    tables: Tables, snapshot: Snapshot, settings: FeatureSettings, state: Path
) -> pd.DataFrame:
    """Return the feature table of one source at one cutoff, built only if it is not kept yet.

    Parameters
    ----------
    tables : Tables
        The validated tables of the source.
    snapshot : Snapshot
        What is known, and what is predicted.
    settings : FeatureSettings
        Threads and memory of a build; files of the shop's own columns.
    state : Path
        Folder of all results.

    Returns
    -------
    pandas.DataFrame
        As :func:`features.build.build_features`, bit for bit, whether kept or built.

    Raises
    ------
    InputError
        As :func:`features.build.build_features`.
    """
    key = feature_key(tables, snapshot, settings)
    name = f"{snapshot.cutoff.isoformat()}-{snapshot.horizon_days}d-{key[:16]}.parquet"
    path = state / "features" / tables.source / name
    scored = settings.sentiment.enabled and has_scores(tables)
    schema = schema_of(settings, scored=scored).with_metadata({KEY_FIELD: key.encode()})
    kept = _read_kept(path, schema)
    if kept is None:
        kept = build_features(tables, snapshot, settings)
        write_features(path, kept, schema)
    return kept


def write_features(path: Path, features: pd.DataFrame, schema: pa.Schema) -> None:
    """Write a feature table whole or not at all: a temporary file, fsync, rename."""
    table = pa.Table.from_pandas(features, schema=schema, preserve_index=False)
    table = table.replace_schema_metadata(schema.metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".parquet")
    try:
        with os.fdopen(handle, "wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_kept(path: Path, schema: pa.Schema) -> pd.DataFrame | None:
    """Read a kept feature table; None if there is none, or it is damaged or of another key."""
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    except (OSError, pa.ArrowException):
        return None
    told = table.schema.metadata or {}
    key = schema.metadata[KEY_FIELD]
    if told.get(KEY_FIELD) != key or not table.schema.equals(schema, check_metadata=False):
        return None
    features: pd.DataFrame = table.to_pandas()
    return features
