"""The head for shops without labelled reviews: made once, shipped as numbers, made again like this.

``python -m training sentiment-default-head`` fits it on sentences of English reviews that twenty
people each rated (the repository of vaderSentiment, MIT): Amazon products and films. It has never
seen a review of a set whose licence is silent or forbids sale. How far its zero lies in another
language is told by sentences of one meaning (probes.toml); its AUC there does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import Encoder, Vectors
from features.sentiment.head import ANY_LANGUAGE, Array, Head, Line, Voice
from features.sentiment.rooms import base_folder
from features.sentiment.text import clean_text, split_of, text_digest
from training.sentiment.export import Probes, read_probes
from training.sentiment.fit import fit_line, fit_voice, measure_scores

SETS = ("en_amazon_sentences", "en_movie_sentences")
REVIEW_SETS = {"zh": "zh_shopping", "pt": "pt_olist", "en": "en_reviews"}
"""What the card's figures are measured on, by language; never learned from here."""
LARGEST_TEST = 5_000
"""Texts of a test part that are scored: the first in order of their sha256."""
LEAST_RATING = 1.0
"""Sentences rated nearer to neutral than this are left out."""
SPREAD = 3e-4
"""C of the line: a stronger hand than within one language, for what it learns must carry over."""
VALIDATION_PART = 2
MEMBER = "line"


@dataclass(frozen=True)
class LabelledReview:
    """A cleaned text, its verdict, and the part of the split it belongs to."""

    text: str
    positive: bool
    part: int


def read_review_set(folder: Path, name: str) -> list[LabelledReview]:
    """Read one set of labelled reviews, each text once, in order of the sha256 of their texts."""
    table = pd.read_parquet(folder / f"{name}.parquet", columns=["text", "label"])
    table = table[table["label"].notna()]
    verdicts = {
        clean_text(text): label > 0
        for text, label in zip(table["text"], table["label"], strict=True)
    }
    return [
        LabelledReview(text, verdicts[text], split_of(text))
        for text in sorted(verdicts, key=text_digest)
        if text
    ]


def read_rated(folder: Path) -> tuple[list[str], Array]:
    """Read the rated sentences, cleaned and once each, with their mean rating (-4 to 4)."""
    frames = []
    for name in SETS:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            raise InputError(
                f"no file {path}; expected the rated sentences",
                "set TIERWISE_DATA to the data sets",
            )
        frames.append(pd.read_parquet(path, columns=["text", "rating"]))
    table = pd.concat(frames, ignore_index=True)
    table["text"] = table["text"].map(clean_text)
    table = table[table["text"] != ""].drop_duplicates("text")
    return table["text"].tolist(), table["rating"].to_numpy(np.float64)


def build_default_head(state: Path, data: Path, tell: Progress) -> tuple[Head, dict[str, Any]]:
    """Fit the default head; return it with its card."""
    encoder = Encoder.open(base_folder(state))
    texts, rating = read_rated(data / "reviews")
    tell(f"{len(texts):,} rated sentences")
    vectors = encoder.encode(texts)
    probes = read_probes()
    head, card = fit_default_head(
        encoder.manifest.weights, texts, rating, vectors, probes, encoder.encode(probes.texts)
    )
    for language, name in REVIEW_SETS.items():
        tell(f"measure on {name}")
        tested = [r for r in read_review_set(data / "reviews", name) if r.part < VALIDATION_PART]
        texts = [review.text for review in tested[:LARGEST_TEST]]
        found = {encoder.manifest.weights: encoder.encode(texts)}
        scores = head.score(texts, [language] * len(texts), found)
        positive = np.array([review.positive for review in tested[:LARGEST_TEST]])
        told = measure_scores(scores, positive)
        card.setdefault("auc_by_language", {})[language] = round(told["auc"], 4)
        card.setdefault("accuracy_by_language", {})[language] = round(told["accuracy"], 4)
    return head, card


def fit_default_head(
    model: str,
    texts: list[str],
    rating: Array,
    vectors: Vectors,
    probes: Probes,
    probe_vectors: Vectors,
) -> tuple[Head, dict[str, Any]]:
    """Fit line and voices: the line on parts 3 to 9, its probabilities on part 2 of the split."""
    part = np.array([split_of(text) for text in texts])
    clear, positive = np.abs(rating) > LEAST_RATING, rating > 0
    learned = clear & (part > VALIDATION_PART)
    line = fit_line(vectors[learned], positive[learned], model, SPREAD)
    held = clear & (part == VALIDATION_PART)
    english = fit_voice((MEMBER,), line.logits(vectors[held]), positive[held])
    voices = shift_voices(english, line, probes, probe_vectors)
    head = Head("default", None, {MEMBER: line}, voices)
    tested = clear & (part < VALIDATION_PART)
    found = head.score(
        [texts[i] for i in np.flatnonzero(tested)],
        ["en"] * int(tested.sum()),
        {model: vectors[tested]},
    )
    card = {
        "trained_on": "sentences of English reviews of Amazon products and films, each rated by "
        "twenty people; from the repository of vaderSentiment, MIT licence",
        "n_trained_on": int(learned.sum()),
        "never_shown": "the Chinese shopping set, Olist, and every other review set",
        "auc_of_held_out_sentences_en": round(measure_scores(found, positive[tested])["auc"], 4),
        "zero_by_language": "moved so that sentences of one meaning (training/sentiment/"
        "probes.toml) have the same mean logit as in English",
    }
    return head, card


def shift_voices(english: Voice, line: Line, probes: Probes, vectors: Vectors) -> dict[str, Voice]:
    """Return a voice a language: English's, moved by how far the probes' mean logit lies."""
    logits = line.logits(vectors)
    told = np.array(probes.language)
    means = {name: float(logits[told == name].mean()) for name in dict.fromkeys(probes.language)}
    moved = {
        name: Voice(
            english.members,
            english.slope,
            english.intercept + english.slope * (means["en"] - mean),
        )
        for name, mean in means.items()
    }
    others = [voice.intercept for name, voice in moved.items() if name != "en"]
    moved[ANY_LANGUAGE] = Voice(english.members, english.slope, float(np.mean(others)))
    return moved
