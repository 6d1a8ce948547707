"""Kept feature tables: read back bit for bit, and never stale, foreign or half-written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalogue import COLUMNS
from features.config import FeatureSettings
from features.customer_days import LINE_COLUMNS
from features.snapshot import Snapshot
from features.store import feature_key, read_or_build_features
from features.tables import ORDER_LINES, Tables

SNAPSHOT = Snapshot(date(2024, 3, 1), 30, date(2024, 1, 1))
SETTINGS = FeatureSettings(memory_limit_mb=256, threads=1)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """A source of two customers, one of whom bought twice."""
    schema = pa.schema([ORDER_LINES.field(name) for name in LINE_COLUMNS])
    days = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 29)]
    lines = pa.Table.from_pydict(
        {
            "customer_id": ["a", "b", "b"],
            "day": days,
            "known_day": days,
            "hour": [None, 9.5, 12.25],
            "amount": [12.75, 3.1, -0.2],
            "product_id": ["p", None, "q"],
        },
        schema=schema,
    )
    folder = tmp_path / "tables" / "shop"
    (folder / "order_lines").mkdir(parents=True)
    pq.write_table(lines, folder / "order_lines" / "one.parquet")
    return Tables(folder, "shop", "GBP", date(2024, 1, 1), date(2024, 4, 1), "d" * 64)


def read_bits(features: pd.DataFrame) -> tuple[list[str], bytes]:
    return list(features["customer_id"]), features[list(COLUMNS)].to_numpy().tobytes()


def test_is_built_once_and_read_back_bit_for_bit(tables: Tables, tmp_path: Path) -> None:
    built = read_or_build_features(tables, SNAPSHOT, SETTINGS, tmp_path)
    (path,) = (tmp_path / "features" / "shop").glob("*.parquet")
    file = path.stat().st_ino
    kept = read_or_build_features(tables, SNAPSHOT, SETTINGS, tmp_path)
    assert read_bits(kept) == read_bits(built)
    pd.testing.assert_frame_equal(kept, built, check_exact=True)
    assert path.stat().st_ino == file  # a build would have put another in its place


def test_leaves_one_whole_file_under_the_source(tables: Tables, tmp_path: Path) -> None:
    read_or_build_features(tables, SNAPSHOT, SETTINGS, tmp_path)
    (kept,) = (tmp_path / "features").rglob("*.*")
    key = feature_key(tables, SNAPSHOT, SETTINGS)[:16]
    assert kept == tmp_path / "features" / "shop" / f"2024-03-01-30d-{key}.parquet"


def test_key_tells_apart_all_that_decides_the_content(tables: Tables) -> None:
    keys = {
        feature_key(tables, SNAPSHOT, SETTINGS),
        feature_key(replace(tables, value_column="margin"), SNAPSHOT, SETTINGS),
        feature_key(tables, replace(SNAPSHOT, cutoff=date(2024, 3, 2)), SETTINGS),
        feature_key(tables, replace(SNAPSHOT, horizon_days=31), SETTINGS),
        feature_key(tables, replace(SNAPSHOT, history_start=date(2024, 1, 2)), SETTINGS),
    }
    assert len(keys) == 5


def upload(tables: Tables, name: str, day: date, known_day: date) -> None:
    """Add a part of one line to the order lines."""
    (one, *_) = tables.parts("order_lines")
    line = pq.read_table(one).slice(0, 1)
    for column, value in (("day", day), ("known_day", known_day)):
        place = line.column_names.index(column)
        line = line.set_column(place, line.schema.field(column), pa.array([value], pa.date32()))
    pq.write_table(line, tables.folder / "order_lines" / f"{name}.parquet")


def test_an_upload_of_later_days_leaves_the_features_of_a_cutoff_kept(tables: Tables) -> None:
    key = feature_key(tables, SNAPSHOT, SETTINGS)
    later = replace(tables, digest="e" * 64)  # as of another ingestion
    upload(later, "two", date(2024, 3, 1), date(2024, 3, 1))
    upload(later, "three", date(2024, 2, 3), date(2024, 3, 2))  # told after the cutoff
    assert feature_key(later, SNAPSHOT, SETTINGS) == key
    after = replace(SNAPSHOT, cutoff=date(2024, 3, 2))
    assert feature_key(later, after, SETTINGS) != feature_key(later, SNAPSHOT, SETTINGS)


def test_a_row_known_before_the_cutoff_makes_another_key(tables: Tables) -> None:
    key = feature_key(tables, SNAPSHOT, SETTINGS)
    upload(tables, "two", date(2024, 2, 28), date(2024, 2, 29))
    with_two = feature_key(tables, SNAPSHOT, SETTINGS)
    upload(tables, "one", date(2024, 2, 28), date(2024, 2, 28))  # the upload again, another one
    again = feature_key(tables, SNAPSHOT, SETTINGS)
    assert len({key, with_two, again}) == 3


def test_a_part_that_does_not_tell_its_days_counts_always(tables: Tables) -> None:
    key = feature_key(tables, SNAPSHOT, SETTINGS)
    upload(tables, "two", date(2024, 3, 5), date(2024, 3, 5))
    path = tables.folder / "order_lines" / "two.parquet"
    pq.write_table(pq.read_table(path), path, write_statistics=False)
    assert feature_key(tables, SNAPSHOT, SETTINGS) != key


@pytest.mark.parametrize("damage", ["cut short", "flipped", "foreign"])
def test_a_damaged_file_is_built_again(tables: Tables, tmp_path: Path, damage: str) -> None:
    built = read_or_build_features(tables, SNAPSHOT, SETTINGS, tmp_path)
    (path,) = (tmp_path / "features" / "shop").glob("*.parquet")
    whole = path.read_bytes()
    if damage == "foreign":
        pq.write_table(pa.table({"customer_id": ["z"]}), path)
    elif damage == "flipped":
        path.write_bytes(whole[:64] + bytes([whole[64] ^ 255]) + whole[65:])
    else:
        path.write_bytes(whole[: len(whole) // 3])
    again = read_or_build_features(tables, SNAPSHOT, SETTINGS, tmp_path)
    assert read_bits(again) == read_bits(built)
    assert path.read_bytes() == whole
