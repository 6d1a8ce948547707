"""A raw file as batches of cells, whatever its format: what every reader has and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.config import IngestionSettings
from features.errors import InputError, hint
from features.ingestion.file_settings import RawFile


@dataclass(frozen=True)
class RawBatch:
    """Some rows of a raw file: the cells asked for, and each row's number in the file.

    Rows are numbered as a spreadsheet shows them: a header is row 1; without one, and in
    Parquet, the first record is row 1.
    """

    cells: pa.Table
    rows: np.ndarray


@dataclass
class RawReader:
    """One opened raw file; leave it by ``with``, so that nothing stays open behind it.

    Attributes
    ----------
    path : Path
        The file.
    how : RawFile
        How it is written.
    limits : IngestionSettings
        What is too large.
    partitions : Mapping[str, str | None]
        Columns that the names of its folders bear (``key=value``).
    names : tuple[str, ...]
        Its columns.
    kinds : dict[str, str]
        What kind of values each column holds, of a format that has types.
    n_records : int
        Records by a count of its own, header and blank lines left out.
    misfits : list[tuple[int, str]]
        Row number and text of the rows with too many or too few fields, complete once
        `batches` is used up.
    """

    path: Path
    how: RawFile
    limits: IngestionSettings
    partitions: Mapping[str, str | None]
    names: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    n_records: int = 0
    misfits: list[tuple[int, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what the reader holds."""

    def batches(self, columns: list[str]) -> Iterator[RawBatch]:
        """Yield the cells of `columns` in the order of the file.

        Raises
        ------
        InputError
            If a column is not there, a cell is too long, or the file is damaged.
        """
        for column in columns:
            self._check_column(column)
        inside = [column for column in columns if column not in self.partitions]
        for batch in self._read(inside or [self.names[0]]):
            cells = batch.cells
            for column in inside:
                self._check_lengths(cells[column], column)
            for name in columns:
                if name in self.partitions:
                    told = pa.array([self.partitions[name]] * len(batch.rows), pa.string())
                    cells = cells.append_column(name, told)
            yield RawBatch(cells.select(columns), batch.rows)

    def _read(self, columns: list[str]) -> Iterator[RawBatch]:
        raise NotImplementedError

    def _check_column(self, column: str) -> None:
        if column in self.partitions:
            if column in self.names:
                raise InputError.of("partition_and_column", path=self.path, column=column)
        elif column not in self.names:
            close = hint(column, [*self.names, *self.partitions])
            raise InputError.of("no_column", path=self.path, column=column, hint=close)

    def _check_lengths(self, column: pa.ChunkedArray, name: str) -> None:
        kind = column.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return
        limit = self.limits.longest_cell
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest > limit and (pc.max(pc.utf8_length(column)).as_py() or 0) > limit:
            raise InputError.of("cell_too_long", path=self.path, where=name, limit=limit)

    def _check_shape(self) -> None:
        """Refuse a header with too many columns or two of one name."""
        if len(self.names) > self.limits.most_columns:
            limit = self.limits.most_columns
            raise InputError.of("too_many_columns", path=self.path, n=len(self.names), limit=limit)
        seen: set[str] = set()
        for name in self.names:
            if name and name in seen:
                raise InputError.of("two_columns_of_one_name", path=self.path, column=name)
            seen.add(name)
