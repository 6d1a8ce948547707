"""CSV and TSV: every cell stays text, records are counted by a second reader of another make."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from features.errors import InputError
from features.ingestion.encodings import MARKING, MarkedStream, check_encoding
from features.ingestion.raw import RawBatch, RawReader
from features.messages import Words

BLOCK_BYTES = 16 << 20
DELIMITERS: dict[str, Words] = {
    ",": {"en": "a comma", "zh": "逗号"},
    ";": {"en": "a semicolon", "zh": "分号"},
    "\t": {"en": "a tab", "zh": "制表符"},
    "|": {"en": "a bar", "zh": "竖线"},
}


class CsvReader(RawReader):
    """A text file parted by a delimiter; rows that hold `encodings.MARK` did not decode."""

    n_undecodable = 0

    def open(self) -> CsvReader:
        """Settle encoding, quotes, header and number of records.

        Raises
        ------
        InputError
            If one of them is not as declared, or something is too large.
        """
        longest_line = 64 * self.limits.longest_cell
        self.n_undecodable = check_encoding(self.path, self.how, longest_line)
        self.names, self.n_records = self._count_records()
        self._check_shape()
        return self

    def _check_column(self, column: str) -> None:
        if len(self.names) == 1 and column not in self.names:
            self._check_delimiter(self.names[0])
        super()._check_column(column)

    def _check_delimiter(self, header: str) -> None:
        """Refuse a one-column header that another delimiter would part."""
        for delimiter, word in DELIMITERS.items():
            if delimiter != self.how.separator and delimiter in header:
                raise InputError.of(
                    "wrong_delimiter",
                    path=self.path,
                    delimiter=repr(self.how.separator),
                    word=word,
                    escaped="\\t" if delimiter == "\t" else delimiter,
                )

    def _count_records(self) -> tuple[tuple[str, ...], int]:
        """Return the header and the number of records, by the standard library's strict reader.

        Blank lines are no records. Memory is bounded by the longest record.
        """
        earlier = csv.field_size_limit(self.limits.longest_cell)
        n_records, last_line = 0, 0
        names = self.how.header
        try:
            for line, record in self._records():
                if names is None:
                    names = tuple(record)
                else:
                    n_records += 1
                    if n_records > self.limits.most_rows:
                        limit = self.limits.most_rows
                        raise InputError.of("too_many_rows", path=self.path, limit=limit)
                last_line = line
        except csv.Error as cause:
            if "field limit" in str(cause):
                where = f"line {last_line + 1}"
                limit = self.limits.longest_cell
                raise InputError.of(
                    "cell_too_long", path=self.path, where=where, limit=limit
                ) from cause
            raise InputError.of(
                "open_quote", path=self.path, line=last_line + 1, why=cause
            ) from cause
        finally:
            csv.field_size_limit(earlier)
        return names or (), n_records

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        encoding = "utf-8-sig" if self.how.encoding == "utf-8" else self.how.encoding
        errors = MARKING if self.n_undecodable else "strict"
        with self.path.open(encoding=encoding, errors=errors, newline="") as file:
            reader = csv.reader(
                file,
                delimiter=self.how.separator,
                quotechar=self.how.quote or None,
                quoting=csv.QUOTE_MINIMAL if self.how.quote else csv.QUOTE_NONE,
                strict=True,
            )
            for record in reader:
                if record:
                    yield reader.line_num, record

    def _read(self, columns: list[str]) -> Iterator[RawBatch]:
        if not self.n_records:
            return
        places = [f"f{self.names.index(column)}" for column in columns]
        self.misfits.clear()
        first = 1
        try:
            with self._stream() as stream, self._open_batches(stream, places) as reader:
                for batch in reader:
                    rows = self._number_rows(first, batch.num_rows)
                    first = int(rows[-1]) + 1 if len(rows) else first
                    cells = pa.table(batch.columns, names=columns)
                    if self.how.header is None and len(rows) and rows[0] == 1:
                        cells, rows = cells.slice(1), rows[1:]
                    yield RawBatch(cells, rows)
        except pa.ArrowException as cause:
            why = str(cause).splitlines()[0]
            raise InputError.of("records_do_not_agree", path=self.path, why=why) from cause

    @contextmanager
    def _stream(self) -> Iterator[pa.NativeFile]:
        if self.n_undecodable:
            with MarkedStream(self.path, self.how.encoding) as marked:
                yield pa.PythonFile(marked, mode="r")
            return
        with pa.input_stream(str(self.path), compression=None) as plain:
            if self.how.encoding == "utf-8":
                yield plain
            else:
                yield pa.transcoding_input_stream(plain, self.how.encoding, "utf-8")

    def _open_batches(self, stream: pa.NativeFile, places: list[str]) -> pa_csv.CSVStreamingReader:
        def set_aside(row: pa_csv.InvalidRow) -> str:
            self.misfits.append((row.number, row.text))
            return "skip"

        text = dict.fromkeys((f"f{i}" for i in range(len(self.names))), pa.string())
        return pa_csv.open_csv(
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
        )

    def _number_rows(self, first: int, n: int) -> np.ndarray:
        """Return the numbers of the next `n` rows, leaving out those that were set aside."""
        aside = [number for number, _ in self.misfits if number >= first]
        rows = np.arange(first, first + n + len(aside))
        return rows[~np.isin(rows, aside)][:n]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a small UTF-8 file without their ends; blank ones are left out."""
    text = path.read_text(encoding="utf-8-sig")
    return [line for line in text.split("\n") if line.strip()]
