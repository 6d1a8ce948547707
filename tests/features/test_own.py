"""A shop's own columns: the last value known before the cutoff, and every file that is refused."""

from __future__ import annotations

from datetime import date, datetime
from math import nan
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import FeatureSettings, OwnColumns
from features.errors import InputError
from features.leaks import check_no_leaks
from features.own import add_own_columns
from features.snapshot import Snapshot
from features.store import feature_key, read_or_build_features
from features.tables import Tables

SNAPSHOT = Snapshot(date(2024, 10, 1), 90, date(2023, 1, 1))
FRAME = pd.DataFrame({"customer_id": ["00123", "123", "z"], "net_spend": [1.0, 2.0, 3.0]})
SCORES = """customer_id,known_at,score,is_member
00123,2024-09-30T23:59:59,2.5,1
00123,2024-01-01,9,0
00123,2024-10-01,7,0
123,2024-09-29,,1
gone,2024-09-29,4,1
"""


def write_scores(folder: Path, text: str = SCORES, *columns: str) -> OwnColumns:
    path = folder / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return OwnColumns(path=str(path), columns=columns or ("score", "is_member"))


def test_joins_the_last_row_known_before_the_cutoff(tmp_path: Path) -> None:
    joined = add_own_columns(FRAME, SNAPSHOT, [write_scores(tmp_path)])
    expected = FRAME.assign(own_score=[2.5, nan, nan], own_is_member=[1.0, 1.0, nan])
    pd.testing.assert_frame_equal(joined, expected)


def test_parquet_gives_the_same(tmp_path: Path) -> None:
    table = pa.table(
        {
            "customer_id": ["00123", "00123", "123"],
            "known_at": [
                datetime(2024, 9, 30, 23, 59),
                datetime(2024, 10, 1),
                datetime(2024, 1, 1),
            ],
            "score": [2.5, 7.0, None],
        }
    )
    pq.write_table(table, tmp_path / "scores.parquet")
    file = OwnColumns(path=str(tmp_path / "scores.parquet"), columns=("score",))
    assert add_own_columns(FRAME, SNAPSHOT, [file])["own_score"].tolist()[:1] == [2.5]


@pytest.mark.parametrize(
    ("text", "columns", "match"),
    [
        (
            "customer_id,score\na,1\n",
            ("score",),
            "has no column known_at; found customer_id, score",
        ),
        (SCORES, ("scores",), "has no column scores"),
        (SCORES, ("score", "score"), "names score twice; expected each column once"),
        (SCORES, ("income_band",), "column income_band tells income"),
        (
            SCORES.replace("2024-01-01", "01/02/2024"),
            (),
            'known_at "01/02/2024" in .*; expected 2024',
        ),
        (SCORES.replace("-01-01", "-01-01T00:00:00Z"), (), "without a zone"),
        (SCORES.replace(",9,", ",nine,"), (), "score in .* has a value that is no number"),
        (SCORES + "gone,2024-09-29,5,1\n", (), "tells of customer gone twice at 2024-09-29"),
        (SCORES + "a,b\n", (), "is no CSV or Parquet file"),
    ],
)
def test_refuses_what_cannot_be_joined(
    tmp_path: Path, text: str, columns: tuple[str, ...], match: str
) -> None:
    file = write_scores(tmp_path, text, *columns)
    with pytest.raises(InputError, match=match):
        add_own_columns(FRAME, SNAPSHOT, [file])


def test_refuses_ids_that_are_numbers(tmp_path: Path) -> None:
    table = pa.table({"customer_id": [123], "known_at": ["2024-01-01"], "score": [1.0]})
    pq.write_table(table, tmp_path / "scores.parquet")
    file = OwnColumns(path=str(tmp_path / "scores.parquet"), columns=("score",))
    with pytest.raises(InputError, match=r"customer_id in .* is int64; expected text"):
        add_own_columns(FRAME, SNAPSHOT, [file])


def test_refuses_a_file_that_is_not_there() -> None:
    file = OwnColumns(path="nowhere/scores.csv", columns=("score",))
    with pytest.raises(InputError, match=r"cannot read nowhere/scores.csv: No such file"):
        add_own_columns(FRAME, SNAPSHOT, [file])


def test_a_feature_table_with_own_columns_is_kept_by_their_content(
    tmp_path: Path, small_tables: Tables
) -> None:
    settings = FeatureSettings(extra=(write_scores(tmp_path),))
    built = read_or_build_features(small_tables, SNAPSHOT, settings, tmp_path)
    assert list(built.columns[-2:]) == ["own_score", "own_is_member"]
    kept = read_or_build_features(small_tables, SNAPSHOT, settings, tmp_path)
    pd.testing.assert_frame_equal(kept, built)
    key = feature_key(small_tables, SNAPSHOT, settings)
    write_scores(tmp_path, SCORES.replace("2.5", "2.6"))
    assert feature_key(small_tables, SNAPSHOT, settings) != key


def test_a_training_run_refuses_a_feature_table_that_knows_the_future(
    tmp_path: Path, small_tables: Tables
) -> None:
    settings = FeatureSettings()
    honest = read_or_build_features(small_tables, SNAPSHOT, settings, tmp_path)
    check_no_leaks(small_tables, SNAPSHOT, honest, settings)
    later = Snapshot(date(2024, 11, 1), 90, SNAPSHOT.history_start)
    future = read_or_build_features(small_tables, later, settings, tmp_path)
    spend = future.set_index("customer_id")["net_spend"].reindex(honest["customer_id"])
    leaking = honest.assign(net_spend=spend.to_numpy())
    with pytest.raises(InputError, match=r"^net_spend changes when rows at or after 2024-10-01"):
        check_no_leaks(small_tables, SNAPSHOT, leaking, settings)
