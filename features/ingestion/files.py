"""Opening a raw file: what it is by its first bytes and its size, before anything parses it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from features.config import IngestionSettings
from features.errors import InputError
from features.ingestion.csv_file import CsvReader
from features.ingestion.file_settings import RawFile
from features.ingestion.parquet_file import ParquetReader
from features.ingestion.raw import RawReader
from features.messages import Words

HEAD_BYTES = 64 << 10
PARQUET_MAGIC = b"PAR1"
ARCHIVES: dict[bytes, Words] = {
    b"PK\x03\x04": {"en": "a ZIP archive or an Excel workbook", "zh": " ZIP 压缩包或 Excel 工作簿"},
    b"\xd0\xcf\x11\xe0": {"en": "an old Excel workbook", "zh": "旧版 Excel 工作簿"},
    b"\x1f\x8b": {"en": "a gzip archive", "zh": " gzip 压缩包"},
    b"BZh": {"en": "a bzip2 archive", "zh": " bzip2 压缩包"},
    b"\xfd7zXZ\x00": {"en": "an xz archive", "zh": " xz 压缩包"},
    b"\x28\xb5\x2f\xfd": {"en": "a Zstandard archive", "zh": " Zstandard 压缩包"},
    b"7z\xbc\xaf\x27\x1c": {"en": "a 7z archive", "zh": " 7z 压缩包"},
    b"Rar!\x1a\x07": {"en": "a RAR archive", "zh": " RAR 压缩包"},
    b"\x04\x22\x4d\x18": {"en": "an LZ4 archive", "zh": " LZ4 压缩包"},
}
TAR_MAGIC = (257, b"ustar")
TAR: Words = {"en": "a tar archive", "zh": " tar 归档"}


def hash_file(path: Path) -> str:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_size(path: Path, limits: IngestionSettings) -> None:
    """Check that a file is not larger than the settings allow.

    Raises
    ------
    InputError
        If it is.
    """
    limit = limits.largest_file_mb * 1_000_000
    size = path.stat().st_size
    if size > limit:
        raise InputError.of("file_too_large", path=path, bytes=size, limit=limit)


def open_raw(
    path: Path,
    how: RawFile,
    limits: IngestionSettings,
    partitions: Mapping[str, str | None] | None = None,
) -> RawReader:
    """Settle what can be settled about a raw file before its cells are read.

    Raises
    ------
    InputError
        If it is empty, an archive, in another encoding or format than declared, too large, has
        a quote that is never closed, or two columns of one name.
    """
    check_size(path, limits)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip():
        raise InputError.of("empty_file", path=path, format=how.format)
    _check_archive(path, how, head)
    told = partitions or {}
    if how.format == "parquet":
        if not head.startswith(PARQUET_MAGIC):
            raise InputError.of("is_not_parquet", path=path)
        parquet = ParquetReader(path, how, limits, told)
        try:
            return parquet.open()
        except BaseException:
            parquet.close()
            raise
    if head.startswith(PARQUET_MAGIC):
        raise InputError.of("is_parquet", path=path, format=how.format)
    return CsvReader(path, how, limits, told).open()


def _check_archive(path: Path, how: RawFile, head: bytes) -> None:
    for magic, kind in ARCHIVES.items():
        if head.startswith(magic):
            raise InputError.of("is_archive", path=path, kind=kind, format=how.format)
    place, magic = TAR_MAGIC
    if head[place : place + len(magic)] == magic:
        raise InputError.of("is_archive", path=path, kind=TAR, format=how.format)
