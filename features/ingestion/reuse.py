"""Parts of an earlier ingestion that are taken over, so that only new files are read.

A part is made again unless all that shaped it is the same: the bytes and name of its raw file,
the part of the source's TOML that says how to read it, the look-ups, the people left out, the
code of this room, and the part itself. ``data_complete_before`` may move on: a file of which no
row was set aside as lying in the future reads the same under a later one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from features import identity, tables
from features.ingestion.account import FileAccount
from features.ingestion.files import hash_file
from features.ingestion.locate import read_partitions, resolve_lookup
from features.ingestion.one_file import FileRead, Reading
from features.ingestion.outcomes import Code
from features.ingestion.part import PartPaths

RECORD = Path("kept") / "parts.json"


@cache
def hash_code() -> str:
    """Return the digest of the code that turns raw rows into parts, and of what it leans on."""
    digest = hashlib.sha256(f"{pa.__version__} {duckdb.__version__}".encode())
    here = sorted(Path(__file__).parent.glob("*.py"))
    for path in [*here, Path(identity.__file__), Path(tables.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def hash_reading(reading: Reading) -> str:
    """Return the digest of all but the raw file that shapes a part."""
    source = reading.source.model_dump(
        mode="json",
        include={"name", "currency", "time_zone", "data_starts_on", "value", "rates"},
    )
    told = {
        "code": hash_code(),
        "source": source,
        "files": reading.files.model_dump(mode="json", exclude={"paths"}),
        "lookups": [
            hash_file(resolve_lookup(lookup, reading.root)) for lookup in reading.files.lookup
        ],
        "people": {rule: sorted(ids) for rule, ids in reading.people.items()},
        "limits": reading.limits.model_dump(mode="json"),
        "lang": reading.lang,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def hash_rows(path: Path, sha256: str, reading: Reading, shaped_by: str) -> str:
    """Return the digest of all that the rows of a part depend on but the end of the data."""
    partitions = read_partitions(path, reading.root)
    told = json.dumps([sha256, partitions, shaped_by], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class KeptPart:
    """What is written down of a part so that a later ingestion can take it over."""

    rows_digest: str
    file: str
    name: str
    data_complete_before: str
    kinds: dict[str, str]
    account: FileAccount


class EarlierParts:
    """The parts that the last ingestion of a source left.

    Parameters
    ----------
    folder : Path
        ``state/tables/SOURCE``; nothing need be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: dict[tuple[str, str], KeptPart] = {}
        try:
            told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            for one in told:
                kept = KeptPart(**{**one, "account": FileAccount(**one["account"])})
                self._parts[kept.rows_digest, kept.file] = kept
        except (OSError, ValueError, TypeError, KeyError):
            self._parts = {}  # none, or of another version: everything is read again

    def take_over(
        self, rows_digest: str, file: str, complete_before: str, paths: PartPaths
    ) -> FileRead | None:
        """Link a file's part into a new folder; None if there is none that still holds."""
        kept = self._parts.get((rows_digest, file))
        if kept is None:
            return None
        if kept.data_complete_before != complete_before and (
            kept.data_complete_before > complete_before
            or Code.FUTURE_DATE.label in kept.account.quarantined
        ):
            return None
        there = PartPaths(self.folder, paths.table, kept.name)
        whole = there.whole if there.whole.is_file() else there.final
        try:
            if hash_file(whole) != kept.account.part_sha256:
                return None
            _link(whole, paths.final)
            _link(there.rows, paths.rows)
            if kept.account.quarantined:
                _link(there.aside, paths.aside)
        except OSError:
            for path in (paths.final, paths.rows, paths.aside):
                path.unlink(missing_ok=True)
            return None
        return FileRead(kept.account, kept.kinds)


def _link(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new)
    except OSError:  # no hard links here
        shutil.copyfile(old, new)


def record_parts(parts: Iterable[KeptPart]) -> bytes:
    """Return what `EarlierParts` reads."""
    told = [asdict(part) for part in parts]
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
