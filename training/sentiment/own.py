"""``python -m training sentiment-head``: a head from the shop's own stars, for one day and after.

Reviews known before the day, 1-2 stars negative and 4-5 positive, split by time: the oldest 70 %
teach, the next 15 % choose and calibrate, the newest 15 % are looked at once. A constant and TF-IDF
always stand beside the transformer; below `FEWEST_TO_TUNE` verdicts its vectors stay as they are,
above it it is fine-tuned where torch is there. A language speaks with what did best on validation.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from features.config import TrainingSettings
from features.durable import hold_lock, replace_folder
from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import Encoder, Vectors, read_manifest
from features.sentiment.head import ANY_LANGUAGE, Array, Head, Line, Voice, Words, write_head
from features.sentiment.job import TUNED, fill_vectors
from features.sentiment.language import detect_language
from features.sentiment.rooms import base_folder, heads_folder, source_folder, vectors_file
from features.sentiment.text import clean_text, text_digest
from features.sentiment.vectors import open_vectors
from features.snapshot import Snapshot
from features.tables import Tables
from training.sentiment.base import HUGGING_FACE
from training.sentiment.fit import (
    CONSTANT,
    FROZEN,
    TUNED_NAME,
    Verdicts,
    choose_voices,
    fit_line,
    fit_voice,
    fit_words,
    has_both,
    measure_scores,
)
from training.sentiment.tune import TuneSettings, has_torch, tune_model
from training.split import plan_training

MOST_NEGATIVE, LEAST_POSITIVE = 2.0, 4.0
"""Stars up to which a review is negative, and from which it is positive; between, left out."""
TEACH, CHOOSE = 0.70, 0.85
"""Shares of the verdicts, oldest first, up to which they teach and choose."""
FEWEST = 200
"""Verdicts that a head is learned from."""
FEWEST_TO_TUNE = 2_000
EVERY_LANGUAGE = "all"


@dataclass(frozen=True)
class Verdict:
    """A review's cleaned text, its language and what its stars say; oldest first in a list."""

    text: str
    language: str
    positive: bool


@dataclass(frozen=True)
class OwnHead:
    """A learned head with what each candidate reached on the newest verdicts, by language."""

    head: Head
    folder: Path
    measured: dict[str, dict[str, dict[str, float]]]
    n_verdicts: int


def oldest_cutoff(tables: Tables, settings: TrainingSettings) -> date:
    """Return the oldest cutoff that training for today looks at: from it on, one head for all."""
    horizon = settings.horizon_days
    target = Snapshot(tables.data_complete_before, horizon, tables.history_start)
    plan = plan_training(target, settings)
    earlier = plan.training_snapshot(target.cutoff - timedelta(days=plan.training_horizon_days))
    return min((*plan.cutoffs, *plan_training(earlier, settings).cutoffs))


def read_verdicts(tables: Tables, known_before: date) -> list[Verdict]:
    """Read the verdicts that were known before a day, each text once (its oldest), oldest first."""
    rows = []
    for part in tables.parts("reviews"):
        table = pq.read_table(part, columns=["known_day", "review_id", "stars", "text"])
        for day, review_id, stars, raw in zip(
            *(column.to_pylist() for column in table.columns), strict=True
        ):
            told = stars is not None and (stars <= MOST_NEGATIVE or stars >= LEAST_POSITIVE)
            text = clean_text(raw)
            if told and text and day < known_before:
                rows.append((day, review_id, text, stars >= LEAST_POSITIVE))
    rows.sort()
    first: dict[str, bool] = {}
    for _, _, text, positive in rows:
        first.setdefault(text, positive)
    return [Verdict(text, detect_language(text), positive) for text, positive in first.items()]


def learn_own_head(
    tables: Tables, state: Path, known_before: date, workers: int, seed: int, tell: Progress
) -> OwnHead:
    """Learn the head of a day from a shop's own stars and write it.

    Raises
    ------
    InputError
        If fewer than `FEWEST` verdicts were known before the day, or nearly all are of one kind.
    """
    verdicts = read_verdicts(tables, known_before)
    positive = np.array([verdict.positive for verdict in verdicts], dtype=bool)
    if len(verdicts) < FEWEST or not has_both(positive):
        raise InputError(
            f"{len(verdicts)} reviews with a text and clear stars before {known_before}, "
            f"{int(positive.sum())} of them good; expected {FEWEST}, ten of either kind",
            "give a later --known-before, or leave the default head",
        )
    texts = [verdict.text for verdict in verdicts]
    cuts = [int(len(texts) * share) for share in (TEACH, CHOOSE)]
    target = heads_folder(state, tables.source) / known_before.isoformat()
    with hold_lock(source_folder(state, tables.source) / ".lock"), replace_folder(target) as made:
        members, logits = _fit_members(state, made, texts, positive, cuts, workers, seed, tell)
        languages = [verdict.language for verdict in verdicts]
        chosen = slice(cuts[0], cuts[1])
        told = {name: each[chosen] for name, each in logits.items()}
        voices = choose_voices(told, languages[chosen], positive[chosen])
        head = Head(f"own before {known_before}", known_before, members, voices)
        head = Head(head.name, known_before, {n: members[n] for n in head.used}, voices)
        if TUNED_NAME not in head.members:
            shutil.rmtree(made / TUNED, ignore_errors=True)
        write_head(made, head)
        measured = measure_candidates(logits, voices, languages, positive, cuts)
    return OwnHead(head, target, measured, len(verdicts))


def _fit_members(
    state: Path,
    made: Path,
    texts: Sequence[str],
    positive: Verdicts,
    cuts: Sequence[int],
    workers: int,
    seed: int,
    tell: Progress,
) -> tuple[dict[str, Line | Words], dict[str, Array]]:
    """Fit every member on the verdicts that teach; return them with their logits of all texts."""
    teach = slice(0, cuts[0])
    tell("letters")
    words = fit_words(texts[teach], positive[teach])
    members: dict[str, Line | Words] = {**words}
    logits = {name: each.logits(texts) for name, each in words.items()}
    base = base_folder(state)
    if not (base / "manifest.json").is_file() or read_manifest(base).labels:
        tell("no base model that gives vectors: letters alone (make sentiment-base)")
        return members, logits
    manifest = read_manifest(base)
    vectors = _vectors(state, base, texts, workers, tell)
    line = fit_line(vectors[teach], positive[teach], manifest.weights)
    members[FROZEN], logits[FROZEN] = line, line.logits(vectors)
    if cuts[0] >= FEWEST_TO_TUNE and has_torch():
        _, tuned = tune_model(
            base / HUGGING_FACE,
            made / TUNED,
            manifest,
            texts[teach],
            positive[teach],
            line,
            TuneSettings(),
            seed,
            tell,
        )
        vectors = _vectors(state, made / TUNED, texts, workers, tell)
        members[TUNED_NAME], logits[TUNED_NAME] = tuned, tuned.logits(vectors)
    elif cuts[0] >= FEWEST_TO_TUNE:
        tell("no torch: the transformer is not fine-tuned (make setup-torch)")
    return members, logits


def _vectors(
    state: Path, folder: Path, texts: Sequence[str], workers: int, tell: Progress
) -> Vectors:
    digests = [text_digest(text) for text in texts]
    with open_vectors(vectors_file(state), Encoder.open(folder).manifest.digest) as store:
        fill_vectors(store, dict(zip(digests, texts, strict=True)), folder, workers, tell)
        return store.read(digests)


def measure_candidates(
    logits: dict[str, Array],
    voices: dict[str, Voice],
    languages: Sequence[str],
    positive: Verdicts,
    cuts: Sequence[int],
) -> dict[str, dict[str, dict[str, float]]]:
    """Return what each candidate and the choice reach on the newest verdicts, by language."""
    chosen, newest = slice(cuts[0], cuts[1]), slice(cuts[1], len(positive))
    told = np.array(languages, dtype=object)[newest]
    scores: dict[str, Array] = {
        CONSTANT: np.full(len(told), float(positive[: cuts[1]].mean())),
    }
    for name, each in logits.items():
        voice = fit_voice((name,), each[chosen], positive[chosen])
        scores[name] = _probability(voice, each[newest])
    scores["chosen"] = np.empty(len(told))
    for language in dict.fromkeys(told):
        rows = told == language
        voice = voices.get(language, voices[ANY_LANGUAGE])
        mean = np.mean([logits[name][newest] for name in voice.members], axis=0)
        scores["chosen"][rows] = _probability(voice, mean[rows])
    groups = {EVERY_LANGUAGE: np.ones(len(told), dtype=bool)}
    groups |= {name: told == name for name in sorted(set(told)) if (told == name).sum() >= 30}
    return {
        name: {
            group: measure_scores(each[rows], positive[newest][rows])
            for group, rows in groups.items()
        }
        for name, each in scores.items()
    }


def _probability(voice: Voice, mean: Array) -> Array:
    from features.sentiment.head import to_probability

    return to_probability(voice.slope * mean + voice.intercept)
