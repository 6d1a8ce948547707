"""Raw files as batches of cells: digests, encodings, delimiters, quotes and headers are settled here.

Cells of a CSV or TSV stay text; Parquet keeps its types, for `features.ingestion.parse` to turn. Every file
is counted twice: once by a reader of its own (the strict reader of the standard library, the
footer of Parquet), once by the reader that delivers the cells.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.errors import InputError, did_you_mean
from features.ingestion.encodings import check_encoding
from features.ingestion.source import RawFile

BLOCK_BYTES = 16 << 20
BATCH_ROWS = 1 << 18
CELL_CHARACTERS = 8 << 20
PARQUET_MAGIC = b"PAR1"
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


@dataclass(frozen=True)
class RawBatch:
    """Some rows of a raw file: the cells asked for, and each row's number in the file.

    Rows are numbered as a spreadsheet shows them: a header is row 1; without one, and in
    Parquet, the first record is row 1.
    """

    cells: pa.Table
    rows: np.ndarray


@dataclass
class RawFileReader:
    """One opened raw file.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Digest of its bytes.
    n_records : int
        Records by the independent count, header and blank lines left out.
    names : tuple[str, ...]
        Its columns.
    misfits : list[tuple[int, str]]
        Row number and text of the rows with too many or too few fields, complete once
        `batches` is used up.
    """

    path: Path
    how: RawFile
    sha256: str
    n_records: int
    names: tuple[str, ...]
    misfits: list[tuple[int, str]] = field(default_factory=list)

    def batches(self, columns: list[str]) -> Iterator[RawBatch]:
        """Yield the cells of `columns` in the order of the file.

        Raises
        ------
        InputError
            If a column is not there, or Parquet is damaged.
        """
        for column in columns:
            self._check_column(column)
        if self.how.format == "parquet":
            yield from self._parquet_batches(columns)
        elif self.n_records:
            yield from self._csv_batches(columns)

    def _check_column(self, column: str) -> None:
        if column in self.names:
            return
        if len(self.names) == 1:
            _check_delimiter(self.path, self.how, self.names[0])
        raise InputError(
            f'{self.path}: no column "{column}"; {did_you_mean(column, self.names)}',
            "mend columns in the source's TOML, or the file's header",
        )

    def _csv_batches(self, columns: list[str]) -> Iterator[RawBatch]:
        places = [f"f{self.names.index(column)}" for column in columns]
        self.misfits.clear()

        def set_aside(row: pa_csv.InvalidRow) -> str:
            self.misfits.append((row.number, row.text))
            return "skip"

        stream = pa.input_stream(str(self.path))
        if self.how.encoding != "utf-8":
            stream = pa.transcoding_input_stream(stream, self.how.encoding, "utf-8")
        text = dict.fromkeys((f"f{i}" for i in range(len(self.names))), pa.string())
        with pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=list(text)
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.how.separator,
                quote_char=self.how.quote or False,
                newlines_in_values=bool(self.how.quote),
                invalid_row_handler=set_aside,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=text, include_columns=places, strings_can_be_null=False
            ),
        ) as reader:
            first = 1
            for batch in reader:
                rows = self._number_rows(first, batch.num_rows)
                first = int(rows[-1]) + 1 if len(rows) else first
                cells = pa.table(batch.columns, names=columns)
                if self.how.header is None and len(rows) and rows[0] == 1:
                    cells, rows = cells.slice(1), rows[1:]
                yield RawBatch(cells, rows)

    def _number_rows(self, first: int, n: int) -> np.ndarray:
        """Return the numbers of the next `n` rows, leaving out those that were set aside."""
        aside = [number for number, _ in self.misfits if number >= first]
        rows = np.arange(first, first + n + len(aside))
        return rows[~np.isin(rows, aside)][:n]

    def _parquet_batches(self, columns: list[str]) -> Iterator[RawBatch]:
        first = 1
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                    rows = np.arange(first, first + batch.num_rows)
                    first += batch.num_rows
                    yield RawBatch(pa.Table.from_batches([batch]).select(columns), rows)
        except (pa.ArrowException, OSError) as cause:
            raise _damaged(self.path, cause) from cause


def open_raw(path: Path, how: RawFile) -> RawFileReader:
    """Settle what can be settled about a raw file before its cells are read.

    Raises
    ------
    InputError
        If it is empty, in another encoding or format than declared, has a quote that is never
        closed, or two columns of one name.
    """
    with path.open("rb") as file:
        head = file.read(64 << 10)
    if not head.strip():
        raise InputError(f"{path} is empty; expected {how.format}", "check the export")
    if how.format == "parquet":
        return _open_parquet(path, how, head)
    if head.startswith(PARQUET_MAGIC):
        raise InputError(
            f"{path} is Parquet; the TOML says {how.format}", 'write format = "parquet"'
        )
    sha256 = check_encoding(path, how)
    names, n_records = count_records(path, how)
    _check_distinct(path, names)
    return RawFileReader(path, how, sha256, n_records, names)


def _open_parquet(path: Path, how: RawFile, head: bytes) -> RawFileReader:
    if not head.startswith(PARQUET_MAGIC):
        raise InputError(
            f"{path} is not Parquet; the TOML says parquet", 'write format = "csv", or mend paths'
        )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        with pq.ParquetFile(path) as parquet:
            names, n_records = tuple(parquet.schema_arrow.names), parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as cause:
        raise _damaged(path, cause) from cause
    _check_distinct(path, names)
    return RawFileReader(path, how, sha256, n_records, names)


def _damaged(path: Path, cause: Exception) -> InputError:
    first_line = (str(cause).splitlines() or ["unreadable"])[0]
    return InputError(
        f"{path} is truncated or damaged Parquet ({first_line})", "export or copy the file again"
    )


def _check_distinct(path: Path, names: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise InputError(
                f'{path} has two columns named "{name}"; expected distinct names',
                "rename one of them in the file",
            )
        seen.add(name)


def count_records(path: Path, how: RawFile) -> tuple[tuple[str, ...], int]:
    """Return the header and the number of records, by the strict reader of the standard library.

    Blank lines are no records. Memory is bounded by the longest record.

    Raises
    ------
    InputError
        If a quote is never closed or stands where none may.
    """
    encoding = "utf-8-sig" if how.encoding == "utf-8" else how.encoding
    earlier = csv.field_size_limit(CELL_CHARACTERS)
    n_records, last_line = 0, 0
    names = how.header
    try:
        with path.open(encoding=encoding, newline="") as file:
            reader = csv.reader(
                file,
                delimiter=how.separator,
                quotechar=how.quote or None,
                quoting=csv.QUOTE_MINIMAL if how.quote else csv.QUOTE_NONE,
                strict=True,
            )
            for record in reader:
                if not record:
                    continue
                if names is None:
                    names = tuple(record)
                else:
                    n_records += 1
                last_line = reader.line_num
    except csv.Error as cause:
        raise InputError(
            f"{path}: a quote is not closed, or stands where none may, in the record that begins "
            f"on line {last_line + 1} ({cause})",
            'close the quote, double quotes inside quotes, or write quote = "" if none are meant',
        ) from cause
    finally:
        csv.field_size_limit(earlier)
    return names or (), n_records


def _check_delimiter(path: Path, how: RawFile, header: str) -> None:
    """Refuse a one-column header that another delimiter would part."""
    for delimiter, word in DELIMITERS.items():
        if delimiter != how.separator and delimiter in header:
            escaped = "\\t" if delimiter == "\t" else delimiter
            raise InputError(
                f"{path}: the delimiter is not {how.separator!r}; the header looks parted by "
                f"{word}",
                f'write delimiter = "{escaped}" in the source\'s TOML',
            )
