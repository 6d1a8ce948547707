"""Reports made with Evidently: the only module that imports it."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.durable import write_durably
from features.ingestion.across import open_engine
from features.tables import Tables

MOST_ROWS = 5000
NUMBERS = ("amount", "margin", "quantity", "discount", "hour")
CATEGORIES = ("channel", "category", "is_return")
MOST_CATEGORIES = 50
"""More kinds than these are shown as one, so that the page stays readable."""


def read_sample(tables: Tables, n_rows: int = MOST_ROWS) -> pd.DataFrame:
    """Return at most `n_rows` order lines, the same ones each time, without anybody's id or words.

    The lines are drawn by a hash of customer, order and product, so the sample moves only with
    the data.
    """
    paths = (glob.escape(str(part)).replace("'", "''") for part in tables.parts("order_lines"))
    listed = ", ".join(f"'{path}'" for path in paths)
    columns = ", ".join([*NUMBERS, *CATEGORIES, "day"])
    query = f"""
        SELECT {columns} FROM read_parquet([{listed}])
        ORDER BY hash(customer_id, order_id, product_id, occurred_at, amount), amount
        LIMIT {n_rows}"""
    with open_engine() as engine:
        frame: pd.DataFrame = engine.execute(query).df()
    for name in CATEGORIES:
        frame[name] = _plain_categories(frame[name])
    return frame.dropna(axis="columns", how="all")


def _plain_categories(column: pd.Series) -> pd.Series:
    """Return a column as few words in which no markup can live."""
    plain = column.astype("string").str.replace(
        r"[<>&\"'`\\\\\x00-\x1f\u2028\u2029]", "·", regex=True
    )
    plain = plain.str.slice(0, 40)
    common = plain.value_counts().index[:MOST_CATEGORIES]
    return plain.where(plain.isin(common) | plain.isna(), "…").astype(object)


def write_data_summary(tables: Tables, path: Path) -> None:
    """Write Evidently's summary of a sample of the order lines as one HTML file.

    Parameters
    ----------
    tables : Tables
        What an ingestion left.
    path : Path
        The file to write.
    """
    from evidently import DataDefinition, Dataset, Report  # takes seconds: only once it is needed
    from evidently.presets import DataSummaryPreset

    frame = read_sample(tables)
    definition = DataDefinition(
        numerical_columns=[name for name in NUMBERS if name in frame],
        categorical_columns=[name for name in CATEGORIES if name in frame],
        datetime_columns=["day"],
    )
    dataset = Dataset.from_pandas(frame, data_definition=definition)
    snapshot = Report([DataSummaryPreset()]).run(dataset, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    page = snapshot.get_html_str(as_iframe=False)
    write_durably(path, page.encode())


def run_default_drift(
    current: NDArray[np.float64], reference: NDArray[np.float64], columns: Sequence[str]
) -> None:
    """Run Evidently's drift preset as it comes, for the time it takes; nothing is kept.

    Parameters
    ----------
    current, reference : array (n, len(columns))
        Rows to compare.
    columns : sequence of str
        Their names.
    """
    from evidently import Report
    from evidently.presets import DataDriftPreset

    frames = [pd.DataFrame(rows, columns=list(columns)) for rows in (current, reference)]
    Report([DataDriftPreset()]).run(frames[0], frames[1]).dict()
