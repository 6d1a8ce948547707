"""Writing so that a kill at any moment leaves the old or the new, never half of either."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import LockedError


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file whole: temporary name, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)  # what does not fit should not fill the disk
        raise
    sync(path.parent)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock while the block runs.

    Raises
    ------
    LockedError
        If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise LockedError(
                f"another run holds {path}; expected to be alone", "wait for it to end, then rerun"
            ) from cause
        yield


@contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `target` once the block ends well.

    If the block raises (Ctrl-C too) the new folder is removed and `target` is untouched. What a
    killed run left behind is mended first. The caller must hold a lock.
    """
    new = target.with_name(f".{target.name}.new")
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():
        old.rename(target)  # killed between the two renames below
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        for path in sorted(new.rglob("*"), reverse=True):
            sync(path)
        sync(new)
        if target.exists():
            target.rename(old)
        new.rename(target)
        sync(target.parent)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
