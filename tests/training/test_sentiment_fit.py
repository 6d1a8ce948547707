"""What heads are made of, on worlds small enough to know the answer."""

from __future__ import annotations

import os
import shutil
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
from features.sentiment.head import ANY_LANGUAGE, read_head, to_probability
from features.sentiment.job import score_source
from features.sentiment.scores import choose_scores
from features.tables import REVIEWS, Tables
from training.registry import Registry
from training.sentiment.export import (
    LARGEST_AUC_LOSS,
    LEAST_AGREEMENT,
    Agreement,
    measure_agreement,
    read_probes,
)
from training.sentiment.fit import (
    choose_voices,
    fit_line,
    fit_voice,
    fit_words,
    measure_scores,
)
from training.sentiment.own import learn_own_head, read_verdicts
from training.sentiment.record import record_head

GOOD = ("love it", "works great", "perfect gift", "so happy", "fast and good")
BAD = ("broke at once", "waste of money", "never again", "awful smell", "late and rude")
KNOWN_BEFORE = date(2024, 3, 1)


def make_texts(n: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(1)
    positive = rng.random(n) < 0.6
    texts = [
        f"{rng.choice(GOOD if good else BAD)}, {rng.choice(GOOD if good else BAD)} {i}"
        for i, good in enumerate(positive)
    ]
    return texts, positive


def test_a_line_is_the_regression_with_its_scaling_folded_in():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    vectors = rng.normal(3, 2, (300, 5)).astype(np.float32)
    vectors[:, 4] = 1.0  # says nothing, and has no spread
    positive = vectors[:, 0] + rng.normal(size=300) > 3
    line = fit_line(vectors, positive, "m", spread=0.1)
    scaled = StandardScaler().fit_transform(vectors.astype(np.float64))
    expected = LogisticRegression(C=0.1, max_iter=2000).fit(scaled, positive)
    np.testing.assert_allclose(line.logits(vectors), expected.decision_function(scaled), atol=1e-4)


@pytest.mark.parametrize("name", ["tfidf", "tfidf_contrast"])
def test_words_tell_good_from_bad_texts_they_have_not_seen(name: str):
    texts, positive = make_texts(400)
    words = fit_words(texts[:300], positive[:300])[name]
    found = measure_scores(to_probability(words.logits(texts[300:])), positive[300:])
    assert found["auc"] > 0.99
    assert words.logits([]).shape == (0,)


def test_probabilities_are_calibrated():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=20_000)
    positive = rng.random(20_000) < to_probability(truth)
    voice = fit_voice(("m",), truth * 3 - 1, positive)  # too bold, and shifted
    assert voice.slope == pytest.approx(1 / 3, rel=0.06)
    assert voice.intercept == pytest.approx(1 / 3, abs=0.05)


def test_each_language_speaks_with_what_serves_it():
    rng = np.random.default_rng(3)
    n = 1_500
    positive = rng.random(2 * n) < 0.5
    signal = np.where(positive, 2.0, -2.0) + rng.normal(size=2 * n)
    noise = rng.normal(size=2 * n)
    first = np.arange(2 * n) < n
    logits = {"a": np.where(first, signal, noise), "b": np.where(first, noise, signal)}
    voices = choose_voices(logits, ["zh"] * n + ["pt"] * n, positive)
    assert voices["zh"].members == ("a",)
    assert voices["pt"].members == ("b",)
    assert voices[ANY_LANGUAGE].members == ("a", "b")


def test_a_language_with_few_verdicts_has_no_voice_of_its_own():
    rng = np.random.default_rng(4)
    positive = rng.random(230) < 0.5
    logits = {"a": np.where(positive, 1.0, -1.0) + rng.normal(size=230)}
    assert set(choose_voices(logits, ["en"] * 200 + ["pt"] * 30, positive)) == {"en", ANY_LANGUAGE}


def test_scores_are_measured_as_by_hand():
    found = measure_scores(np.array([0.9, 0.6, 0.4, 0.2]), np.array([True, False, True, False]))
    assert found == {
        "accuracy": 0.5,
        "macro_f1": 0.5,
        "auc": 0.75,
        "brier": pytest.approx((0.01 + 0.36 + 0.36 + 0.04) / 4),
        "true_positive": 1.0,
        "false_positive": 1.0,
        "false_negative": 1.0,
        "true_negative": 1.0,
    }
    assert measure_scores(np.array([0.9, 0.8]), np.array([True, True]))["auc"] == 0.5


def test_probes_are_balanced_and_of_five_languages():
    probes = read_probes()
    assert len(probes.texts) == len(set(probes.texts)) == 140
    assert probes.positive.mean() == 0.5
    assert {name: probes.language.count(name) for name in probes.language} == dict.fromkeys(
        ("en", "zh", "pt", "es", "de"), 28
    )


@pytest.mark.parametrize(
    ("agreement", "small", "accepted"),
    [
        (1.0, 0.95, True),
        (LEAST_AGREEMENT, 0.95 - LARGEST_AUC_LOSS + 1e-9, True),
        (LEAST_AGREEMENT - 0.001, 0.95, False),
        (1.0, 0.95 - LARGEST_AUC_LOSS - 0.001, False),
    ],
)
def test_an_export_is_accepted_by_agreement_and_auc(agreement: float, small: float, accepted: bool):
    assert Agreement(agreement, 0.95, small, 0.99).accepted is accepted


def test_a_graph_that_scrambles_texts_is_not_accepted():
    probes = read_probes()
    rng = np.random.default_rng(5)
    exact = rng.normal(size=(140, 16)).astype(np.float32)
    exact[:, 0] += np.where(probes.positive, 4, -4)
    assert measure_agreement(exact, exact, probes).accepted
    assert not measure_agreement(exact, rng.permutation(exact), probes).accepted


def write_starred(tables: Tables, n: int) -> None:
    texts, positive = make_texts(n)
    rng = np.random.default_rng(6)
    rows = []
    for i, (text, good) in enumerate(zip(texts, positive, strict=True)):
        day = date(2024, 1, 1 + i * 28 // n)
        stars = float(rng.integers(4, 6) if good else rng.integers(1, 3))
        rows.append(
            {
                "review_id": f"r{i:05}", "customer_id": "c0", "order_id": None,
                "occurred_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
                "day": day, "known_day": day, "stars": stars, "text": text,
            }
        )  # fmt: skip
    late, neutral, silent = ({**rows[0], "review_id": name} for name in ("late", "three", "none"))
    late |= {"known_day": KNOWN_BEFORE, "text": "known on the day itself"}
    neutral |= {"stars": 3.0, "text": "neither good nor bad"}
    silent |= {"stars": None, "text": "no stars at all"}
    part = tables.folder / "reviews" / "part.parquet"
    part.parent.mkdir()
    rows += [late, neutral, silent]
    pq.write_table(pa.Table.from_pylist(rows, schema=REVIEWS), part)


@pytest.fixture
def tables(tmp_path: Path, write_tables) -> Tables:
    made = write_tables(
        tmp_path / "state" / "tables" / "shop", [("c0", date(2024, 1, 2), 1.0)], date(2024, 4, 1)
    )
    return replace(made, source="shop")


def quiet() -> Progress:
    return Progress(lambda: 0.0, out=open(os.devnull, "w"))


def test_a_head_learns_only_from_clear_stars_known_before_its_day(tables: Tables):
    write_starred(tables, 300)
    verdicts = read_verdicts(tables, KNOWN_BEFORE)
    assert len(verdicts) == 300
    assert {v.text for v in verdicts}.isdisjoint(
        {"known on the day itself", "neither good nor bad", "no stars at all"}
    )
    assert {verdict.language for verdict in verdicts} == {"en"}


def test_without_a_model_a_shop_gets_a_head_of_letters_that_scores(tables: Tables):
    write_starred(tables, 400)
    own = learn_own_head(tables, tables.state, KNOWN_BEFORE, 1, 0, quiet())
    assert set(own.measured) == {"constant", "tfidf", "tfidf_contrast", "chosen"}
    assert own.measured["constant"]["all"]["auc"] == 0.5
    assert own.measured["chosen"]["all"]["auc"] > 0.99
    assert read_head(own.folder).digest == own.head.digest
    done = score_source(tables, tables.state, SentimentSettings(), quiet())
    assert done.heads == (f"own before {KNOWN_BEFORE}",)
    path = choose_scores(tables, KNOWN_BEFORE)
    assert path is not None
    rows = {row["review_id"]: row["score"] for row in pq.read_table(path).to_pylist()}
    assert len(rows) == 403
    assert choose_scores(tables, date(2024, 2, 28)) is None


def test_the_record_has_a_run_a_candidate_with_its_picture_and_no_text(
    tables: Tables, empty_store: Path, capfd: pytest.CaptureFixture[str]
):
    from mlflow import MlflowClient

    state = tables.state
    shutil.copy(empty_store, state / "mlflow.db")
    write_starred(tables, 400)
    own = learn_own_head(tables, state, KNOWN_BEFORE, 1, 0, Progress(lambda: 0.0))
    registry = Registry(state)
    record_head(own, "shop", registry)
    runs = {run.info.run_name: run for run in MlflowClient(registry.uri).search_runs(["0", "1"])}
    assert set(runs) == {f"sentiment-head shop {KNOWN_BEFORE}", *own.measured}
    for name, measured in own.measured.items():
        told = runs[name].data.metrics
        for language in ("all", "en"):
            expected = {key: measured[language][key] for key in ("macro_f1", "auc", "brier")}
            assert {key: told[f"{language}.{key}"] for key in expected} == expected
    pictures = list(state.rglob("confusion.png"))
    assert len(pictures) == len(own.measured)
    given = state / "tables"
    kept = [p for p in state.rglob("*") if p.is_file() and not p.is_relative_to(given)]
    assert {"mlflow.db", "voices.json", "head.json"} <= {path.name for path in kept}
    written = b"".join(path.read_bytes() for path in kept) + "".join(capfd.readouterr()).encode()
    assert not [phrase for phrase in (*GOOD, *BAD) if phrase.encode() in written]


def test_refuses_too_few_verdicts(tables: Tables):
    write_starred(tables, 150)
    with pytest.raises(InputError, match=r"150 reviews with a text .*; expected 200"):
        learn_own_head(tables, tables.state, KNOWN_BEFORE, 1, 0, quiet())
