"""A whole source, from its TOML to validated tables: one part a raw file, and the account."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from features.config import IngestionSettings
from features.durable import hold_lock, replace_folder, write_durably
from features.errors import ConfigError, InputError
from features.ingestion.account import Account, LookupAccount, SkippedFile
from features.ingestion.across import Engine, find_misfits, open_engine
from features.ingestion.file_settings import Files
from features.ingestion.files import check_size, hash_file
from features.ingestion.locate import (
    read_left_out,
    resolve_lookup,
    resolve_paths,
    resolve_root,
)
from features.ingestion.one_file import FileRead, Reading, read_file
from features.ingestion.part import PartPaths
from features.ingestion.read import People
from features.ingestion.reuse import (
    RECORD,
    EarlierParts,
    KeptPart,
    hash_reading,
    hash_rows,
    record_parts,
)
from features.ingestion.settle import Settled, settle
from features.ingestion.source import Source, read_source
from features.messages import Words

NO_VALUE = "nothing"
KINDS = {
    "text": "文本",
    "integer": "整数",
    "number": "小数",
    "date": "日期",
    "time stamp": "时间戳",
    "time stamp with zone": "带时区的时间戳",
    "bool": "布尔值",
}


def ingest(
    source_path: Path,
    state: Path,
    limits: IngestionSettings | None = None,
    lang: str = "en",
) -> Account:
    """Read, validate and keep all files of a source under ``state/tables/SOURCE``.

    Raw files that the last ingestion has read under the same rules are not read again. The new
    tables take the place of earlier ones only when all of them are whole; an error, Ctrl-C or a
    kill leaves the earlier ones as they were.

    Parameters
    ----------
    source_path : Path
        The source's TOML.
    state : Path
        Folder for all results.
    limits : IngestionSettings, optional
        What is too large.
    lang : str
        Language of the reasons in the quarantine.

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
    people = read_left_out(source, source_path.parent)
    target = state / "tables" / source.name
    _check_writable(state)
    lock = target.with_name(f".{source.name}.lock")
    try:
        with hold_lock(lock), replace_folder(target) as folder, open_engine() as engine:
            account = Account(
                source.name, source.currency, source.time_zone, source.value,
                source.data_complete_before,
            )  # fmt: skip
            run = _Run(
                folder, source, root, people, limits or IngestionSettings(), lang, engine,
                EarlierParts(target), account,
            )  # fmt: skip
            run.read_all()
            write_durably(folder / "ingest.json", account.as_json())
    except OSError as cause:
        raise InputError.of(
            "disk_failed",
            path=cause.filename or target,
            why=cause.strerror or cause,
            root=root,
            target=target,
        ) from cause
    return account


def _check_writable(state: Path) -> None:
    try:
        (state / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ConfigError.of("state_not_writable", path=state, why=cause.strerror) from cause


@dataclass
class _Run:
    """One ingestion under way: what it goes by, and what it has so far."""

    folder: Path
    source: Source
    root: Path
    people: People
    limits: IngestionSettings
    lang: str
    engine: Engine
    earlier: EarlierParts
    account: Account
    kept: dict[str, KeptPart] = field(default_factory=dict)  # by the digest of their rows
    parts: list[Settled] = field(default_factory=list)
    names: set[tuple[str, str]] = field(default_factory=set)

    def read_all(self) -> None:
        """Read every file and look at all of them together; the account tells of it."""
        for files in self.source.files:
            self._read_group(files)
        places = [(part.paths.table, part.paths.final) for part in self.parts]
        found = find_misfits(self.engine, places, self.source.rules)
        for part, misfits in zip(self.parts, found, strict=True):
            self.account.files.append(settle(part, misfits, self.lang).account)
        self.account.find_alarms(self.limits.unit_slip_ratio)
        _ = self.account.history_start  # refuses a source without any accepted order line
        write_durably(self.folder / RECORD, record_parts(self.kept.values()))

    def _read_group(self, files: Files) -> None:
        """Read the files of one ``[[files]]``."""
        reading = Reading(
            self.folder,
            self.root,
            self.source,
            files,
            self.people,
            self.limits,
            self.lang,
            self.engine,
        )
        for lookup in files.lookup:
            path = resolve_lookup(lookup, self.root)
            self.account.lookups.append(LookupAccount(lookup.path, hash_file(path)))
        shaped_by = hash_reading(reading)
        expected: dict[str, tuple[str, str]] = {}  # column, its kind, and where it was met
        for path in resolve_paths(files, self.root):
            read = self._read_one(path, reading, shaped_by)
            if read is not None:
                _check_kinds(path, read, files, expected)

    def _read_one(self, path: Path, reading: Reading, shaped_by: str) -> FileRead | None:
        """Read a file or take its part over; None if the same rows came before."""
        check_size(path, self.limits)
        sha256 = hash_file(path)
        table = reading.files.table
        file = path.relative_to(self.root).as_posix()
        rows = hash_rows(path, sha256, reading, shaped_by)
        if rows in self.kept:
            same = self.kept[rows].account
            skipped = SkippedFile(table, file, sha256, same.records, same.file)
            self.account.skipped.append(skipped)
            return None
        # The same bytes may come in two folders or be read in two ways.
        name = rows if (table, sha256) in self.names else sha256
        self.names.add((table, name))
        paths = PartPaths(self.folder, table, name)
        complete_before = self.source.data_complete_before.isoformat()
        read = self.earlier.take_over(rows, file, complete_before, paths)
        if read is None:
            read = read_file(path, paths, sha256, reading)
        else:
            self.account.n_reused += 1
        self.parts.append(Settled(paths, reading.files, read.account))
        self.kept[rows] = KeptPart(rows, file, name, complete_before, read.kinds, read.account)
        return read


def _check_kinds(
    path: Path, read: FileRead, files: Files, expected: dict[str, tuple[str, str]]
) -> None:
    """Refuse a part whose columns hold something else than those of the parts before it."""
    for column in files.needed_columns():
        kind = read.kinds.get(column, NO_VALUE)
        if kind == NO_VALUE:  # a column without a value agrees with every kind
            continue
        other_kind, other = expected.setdefault(column, (kind, read.account.file))
        if kind != other_kind:
            raise InputError.of(
                "type_drift",
                path=path,
                column=column,
                kind=_in_words(kind),
                other=other,
                other_kind=_in_words(other_kind),
            )


def _in_words(kind: str) -> Words:
    return {"en": kind, "zh": KINDS.get(kind, kind)}
