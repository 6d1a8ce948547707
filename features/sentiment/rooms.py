"""Where sentiment lies below the state folder."""

from __future__ import annotations

from pathlib import Path


def sentiment_folder(state: Path) -> Path:
    """``state/sentiment``: models, kept vectors, and the scores of each source."""
    return state / "sentiment"


def base_folder(state: Path) -> Path:
    """The base model that vectors are made with."""
    return sentiment_folder(state) / "base"


def vectors_file(state: Path) -> Path:
    """The kept vectors of all models."""
    return sentiment_folder(state) / "vectors.sqlite"


def source_folder(state: Path, source: str) -> Path:
    """What belongs to one source."""
    return sentiment_folder(state) / "sources" / source


def heads_folder(state: Path, source: str) -> Path:
    """The heads that were learned from a source's own stars, one folder each."""
    return source_folder(state, source) / "heads"


def scores_folder(state: Path, source: str) -> Path:
    """The scores of a source's reviews, one table a head."""
    return source_folder(state, source) / "scores"
