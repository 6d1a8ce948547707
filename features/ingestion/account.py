"""The account of an ingestion: every record of every raw file, and what became of it."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from features.errors import InputError, TierwiseError

FEWEST_ROWS = 20  # of a file that an alarm about its amounts can rest on


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
    median_amount : float or None
        Of the positive amounts of order lines, in the source's currency.
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
    median_amount: float | None = None

    def check_conservation(self) -> None:
        """Check that records in = accepted + quarantined + dropped.

        Raises
        ------
        TierwiseError
            If they are not; nothing of the ingestion is kept then.
        """
        out = self.accepted + sum(self.quarantined.values()) + sum(self.dropped.values())
        if out != self.records:
            raise TierwiseError.of(
                "not_conserved",
                file=self.file,
                records=self.records,
                out=out,
                accepted=self.accepted,
                quarantined=sum(self.quarantined.values()),
                dropped=sum(self.dropped.values()),
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


@dataclass(frozen=True)
class Alarm:
    """A file whose amounts are of another size than those of the files before it."""

    file: str
    what: str
    median_amount: float
    expected_median: float


@dataclass
class Account:
    """The account of one ingestion of one source; `n_reused` parts were taken over unread."""

    source: str
    currency: str
    time_zone: str
    value: str
    data_complete_before: date
    files: list[FileAccount] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    lookups: list[LookupAccount] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    n_reused: int = 0

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
        listed = ", ".join(f"{code} {n}" for code, n in why.most_common(4))
        empty = {"en": "the files are empty", "zh": "文件没有数据行"}
        raise InputError.of("nothing_accepted", source=self.source, why=listed or empty)

    def find_alarms(self, ratio: float) -> None:
        """Note the files whose median amount is `ratio` times that of the files before, or less.

        A hundredfold slip of the unit (cents for euros) looks like this. The reference is the
        median of the medians of all earlier files that raised no alarm; a file with
        fewer than twenty accepted rows tells too little.
        """
        told = [f for f in self.files if f.median_amount and f.accepted >= FEWEST_ROWS]
        medians: list[float] = []
        for file in sorted(told, key=lambda f: (f.first_day or "", f.file)):
            assert file.median_amount is not None
            if medians:
                expected = statistics.median(medians)
                times = file.median_amount / expected
                if times >= ratio or times <= 1 / ratio:
                    alarm = Alarm(file.file, "unit_slip", file.median_amount, expected)
                    self.alarms.append(alarm)
                    continue
            medians.append(file.median_amount)

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
            "alarms": [asdict(alarm) for alarm in self.alarms],
        }
        return (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode()


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Return the sum of several counts by name."""
    summed: Counter[str] = Counter()
    for one in counts:
        summed.update(one)
    return summed
