"""Features of what customers wrote: a hand-made world, both clocks, and shops without scores."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from features.build import build_features
from features.catalogue import COLUMNS, SENTIMENT_COLUMNS, feature_named
from features.config import FeatureSettings, SentimentSettings
from features.errors import InputError
from features.leaks import check_no_leaks
from features.sentiment.scores import (
    Notes,
    choose_scores,
    describe_scores,
    has_scores,
    scores_file,
    scores_lineage,
    write_scores,
)
from features.snapshot import Snapshot
from features.store import feature_key, read_or_build_features
from features.tables import REVIEWS, Tables

SNAPSHOT = Snapshot(date(2024, 3, 1), 30, date(2024, 1, 1))
LINES = [
    ("ann", date(2024, 1, 5), 10.0),
    ("ann", date(2024, 2, 20), 10.0),
    ("bob", date(2024, 1, 9), 5.0),
    ("cat", date(2024, 2, 2), 7.0),
]
SCORES = [
    # review, customer, day, known_day, stars, score
    ("r1", "ann", date(2024, 1, 10), date(2024, 1, 10), 5.0, 0.9),
    ("r2", "ann", date(2024, 2, 10), date(2024, 2, 10), 1.0, 0.2),
    ("r3", "ann", date(2024, 2, 10), date(2024, 2, 11), None, 0.6),
    ("r4", "bob", date(2024, 1, 20), date(2024, 1, 20), 4.0, 0.1),
    ("r5", "bob", date(2024, 2, 28), date(2024, 3, 1), 5.0, 1.0),  # known too late
    ("r6", "cat", date(2024, 3, 1), date(2024, 3, 1), 1.0, 0.0),  # happened too late
]
NOTES = Notes("0" * 64, "1" * 64, "default", len(SCORES))


def rows_of(scores: list[tuple[object, ...]]) -> dict[str, list[object]]:
    names = ("review_id", "customer_id", "day", "known_day", "stars", "score")
    rows = dict(zip(names, map(list, zip(*scores, strict=True)), strict=True))
    return rows | {"language": ["en"] * len(scores)}


@pytest.fixture
def tables(tmp_path: Path, write_tables) -> Tables:
    return write_tables(tmp_path / "state" / "tables" / "hand_made", LINES, date(2024, 4, 1))


@pytest.fixture
def scored(tables: Tables) -> Tables:
    write_scores(scores_file(tables.state, tables.source, None), rows_of(SCORES), NOTES)
    return tables


def test_scores_become_features_as_of_the_cutoff(scored: Tables):
    found = build_features(scored, SNAPSHOT, FeatureSettings()).set_index("customer_id")
    nan = np.nan
    expected = pd.DataFrame(
        {
            "n_scored_reviews": [3.0, 1.0, 0.0],
            "days_since_last_scored_review": [20.0, 41.0, nan],
            "mean_sentiment": [1.7 / 3, 0.1, nan],
            "last_sentiment": [0.4, 0.1, nan],
            "sentiment_trend": [0.4 - 0.9, nan, nan],
            "share_negative_reviews": [1 / 3, 1.0, nan],
            "days_since_negative_review": [20.0, 41.0, nan],
            "sentiment_minus_stars": [(-0.1 + 0.2) / 2, 0.1 - 0.75, nan],
            # ann ordered ten days after she complained, bob never again
            "silent_days_since_complaint": [0.0, 41.0, nan],
        },
        index=pd.Index(["ann", "bob", "cat"], name="customer_id"),
    )
    pd.testing.assert_frame_equal(found[list(SENTIMENT_COLUMNS)], expected)
    assert tuple(found.columns) == (*COLUMNS, *SENTIMENT_COLUMNS)


def test_a_review_that_is_known_later_changes_nothing_before(scored: Tables):
    before = build_features(scored, SNAPSHOT, FeatureSettings())
    late = [row for row in SCORES if row[3] < SNAPSHOT.cutoff]
    write_scores(scores_file(scored.state, scored.source, None), rows_of(late), NOTES)
    pd.testing.assert_frame_equal(build_features(scored, SNAPSHOT, FeatureSettings()), before)
    check_no_leaks(scored, SNAPSHOT, before, FeatureSettings())


def test_a_shop_without_scores_has_the_columns_and_the_key_it_had(tables: Tables):
    settings = FeatureSettings()
    assert not has_scores(tables)
    assert tuple(build_features(tables, SNAPSHOT, settings).columns[1:]) == COLUMNS
    off = FeatureSettings(sentiment=SentimentSettings(enabled=False))
    assert feature_key(tables, SNAPSHOT, settings) == feature_key(tables, SNAPSHOT, off)


def test_features_without_sentiment_where_the_settings_say_so(scored: Tables):
    off = FeatureSettings(sentiment=SentimentSettings(enabled=False))
    assert tuple(build_features(scored, SNAPSHOT, off).columns[1:]) == COLUMNS


def test_kept_features_are_made_again_when_scores_change(scored: Tables):
    settings = FeatureSettings()
    first = read_or_build_features(scored, SNAPSHOT, settings, scored.state)
    pd.testing.assert_frame_equal(
        read_or_build_features(scored, SNAPSHOT, settings, scored.state), first
    )
    changed = [(*row[:-1], 0.5) for row in SCORES]
    write_scores(scores_file(scored.state, scored.source, None), rows_of(changed), NOTES)
    again = read_or_build_features(scored, SNAPSHOT, settings, scored.state)
    assert again.set_index("customer_id").loc["bob", "mean_sentiment"] == 0.5


@pytest.mark.parametrize(
    ("cutoff", "chosen"),
    [
        (date(2024, 1, 31), "default"),  # the first own head knows February's first days
        (date(2024, 2, 1), "2024-02-01"),
        (date(2024, 2, 28), "2024-02-01"),
        (date(2024, 3, 1), "2024-03-01"),
    ],
)
def test_a_cutoff_sees_the_newest_head_that_knew_nothing_after_it(
    scored: Tables, cutoff: date, chosen: str
):
    for day in (date(2024, 2, 1), date(2024, 3, 1)):
        write_scores(scores_file(scored.state, scored.source, day), rows_of(SCORES), NOTES)
    path = choose_scores(scored, cutoff)
    assert path is not None
    assert path.stem == chosen


def test_before_the_first_own_head_sentiment_is_unknown_where_there_is_no_other(tables: Tables):
    path = scores_file(tables.state, tables.source, date(2024, 3, 2))
    write_scores(path, rows_of(SCORES), NOTES)
    found = build_features(tables, SNAPSHOT, FeatureSettings())
    assert tuple(found.columns[1:]) == (*COLUMNS, *SENTIMENT_COLUMNS)
    assert found[list(SENTIMENT_COLUMNS[1:])].isna().all(axis=None)


def test_a_run_is_told_of_reviews_that_were_not_scored(scored: Tables):
    assert describe_scores(scored, enabled=True) == ""  # it has no reviews at all
    part = scored.folder / "reviews" / "part.parquet"
    part.parent.mkdir()
    pa.parquet.write_table(pa.Table.from_pylist([], schema=REVIEWS), part)
    assert "earlier ingestion" in describe_scores(replace(scored, digest="2" * 64), enabled=True)
    assert describe_scores(replace(scored, digest="0" * 64), enabled=True) == ""
    scores_file(scored.state, scored.source, None).unlink()
    assert "not scored yet" in describe_scores(scored, enabled=True)
    assert describe_scores(scored, enabled=False) == ""


def test_the_lineage_names_the_scores_that_a_cutoff_may_have_seen(scored: Tables):
    def own(day: date) -> Path:
        return scores_file(scored.state, scored.source, day)

    for day in (date(2024, 2, 1), date(2024, 3, 2)):
        write_scores(own(day), rows_of(SCORES[:3]), replace(NOTES, head="2" * 64))
    found = scores_lineage(scored, SNAPSHOT.cutoff, enabled=True)
    default = scores_file(scored.state, scored.source, None)
    assert found == {
        "default": {
            "scores": hashlib.sha256(default.read_bytes()).hexdigest(), "head": "1" * 64,
        },
        "2024-02-01": {
            "scores": hashlib.sha256(own(date(2024, 2, 1)).read_bytes()).hexdigest(),
            "head": "2" * 64,
        },
    }  # fmt: skip
    assert scores_lineage(scored, SNAPSHOT.cutoff, enabled=False) == {}


def test_customers_under_contract_have_no_reviews_to_score():
    from features.__main__ import run_sentiment

    with pytest.raises(InputError, match=r"under contract, .*; expected a source of orders"):
        run_sentiment(["--source", "datasets/telco_churn.toml"])


def test_the_same_scores_give_the_same_bytes(tmp_path: Path):
    digests = set()
    for name in ("a", "b"):
        path = tmp_path / f"{name}.parquet"
        write_scores(path, rows_of(SCORES), NOTES)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("name", SENTIMENT_COLUMNS)
def test_sentiment_columns_are_described(name: str):
    assert feature_named(name).family == "opinion"
