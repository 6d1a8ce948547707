"""Rows under way: cells asked for by their canonical names, and the first failed check of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.ingestion.file_settings import Files
from features.ingestion.moments import Clock, Moments, parse_moments
from features.ingestion.outcomes import Code
from features.ingestion.parse import (
    NumberStyle,
    filled_text_of,
    parse_numbers,
    text_of,
)
from features.ingestion.source import Source


@dataclass
class Verdicts:
    """The first failed check of each row, and the column it was found in."""

    n: int
    notes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.codes = np.zeros(self.n, np.uint8)
        self.columns: list[str] = []
        self.n_undated = 0
        self.column_of = np.full(self.n, -1)

    def mark(self, codes: np.ndarray, column: str) -> None:
        """Record codes where no earlier check failed."""
        fresh = (self.codes == 0) & (codes != 0)
        self.codes[fresh] = codes[fresh]
        self.column_of[fresh] = len(self.columns)
        self.columns.append(column)

    def mark_where(self, failed: np.ndarray, code: Code, column: str) -> None:
        """Record one code where `failed`."""
        self.mark(np.where(failed, code, Code.ACCEPTED).astype(np.uint8), column)

    def note(self, name: str, n: int) -> None:
        """Count something that was put right or derived."""
        if n:
            self.notes[name] += n


@dataclass(frozen=True)
class Rows:
    """A batch under way: its cells, how to read them, and the verdicts so far."""

    cells: pa.Table
    files: Files
    source: Source
    verdicts: Verdicts

    def text(self, name: str) -> pa.Array | None:
        """Return a mapped or constant column as text, null where blank; None if not given."""
        if name in self.files.constants:
            return pa.array([self.files.constants[name]] * self.cells.num_rows, pa.string())
        column = self.files.column(name)
        return None if column is None else filled_text_of(self.cells[column], column)

    def number(self, name: str, missing: Code = Code.ACCEPTED) -> np.ndarray | None:
        """Return a mapped column, or the sum of several, as numbers; None if not given."""
        style = NumberStyle(self.files.decimal, self.files.thousands)
        total: np.ndarray | None = None
        for column in self.files.columns.get(name, ()):
            read = parse_numbers(self.cells[column], style, missing)
            self.verdicts.mark(read.codes, column)
            self.verdicts.note("full_width_numbers", read.n_normalised)
            total = read.values if total is None else total + read.values
        return total

    def moments(self, name: str) -> Moments | None:
        """Return a mapped column, or several joined by a space, as moments."""
        columns = self.files.columns.get(name)
        if columns is None:
            return None
        cells = self.cells[columns[0]]
        if len(columns) > 1:
            texts = [pc.fill_null(text_of(self.cells[c], c), "") for c in columns]
            cells = pc.binary_join_element_wise(*texts, " ")
        clock = Clock(
            date_format=self.files.date_format,
            time_zone=self.source.time_zone,
            times_in=self.files.times_in or self.source.time_zone,
            date_only=self.files.date_only,
        )
        return parse_moments(cells, columns[0], clock)


def map_rows(cells: pa.Table, columns: list[str]) -> pa.Array:
    """Return columns as one map a row, name to text; blank cells stay null."""
    n, k = cells.num_rows, len(columns)
    offsets = pa.array(np.arange(n + 1) * k, pa.int32())
    if not k or not n:
        empty = pa.array([], pa.string())
        return pa.MapArray.from_arrays(pa.array(np.zeros(n + 1), pa.int32()), empty, empty)
    names = pa.array(columns).take(pa.array(np.tile(np.arange(k), n)))
    by_column = pa.concat_arrays([text_of(cells[column], column) for column in columns])
    by_row = (np.arange(n)[:, None] + n * np.arange(k)).ravel()
    return pa.MapArray.from_arrays(offsets, names, by_column.take(pa.array(by_row)))
