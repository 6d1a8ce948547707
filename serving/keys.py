"""API keys: made here, shown once, kept only as the sha256 of 256 random bits.

A digest of so many random bits cannot be turned back, so no slow hash is needed. Several keys of one
name may live at once: a client changes to the new key before the old one is revoked. Workers read the
table again when it changes, so a revoked key dies within `REREAD_SECONDS`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.durable import hold_lock, write_durably
from features.errors import ConfigError, InputError, did_you_mean
from serving.policy import ROLES

KEYS = Path("keys") / "api_keys.json"
PREFIX = "tw_"
RANDOM_BYTES = 32
ID_DIGITS = 8
MOST_LIVING = 2
REREAD_SECONDS = 1.0
OTHERS = 0o077


@dataclass(frozen=True)
class ApiKey:
    """A row of the table.

    Attributes
    ----------
    id : str
        First digits of the digest: what logs name.
    name : str
        Whose key it is: a client, not a person.
    role : str
        One of `ROLES`.
    sha256 : str
        Hex digest of the key.
    created : str
        ISO 8601, UTC.
    """

    id: str
    name: str
    role: str
    sha256: str
    created: str


def read_keys(path: Path) -> list[ApiKey]:
    """Read the table; without a file there is no key.

    Raises
    ------
    ConfigError
        If others may read or write the file, or it is damaged.
    """
    try:
        mode = path.stat().st_mode
        told = json.loads(path.read_text(encoding="utf-8"))
        rows = [ApiKey(**row) for row in told["keys"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError) as cause:
        raise ConfigError(
            f"{path} cannot be read ({type(cause).__name__}); expected a table of API keys",
            "restore it, or remove it and make new keys: python -m serving keys add",
        ) from cause
    if mode & OTHERS:
        raise ConfigError(
            f"{path} has mode {mode & 0o777:04o}; expected 0600", f"run: chmod 600 {path}"
        )
    return rows


def add_key(path: Path, name: str, role: str, now: datetime) -> str:
    """Make a key, keep its digest and return the key itself, which is never seen again.

    Raises
    ------
    InputError
        If there is no such role, or two keys of this name and role live already.
    """
    if role not in ROLES:
        raise InputError(
            f"no role {role}; {did_you_mean(role, ROLES)}", f"use one of {', '.join(ROLES)}"
        )
    with hold_lock(path.with_suffix(".lock")):
        rows = read_keys(path)
        living = [row.id for row in rows if (row.name, row.role) == (name, role)]
        if len(living) >= MOST_LIVING:
            raise InputError(
                f"{name} has {len(living)} keys of role {role}; expected fewer than {MOST_LIVING}",
                f"revoke one: python -m serving keys revoke {living[0]}",
            )
        key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        digest = hashlib.sha256(key.encode()).hexdigest()
        made = ApiKey(digest[:ID_DIGITS], name, role, digest, now.isoformat(timespec="seconds"))
        _write_keys(path, [*rows, made])
    return key


def revoke_key(path: Path, key_id: str) -> ApiKey:
    """Take a key out of the table and return its row.

    Raises
    ------
    InputError
        If there is no key of this id.
    """
    with hold_lock(path.with_suffix(".lock")):
        rows = read_keys(path)
        found = [row for row in rows if row.id == key_id]
        if not found:
            raise InputError(
                f"no key {key_id}; {did_you_mean(key_id, [row.id for row in rows])}",
                "list them: python -m serving keys list",
            )
        _write_keys(path, [row for row in rows if row.id != key_id])
    return found[0]


def _write_keys(path: Path, rows: list[ApiKey]) -> None:
    table: dict[str, Any] = {"keys": [asdict(row) for row in rows]}
    before = os.umask(OTHERS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps(table, indent=1).encode() + b"\n")
    finally:
        os.umask(before)


class KeyRing:
    """The living keys as a worker sees them.

    Parameters
    ----------
    path : Path
        The table; while it is missing or damaged nobody has a key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self._by_digest: dict[bytes, ApiKey] = {}

    def find(self, token: bytes, now: float) -> ApiKey | None:
        """Return the row of a key as it was sent, or None; `now` is a monotonic clock in seconds."""
        if now >= self._next_look:
            self._next_look = now + REREAD_SECONDS
            self._look_again()
        return self._by_digest.get(hashlib.sha256(token).digest())

    def _look_again(self) -> None:
        try:
            told = self._path.stat()
            seen = (told.st_mtime_ns, told.st_ino, told.st_size)
            if seen == self._seen:
                return
            self._by_digest = {bytes.fromhex(row.sha256): row for row in read_keys(self._path)}
            self._seen = seen
        except (OSError, ConfigError, ValueError):
            self._by_digest, self._seen = {}, None
