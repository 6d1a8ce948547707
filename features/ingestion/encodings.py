"""Whether a text file is in the encoding its source declares, and what to declare if not."""

from __future__ import annotations

import codecs
import hashlib
import re
from pathlib import Path

from features.errors import InputError
from features.ingestion.source import RawFile

CHINESE_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")  # GB 2312 within GB 18030


def check_encoding(path: Path, how: RawFile) -> str:
    """Return the sha256 of a text file once all of it decodes as declared.

    Raises
    ------
    InputError
        If it does not, naming the first bad line and the encoding to declare instead; also if
        a file declared otherwise is UTF-8 throughout.
    """
    _check_utf16(path)
    digest = hashlib.sha256()
    declared = codecs.getincrementaldecoder(how.encoding)("strict")
    utf8 = codecs.getincrementaldecoder("utf-8")("strict")
    is_utf8, n_beyond_ascii, n_lines = True, 0, 0
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 20)
            digest.update(block)
            try:
                text = declared.decode(block, final=not block)
            except UnicodeDecodeError as cause:
                line = n_lines + cause.object[: cause.start].count(b"\n") + 1
                raise _wrong_encoding(path, how, cause.object[cause.start :], line) from cause
            n_lines += block.count(b"\n")
            if not block.isascii():
                n_beyond_ascii += sum(not c.isascii() for c in text[:10_000])
            if is_utf8 and how.encoding != "utf-8":
                is_utf8 = _decodes(utf8, block)
            if not block:
                break
    if how.encoding != "utf-8" and is_utf8 and n_beyond_ascii >= 4:
        raise InputError(
            f"{path} is UTF-8; the TOML says {how.encoding}", 'write encoding = "utf-8"'
        )
    return digest.hexdigest()


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block, final=not block)
    except UnicodeDecodeError:
        return False
    return True


def _check_utf16(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4096)
    marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked or head.count(0) > len(head) // 5:
        raise InputError(
            f"{path} is UTF-16 or binary; expected text in UTF-8",
            "save the file as CSV UTF-8",
        )


def _wrong_encoding(path: Path, how: RawFile, rest: bytes, line: int) -> InputError:
    """Return the refusal of bytes that do not decode, with the encoding to try."""
    sample = rest[: 64 << 10]
    to_try = "gb18030" if _is_chinese(sample) else "cp1252"
    if how.encoding != "utf-8":
        to_try = "utf-8"
    return InputError(
        f"{path}: line {line} is not {how.encoding}; expected the encoding that the TOML declares",
        f'write encoding = "{to_try}" in the TOML, or save the file as UTF-8',
    )


def _is_chinese(sample: bytes) -> bool:
    """Whether the bytes beyond ASCII come mostly in the pairs of everyday Chinese."""
    n_beyond_ascii = sum(byte >= 0x80 for byte in sample)
    return 2 * len(CHINESE_PAIR.findall(sample)) >= 0.7 * n_beyond_ascii
