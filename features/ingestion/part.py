"""Where the part of a raw file lies, and how it is written: the same rows give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = pa.schema([pa.field("row", pa.int64(), nullable=False)])


@dataclass(frozen=True)
class PartPaths:
    """The files that one raw file leaves behind in ``state/tables/SOURCE``.

    ``TABLE/NAME.parquet`` is what the other rooms read. Of a file that is sound by itself but
    does not fit the others, `whole` keeps the rows from before that was looked at, so that a
    later ingestion can look again without reading the raw file.
    """

    folder: Path
    table: str
    name: str

    @property
    def final(self) -> Path:
        """Accepted rows, in the canonical schema."""
        return self.folder / self.table / f"{self.name}.parquet"

    @property
    def rows(self) -> Path:
        """The number that each row of `whole` (or `final`) has in the raw file."""
        return self.folder / "kept" / f"{self.table}-{self.name}.rows.parquet"

    @property
    def whole(self) -> Path:
        """Rows accepted when the file was looked at by itself; only where `final` has fewer."""
        return self.folder / "kept" / f"{self.table}-{self.name}.whole.parquet"

    @property
    def aside(self) -> Path:
        """Rows set aside when the file was looked at by itself; only where there are any."""
        return self.folder / "quarantine" / f"{self.table}-{self.name}.parquet"

    @property
    def aside_later(self) -> Path:
        """Rows set aside because they do not fit other rows; only where there are any."""
        return self.folder / "quarantine" / f"{self.table}-{self.name}-later.parquet"


class PartWriter:
    """A parquet file under way, written batch by batch."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.n_rows = 0
        dense = {"row": "DELTA_BINARY_PACKED"} if schema == ROWS else None
        self._writer = pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=dense is None, column_encoding=dense
        )

    def __enter__(self) -> Self:
        return self

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if table.num_rows:
            self._writer.write_table(table)
            self.n_rows += table.num_rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()


def write_part(path: Path, table: pa.Table) -> None:
    """Write a whole part anew beside what is there, then in its place; links stay untouched."""
    new = path.with_name(f".{path.name}.new")
    with PartWriter(new, table.schema) as writer:
        writer.write(table)
    new.replace(path)
