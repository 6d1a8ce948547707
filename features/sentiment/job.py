"""``python -m features sentiment``: score the reviews of a source that have no score yet.

Distinct cleaned texts without a vector are put through the model, shortest first, in chunks; each
chunk is kept whole before the next begins. A run that was killed finds the rest in the same order,
so its chunks, its batches and therefore its table are those of a run that was not. Heads then turn
vectors into scores, which costs next to nothing, so every head scores every review.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.config import SentimentSettings
from features.durable import hold_lock
from features.errors import InputError
from features.progress import Progress
from features.sentiment.encoder import Encoder, Manifest, Vectors, read_manifest
from features.sentiment.head import Head, label_head, read_default_head, read_head
from features.sentiment.language import detect_language
from features.sentiment.rooms import (
    base_folder,
    heads_folder,
    scores_folder,
    source_folder,
    vectors_file,
)
from features.sentiment.scores import Notes, scores_file, write_scores
from features.sentiment.text import clean_text, text_digest
from features.sentiment.vectors import VectorStore, open_vectors
from features.tables import Tables

CHUNK = 512
"""Texts that are kept at a time; a kill loses at most these of each process."""
ROWS_AT_ONCE = 20_000
"""Reviews that are scored at a time once their vectors are there."""
TOLD_SHARE = 0.02
"""Share of the work after which it is told how long the rest will take."""
BATCH_ROWS = 50_000
TUNED = "model"
"""A head's own model, below the head's folder."""

Encode = Callable[[Sequence[str]], Vectors]


@dataclass
class Reviews:
    """The reviews with a text, in order of the day they were known and their id."""

    columns: dict[str, list[object]] = field(default_factory=dict)
    languages: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    texts: dict[bytes, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.digests)


@dataclass(frozen=True)
class Scored:
    """What a run of the job did."""

    n_reviews: int
    n_texts: int
    n_new: int
    heads: tuple[str, ...]
    languages: dict[str, int]


def read_reviews(tables: Tables) -> Reviews:
    """Read the reviews of a source that have a text, cleaned.

    Raises
    ------
    InputError
        If the source has no reviews.
    """
    parts = tables.parts("reviews")
    if not parts:
        raise InputError(
            f"no reviews in {tables.folder}; expected a source with a table of reviews",
            f"map its reviews in datasets/{tables.source}.toml and ingest it again",
        )
    names = ["review_id", "customer_id", "day", "known_day", "stars"]
    kept: list[tuple[object, ...]] = []
    found = Reviews()
    for part in parts:
        for batch in pq.ParquetFile(part).iter_batches(BATCH_ROWS, columns=[*names, "text"]):
            for *row, raw in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                text = clean_text(raw)
                if text:
                    digest = text_digest(text)
                    found.texts.setdefault(digest, text)
                    kept.append((*row, digest))
    kept.sort(key=lambda row: (row[3], row[0], row[1], row[5]))
    told = {digest: detect_language(text) for digest, text in found.texts.items()}
    columns = list(zip(*kept, strict=True)) if kept else [()] * (len(names) + 1)
    found.columns = {name: list(column) for name, column in zip(names, columns, strict=False)}
    found.digests = list(columns[-1])
    found.languages = [told[digest] for digest in found.digests]
    return found


def find_heads(state: Path, source: str) -> list[tuple[Head, Path | None]]:
    """Return the heads that can score a source, each with the folder of its own model, if any.

    The head without own reviews first: the one that comes with the house, or the labels of a base
    model that classifies by itself.

    Raises
    ------
    InputError
        If none can: the base model is missing, and no head works without one.
    """
    heads: list[tuple[Head, Path | None]] = []
    try:
        base: Manifest | None = read_manifest(base_folder(state))
    except InputError:
        base = None
    if base is not None and base.labels:
        heads.append((label_head(base.weights, base.labels), None))
    elif base is not None and read_default_head().models == (base.weights,):
        heads.append((read_default_head(), None))
    known = {base.weights} if base else set()
    for folder in sorted(path for path in heads_folder(state, source).glob("????-??-??")):
        head = read_head(folder)
        tuned = folder / TUNED if (folder / TUNED).is_dir() else None
        own = {read_manifest(tuned).weights} if tuned else set()
        if set(head.models) <= known | own:
            heads.append((head, tuned))
    if not heads:
        raise InputError(
            f"no sentiment model in {base_folder(state)} that a head fits, and no head of "
            f"{source} that works without; expected one",
            "run: make sentiment-base (or, without network, python -m training sentiment-head)",
        )
    return heads


def score_source(
    tables: Tables, state: Path, settings: SentimentSettings, tell: Progress
) -> Scored:
    """Score every review of a source with every head, putting only new texts through a model.

    Parameters
    ----------
    tables : Tables
        The validated tables of the source.
    state : Path
        Folder of all results.
    settings : SentimentSettings
        How many processes.
    tell : Progress
        Is told how much is left; never a text.

    Raises
    ------
    InputError
        If there are no reviews, or nothing to score them with.
    LockedError
        If the reviews of this source are being scored already.
    """
    with hold_lock(source_folder(state, tables.source) / ".lock"):
        heads = find_heads(state, tables.source)
        reviews = read_reviews(tables)
        n_new = 0
        manifests: dict[str, Manifest] = {}
        for folder in _model_folders(state, heads):
            manifest = read_manifest(folder)
            manifests[manifest.weights] = manifest
            with open_vectors(vectors_file(state), manifest.digest) as store:
                n_new += fill_vectors(store, reviews.texts, folder, settings.workers, tell)
        with _open_all(state, manifests) as stores:
            for head, _ in heads:
                _write_head_scores(tables, state, head, reviews, stores)
        _remove_stale(state, tables.source, [head.known_before for head, _ in heads])
    counts = {name: reviews.languages.count(name) for name in sorted(set(reviews.languages))}
    names = tuple(head.name for head, _ in heads)
    return Scored(len(reviews), len(reviews.texts), n_new, names, counts)


def _model_folders(state: Path, heads: Sequence[tuple[Head, Path | None]]) -> list[Path]:
    """Return the folder of each model that some head needs, once."""
    folders: dict[str, Path] = {}
    for head, tuned in heads:
        for folder in (base_folder(state), tuned):
            if folder is not None and folder.is_dir():
                weights = read_manifest(folder).weights
                if weights in head.models:
                    folders.setdefault(weights, folder)
    return list(folders.values())


def fill_vectors(
    store: VectorStore, texts: dict[bytes, str], folder: Path, workers: int, tell: Progress
) -> int:
    """Put the texts without a vector through the model in `folder`; return how many they were."""
    missing = sorted(store.missing(list(texts)), key=lambda digest: (len(texts[digest]), digest))
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    if not chunks:
        return 0
    tell.begin(sum(len(texts[digest]) for digest in missing))
    told, done, weight = 0.0, 0, 0
    with _encoding(folder, workers, len(chunks)) as encode_all:
        vectors = encode_all([texts[digest] for digest in chunk] for chunk in chunks)
        for chunk in chunks:
            weight += sum(len(texts[digest]) for digest in chunk)
            if done == 0 or done / len(missing) >= told + TOLD_SHARE:
                told = done / len(missing)
                tell(f"reviews {done:,} of {len(missing):,}", weight)
                weight = 0
            store.add(chunk, next(vectors))
            done += len(chunk)
    return done


@contextmanager
def _encoding(
    folder: Path, workers: int, n_chunks: int
) -> Iterator[Callable[[Iterator[list[str]]], Iterator[Vectors]]]:
    """Yield a function that encodes chunks in their order, here or in processes of their own."""
    if workers == 1 or n_chunks == 1:
        encoder = Encoder.open(folder)
        yield lambda chunks: map(encoder.encode, chunks)
        return
    with ProcessPoolExecutor(
        min(workers, n_chunks), get_context("spawn"), _open_here, (folder,)
    ) as pool:
        try:
            yield lambda chunks: pool.map(_encode_here, chunks)
        finally:
            pool.shutdown(cancel_futures=True)


_HERE: list[Encoder] = []
"""The model of this process, where it is one of several that encode."""


def _open_here(folder: Path) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    _HERE[:] = [Encoder.open(folder)]


def _end_with_parent() -> None:
    """End this process once the one that started it is gone, which a pool does not do by itself."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _encode_here(texts: list[str]) -> Vectors:
    return _HERE[0].encode(texts)


@contextmanager
def _open_all(state: Path, manifests: dict[str, Manifest]) -> Iterator[dict[str, VectorStore]]:
    """Open the kept vectors of every model by its weights."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield {
            weights: stack.enter_context(open_vectors(vectors_file(state), manifest.digest))
            for weights, manifest in manifests.items()
        }


def _write_head_scores(
    tables: Tables, state: Path, head: Head, reviews: Reviews, stores: dict[str, VectorStore]
) -> None:
    parts = []
    for start in range(0, len(reviews), ROWS_AT_ONCE):
        digests = reviews.digests[start : start + ROWS_AT_ONCE]
        vectors = {weights: stores[weights].read(digests) for weights in head.models}
        texts = [reviews.texts[digest] for digest in digests]
        languages = reviews.languages[start : start + ROWS_AT_ONCE]
        parts.append(head.score(texts, languages, vectors))
    scores = np.concatenate(parts) if parts else np.empty(0)
    notes = Notes(tables.digest, head.digest, head.name, len(reviews))
    rows = {**reviews.columns, "language": reviews.languages, "score": pa.array(scores)}
    write_scores(scores_file(state, tables.source, head.known_before), rows, notes)


def _remove_stale(state: Path, source: str, heads: Sequence[date | None]) -> None:
    """Remove the scores by heads that are gone."""
    current = {scores_file(state, source, day) for day in heads}
    for path in scores_folder(state, source).glob("*.parquet"):
        if path not in current:
            path.unlink()
