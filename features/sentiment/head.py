"""Heads: from a text's vector and words to a calibrated P(positive), by language. Numbers only.

A head has one or more members, each giving a logit of every text: a line through the vectors of a
model, or hashed letter sequences weighted by how rare they are (TF-IDF). A language's voice says
which members speak for it (the mean of their logits) and how that becomes a probability.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.durable import sync, write_durably
from features.errors import InputError
from features.sentiment.encoder import Vectors

Array = NDArray[np.float64]

HEAD_FILE, NUMBERS_FILE = "head.json", "numbers.npz"
DEFAULT_HEAD = Path(__file__).with_name("default_head.json")
ANY_LANGUAGE = "*"
"""The voice of languages without one of their own."""
LONGEST_PIECE = 4
BUCKETS = 1 << 20
"""Buckets of hashed letter sequences."""
STEEPEST = 500.0


@dataclass(frozen=True)
class Line:
    """A member: weights on the vectors of the model with those weights' sha256."""

    model: str
    weights: Array
    bias: float

    def logits(self, vectors: Vectors) -> Array:
        """Return one logit a vector."""
        found: Array = vectors.astype(np.float64) @ self.weights + self.bias
        return found


@dataclass(frozen=True)
class Words:
    """A member: weights on hashed sequences of one to four letters, TF-IDF."""

    rarity: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float

    def logits(self, texts: Sequence[str]) -> Array:
        """Return one logit a cleaned text."""
        if not texts:
            return np.empty(0)
        found: Array = weigh(count_letters(texts), self.rarity) @ self.weights + self.bias
        return np.asarray(found, dtype=np.float64)


def count_letters(texts: Sequence[str]) -> Any:
    """Return counts of hashed letter sequences: sparse, one row a text, damped by 1 + log."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(
        analyzer="char",
        ngram_range=(1, LONGEST_PIECE),
        n_features=BUCKETS,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    ).transform(texts)
    np.log(hashed.data, out=hashed.data)
    hashed.data += 1
    return hashed


def weigh(counts: Any, rarity: NDArray[np.float32]) -> Any:
    """Return counts times the rarity of each bucket, every row of length 1."""
    from sklearn.preprocessing import normalize

    weighted = counts.copy()
    weighted.data *= rarity[weighted.indices]
    return normalize(weighted, copy=False)


@dataclass(frozen=True)
class Voice:
    """Which members speak for a language, and how their mean logit becomes a probability."""

    members: tuple[str, ...]
    slope: float
    intercept: float


@dataclass(frozen=True)
class Head:
    """A head.

    Attributes
    ----------
    name : str
        What people call it.
    known_before : date or None
        It was learned from reviews known before this day; None: from none of the shop's.
    members : dict of str to Line or Words
        By name.
    voices : dict of str to Voice
        By ISO 639-1 code, and ``"*"`` for every other.
    """

    name: str
    known_before: date | None
    members: dict[str, Line | Words]
    voices: dict[str, Voice]

    @property
    def models(self) -> tuple[str, ...]:
        """The weights' sha256 of each model whose vectors it needs."""
        lines = [self.members[name] for name in self.used]
        return tuple(dict.fromkeys(m.model for m in lines if isinstance(m, Line)))

    @property
    def used(self) -> tuple[str, ...]:
        """The members that some language is scored with."""
        return tuple(dict.fromkeys(m for voice in self.voices.values() for m in voice.members))

    def logits(self, texts: Sequence[str], vectors: Mapping[str, Vectors]) -> dict[str, Array]:
        """Return each used member's logits; `vectors` by the model's weights."""
        return {
            name: member.logits(texts)
            if isinstance(member, Words)
            else member.logits(vectors[member.model])
            for name, member in ((name, self.members[name]) for name in self.used)
        }

    def score(
        self, texts: Sequence[str], languages: Sequence[str], vectors: Mapping[str, Vectors]
    ) -> Array:
        """Return P(positive) of cleaned texts, rounded to millionths."""
        logits = self.logits(texts, vectors)
        told = np.array(languages, dtype=object)
        found = np.empty(len(texts))
        for language in dict.fromkeys(languages):
            voice = self.voices.get(language, self.voices[ANY_LANGUAGE])
            rows = np.flatnonzero(told == language)
            mean = np.mean([logits[name][rows] for name in voice.members], axis=0)
            found[rows] = to_probability(voice.slope * mean + voice.intercept)
        return np.round(found, 6)

    @property
    def digest(self) -> str:
        """The sha256 of all its numbers."""
        plain, numbers = _taken_apart(self)
        digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
        for name in sorted(numbers):
            digest.update(name.encode() + np.ascontiguousarray(numbers[name]).tobytes())
        return digest.hexdigest()


def to_probability(logits: Array) -> Array:
    """Return the logistic function of logits, which may be large."""
    found: Array = 1 / (1 + np.exp(-np.clip(logits, -STEEPEST, STEEPEST)))
    return found


def label_logits(outputs: Vectors, labels: Sequence[str]) -> Array:
    """Return the logit of positive against negative of a model that classifies by itself."""
    positive, negative = labels.index("positive"), labels.index("negative")
    found: Array = outputs[:, positive].astype(np.float64) - outputs[:, negative]
    return found


def label_head(model: str, labels: Sequence[str]) -> Head:
    """Return the head of a model that classifies by itself."""
    weights = np.array([{"positive": 1.0, "negative": -1.0}.get(label, 0.0) for label in labels])
    line = Line(model, weights, 0.0)
    return Head("labels", None, {"labels": line}, {ANY_LANGUAGE: Voice(("labels",), 1.0, 0.0)})


def write_head(folder: Path, head: Head) -> None:
    """Write a head into `folder`: JSON, and an archive of plain arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    plain, numbers = _taken_apart(head)
    packed = io.BytesIO()
    np.savez_compressed(packed, **numbers)  # type: ignore[arg-type]
    write_durably(folder / NUMBERS_FILE, packed.getvalue())
    told = plain | {"digest": head.digest}
    write_durably(folder / HEAD_FILE, json.dumps(told, indent=1, ensure_ascii=False).encode())
    sync(folder)


def read_head(folder: Path) -> Head:
    """Read a head that `write_head` wrote.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    try:
        plain = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
        with np.load(folder / NUMBERS_FILE, allow_pickle=False) as archive:
            numbers = {name: archive[name] for name in archive.files}
        head = _put_together(plain, numbers)
        whole = head.digest == plain["digest"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as cause:
        raise _damaged(folder) from cause
    if not whole:
        raise _damaged(folder)
    return head


def read_default_head(path: Path = DEFAULT_HEAD) -> Head:
    """Read the head that comes with the house: one line, as JSON."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    numbers = {name: np.array(values) for name, values in plain.pop("numbers").items()}
    return _put_together(plain, numbers)


def write_default_head(path: Path, head: Head, card: Mapping[str, Any]) -> None:
    """Write a head of lines only as one JSON file with its card."""
    plain, numbers = _taken_apart(head)
    short = {name: [float(f"{v:.6g}") for v in values] for name, values in numbers.items()}
    told = plain | {"card": dict(card), "numbers": short}
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _damaged(folder: Path) -> InputError:
    return InputError(
        f"the sentiment head in {folder} is missing or damaged; expected one that was learned",
        "run: python -m training sentiment-head --source datasets/SOURCE.toml",
    )


def _taken_apart(head: Head) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    members: dict[str, Any] = {}
    numbers: dict[str, NDArray[Any]] = {}
    for name, member in head.members.items():
        numbers[f"{name}.weights"] = member.weights
        if isinstance(member, Line):
            members[name] = {"kind": "line", "model": member.model, "bias": member.bias}
        else:
            members[name] = {"kind": "words", "bias": member.bias}
            numbers[f"{name}.rarity"] = member.rarity
    plain = {
        "name": head.name,
        "known_before": head.known_before.isoformat() if head.known_before else None,
        "members": members,
        "voices": {
            language: {"members": list(v.members), "slope": v.slope, "intercept": v.intercept}
            for language, v in head.voices.items()
        },
    }
    return plain, numbers


def _put_together(plain: Mapping[str, Any], numbers: Mapping[str, NDArray[Any]]) -> Head:
    members: dict[str, Line | Words] = {}
    for name, told in plain["members"].items():
        weights = numbers[f"{name}.weights"]
        if told["kind"] == "line":
            members[name] = Line(told["model"], weights.astype(np.float64), told["bias"])
        else:
            members[name] = Words(numbers[f"{name}.rarity"], weights, told["bias"])
    day = plain["known_before"]
    return Head(
        name=plain["name"],
        known_before=date.fromisoformat(day) if day else None,
        members=members,
        voices={
            language: Voice(tuple(v["members"]), v["slope"], v["intercept"])
            for language, v in plain["voices"].items()
        },
    )
