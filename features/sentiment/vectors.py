"""Vectors kept by (model digest, text digest): each text is put through a model once, ever.

One SQLite file, written a whole chunk at a time in a transaction; a kill loses the chunk in flight
and nothing else. Texts themselves are not kept.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from features.errors import InputError
from features.sentiment.encoder import Vectors

STORED = np.dtype("<f2")
AT_ONCE = 500
"""Digests of one question to SQLite."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    model BLOB NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, text)
) WITHOUT ROWID
"""


class VectorStore:
    """The kept vectors of one model; made by `open_vectors`."""

    def __init__(self, connection: sqlite3.Connection, model: str) -> None:
        self._connection = connection
        self._model = bytes.fromhex(model)

    def missing(self, digests: Sequence[bytes]) -> list[bytes]:
        """Return the digests without a vector, in their order."""
        known = {digest for part in _parts(digests) for digest, _ in self._read(part, "NULL")}
        return [digest for digest in digests if digest not in known]

    def read(self, digests: Sequence[bytes]) -> Vectors:
        """Return the vectors of digests in their order, float32.

        Raises
        ------
        InputError
            If one is missing.
        """
        found = {
            digest: np.frombuffer(vector, STORED)
            for part in _parts(list(dict.fromkeys(digests)))
            for digest, vector in self._read(part, "vector")
        }
        try:
            rows = [found[digest] for digest in digests]
        except KeyError as cause:
            raise InputError(
                "a text has no vector yet; expected all texts to be scored",
                "run: python -m features sentiment --source datasets/SOURCE.toml",
            ) from cause
        return np.stack(rows).astype(np.float32) if rows else np.empty((0, 0), np.float32)

    def add(self, digests: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors, all or none of them."""
        rows = [
            (self._model, digest, vector.astype(STORED).tobytes())
            for digest, vector in zip(digests, vectors, strict=True)
        ]
        with self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)

    def count(self) -> int:
        """Return how many vectors of the model are kept."""
        asked = self._connection.execute(
            "SELECT count(*) FROM vectors WHERE model = ?", (self._model,)
        )
        n_vectors: int = asked.fetchone()[0]
        return n_vectors

    def _read(self, digests: Sequence[bytes], column: str) -> list[tuple[bytes, bytes]]:
        marks = ",".join("?" * len(digests))
        asked = self._connection.execute(
            f"SELECT text, {column} FROM vectors WHERE model = ? AND text IN ({marks})",
            (self._model, *digests),
        )
        return asked.fetchall()


def _parts(digests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(digests), AT_ONCE):
        yield digests[start : start + AT_ONCE]


@contextmanager
def open_vectors(path: Path, model: str) -> Iterator[VectorStore]:
    """Open the kept vectors of the model with that digest.

    Raises
    ------
    InputError
        If the file is no SQLite database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=60)
    try:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
        except sqlite3.DatabaseError as cause:
            raise InputError(
                f"{path} cannot be read ({cause}); expected the kept vectors of texts",
                "remove it: it is made again",
            ) from cause
        os.chmod(path, 0o600)
        yield VectorStore(connection, model)
    finally:
        connection.close()
