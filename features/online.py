"""The look-up of one customer's features while serving: an LMDB that is written once, then read.

A record's key is the first 16 bytes of sha256 of the customer's id, its value the row of the
feature table as little-endian float64; before it stand the numbers that were computed of it already
(its scores), if any. Records with shorter keys hold the columns, the names of the scores and what
the writer told. Needs neither pandas nor an engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

import lmdb
import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.identity import door_id

KEY_BYTES = 16
COLUMNS_KEY = b"columns"
META_KEY = b"meta"
SCORES_KEY = b"scores"
DATA_FILE = "data.mdb"
STORED = np.dtype("<f8")
PAGE_BYTES = 4096
SMALLEST_MAP_BYTES = 1 << 24

AGAIN = "write the store again: python -m training score"


class FeatureFrame(Protocol):
    """What is asked of a feature table (a pandas.DataFrame): its columns by name."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return the column of that name."""


def online_key(customer_id: str) -> bytes:
    """Return the key a customer's features are kept under.

    >>> online_key("00123") == online_key("123")
    False
    """
    return hashlib.sha256(door_id(customer_id).encode(errors="surrogatepass")).digest()[:KEY_BYTES]


def write_online(
    folder: Path,
    columns: Sequence[str],
    features: FeatureFrame,
    meta: Mapping[str, Any],
    scores: Mapping[str, Any] | None = None,
) -> None:
    """Write a look-up store, whole or not at all; one that is there already is replaced.

    Parameters
    ----------
    folder : Path
        Where the store will be, ``state/online/DIGEST``.
    columns : sequence of str
        The features to keep, in the order in which rows are read.
    features : pandas.DataFrame
        A feature table: ``customer_id`` and at least `columns`.
    meta : mapping
        What readers are told of the store; plain JSON values.
    scores : mapping of str to array (n,), optional
        Numbers that were computed of each row already, kept beside it bit for bit.

    Raises
    ------
    InputError
        If two customers have one id.
    """
    computed = {} if scores is None else scores
    numbers = [*computed.values(), *(features[name] for name in columns)]
    values = np.column_stack(
        [np.asarray(each, dtype=STORED) for each in numbers]
        or [np.empty((len(features["customer_id"]), 0), dtype=STORED)]
    )
    keys = [online_key(customer_id) for customer_id in features["customer_id"]]
    if len(set(keys)) != len(keys):
        raise InputError(
            f"{len(keys) - len(set(keys))} customers of the feature table have an id that another "
            "has too; expected one row a customer",
            "build the feature table again",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        told = {COLUMNS_KEY: list(columns), SCORES_KEY: list(computed), META_KEY: dict(meta)}
        _write_records(building, keys, values, told)
        _swap_in(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _write_records(
    folder: Path, keys: list[bytes], values: NDArray[np.float64], told: dict[bytes, Any]
) -> None:
    """Write the records in order of key, and fsync them."""
    row_bytes = values.shape[1] * STORED.itemsize
    map_bytes = SMALLEST_MAP_BYTES + len(keys) * (2 * row_bytes + 2 * PAGE_BYTES)
    with lmdb.open(str(folder), map_size=map_bytes, max_dbs=0) as store:
        with store.begin(write=True) as transaction:
            for row in sorted(range(len(keys)), key=keys.__getitem__):
                transaction.put(keys[row], values[row].tobytes(), append=True)
        with store.begin(write=True) as transaction:
            for key, value in told.items():
                transaction.put(key, json.dumps(value, ensure_ascii=False, sort_keys=True).encode())
        store.sync(True)


def _swap_in(building: Path, folder: Path) -> None:
    """Rename a finished store into its place; who reads the one before keeps reading it."""
    before = None
    if folder.exists():
        before = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".before-"))
        folder.rename(before / folder.name)
    building.rename(folder)
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
    parent = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


_OPEN: WeakValueDictionary[tuple[int, int], Any] = WeakValueDictionary()
"""Stores open in this process by device and inode: LMDB refuses to open one file twice."""


def _open_environment(folder: Path) -> Any:
    """Open the LMDB in `folder`, or share it if it is open; it closes with its last reader."""
    told = (folder / DATA_FILE).stat()
    identity = (told.st_dev, told.st_ino)
    environment = _OPEN.get(identity)
    if environment is None:
        environment = lmdb.open(
            str(folder), readonly=True, create=False, lock=False, max_dbs=0, readahead=False
        )
        _OPEN[identity] = environment
    return environment


def _check_whole(environment: Any, folder: Path) -> None:
    """Refuse a store that was cut short: reading a missing page would kill the process."""
    pages = environment.info()["last_pgno"] + 1
    found, expected = (folder / DATA_FILE).stat().st_size, pages * environment.stat()["psize"]
    if found < expected:
        raise ValueError(f"{found} bytes; expected {expected}")


class OnlineStore:
    """A look-up store that is open for reading; open one in each process, after it was forked.

    Attributes
    ----------
    columns : tuple of str
        The features of a row, in order.
    meta : dict
        What the writer told.
    score_names : tuple of str
        The numbers of `read_scores`, in order; empty where none were kept.
    """

    def __init__(
        self,
        environment: Any,
        columns: tuple[str, ...],
        meta: dict[str, Any],
        score_names: tuple[str, ...] = (),
    ) -> None:
        self.columns = columns
        self.meta = meta
        self.score_names = score_names
        self._unpack_scores = struct.Struct(f"<{len(score_names)}d").unpack_from
        self._skipped_bytes = len(score_names) * STORED.itemsize
        self._environment = environment
        # Nobody writes to a finished store, so one view of it serves for as long as it is open.
        self._view = environment.begin(buffers=True)

    @classmethod
    def open(cls, folder: Path) -> OnlineStore:
        """Open the store in `folder`.

        Raises
        ------
        InputError
            If there is none, or it is damaged.
        """
        try:
            environment = _open_environment(folder)
        except (lmdb.Error, OSError) as cause:
            raise InputError(f"no look-up store in {folder}; expected an LMDB", AGAIN) from cause
        try:
            _check_whole(environment, folder)
            with environment.begin() as view:
                columns = json.loads(view.get(COLUMNS_KEY, b""))
                meta = json.loads(view.get(META_KEY, b""))
                score_names = json.loads(view.get(SCORES_KEY, b"[]"))
            return cls(environment, tuple(columns), meta, tuple(score_names))
        except (lmdb.Error, ValueError, TypeError) as cause:
            raise InputError(
                f"the look-up store in {folder} is damaged; expected a whole LMDB with columns and meta",
                AGAIN,
            ) from cause

    def read(self, customer_id: str) -> NDArray[np.float64] | None:
        """Return the features of one customer in order of :attr:`columns`, None if unknown.

        Bit for bit the row of the feature table that was written.
        """
        value = self._view.get(online_key(customer_id))
        if value is None:
            return None
        return np.frombuffer(value, dtype=STORED, offset=self._skipped_bytes).copy()

    def read_scores(self, customer_id: str) -> tuple[float, ...] | None:
        """Return the numbers `score_names` of one customer, None if unknown."""
        value = self._view.get(online_key(customer_id))
        return None if value is None else self._unpack_scores(value)

    def close(self) -> None:
        """Close the store, which cannot be read afterwards; rows that were read stay valid."""
        if self._view is not None:
            self._view.abort()
        self._view = self._environment = None
