"""Whether a text file is in the encoding its source declares, and what to declare if not.

A few lines in another encoding, in a file whose other lines beyond ASCII are right, are marked
and later set aside. Where no line beyond ASCII is right the declaration is wrong, and the whole
file is refused.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError
from features.ingestion.file_settings import RawFile

CHINESE_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")  # GB 2312 within GB 18030
MARK = "\ufdd0"  # a character that Unicode keeps free: it stands for bytes that do not decode
MARKING = "tierwise-mark"
BLOCK_BYTES = 1 << 20


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error(MARKING, _mark)


@dataclass
class _Lines:
    """What the lines of a text file have shown so far."""

    n: int = 0
    n_right: int = 0  # beyond ASCII, as declared
    n_wrong: int = 0
    first_wrong: int = 0
    sample: bytes = b""
    is_utf8: bool = True
    n_beyond_ascii: int = 0


def check_encoding(path: Path, how: RawFile, longest_line: int) -> int:
    """Return how many lines of a text file do not decode as declared.

    Raises
    ------
    InputError
        If the first line does not, or at least as many as do among the lines beyond ASCII: the
        message names the first bad line and the encoding to declare instead. Also if a file
        declared otherwise is UTF-8 throughout, or a line has more than `longest_line` bytes.
    """
    _check_utf16(path, how)
    lines = _Lines()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            if not block.endswith(b"\n"):
                rest = file.readline(longest_line)
                if len(rest) == longest_line:
                    where = f"line {lines.n + block.count(bytes([10])) + 1}"
                    raise InputError.of("cell_too_long", path=path, where=where, limit=longest_line)
                block += rest
            _look_at(block, how.encoding, lines)
    if lines.n_wrong and (lines.first_wrong == 1 or lines.n_wrong >= lines.n_right):
        raise _wrong_encoding(path, how, lines)
    if how.encoding != "utf-8" and lines.is_utf8 and lines.n_beyond_ascii >= 4:
        raise InputError.of("is_utf8", path=path, encoding=how.encoding)
    return lines.n_wrong


def _look_at(block: bytes, encoding: str, lines: _Lines) -> None:
    """Count the lines of a block of whole lines."""
    if not block.isascii():
        if encoding != "utf-8" and lines.is_utf8:
            lines.is_utf8 = _decodes(block, "utf-8")
        is_right = _decodes(block, encoding)
        for number, line in enumerate(block.split(b"\n"), lines.n + 1):
            if line.isascii():
                continue
            if is_right or _decodes(line, encoding):
                lines.n_right += 1
                if lines.n_beyond_ascii < 4:
                    text = line.decode(encoding)
                    lines.n_beyond_ascii += sum(not c.isascii() for c in text)
                continue
            lines.n_wrong += 1
            lines.first_wrong = lines.first_wrong or number
            if len(lines.sample) < 64 << 10:
                lines.sample += line
    lines.n += block.count(b"\n")


def _decodes(block: bytes, encoding: str) -> bool:
    try:
        block.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _check_utf16(path: Path, how: RawFile) -> None:
    with path.open("rb") as file:
        head = file.read(4096)
    marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked or head.count(0) > len(head) // 5:
        raise InputError.of("is_utf16", path=path, encoding=how.encoding)


def _wrong_encoding(path: Path, how: RawFile, lines: _Lines) -> InputError:
    """Return the refusal of bytes that do not decode, with the encoding to try."""
    to_try = "gb18030" if _is_chinese(lines.sample) else "cp1252"
    if how.encoding != "utf-8":
        to_try = "utf-8"
    return InputError.of(
        "wrong_encoding", path=path, line=lines.first_wrong, encoding=how.encoding, to_try=to_try
    )


def _is_chinese(sample: bytes) -> bool:
    """Whether the bytes beyond ASCII come mostly in the pairs of everyday Chinese."""
    n_beyond_ascii = sum(byte >= 0x80 for byte in sample)
    return 2 * len(CHINESE_PAIR.findall(sample)) >= 0.7 * n_beyond_ascii


class MarkedStream(io.RawIOBase):
    """A text file as UTF-8, bytes that do not decode turned into `MARK`."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._file = path.open("rb")
        self._decoder = codecs.getincrementaldecoder(encoding)(MARKING)
        self._left = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes of UTF-8, none at the end."""
        while not self._left:
            block = self._file.read(BLOCK_BYTES)
            self._left = self._decoder.decode(block, final=not block).encode()
            if not block:
                break
        size = len(self._left) if size < 0 else size
        given, self._left = self._left[:size], self._left[size:]
        return given

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
