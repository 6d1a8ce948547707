"""The job on a small shop: words without a model here, the packaged model in the slow tests."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import SentimentSettings
from features.errors import InputError
from features.progress import Progress
from features.sentiment.head import BUCKETS, Head, Voice, Words, write_head
from features.sentiment.job import score_source
from features.sentiment.rooms import base_folder, heads_folder
from features.sentiment.scores import scores_file
from features.tables import REVIEWS, Tables

ROOT = Path(__file__).resolve().parents[2]
KNOWN_BEFORE = date(2024, 2, 1)
NASTY = [
    "很好用，推荐！", "muito bom", "terrible; never again", "👍👍👍", "<p>fine</p>", "", None, "   ",
    "a" * 100_000, "很差" * 50_000, "رائع جدا", "nul\0byte", "mixed 中文 und português", "👍👍👍",
]  # fmt: skip


def write_reviews(tables: Tables, texts: list[str | None]) -> None:
    rows = [
        {
            "review_id": f"r{number}",
            "customer_id": f"c{number % 7}",
            "order_id": None,
            "occurred_at": datetime(2024, 1, 1 + number % 28, tzinfo=UTC),
            "day": date(2024, 1, 1 + number % 28),
            "known_day": date(2024, 1, 1 + number % 28),
            "stars": None,
            "text": text,
        }
        for number, text in enumerate(texts)
    ]
    part = tables.folder / "reviews" / "part.parquet"
    part.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=REVIEWS), part)


@pytest.fixture
def tables(tmp_path: Path, write_tables) -> Tables:
    made = write_tables(
        tmp_path / "state" / "tables" / "shop", [("c0", date(2024, 1, 2), 1.0)], date(2024, 4, 1)
    )
    return replace(made, source="shop")


def quiet() -> Progress:
    return Progress(lambda: 0.0, out=open(os.devnull, "w"))


def give_words_head(tables: Tables) -> None:
    rng = np.random.default_rng(0)
    words = Words(np.ones(BUCKETS, np.float32), rng.normal(size=BUCKETS).astype(np.float32), 0.0)
    head = Head("own", KNOWN_BEFORE, {"tfidf": words}, {"*": Voice(("tfidf",), 1.0, 0.0)})
    write_head(heads_folder(tables.state, "shop") / KNOWN_BEFORE.isoformat(), head)


def test_without_a_model_and_a_head_the_job_says_what_to_run(tables: Tables):
    write_reviews(tables, ["good"])
    with pytest.raises(InputError, match=r"no sentiment model in .*; expected one") as caught:
        score_source(tables, tables.state, SentimentSettings(), quiet())
    assert "make sentiment-base" in caught.value.do


def test_a_source_without_reviews_is_refused(tables: Tables):
    give_words_head(tables)
    with pytest.raises(InputError, match=r"no reviews in .*; expected a source with"):
        score_source(tables, tables.state, SentimentSettings(), quiet())


def test_words_alone_score_every_nasty_text(tables: Tables, capfd: pytest.CaptureFixture[str]):
    give_words_head(tables)
    write_reviews(tables, NASTY)
    done = score_source(tables, tables.state, SentimentSettings(), Progress(lambda: 0.0))
    assert (done.n_reviews, done.n_texts, done.n_new, done.heads) == (11, 10, 0, ("own",))
    table = pq.read_table(scores_file(tables.state, "shop", KNOWN_BEFORE)).to_pylist()
    assert [row["review_id"] for row in table] == [
        f"r{n}" for n in (0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13)
    ]
    assert all(0 <= row["score"] <= 1 for row in table)
    by_id = {row["review_id"]: row for row in table}
    assert by_id["r3"]["score"] == by_id["r13"]["score"]
    assert [by_id[f"r{n}"]["language"] for n in (0, 1, 2, 10)] == ["zh", "pt", "en", "ar"]
    told = "".join(capfd.readouterr())
    assert not any(text and text.strip() and text[:20] in told for text in NASTY)


def test_scores_of_a_head_that_is_gone_are_removed(tables: Tables):
    give_words_head(tables)
    write_reviews(tables, ["good"])
    stale = scores_file(tables.state, "shop", date(2023, 1, 1))
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    score_source(tables, tables.state, SentimentSettings(), quiet())
    assert [path.stem for path in stale.parent.iterdir()] == [KNOWN_BEFORE.isoformat()]


@pytest.fixture(scope="module")
def base_model() -> Path:
    """The packaged model that `make sentiment-base` left in state/."""
    folder = base_folder(ROOT / "state")
    if not (folder / "manifest.json").is_file():
        pytest.skip("no state/sentiment/base: run make sentiment-base")
    return folder


def take_base(tables: Tables, folder: Path) -> None:
    target = base_folder(tables.state)
    target.mkdir(parents=True)
    for name in ("manifest.json", "model.onnx", "tokenizer.json"):
        os.link(folder / name, target / name)


@pytest.mark.slow
def test_the_packaged_model_scores_every_nasty_text_and_each_once(tables: Tables, base_model: Path):
    take_base(tables, base_model)
    write_reviews(tables, NASTY)
    first = score_source(tables, tables.state, SentimentSettings(), quiet())
    assert (first.n_reviews, first.n_texts, first.n_new, first.heads) == (11, 10, 10, ("default",))
    path = scores_file(tables.state, "shop", None)
    rows = {row["review_id"]: row["score"] for row in pq.read_table(path).to_pylist()}
    assert rows["r0"] > 0.9
    assert rows["r1"] > 0.9
    assert rows["r2"] < 0.1
    before = path.read_bytes()
    again = score_source(tables, tables.state, SentimentSettings(), quiet())
    assert again.n_new == 0
    assert path.read_bytes() == before
    write_reviews(tables, [*NASTY, "a new one"])
    assert score_source(tables, tables.state, SentimentSettings(), quiet()).n_new == 1
