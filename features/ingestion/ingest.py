"""A whole source, from its TOML to validated tables: one part a raw file, and the account."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from features.durable import hold_lock, replace_folder, write_durably
from features.errors import ConfigError, InputError
from features.ingestion.account import Account, FileAccount, LookupAccount, SkippedFile
from features.ingestion.files import RawBatch, RawFileReader, open_raw
from features.ingestion.locate import resolve_paths, resolve_root
from features.ingestion.lookups import LookupTable, join_lookup, read_lookup
from features.ingestion.outcomes import UNDATED, Code
from features.ingestion.read import QUARANTINE, BatchResult, quarantine_misfits, read_batch
from features.ingestion.rows import SeenCustomers
from features.ingestion.source import Files, Source, read_source
from features.tables import SCHEMAS


def ingest(source_path: Path, state: Path) -> Account:
    """Read, validate and keep all files of a source under ``state/tables/SOURCE``.

    The new tables take the place of earlier ones only when all of them are whole; an error,
    Ctrl-C or a kill leaves the earlier ones as they were.

    Raises
    ------
    ConfigError
        If the source's TOML is wrong.
    InputError
        If a file cannot be used, or no order line is accepted.
    LockedError
        If another ingestion of this source runs.
    """
    source = read_source(source_path)
    root = resolve_root(source, source_path)
    target = state / "tables" / source.name
    _check_writable(state)
    lock = target.with_name(f".{source.name}.lock")
    try:
        with hold_lock(lock), replace_folder(target) as folder:
            account = _ingest_into(folder, source, root)
            write_durably(folder / "ingest.json", account.as_json())
    except OSError as cause:
        raise InputError(
            f"{cause.filename or target}: {cause.strerror or cause}; expected to read {root} and "
            f"write {target}",
            "check rights and free space; the earlier tables are as they were",
        ) from cause
    return account


def _check_writable(state: Path) -> None:
    try:
        (state / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ConfigError(
            f"{state} cannot be written ({cause.strerror}); expected a folder for results",
            "choose another folder with --state",
        ) from cause


def _ingest_into(folder: Path, source: Source, root: Path) -> Account:
    account = Account(
        source.name, source.currency, source.time_zone, source.value, source.data_complete_before
    )
    seen = SeenCustomers()
    for files in source.files:
        lookups = [read_lookup(lookup, root) for lookup in files.lookup]
        account.lookups += [
            LookupAccount(table.lookup.path, table.sha256, table.n_records) for table in lookups
        ]
        reading = _Reading(folder, source, files, lookups, seen)
        for path in resolve_paths(files, root):
            _ingest_file(path, path.relative_to(root).as_posix(), reading, account)
    _ = account.history_start  # refuses a source without any accepted order line
    return account


@dataclass(frozen=True)
class _Reading:
    """All that the raw files of one ``[[files]]`` have in common."""

    folder: Path
    source: Source
    files: Files
    lookups: list[LookupTable]
    seen: SeenCustomers


def _ingest_file(path: Path, name: str, reading: _Reading, account: Account) -> None:
    table = reading.files.table
    raw = open_raw(path, reading.files)
    for earlier in account.files:
        if (earlier.table, earlier.sha256) == (table, raw.sha256):
            skipped = SkippedFile(table, name, raw.sha256, raw.n_records, earlier.file)
            account.skipped.append(skipped)
            return
    tally = _Tally()
    with (
        _Part(reading.folder / table / f"{raw.sha256}.parquet", SCHEMAS[table]) as part,
        _Part(reading.folder / "quarantine" / f"{table}-{raw.sha256}.parquet", QUARANTINE) as aside,
        tqdm(total=raw.n_records, desc=name, unit=" rows", delay=2.0, leave=False) as bar,
    ):
        for batch in raw.batches(reading.files.needed_columns()):
            joined = _join(batch, reading.lookups, tally)
            result = read_batch(joined, reading.files, reading.source, name, reading.seen)
            part.write(result.accepted)
            aside.write(result.quarantined)
            tally.add(result)
            bar.update(len(batch.rows))
        misfits = quarantine_misfits(raw.misfits, name)
        aside.write(misfits)
        tally.count_codes(misfits)
    done = FileAccount(
        table=table,
        file=name,
        sha256=raw.sha256,
        records=raw.n_records,
        accepted=pq.read_metadata(part.path).num_rows,
        quarantined=dict(sorted(tally.quarantined.items())),
        dropped=dict(tally.dropped),
        notes=dict(sorted(tally.notes.items())),
        unmatched=dict(tally.unmatched),
        part_sha256=_sha256(part.path),
        first_day=min(tally.days, default=None),
        last_day=max(tally.days, default=None),
    )
    _check_shape(path, raw, done)
    _check_dated(path, done, tally)
    done.check_conservation()
    account.files.append(done)
    if not aside.n_rows:
        aside.path.unlink()


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


class _Part:
    """A parquet file under way, written batch by batch; the same rows give the same bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.n_rows = 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def __enter__(self) -> _Part:
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_shape(path: Path, raw: RawFileReader, done: FileAccount) -> None:
    """Refuse a file of which no row has as many fields as its header."""
    if done.records and len(raw.misfits) == done.records:
        row, text = raw.misfits[0]
        raise InputError(
            f"{path}: no row has the {len(raw.names)} fields of the header (row {row}: "
            f"{text[:60]!r}); expected a table",
            "check delimiter, quote and header in the source's TOML",
        )


def _check_dated(path: Path, done: FileAccount, tally: _Tally) -> None:
    """Refuse a file that has rows, of which none can be dated."""
    n_rows = done.records - sum(done.dropped.values())
    n_misfits = done.quarantined.get(Code.WRONG_FIELD_COUNT.label, 0)
    if not tally.n_undated or tally.n_undated < n_rows - n_misfits:
        return
    example = tally.example or {}
    raw, column = example.get("raw"), example.get("column")
    cell = dict(raw).get(column) if isinstance(raw, list) else None
    raise InputError(
        f'{path}: every row is undated (row {example.get("row")}, column "{column}": {cell!r}); '
        "expected dates as date_format says",
        'declare date_format under [[files]], such as date_format = "%d/%m/%Y"',
    )
