"""160 bad files and 5,000 mutants: records are conserved, ids stay as they are, the process lives.

`make harden` plays all of them through, `make test-slow` the first 60 and 500. Every mutant has a
number, and the number is its seed.
"""

from __future__ import annotations

import csv
import io
import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import IngestionSettings
from features.errors import TierwiseError
from features.ingestion.encodings import MARKING
from features.ingestion.ingest import ingest

N_FILES, N_MUTANTS = 160, 5000
N_FILES_SLOW, N_MUTANTS_SLOW = 60, 500
SHARDS, SHARDS_SLOW = 20, 4
PARQUET_EVERY = 20  # its reader is a process, so one mutant in twenty is Parquet
LIMITS = IngestionSettings(parquet_memory_mb=512, longest_cell=10_000, largest_file_mb=2)


@dataclass(frozen=True)
class Base:
    """A good file, and how its source describes it."""

    name: str
    format: str
    encoding: str
    content: bytes

    @property
    def separator(self) -> str:
        return "\t" if self.format == "tsv" else ","


def write_rows(rows: list[tuple[str, ...]], separator: str, encoding: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(encoding)


def make_bases() -> list[Base]:
    people = ["00123", "123", "A-7", "Ünal", "张三", "9007199254740993", "e\u0301va", "x y"]
    head = ("who", "date", "amount", "note")
    rows = [
        (one, f"2024-0{i % 6 + 1}-1{i % 9} 18:30", f"{i * 7 - 20}.5", 'a "b", c' if i % 3 else "")
        for i, one in enumerate(people * 4)
    ]
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(head)})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    chinese = [row for row in rows if "\u0301" not in row[0]]
    quoted = [(a, b, c, "line\nbreak" if i % 4 else d) for i, (a, b, c, d) in enumerate(rows)]
    return [
        Base("plain", "csv", "utf-8", write_rows([head, *rows], ",", "utf-8")),
        Base("quoted", "csv", "utf-8", write_rows([head, *quoted], ",", "utf-8-sig")),
        Base("chinese", "tsv", "gb18030", write_rows([head, *chinese], "\t", "gb18030")),
        Base("parquet", "parquet", "utf-8", sink.getvalue()),
    ]


BASES = make_bases()
Ruin = Callable[[bytes], bytes]


def at(share: float, insert: bytes, cut: int = 0) -> Ruin:
    """Put bytes in at a share of the length, over `cut` bytes that stand there."""

    def ruin(data: bytes) -> bytes:
        place = int(len(data) * share)
        return data[:place] + insert + data[place + cut :]

    return ruin


RUINS: list[Ruin] = [
    *[at(share, b"") for share in (0.0,)],
    *[lambda data, share=share: data[: int(len(data) * share)] for share in (0, 0.01, 0.3, 0.7, 0.99)],
    *[lambda data, share=share: data[int(len(data) * share) :] for share in (0.01, 0.5, 0.99)],
    *[at(share, piece) for share in (0.2, 0.8) for piece in (
        b"\0", b'"', b"\r", b"\n\n", b"\xff\xfe", b"\xc3", b",,,", b"\t\t", b"\\", b"\x1a", b"\x85",
        b"PAR1", b"\xef\xbb\xbf", b"A" * 20_000)],
    lambda data: data * 2,
    lambda data: data + data[: len(data) // 2],
    lambda data: data[::-1],
]  # fmt: skip


def mutate(data: bytes, seed: int) -> bytes:
    """Return the mutant of a number: one to six edits of a kind drawn for each."""
    draw = random.Random(seed)
    pieces = [b'"', b",", b"\n", b"\r", b"\t", b"\0", b"\xff", b"NA", b"1e5", b"\x85", b"\\",
              b"\xef\xbb\xbf", "好".encode(), b"-", b"2024-13-01", b"inf"]  # fmt: skip
    for _ in range(draw.randint(1, 6)):
        place, length = draw.randrange(len(data) + 1), draw.randint(1, 30)
        kind = draw.randrange(6)
        if kind == 0 and data:
            place = min(place, len(data) - 1)
            data = data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[place + length :]
        elif kind == 2:
            data = data[:place] + data[place : place + length] * 2 + data[place + length :]
        elif kind == 3:
            other = draw.randrange(len(data) + 1)
            data = data[:place] + data[other : other + length] + data[place:]
        elif kind == 4 and draw.random() < 0.2:
            data = data[:place]
        else:
            data = data[:place] + draw.choice(pieces) + data[place:]
    return data


class Bench:
    """A source of one file, ingested again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_refused = self.n_read = 0

    def play(self, base: Base, data: bytes, label: str) -> None:
        toml = self.folder / "shop.toml"
        toml.write_text(
            'name = "shop"\ncurrency = "CNY"\ntime_zone = "Asia/Shanghai"\n'
            'data_complete_before = 2025-01-01\n[[files]]\ntable = "order_lines"\n'
            f'paths = ["orders.{base.format}"]\nformat = "{base.format}"\n'
            f'encoding = "{base.encoding}"\n[files.columns]\n'
            'customer_id = "who"\noccurred_at = "date"\namount = "amount"\n',
            encoding="utf-8",
        )
        path = self.folder / f"orders.{base.format}"
        path.write_bytes(data)
        try:
            account = ingest(toml, self.folder / "state", LIMITS)
        except TierwiseError as refusal:
            if refusal.name in {"", "not_conserved"}:
                raise AssertionError(f"{label}: {refusal}") from refusal
            self.n_refused += 1
            return
        self.n_read += 1
        (file,) = account.files
        tables = self.folder / "state" / "tables" / "shop"
        kept = pq.read_table(tables / "order_lines" / f"{file.sha256}.parquet")
        assert kept.num_rows == file.accepted, label
        aside = [pq.read_metadata(p).num_rows for p in (tables / "quarantine").glob("*.parquet")]
        assert sum(aside) == sum(file.quarantined.values()), label
        assert file.records == file.accepted + sum(aside), label
        if base.format != "parquet":
            numbers = pq.read_table(next((tables / "kept").glob("*.rows.parquet")))["row"]
            told = dict(zip(numbers.to_pylist(), kept["customer_id"].to_pylist(), strict=True))
            cells = read_ids(base, data)
            assert file.records == len(cells) - 1, label
            assert told == {row: cells[row - 1] for row in told}, label


def read_ids(base: Base, data: bytes) -> list[str | None]:
    """The first cell of every record, by the reader of the standard library."""
    encoding = "utf-8-sig" if base.encoding == "utf-8" else base.encoding
    text = io.StringIO(data.decode(encoding, MARKING), newline="")
    records = [row for row in csv.reader(text, delimiter=base.separator) if row]
    place = records[0].index("who")
    return [unicodedata.normalize("NFC", r[place]) if len(r) > place else None for r in records]


def play_files(folder: Path, numbers: range) -> Bench:
    bench = Bench(folder)
    for number in numbers:
        base, ruin = BASES[number % len(BASES)], RUINS[number // len(BASES) % len(RUINS)]
        bench.play(base, ruin(base.content), f"file {number}")
    return bench


def play_mutants(folder: Path, numbers: range) -> Bench:
    bench = Bench(folder)
    for number in numbers:
        base = BASES[3] if number % PARQUET_EVERY == 0 else BASES[number % 3]
        bench.play(base, mutate(base.content, number), f"mutant {number}")
    return bench


def shard(n: int, of: int, number: int) -> range:
    return range(n * number // of, n * (number + 1) // of)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_the_files_that_are_mutated_are_good(tmp_path: Path, base: Base) -> None:
    bench = Bench(tmp_path)
    bench.play(base, base.content, base.name)
    assert bench.n_read == 1


def test_there_is_a_bad_file_for_every_number() -> None:
    assert len(RUINS) * len(BASES) >= N_FILES


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SHARDS_SLOW))
def test_60_bad_files_and_500_mutants_are_refused_or_conserved(tmp_path: Path, number: int) -> None:
    files = play_files(tmp_path, shard(N_FILES_SLOW, SHARDS_SLOW, number))
    mutants = play_mutants(tmp_path, shard(N_MUTANTS_SLOW, SHARDS_SLOW, number))
    assert files.n_refused > 3
    assert mutants.n_read > mutants.n_refused / 4


@pytest.mark.harden
@pytest.mark.parametrize("number", range(SHARDS))
def test_160_bad_files_and_5000_mutants_are_refused_or_conserved(
    tmp_path: Path, number: int
) -> None:
    play_files(tmp_path, shard(N_FILES, SHARDS, number))
    mutants = play_mutants(tmp_path, shard(N_MUTANTS, SHARDS, number))
    assert mutants.n_read > mutants.n_refused / 4
