"""A release's folder: files under one manifest, written whole, checked before they are parsed.

The digest of a release is the sha256 of its manifest, which holds the sha256 and size of every
other file and no time stamp. ``releases/current`` names the digest that is served; a signed pointer
says that it may be (see `training.pointers`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.durable import hold_lock, write_durably
from features.errors import ReleaseError
from training.pointers import Act, append_pointer, read_digests
from training.signing import keys_beside

FORMAT = 2
MANIFEST = "manifest.json"
CURRENT = "current"
RELEASES = "releases"
LARGEST_FILE_BYTES = 64_000_000
_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_files(files: Mapping[str, bytes], releases: Path) -> str:
    """Write files and their manifest to ``releases/DIGEST`` and return the digest.

    Written beside its place and renamed into it, so a folder is whole or absent; one that is
    there already is left alone.
    """
    manifest = json_bytes(_manifest(files))
    digest = hashlib.sha256(manifest).hexdigest()
    folder = releases / digest
    if not folder.is_dir():
        building = releases / f".{digest}.{os.getpid()}"
        shutil.rmtree(building, ignore_errors=True)
        for name, content in {**files, MANIFEST: manifest}.items():
            _write_synced(building / name, content)
        building.rename(folder)
    return digest


def read_files(folder: Path) -> tuple[str, dict[str, bytes]]:
    """Return the digest of a release folder and its files, each checked against the manifest.

    Raises
    ------
    ReleaseError
        If a file is missing, foreign, changed or too large, the format is unknown, or the folder
        is named after another digest than that of its manifest.
    """
    manifest = _read_capped(folder / MANIFEST)
    digest = hashlib.sha256(manifest).hexdigest()
    if _DIGEST.fullmatch(folder.name) and folder.name != digest:
        raise ReleaseError(
            f"{folder} holds release {digest}; expected the digest that is the folder's name",
            "restore the release from the registry, or train again",
        )
    try:
        told = json.loads(manifest)
        named = {name: str(file["sha256"]) for name, file in told["files"].items()}
        found = told["format"]
    except (ValueError, LookupError, TypeError, AttributeError) as cause:
        raise ReleaseError(
            f"{folder / MANIFEST} is not JSON with a format and files; expected a manifest",
            "restore the release from the registry, or train again",
        ) from cause
    if found != FORMAT:
        raise ReleaseError(
            f"{folder} has format {found}; expected {FORMAT}",
            "train again with this version",
        )
    return digest, _check_files(folder, named)


def point_to(releases: Path, digest: str, act: Act = "promote") -> None:
    """Make a release the one that is served: a signed pointer, then one file replaced in one step.

    Raises
    ------
    ReleaseError
        If there is no such release, or the key that signs cannot be read.
    LockedError
        If another process is moving the pointer.
    """
    if not (releases / digest).is_dir():
        raise ReleaseError(
            f"no release {digest[:12]} in {releases}; expected a folder of that name",
            "run: python -m training train",
        )
    with hold_lock(releases.parent / ".pointer.lock"):
        append_pointer(releases, digest, act, keys_beside(releases))
        write_durably(releases / CURRENT, f"{digest}\n".encode("ascii"))


def roll_back(releases: Path) -> str:
    """Point to the release that was served before the one that is, and return its digest.

    Needs neither the registry nor a retraining; the services follow as they follow a promotion.

    Raises
    ------
    ReleaseError
        If nothing was served before.
    """
    served = current_release(releases).name
    before = [digest for digest in read_digests(releases) if (releases / digest).is_dir()]
    while before and before[-1] == served:
        before.pop()
    if not before:
        raise ReleaseError(
            f"nothing was served before {served[:12]}; expected an earlier promotion",
            "promote another release: python -m training promote",
        )
    point_to(releases, before[-1], "roll back")
    return before[-1]


def current_release(releases: Path) -> Path:
    """Return the folder of the release that is served.

    Raises
    ------
    ReleaseError
        If nothing has been promoted.
    """
    pointer = releases / CURRENT
    if not pointer.is_file():
        raise ReleaseError(
            f"nothing is promoted in {releases}; expected a file named {CURRENT}",
            "run: python -m training train, then python -m training promote",
        )
    return releases / pointer.read_text(encoding="ascii").strip()


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
            for name, content in sorted(files.items())
        },
    }


def _check_files(folder: Path, named: Mapping[str, str]) -> dict[str, bytes]:
    """Return the content of every file of a manifest (name to sha256), each checked."""
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}
    expected = {*named, MANIFEST}
    if there != expected:
        odd = ", ".join(sorted(there ^ expected))
        raise ReleaseError(
            f"{folder} has missing or foreign files: {odd}; expected those of its manifest",
            "restore the release from the registry, or train again",
        )
    files = {}
    for name, sha256 in named.items():
        content = _read_capped(folder / name)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ReleaseError(
                f"{folder / name} has been changed; expected sha256 {sha256[:12]}...",
                "restore the release from the registry, or train again",
            )
        files[name] = content
    return files


def _read_capped(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ReleaseError(
            f"no file {path}; expected a release folder",
            "train and promote first: python -m training train, python -m training promote",
        )
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise ReleaseError(
            f"{path} has {path.stat().st_size} bytes; expected at most {LARGEST_FILE_BYTES}",
            "this is no release of this project",
        )
    return path.read_bytes()


def _write_synced(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def json_bytes(value: Any) -> bytes:
    """Return canonical JSON: sorted keys, no NaN."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return text.encode()


def finite_or_none(value: float) -> float | None:
    """Return a number as JSON can hold it: None where it is infinite or missing."""
    return value if math.isfinite(value) else None
