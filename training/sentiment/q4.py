"""Read a 4-bit file of BERT weights with its tokenizer's vocabulary (magic ``E5S1``).

Little-endian throughout: the magic and a version; eight sizes and the layer norm's epsilon; the
vocabulary as offsets, scores and one block of UTF-8; a table of the normaliser, skipped; then a
directory of tensors by name with offsets from the start of the file. A tensor is float32, or in
blocks of 32 numbers of 4 bits: an fp16 scale d, then 16 bytes whose low halves are the first 16
numbers; a value is (q - 8) * d. Nothing is executed, and every offset is checked against the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError

MAGIC = b"E5S1"
BLOCK = 32
"""Numbers of one block."""
BLOCK_BYTES = 2 + BLOCK // 2
ZERO = 8
"""The 4-bit number that stands for 0."""
FLOAT, FOUR_BIT = 0, 1

Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """The sizes of the network, in the order of the file."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    begin_id: int
    end_id: int
    pad_id: int
    unknown_id: int


@dataclass(frozen=True)
class Weights:
    """A file of weights, read.

    Attributes
    ----------
    shape : Shape
        Sizes of the network.
    pieces, scores : tuple
        The unigram vocabulary in order of token id, with each piece's log-probability.
    tensors : dict of str to array
        float32, flat; a 4-bit tensor is restored to float32.
    """

    shape: Shape
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    tensors: dict[str, Tensor]


class _Reader:
    """Takes fields off a buffer in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, fields: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{fields}", self._data, self._at)
        self._at += struct.calcsize(f"<{fields}")
        return found

    def take_array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self._data, kind, count, self._at)
        self._at += found.nbytes
        return found

    def take_bytes(self, count: int) -> bytes:
        if not 0 <= count <= len(self._data) - self._at:
            raise ValueError(f"{count} bytes at {self._at}")
        self._at += count
        return self._data[self._at - count : self._at]


def read_q4(data: bytes) -> Weights:
    """Read a file of 4-bit weights.

    Raises
    ------
    InputError
        If it is not such a file, or is cut or damaged.
    """
    if data[:4] != MAGIC:
        raise InputError(
            f"the weights begin with {data[:4]!r}; expected {MAGIC!r}", "fetch the pinned file"
        )
    try:
        return _read(data)
    except (struct.error, ValueError, UnicodeDecodeError) as cause:
        raise InputError(
            f"the file of weights is damaged ({cause}); expected 4-bit tensors to its end",
            "fetch the pinned file again",
        ) from cause


def _read(data: bytes) -> Weights:
    reader = _Reader(data)
    reader.take("4sI")
    sizes = reader.take("7i")
    (epsilon, _) = reader.take("fi")
    n_pieces, begin, end, pad, unknown = reader.take("5i")
    (n_letters,) = reader.take("Q")
    if n_pieces < 0:
        raise ValueError(f"{n_pieces} pieces")
    offsets = reader.take_array("<u4", n_pieces + 1).tolist()
    scores = reader.take_array("<f4", n_pieces)
    letters = reader.take_bytes(n_letters)
    pieces = tuple(
        letters[start:stop].decode("utf-8", errors="replace") for start, stop in pairwise(offsets)
    )
    reader.take("i")
    reader.take_bytes(*reader.take("I"))
    (n_tensors,) = reader.take("i")
    tensors = {}
    for _ in range(n_tensors):
        name = reader.take_bytes(*reader.take("H")).decode("utf-8")
        kind, count, offset, n_bytes = reader.take("BIQQ")
        tensors[name] = _restore(data, kind, count, offset, n_bytes)
    ids = (begin, end, pad, unknown)
    shape = Shape(*(*sizes, float(epsilon), *ids))
    return Weights(shape, pieces, tuple(map(float, scores)), tensors)


def _restore(data: bytes, kind: int, count: int, offset: int, n_bytes: int) -> Tensor:
    if kind == FLOAT:
        flat = np.frombuffer(data, "<f4", n_bytes // 4, offset).copy()
    elif kind == FOUR_BIT:
        flat = restore_four_bit(np.frombuffer(data, np.uint8, n_bytes, offset))
    else:
        raise ValueError(f"a tensor of kind {kind}")
    if len(flat) != count:
        raise ValueError(f"a tensor of {len(flat)} numbers, {count} told")
    return flat


def restore_four_bit(raw: NDArray[np.uint8]) -> Tensor:
    """Return the numbers of whole blocks as float32.

    >>> block = np.concatenate([np.array([0.5], "<f2").view(np.uint8), np.full(16, 0x9F, np.uint8)])
    >>> restore_four_bit(block)[[0, 15, 16, 31]].tolist()
    [3.5, 3.5, 0.5, 0.5]
    """
    blocks = raw.reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = blocks[:, 2:]
    numbers = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - ZERO
    return (numbers * scales).reshape(-1)
