"""Heads and kept vectors: numbers in, probabilities out, whole after a write or refused."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from features.sentiment.head import (
    BUCKETS,
    Head,
    Line,
    Voice,
    Words,
    label_head,
    label_logits,
    read_default_head,
    read_head,
    write_head,
)
from features.sentiment.vectors import open_vectors

MODEL = "ab" * 32
VECTORS = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]], np.float32)
TEXTS = ["good", "bad", "so so"]


def make_words() -> Words:
    rng = np.random.default_rng(0)
    rarity, weights = np.zeros(BUCKETS, np.float32), np.zeros(BUCKETS, np.float32)
    chosen = rng.integers(0, BUCKETS, 1000)
    rarity[chosen], weights[chosen] = 1.0, rng.normal(size=1000)
    return Words(rarity, weights, -0.5)


def make_head() -> Head:
    return Head(
        "own",
        date(2024, 2, 1),
        {"line": Line(MODEL, np.array([2.0, -1.0]), 0.5), "tfidf": make_words()},
        {"en": Voice(("line",), 2.0, 0.25), "*": Voice(("line", "tfidf"), 1.0, 0.0)},
    )


def test_a_language_is_scored_by_its_own_voice():
    found = make_head().score(TEXTS, ["en", "en", "pt"], {MODEL: VECTORS})
    line = np.array([2.5, -1.5, -2.5])
    words = make_words().logits(TEXTS)
    expected = [2 * line[0] + 0.25, 2 * line[1] + 0.25, (line[2] + words[2]) / 2]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.array(expected))), atol=1e-6)


def test_one_text_is_scored_as_among_others():
    head = make_head()
    together = head.score(TEXTS, ["pt", "en", "zh"], {MODEL: VECTORS})
    alone = [
        head.score([text], [language], {MODEL: VECTORS[i : i + 1]})[0]
        for i, (text, language) in enumerate(zip(TEXTS, ["pt", "en", "zh"], strict=True))
    ]
    np.testing.assert_array_equal(together, alone)


def test_logits_of_any_size_are_probabilities():
    head = Head(
        "x", None, {"l": Line(MODEL, np.array([1e6]), 0.0)}, {"*": Voice(("l",), 20.0, 0.0)}
    )
    found = head.score(["a", "b"], ["en", "en"], {MODEL: np.array([[1.0], [-1.0]], np.float32)})
    np.testing.assert_array_equal(found, [1.0, 0.0])


def test_a_head_is_read_as_it_was_written(tmp_path: Path):
    head = make_head()
    write_head(tmp_path, head)
    again = read_head(tmp_path)
    assert again.digest == head.digest
    assert (again.name, again.known_before, again.voices) == (
        head.name, head.known_before, head.voices,
    )  # fmt: skip
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npz"}


@pytest.mark.parametrize("name", ["head.json", "numbers.npz"])
def test_refuses_a_head_that_was_changed(tmp_path: Path, name: str):
    write_head(tmp_path, make_head())
    path = tmp_path / name
    if name == "head.json":
        told = json.loads(path.read_text(encoding="utf-8"))
        told["voices"]["en"]["slope"] = 3.0
        path.write_text(json.dumps(told), encoding="utf-8")
    else:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="missing or damaged; expected one that was learned"):
        read_head(tmp_path)


def test_a_model_that_classifies_is_scored_by_its_labels():
    outputs = np.array([[0.0, 5.0, 2.0], [3.0, 0.0, 1.0]], np.float32)
    labels = ("negative", "neutral", "positive")
    np.testing.assert_array_equal(label_logits(outputs, labels), [2.0, -2.0])
    found = label_head(MODEL, labels).score(["a", "b"], ["en", "xx"], {MODEL: outputs})
    np.testing.assert_allclose(found, 1 / (1 + np.exp([-2.0, 2.0])), atol=1e-6)


def test_the_default_head_comes_with_a_card_and_reads_the_packaged_model():
    from training.sentiment.package import WEIGHTS_SHA256

    head = read_default_head()
    assert head.models == (WEIGHTS_SHA256,)
    assert head.known_before is None
    assert set(head.voices) == {"en", "zh", "pt", "es", "de", "*"}
    path = Path(__file__).parents[2] / "features" / "sentiment" / "default_head.json"
    card = json.loads(path.read_text(encoding="utf-8"))["card"]
    assert "MIT" in card["trained_on"]
    assert set(card["auc_by_language"]) == {"en", "zh", "pt"}


def test_vectors_are_kept_by_model_and_text(tmp_path: Path):
    digests = [i.to_bytes(4, "big") * 8 for i in range(1200)]
    vectors = np.arange(2400, dtype=np.float32).reshape(1200, 2) / 64
    with open_vectors(tmp_path / "v.sqlite", MODEL) as store:
        assert store.missing(digests) == digests
        store.add(digests[:1000], vectors[:1000])
    with open_vectors(tmp_path / "v.sqlite", MODEL) as store:
        assert store.missing(digests) == digests[1000:]
        asked = [digests[999], digests[0], digests[999]]
        np.testing.assert_array_equal(store.read(asked), vectors[[999, 0, 999]])
        with pytest.raises(InputError, match="a text has no vector yet"):
            store.read(digests)
    with open_vectors(tmp_path / "v.sqlite", "cd" * 32) as other:
        assert other.count() == 0


def test_a_text_that_is_kept_is_not_replaced(tmp_path: Path):
    with open_vectors(tmp_path / "v.sqlite", MODEL) as store:
        store.add([b"t" * 32], np.array([[1.0]], np.float32))
        store.add([b"t" * 32], np.array([[2.0]], np.float32))
        assert store.read([b"t" * 32]).item() == 1.0


def test_refuses_a_file_that_is_no_store(tmp_path: Path):
    path = tmp_path / "v.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(InputError, match="expected the kept vectors"), open_vectors(path, MODEL):
        pass
