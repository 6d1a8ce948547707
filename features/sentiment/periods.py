"""What reviews said in spans of days, counted: scores, languages, lengths. No text leaves here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.sentiment.reference import sentiment_reference
from features.sentiment.scores import choose_scores
from features.tables import Tables

PERIOD_DAYS = 28
MOST_PERIODS = 13
LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024)
"""Inner edges of the bins of a text's length, in characters; fixed, so that periods compare."""


@dataclass(frozen=True)
class TextPeriod:
    """The reviews with a text that became known in [first, before).

    Attributes
    ----------
    first, before : date
        First day, and the day after the last.
    n_reviews, n_scored : int
        With a text; of them, those that were scored.
    mean_score : float or None
        Of P(positive); None of no scored reviews.
    score_shares : tuple of float
        Of ten bins of equal width from 0 to 1.
    languages : dict of str to float
        Share of each among the scored.
    length_shares : tuple of float
        Of the bins between `LENGTHS`, in characters.
    """

    first: date
    before: date
    n_reviews: int = 0
    n_scored: int = 0
    mean_score: float | None = None
    score_shares: tuple[float, ...] = ()
    languages: dict[str, float] = field(default_factory=dict)
    length_shares: tuple[float, ...] = ()

    @property
    def days(self) -> int:
        """Length of the span."""
        return (self.before - self.first).days


def read_text_periods(
    tables: Tables, before: date, scored_at: date, most: int = MOST_PERIODS
) -> tuple[TextPeriod, ...]:
    """Count the reviews of spans of `PERIOD_DAYS` days before a day, the newest first.

    Parameters
    ----------
    tables : Tables
        Validated tables; reviews and their scores are read.
    before : date
        The first day that is not looked at.
    scored_at : date
        Cutoff whose head's scores are read: two references are of one head only so.
    most : int
        Spans, at most; none reaches back before the shop's first day.

    Returns
    -------
    tuple of TextPeriod
        Empty where there are no scored reviews.
    """
    path = choose_scores(tables, scored_at)
    parts = tables.parts("reviews")
    if path is None or not parts:
        return ()
    scores = pq.read_table(path, columns=["known_day", "language", "score"])
    scored_on = _days(scores["known_day"])
    texts = pa.concat_tables([pq.read_table(part, columns=["known_day", "text"]) for part in parts])
    lengths = pc.fill_null(pc.utf8_length(pc.utf8_trim_whitespace(texts["text"])), 0).to_numpy()
    known_on = _days(texts["known_day"])
    score, languages = scores["score"].to_numpy(), np.array(scores["language"].to_pylist(), object)
    found = []
    for number in range(most):
        first = before - timedelta(days=PERIOD_DAYS * (number + 1))
        if first < tables.history_start:
            break
        last = first + timedelta(days=PERIOD_DAYS)
        scored = _within(scored_on, first, last)
        there = lengths[_within(known_on, first, last) & (lengths > 0)]
        found.append(_period(first, last, there, score[scored], list(languages[scored])))
    return tuple(found)


def _period(
    first: date,
    before: date,
    lengths: NDArray[np.int64],
    scores: NDArray[np.float64],
    languages: list[str],
) -> TextPeriod:
    told = sentiment_reference(scores, languages)
    counts = np.bincount(
        np.searchsorted(LENGTHS, lengths, side="right"), minlength=len(LENGTHS) + 1
    )
    return TextPeriod(
        first,
        before,
        len(lengths),
        told["n"],
        None if told["mean"] is None else round(told["mean"], 7),
        tuple(round(share, 7) for share in told["shares"]),
        {name: round(share, 7) for name, share in told["languages"].items()},
        tuple(np.round(counts / max(len(lengths), 1), 7).tolist()),
    )


def _days(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    return np.asarray(column.to_numpy(), dtype="datetime64[D]")


def _within(days: NDArray[np.datetime64], first: date, before: date) -> NDArray[np.bool_]:
    return np.asarray((days >= np.datetime64(first)) & (days < np.datetime64(before)))
