"""Raw rows to validated rows: what is accepted, set aside with a code, or dropped by a rule.

Nothing here reads a file. One batch of cells goes in; out come the accepted rows in the
canonical schema, the quarantined ones with file, row, code and reason, and counts. Every row
goes exactly one way: the first rule that drops it, else the first check that it fails.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.ingestion.canonical import BUILDERS
from features.ingestion.files import RawBatch
from features.ingestion.outcomes import REASONS, Code
from features.ingestion.parse import (
    NumberStyle,
    filled_text_of,
    match_rows,
    parse_numbers,
    true_mask,
)
from features.ingestion.rows import Rows, SeenCustomers, Verdicts, map_rows
from features.ingestion.source import Drop, Files, Source
from features.tables import SCHEMAS

QUARANTINE = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),  # as a spreadsheet shows it
        pa.field("code", pa.string(), nullable=False),
        pa.field("column", pa.string()),  # the file's own name
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw", pa.map_(pa.string(), pa.string())),  # the cells as they were read
    ]
)
"""One row a quarantined record."""


@dataclass(frozen=True)
class BatchResult:
    """What became of one batch of raw rows; `n_undated` counts rows of whatever other fault."""

    accepted: pa.Table
    quarantined: pa.Table
    dropped: Counter[str]
    notes: Counter[str]
    n_undated: int


def read_batch(
    batch: RawBatch, files: Files, source: Source, file: str, seen: SeenCustomers | None = None
) -> BatchResult:
    """Validate one batch of raw rows.

    Parameters
    ----------
    batch : RawBatch
        Cells as they were read, the columns of look-ups beside them.
    files : Files
        What the columns mean.
    source : Source
        The source's clock and money.
    file : str
        Name of the file in the quarantine.
    seen : SeenCustomers, optional
        Customers that earlier batches described; updated for the table customers.

    Returns
    -------
    BatchResult
        Accepted rows in the schema of ``files.table``; amounts in the source's currency.
    """
    kept, dropped = _drop(batch, files)
    verdicts = Verdicts(kept.cells.num_rows)
    rows = Rows(kept.cells, files, source, verdicts, seen or SeenCustomers())
    _mark_nul(rows)
    values = BUILDERS[files.table](rows)
    good = pa.array(verdicts.codes == 0)
    schema = SCHEMAS[files.table]
    # Rows that failed may hold nulls; the schema is laid on only once they are gone.
    loose = pa.Table.from_arrays([values[name] for name in schema.names], names=schema.names)
    accepted = loose.filter(good).cast(schema)
    return BatchResult(
        accepted,
        _quarantine(kept, verdicts, files, file),
        dropped,
        verdicts.notes,
        verdicts.n_undated,
    )


def _drop(batch: RawBatch, files: Files) -> tuple[RawBatch, Counter[str]]:
    """Return the rows that no rule drops, and the number of each rule's."""
    keep = np.ones(batch.cells.num_rows, bool)
    dropped: Counter[str] = Counter()
    for drop in files.drop:
        hit = keep & _matches(batch.cells[drop.column], drop, files)
        dropped[drop.rule] += int(hit.sum())
        keep &= ~hit
    if keep.all():
        return batch, dropped
    return RawBatch(batch.cells.filter(pa.array(keep)), batch.rows[keep]), dropped


def _matches(column: pa.ChunkedArray, drop: Drop, files: Files) -> np.ndarray:
    if drop.at_most is not None:
        numbers = parse_numbers(column, NumberStyle(files.decimal, files.thousands)).values
        at_most: np.ndarray = numbers <= drop.at_most  # NaN is not
        return at_most
    text = filled_text_of(column, drop.column)
    if drop.blank:
        return true_mask(pc.is_null(text))
    if drop.prefix is not None:
        prefix = drop.prefix
        return match_rows(text, lambda distinct: pc.starts_with(distinct, prefix))
    return match_rows(text, lambda distinct: pc.is_in(distinct, value_set=pa.array(drop.equals)))


def _mark_nul(rows: Rows) -> None:
    if rows.files.format == "parquet":
        return
    for name in rows.files.needed_columns():
        cells = rows.cells[name]
        failed = true_mask(pc.match_substring(cells.combine_chunks(), "\x00"))
        if failed.any():
            rows.verdicts.mark_where(failed, Code.NUL_CHARACTER, name)


def _quarantine(batch: RawBatch, verdicts: Verdicts, files: Files, file: str) -> pa.Table:
    bad = verdicts.codes != 0
    codes = verdicts.codes[bad]
    cells = batch.cells.filter(pa.array(bad))
    labels = pa.array([code.label for code in Code])
    reasons = pa.array([REASONS[code]["en"] if code else "" for code in Code])
    columns = pa.array([*verdicts.columns, None], pa.string())
    return pa.table(
        [
            pa.array([file] * len(codes), pa.string()),
            pa.array(batch.rows[bad], pa.int64()),
            labels.take(pa.array(codes)),
            columns.take(pa.array(verdicts.column_of[bad])),
            reasons.take(pa.array(codes)),
            map_rows(cells, list(batch.cells.column_names)),
        ],
        schema=QUARANTINE,
    )


def quarantine_misfits(misfits: list[tuple[int, str]], file: str) -> pa.Table:
    """Return rows with too many or too few fields as quarantined rows, their text kept whole."""
    code = Code.WRONG_FIELD_COUNT
    return pa.table(
        {
            "file": [file] * len(misfits),
            "row": [row for row, _ in misfits],
            "code": [code.label] * len(misfits),
            "column": pa.nulls(len(misfits), pa.string()),
            "reason": [REASONS[code]["en"]] * len(misfits),
            "raw": pa.array([[("", text)] for _, text in misfits], QUARANTINE.field("raw").type),
        },
        schema=QUARANTINE,
    )
