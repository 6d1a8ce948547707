"""Reviews as Evidently sees them: how long, how wordy, in which language and tone, then and now.

The texts themselves stay where they are: they are turned into numbers first, and only those reach
the page. (Evidently's own drift of text content lists the words that tell two samples apart.)
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.durable import write_durably
from features.sentiment.periods import PERIOD_DAYS
from features.sentiment.scores import choose_scores
from features.tables import Tables

MOST_REVIEWS = 2000
FEWEST_REVIEWS = 30
REFERENCE_DAYS = 3 * PERIOD_DAYS
NUMBERS = ("score", "characters", "words", "share_not_letters")
PAGE = "reviews.html"


def read_review_sample(tables: Tables, first: date, before: date, scored_at: date) -> pd.DataFrame:
    """Return numbers of at most `MOST_REVIEWS` scored reviews known in [first, before).

    Returns
    -------
    DataFrame
        ``score`` (P(positive)), ``language``, ``characters``, ``words``, ``share_not_letters``;
        neither texts nor ids. Empty without scored reviews.
    """
    path, parts = choose_scores(tables, scored_at), tables.parts("reviews")
    if path is None or not parts:
        return pd.DataFrame(columns=["language", *NUMBERS])
    scores = pq.read_table(path, columns=["review_id", "known_day", "language", "score"])
    told = pa.concat_tables([pq.read_table(part, columns=["review_id", "text"]) for part in parts])
    frame = scores.to_pandas()
    known = pd.to_datetime(frame.pop("known_day"))
    frame = frame[(known >= pd.Timestamp(first)) & (known < pd.Timestamp(before))]
    texts = told.to_pandas().drop_duplicates("review_id")
    frame = frame.merge(texts, on="review_id").sort_values("review_id", ignore_index=True)
    frame = frame.iloc[:: max(-(-len(frame) // MOST_REVIEWS), 1)]
    text = frame.pop("text").fillna("").astype(str).str.strip()
    frame["characters"] = text.str.len().astype(float)
    frame["words"] = text.str.split().str.len().astype(float)
    letters = text.map(lambda one: sum(map(str.isalpha, one)))
    frame["share_not_letters"] = 1 - letters / text.str.len().clip(lower=1)
    numbers: pd.DataFrame = frame[["language", *NUMBERS]].reset_index(drop=True)
    return numbers


def write_review_page(tables: Tables, made_on: date, as_of: date, path: Path) -> Path | None:
    """Write Evidently's drift report and summary of the newest reviews as one HTML file.

    Parameters
    ----------
    tables : Tables
        Validated tables with scored reviews.
    made_on : date
        The release's cutoff: the twelve weeks before it are the reference.
    as_of : date
        The four weeks before it are current.
    path : Path
        The file to write.

    Returns
    -------
    Path or None
        None where there are fewer than `FEWEST_REVIEWS` reviews on either side.
    """
    first = as_of - timedelta(days=PERIOD_DAYS)
    current = read_review_sample(tables, first, as_of, made_on)
    before = read_review_sample(tables, made_on - timedelta(days=REFERENCE_DAYS), made_on, made_on)
    if min(len(current), len(before)) < FEWEST_REVIEWS:
        return None
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    definition = DataDefinition(numerical_columns=list(NUMBERS), categorical_columns=["language"])
    datasets = [Dataset.from_pandas(f, data_definition=definition) for f in (current, before)]
    snapshot = Report([DataDriftPreset(), DataSummaryPreset()]).run(*datasets)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, snapshot.get_html_str(as_iframe=False).encode())
    return path
