"""One raw file to its part: accepted rows, rows set aside, and the account of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from features.config import IngestionSettings
from features.errors import InputError
from features.ingestion.account import FileAccount
from features.ingestion.across import Engine, find_duplicates
from features.ingestion.date_texts import EXAMPLE_FORMAT, suggest_format
from features.ingestion.file_settings import Files
from features.ingestion.files import hash_file, open_raw
from features.ingestion.locate import read_partitions
from features.ingestion.lookups import LookupTable, join_lookup, read_lookup
from features.ingestion.outcomes import UNDATED, Code
from features.ingestion.part import ROWS, PartPaths, PartWriter, write_part
from features.ingestion.raw import RawBatch, RawReader
from features.ingestion.read import (
    QUARANTINE,
    BatchResult,
    People,
    drop_misfits,
    quarantine_misfits,
    read_batch,
)
from features.ingestion.source import Source
from features.tables import SCHEMAS


@dataclass(frozen=True)
class Reading:
    """All that the raw files of one ``[[files]]`` have in common.

    Look-ups are read only once a file needs them.
    """

    folder: Path
    root: Path
    source: Source
    files: Files
    people: People
    limits: IngestionSettings
    lang: str
    engine: Engine

    @cached_property
    def lookups(self) -> list[LookupTable]:
        """The look-up files in memory."""
        return [read_lookup(lookup, self.root, self.limits) for lookup in self.files.lookup]


@dataclass(frozen=True)
class FileRead:
    """A raw file that has become a part."""

    account: FileAccount
    kinds: dict[str, str]


def read_file(path: Path, paths: PartPaths, sha256: str, reading: Reading) -> FileRead:
    """Validate a raw file into its part.

    Parameters
    ----------
    path : Path
        The raw file.
    paths : PartPaths
        Where its part is to lie.
    sha256 : str
        Digest of its bytes.
    reading : Reading
        What its columns mean.

    Raises
    ------
    InputError
        If the file cannot be used; nothing of it is kept then.
    TierwiseError
        If a record got lost on the way.
    """
    name = path.relative_to(reading.root).as_posix()
    tally = _Tally()
    partitions = read_partitions(path, reading.root)
    with (
        open_raw(path, reading.files, reading.limits, partitions) as raw,
        PartWriter(paths.final, SCHEMAS[paths.table]) as part,
        PartWriter(paths.rows, ROWS) as numbers,
        PartWriter(paths.aside, QUARANTINE) as aside,
        tqdm(
            total=raw.n_records, desc=name, unit=" rows", delay=2.0, leave=False, disable=None
        ) as bar,
    ):
        for batch in raw.batches(reading.files.needed_columns()):
            joined = _join(batch, reading.lookups, tally)
            result = read_batch(
                joined, reading.files, reading.source, name, reading.people, reading.lang
            )
            part.write(result.accepted)
            numbers.write(pa.table([pa.array(result.rows, pa.int64())], schema=ROWS))
            aside.write(result.quarantined)
            tally.add(result)
            bar.update(len(batch.rows))
        kept, dropped = drop_misfits(raw.misfits, reading.files.separator, reading.people)
        misfits = quarantine_misfits(kept, name, reading.lang)
        tally.dropped.update(dropped)
        aside.write(misfits)
        tally.count_codes(misfits)
    if not aside.n_rows:
        aside.path.unlink()
    _settle_duplicates(paths, reading, tally)
    done = _account_of(name, paths, sha256, raw, tally)
    _check_shape(path, raw, done)
    _check_dated(path, done, tally)
    done.check_conservation()
    return FileRead(done, raw.kinds)


def _account_of(
    name: str, paths: PartPaths, sha256: str, raw: RawReader, tally: _Tally
) -> FileAccount:
    return FileAccount(
        table=paths.table,
        file=name,
        sha256=sha256,
        records=raw.n_records,
        accepted=pq.read_metadata(paths.final).num_rows,
        quarantined=dict(sorted(tally.quarantined.items())),
        dropped=dict(tally.dropped),
        notes=dict(sorted(tally.notes.items())),
        unmatched=dict(tally.unmatched),
        part_sha256=hash_file(paths.final),
        first_day=min(tally.days, default=None),
        last_day=max(tally.days, default=None),
        median_amount=_median_amount(paths),
    )


def _median_amount(paths: PartPaths) -> float | None:
    """Return the median of the positive amounts of a part of order lines."""
    if paths.table != "order_lines":
        return None
    amounts = pq.read_table(paths.final, columns=["amount"])["amount"].to_numpy()
    positive = amounts[amounts > 0]
    return float(np.median(positive)) if len(positive) else None


def _settle_duplicates(paths: PartPaths, reading: Reading, tally: _Tally) -> None:
    """Count the rows that are equal to an earlier one of the file; leave them out by rule."""
    if paths.table == "customers":
        return  # a customer given twice is looked at later, with all files
    places = find_duplicates(reading.engine, paths.final)
    if not len(places):
        return
    if reading.files.duplicates == "keep":
        tally.notes["exact_duplicates"] += len(places)
        return
    tally.dropped["exact_duplicates"] += len(places)
    for path in (paths.final, paths.rows):
        table = pq.read_table(path, schema=pq.read_schema(path))
        keep = np.ones(table.num_rows, bool)
        keep[places] = False
        write_part(path, table.filter(pa.array(keep)))


def _join(batch: RawBatch, lookups: list[LookupTable], tally: _Tally) -> RawBatch:
    cells = batch.cells
    for table in lookups:
        cells, n_unmatched = join_lookup(cells, table)
        tally.unmatched[f"{table.lookup.path} by {table.lookup.key}"] += n_unmatched
    return RawBatch(cells, batch.rows)


class _Tally:
    """Counts of one raw file, added up over its batches."""

    def __init__(self) -> None:
        self.quarantined: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.unmatched: Counter[str] = Counter()
        self.days: list[str] = []
        self.n_undated = 0
        self.example: dict[str, object] | None = None

    def add(self, result: BatchResult) -> None:
        """Count one batch."""
        self.count_codes(result.quarantined)
        self.dropped.update(result.dropped)
        self.notes.update(result.notes)
        self.n_undated += result.n_undated
        if result.accepted.num_rows and "day" in result.accepted.column_names:
            days = pc.min_max(result.accepted["day"])
            self.days += [days["min"].as_py().isoformat(), days["max"].as_py().isoformat()]

    def count_codes(self, quarantined: pa.Table) -> None:
        """Count quarantined rows by code and keep one undated row as an example."""
        for pair in pc.value_counts(quarantined["code"]).to_pylist():
            self.quarantined[pair["values"]] += pair["counts"]
        if self.example is None:
            labels = pa.array([code.label for code in UNDATED])
            undated = quarantined.filter(pc.is_in(quarantined["code"], value_set=labels))
            self.example = undated.slice(0, 1).to_pylist()[0] if undated.num_rows else None


def _check_shape(path: Path, raw: RawReader, done: FileAccount) -> None:
    """Refuse a file of which no row has as many fields as its header."""
    if done.records and len(raw.misfits) == done.records:
        row, text = raw.misfits[0]
        shown = repr(text[:60])
        raise InputError.of("no_row_fits", path=path, n=len(raw.names), row=row, text=shown)


def _check_dated(path: Path, done: FileAccount, tally: _Tally) -> None:
    """Refuse a file that has rows, of which none can be dated."""
    n_rows = done.records - sum(done.dropped.values())
    n_misfits = done.quarantined.get(Code.WRONG_FIELD_COUNT.label, 0)
    if not tally.n_undated or tally.n_undated < n_rows - n_misfits:
        return
    example = tally.example or {}
    raw, column = example.get("raw"), example.get("column")
    cell = dict(raw).get(column) if isinstance(raw, list) else None
    raise InputError.of(
        "no_row_dated",
        path=path,
        row=example.get("row"),
        column=column,
        cell=repr(cell),
        to_try=suggest_format(cell) or EXAMPLE_FORMAT,
    )
