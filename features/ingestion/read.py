"""Raw rows to validated rows: what is accepted, set aside with a code, or dropped by a rule.

Nothing here reads a file. One batch of cells goes in; out come the accepted rows in the
canonical schema, the quarantined ones with file, row, code and reason, and counts. Every row
goes exactly one way: the first rule that drops it, else the first check that it fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.identity import door_id
from features.ingestion.canonical import BUILDERS
from features.ingestion.encodings import MARK
from features.ingestion.file_settings import Drop, Files
from features.ingestion.outcomes import REASONS, Code
from features.ingestion.parse import (
    NumberStyle,
    filled_text_of,
    match_rows,
    one_array,
    parse_numbers,
    text_of,
    true_mask,
)
from features.ingestion.raw import RawBatch
from features.ingestion.rows import Rows, Verdicts, map_rows
from features.ingestion.source import Source
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


People = Mapping[str, frozenset[str]]
"""Customer ids whose rows are dropped, by the name of the rule."""


@dataclass(frozen=True)
class BatchResult:
    """What became of one batch of raw rows.

    `rows` are the numbers of the accepted rows in the file; `n_undated` counts rows without a
    date, of whatever other fault.
    """

    accepted: pa.Table
    rows: np.ndarray
    quarantined: pa.Table
    dropped: Counter[str]
    notes: Counter[str]
    n_undated: int


def read_batch(
    batch: RawBatch,
    files: Files,
    source: Source,
    file: str,
    people: People | None = None,
    lang: str = "en",
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
    people : People, optional
        Whose rows are dropped before anything else is looked at.
    lang : str
        Language of the reasons in the quarantine.

    Returns
    -------
    BatchResult
        Accepted rows in the schema of ``files.table``; amounts in the source's currency.
    """
    kept, dropped = _drop(batch, files, people or {})
    verdicts = Verdicts(kept.cells.num_rows)
    rows = Rows(kept.cells, files, source, verdicts)
    _mark_broken_text(rows)
    values = BUILDERS[files.table](rows)
    good = verdicts.codes == 0
    schema = SCHEMAS[files.table]
    # Rows that failed may hold nulls; the schema is laid on only once they are gone.
    loose = pa.Table.from_arrays([values[name] for name in schema.names], names=schema.names)
    return BatchResult(
        loose.filter(pa.array(good)).cast(schema),
        kept.rows[good],
        quarantine_rows(kept, verdicts, file, lang),
        dropped,
        verdicts.notes,
        verdicts.n_undated,
    )


def _drop(batch: RawBatch, files: Files, people: People) -> tuple[RawBatch, Counter[str]]:
    """Return the rows that no rule drops, and the number of each rule's."""
    keep = np.ones(batch.cells.num_rows, bool)
    dropped: Counter[str] = Counter()
    for rule, ids in people.items():
        hit = keep & _is_of(batch.cells, files, ids)
        dropped[rule] += int(hit.sum())
        keep &= ~hit
    for drop in files.drop:
        hit = keep & _matches(batch.cells[drop.column], drop, files)
        dropped[drop.rule] += int(hit.sum())
        keep &= ~hit
    if keep.all():
        return batch, dropped
    return RawBatch(batch.cells.filter(pa.array(keep)), batch.rows[keep]), dropped


def _is_of(cells: pa.Table, files: Files, ids: frozenset[str]) -> np.ndarray:
    """Return which rows are of these people, themselves or through their account."""
    hit = np.zeros(cells.num_rows, bool)
    for name in ("customer_id", "account"):
        column = files.column(name)
        if column is not None:
            hit |= match_rows(
                text_of(cells[column], column),
                lambda t: pa.array(
                    [one is not None and door_id(one) in ids for one in t.to_pylist()]
                ),
            )
    return hit


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


def _mark_broken_text(rows: Rows) -> None:
    if rows.files.format == "parquet":
        return
    for name in rows.files.needed_columns():
        cells = one_array(rows.cells[name])
        if not pa.types.is_string(cells.type):
            continue
        for sign, code in (("\x00", Code.NUL_CHARACTER), (MARK, Code.UNDECODABLE)):
            failed = true_mask(pc.match_substring(cells, sign))
            if failed.any():
                rows.verdicts.mark_where(failed, code, name)


def quarantine_rows(batch: RawBatch, verdicts: Verdicts, file: str, lang: str) -> pa.Table:
    """Return the rows of a batch that failed a check, each with its reason and cells."""
    bad = verdicts.codes != 0
    codes = verdicts.codes[bad]
    cells = batch.cells.filter(pa.array(bad))
    labels = pa.array([code.label for code in Code])
    reasons = pa.array([REASONS[code][lang] if code else "" for code in Code])
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


def quarantine_misfits(misfits: list[tuple[int, str]], file: str, lang: str = "en") -> pa.Table:
    """Return rows with too many or too few fields as quarantined rows, their text kept whole."""
    code = Code.WRONG_FIELD_COUNT
    return pa.table(
        {
            "file": [file] * len(misfits),
            "row": [row for row, _ in misfits],
            "code": [code.label] * len(misfits),
            "column": pa.nulls(len(misfits), pa.string()),
            "reason": [REASONS[code][lang]] * len(misfits),
            "raw": pa.array([[("", text)] for _, text in misfits], QUARANTINE.field("raw").type),
        },
        schema=QUARANTINE,
    )


def drop_misfits(
    misfits: list[tuple[int, str]], separator: str, people: People
) -> tuple[list[tuple[int, str]], Counter[str]]:
    """Return the misfits without those that name one of the people, and the number of each rule's."""
    kept, dropped = [], Counter[str]()
    for row, text in misfits:
        fields = {door_id(one.strip('" \r\n')) for one in text.split(separator)}
        rule = next((rule for rule, ids in people.items() if ids & fields), None)
        if rule is None:
            kept.append((row, text))
        else:
            dropped[rule] += 1
    return kept, dropped
