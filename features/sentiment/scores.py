"""The scores of a source's reviews: one table a head, and which of them a cutoff may see."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.durable import write_durably
from features.errors import InputError
from features.sentiment.encoder import hash_file
from features.sentiment.rooms import scores_folder
from features.tables import Tables

SCORES = "review_scores"
"""Name of the table among the canonical ones."""
DEFAULT = "default"
NOTES_FIELD = b"tierwise.sentiment"
RUN_THE_JOB = "python -m features sentiment --source datasets/{source}.toml"

REVIEW_SCORES = pa.schema(
    [
        pa.field("review_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("known_day", pa.date32(), nullable=False),
        pa.field("stars", pa.float64()),
        pa.field("language", pa.string(), nullable=False),  # ISO 639-1, or "other"
        pa.field("score", pa.float64(), nullable=False),  # P(positive), to the millionth
    ]
)
"""One row a review with a text; the text itself stays in the table of reviews."""


@dataclass(frozen=True)
class Notes:
    """What a table of scores says of itself: whose tables, by which head, with how many reviews."""

    tables: str
    head: str
    head_name: str
    n_reviews: int


def scores_file(state: Path, source: str, known_before: date | None) -> Path:
    """Return where the scores by the head of that day lie; None: by the head of no own reviews."""
    name = known_before.isoformat() if known_before else DEFAULT
    return scores_folder(state, source) / f"{name}.parquet"


def write_scores(path: Path, rows: Mapping[str, Any], notes: Notes) -> None:
    """Write a table of scores whole or not at all; the same rows give the same bytes."""
    told = {NOTES_FIELD: json.dumps(notes.__dict__, sort_keys=True).encode()}
    table = pa.table(dict(rows), schema=REVIEW_SCORES.with_metadata(told))
    packed = io.BytesIO()
    pq.write_table(table, packed, compression="zstd", write_page_checksum=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, packed.getvalue())


def read_notes(path: Path) -> Notes:
    """Return what a table of scores says of itself.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        schema = pq.read_schema(path)
        return Notes(**json.loads(schema.metadata[NOTES_FIELD]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as cause:
        raise InputError(
            f"{path} cannot be read as scores of reviews ({type(cause).__name__}); expected "
            "what the job sentiment wrote",
            "remove it and run: python -m features sentiment",
        ) from cause


def choose_scores(tables: Tables, cutoff: date) -> Path | None:
    """Return the table of scores that may be seen at a cutoff, None if there is none.

    By the newest of the shop's own heads that was learned from nothing known at or after the
    cutoff; by the default head where there is no such head.
    """
    folder = scores_folder(tables.state, tables.source)
    own = sorted(path.stem for path in folder.glob("????-??-??.parquet"))
    seen = [day for day in own if date.fromisoformat(day) <= cutoff]
    path = folder / f"{seen[-1] if seen else DEFAULT}.parquet"
    return path if path.is_file() else None


def has_scores(tables: Tables) -> bool:
    """Tell whether the reviews of a source were scored at all, so that its features have columns."""
    return _any_scores(tables) is not None


def _any_scores(tables: Tables) -> Path | None:
    """Return the newest table of scores, whichever head made it."""
    found = sorted(scores_folder(tables.state, tables.source).glob("*.parquet"))
    return found[-1] if found else None


def scores_digest(tables: Tables, cutoff: date) -> str | None:
    """Return the sha256 of the scores seen at a cutoff, None without any."""
    path = choose_scores(tables, cutoff)
    return None if path is None else hash_file(path)


def scores_lineage(tables: Tables, cutoff: date, *, enabled: bool) -> dict[str, dict[str, str]]:
    """Return the digests of every table of scores that features up to a cutoff may have seen.

    Returns
    -------
    dict
        By the day of the head, or "default": the sha256 of the ``scores`` and of the ``head``.
        Empty without scores, or where they bring no features.

    Raises
    ------
    InputError
        If a table of scores cannot be read.
    """
    if not enabled:
        return {}
    folder = scores_folder(tables.state, tables.source)
    return {
        path.stem: {"scores": hash_file(path), "head": read_notes(path).head}
        for path in sorted(folder.glob("*.parquet"))
        if path.stem == DEFAULT or path.stem <= cutoff.isoformat()
    }


def describe_scores(tables: Tables, *, enabled: bool) -> str:
    """Return one line on the sentiment that features of a source are made with.

    Empty where there is nothing to say: no reviews, or scores of these very tables.
    """
    if not enabled or not tables.parts("reviews"):
        return ""
    job = RUN_THE_JOB.format(source=tables.source)
    scored = _any_scores(tables)
    if scored is None:
        return f"reviews without sentiment: not scored yet, so no sentiment features; {job}"
    if read_notes(scored).tables != tables.digest:
        return f"sentiment of an earlier ingestion: newer reviews are not scored yet; {job}"
    return ""
