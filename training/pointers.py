"""Which release is served: an append-only list of signed pointers, the last of which counts.

Each line of ``pointers.jsonl``, beside the folder of releases, names a release by the digest of its manifest (and so every
byte of it), bears a number one above that of the line before, says whether it was a promotion or a
rollback, and is signed. A release that nobody signed, one signed with another key, and an old list
put back in the place of a newer one are all refused: the first two by the signature, the last by its
number, which a service remembers.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from features.durable import sync
from features.errors import ReleaseError
from training.signing import check_signature, sign

POINTERS = "pointers.jsonl"
LARGEST_BYTES = 4_000_000
Act = Literal["promote", "roll back"]


@dataclass(frozen=True)
class Pointer:
    """One line of the list.

    Attributes
    ----------
    number : int
        1 for the first; never goes back.
    digest : str
        Of the release's manifest.
    act : str
        ``promote`` or ``roll back``.
    """

    number: int
    digest: str
    act: Act

    def message(self) -> bytes:
        """Return what is signed."""
        return f"tierwise pointer\n{self.number}\n{self.act}\n{self.digest}\n".encode()


def path_of(releases: Path) -> Path:
    """Return where the list of pointers to a folder of releases lies."""
    return releases.parent / POINTERS


def append_pointer(releases: Path, digest: str, act: Act, keys: Path) -> Pointer:
    """Sign the next pointer and add it to the list; the caller holds the lock.

    A line that a kill cut short is mended: it has never counted.
    """
    told = _read_lines(releases)
    number = 1 + max((line["number"] for line in told), default=0)
    pointer = Pointer(number, digest, act)
    line = {
        "number": number,
        "digest": digest,
        "act": act,
        "signature": sign(pointer.message(), keys).hex(),
    }
    path = path_of(releases)
    with path.open("ab") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")
        file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
    return pointer


def read_pointer(releases: Path, keys: Path) -> Pointer:
    """Return the last pointer, its signature checked.

    Raises
    ------
    ReleaseError
        If there is none, or it is not signed with the private key of `keys`.
    """
    told = _read_lines(releases)
    if not told:
        raise ReleaseError(
            f"no promoted release in {releases}; expected a signed pointer in {path_of(releases)}",
            "train and promote one (make demo), or point --state at the right folder",
        )
    last = told[-1]
    try:
        pointer = Pointer(int(last["number"]), str(last["digest"]), last["act"])
        signature = bytes.fromhex(str(last["signature"]))
    except (LookupError, ValueError, TypeError) as cause:
        raise ReleaseError(
            f"the last pointer of {path_of(releases)} is not signed; expected a number, a digest, "
            "an act and a signature",
            "promote again: python -m training promote",
        ) from cause
    check_signature(pointer.message(), signature, keys, f"pointer {pointer.number}")
    return pointer


def read_digests(releases: Path) -> list[str]:
    """Return the digests that were pointed to, the oldest first."""
    return [str(line["digest"]) for line in _read_lines(releases)]


def _read_lines(releases: Path) -> list[dict[str, Any]]:
    """Return the lines that are whole."""
    path = path_of(releases)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ReleaseError(
                f"{path} has {path.stat().st_size} bytes; expected at most {LARGEST_BYTES}",
                "this is no list of pointers of this project",
            )
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    for line in text.split(b"\n"):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and isinstance(told.get("number"), int) and "digest" in told:
            lines.append(told)
    return lines
