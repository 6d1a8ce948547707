"""Feature tables kept by what they were made of, so that nothing is built twice or read stale.

``state/features/SOURCE/CUTOFF-HORIZONd-KEY.parquet``, where the key digests the parts of the
tables with a row that was known at the cutoff, the snapshot, the catalogue and the code that
defines the features. An upload of later days leaves the features of earlier cutoffs as they are,
and so their key. A file that is damaged or of another key is built again; it never fails a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache
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
from features.grains import EVENT_TABLES
from features.ingestion.files import hash_file
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


def digest_known(tables: Tables, cutoff: date) -> str:
    """Return the sha256 of the parts that hold a row known before a cutoff; no other is read.

    Features are sums of whole numbers, so neither the order of the parts nor their names count.
    """
    told = [
        [name, sorted(_digests_known(tables.parts(name), cutoff))] for name in sorted(EVENT_TABLES)
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _digests_known(parts: Iterable[Path], cutoff: date) -> Iterator[str]:
    for part in parts:
        told = part.stat()
        seen = (part, told.st_mtime_ns, told.st_size)
        first = _first_known(*seen)
        if first is None or first < cutoff:
            yield _digest_of(*seen)


@lru_cache(maxsize=4096)
def _first_known(part: Path, mtime_ns: int, size: int) -> date | None:
    """Return the first day on which a row of a part was known, None where that is untold."""
    told = pq.read_metadata(part)
    place = told.schema.to_arrow_schema().get_field_index("known_day")
    columns = [told.row_group(k).column(place) for k in range(told.num_row_groups)]
    days = [each.statistics.min for each in columns if _has_limits(each)]
    return min(days) if days and len(days) == len(columns) else None


@lru_cache(maxsize=4096)
def _digest_of(part: Path, mtime_ns: int, size: int) -> str:
    return hash_file(part)


def _has_limits(column: pq.ColumnChunkMetaData) -> bool:
    return column.statistics is not None and column.statistics.has_min_max


def feature_key(tables: Tables, snapshot: Snapshot, settings: FeatureSettings) -> str:
    """Return the sha256 of all that decides a feature table's content."""
    told = {
        "tables": digest_known(tables, snapshot.cutoff),
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
