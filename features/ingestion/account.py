"""The account of an ingestion: every record of every raw file, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from features.errors import InputError, TierwiseError


@dataclass(frozen=True)
class FileAccount:
    """What became of the records of one raw file.

    Attributes
    ----------
    table : str
        Canonical table it was read into.
    file : str
        Its name below the source's root.
    sha256 : str
        Digest of its bytes; also the name of its part.
    records : int
        Records by the independent count.
    accepted : int
        Rows of its part.
    quarantined : dict[str, int]
        Rows set aside, by code.
    dropped : dict[str, int]
        Rows left out, by the name of the rule.
    notes : dict[str, int]
        What was put right or derived, counted.
    unmatched : dict[str, int]
        Rows without a match, by look-up file and key.
    part_sha256 : str
        Digest of its part.
    first_day, last_day : str or None
        Of the accepted rows, ISO.
    """

    table: str
    file: str
    sha256: str
    records: int
    accepted: int
    quarantined: dict[str, int]
    dropped: dict[str, int]
    notes: dict[str, int]
    unmatched: dict[str, int]
    part_sha256: str
    first_day: str | None
    last_day: str | None

    def check_conservation(self) -> None:
        """Check that records in = accepted + quarantined + dropped.

        Raises
        ------
        TierwiseError
            If they are not; nothing of the ingestion is kept then.
        """
        out = self.accepted + sum(self.quarantined.values()) + sum(self.dropped.values())
        if out != self.records:
            raise TierwiseError(
                f"{self.file}: {self.records} records went in, {out} came out "
                f"({self.accepted} accepted, {sum(self.quarantined.values())} quarantined, "
                f"{sum(self.dropped.values())} dropped); expected the same number",
                "check the file's quotes and line ends; if they are right, report this as a bug",
            )


@dataclass(frozen=True)
class SkippedFile:
    """A raw file left out because its bytes are those of another."""

    table: str
    file: str
    sha256: str
    records: int
    same_as: str


@dataclass(frozen=True)
class LookupAccount:
    """A look-up file that was read beside the raw files."""

    file: str
    sha256: str
    records: int


@dataclass
class Account:
    """The account of one ingestion of one source."""

    source: str
    currency: str
    time_zone: str
    value: str
    data_complete_before: date
    files: list[FileAccount] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    lookups: list[LookupAccount] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """sha256 over the digests of the accepted parts, in order of their names."""
        parts = sorted((f"{file.table}/{file.sha256}", file.part_sha256) for file in self.files)
        lines = "".join(f"{name} {digest}\n" for name, digest in parts)
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def history_start(self) -> str:
        """ISO day of the first accepted order line.

        Raises
        ------
        InputError
            If no order line was accepted.
        """
        days = [f.first_day for f in self.files if f.table == "order_lines" and f.first_day]
        if days:
            return min(days)
        why = total(file.quarantined for file in self.files if file.table == "order_lines")
        why += total(file.dropped for file in self.files if file.table == "order_lines")
        told = ", ".join(f"{code} {n}" for code, n in why.most_common(4)) or "the files are empty"
        raise InputError(
            f"no order line of {self.source} was accepted ({told}); expected at least one",
            "compare the source's TOML with the first rows of its files",
        )

    def as_json(self) -> bytes:
        """Return ingest.json: the same bytes for the same inputs, no time stamp in it."""
        told: dict[str, Any] = {
            "source": self.source,
            "currency": self.currency,
            "time_zone": self.time_zone,
            "value": self.value,
            "history_start": self.history_start,
            "data_complete_before": self.data_complete_before.isoformat(),
            "digest": self.digest,
            "records": sum(file.records for file in self.files),
            "accepted": sum(file.accepted for file in self.files),
            "quarantined": dict(sorted(total(file.quarantined for file in self.files).items())),
            "dropped": dict(sorted(total(file.dropped for file in self.files).items())),
            "files": [asdict(file) for file in self.files],
            "skipped": [asdict(file) for file in self.skipped],
            "lookups": [asdict(file) for file in self.lookups],
        }
        return (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode()


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Return the sum of several counts by name."""
    summed: Counter[str] = Counter()
    for one in counts:
        summed.update(one)
    return summed


def account_text(account: Account) -> str:
    """Return the account as a small table for people, one line a file."""
    header = ("file", "table", "records", "accepted", "quarantined", "dropped")
    rows = [
        (
            file.file,
            file.table,
            f"{file.records:,}",
            f"{file.accepted:,}",
            f"{sum(file.quarantined.values()):,}",
            f"{sum(file.dropped.values()):,}",
        )
        for file in account.files
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        left = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        right = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join([*left, *right]))
    for what in ("quarantined", "dropped", "notes", "unmatched"):
        counts = total(getattr(file, what) for file in account.files)
        word = "counted" if what == "notes" else what
        lines += [f"{word}: {name} {n:,}" for name, n in sorted(counts.items()) if n]
    lines += [f"skipped: {f.file} is {f.same_as} again ({f.records:,})" for f in account.skipped]
    return "\n".join(lines)
