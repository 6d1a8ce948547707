"""A disk that is full or broken, whichever library it was that noticed."""

from __future__ import annotations

import errno

from features.errors import DiskError

FAULTS = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM,
    }
)  # fmt: skip
"""No room, no room for this user, too large, broken, read-only, not allowed."""
TOLD_BY_LIBRARIES = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "input/output error",
    "disk i/o error",
    "database or disk is full",
    "unable to open database file",
    "attempt to write a readonly database",
    "read-only file system",
)
"""As SQLite, DuckDB and Arrow word it, in lower case."""


def find_disk_fault(error: BaseException) -> DiskError | None:
    """Return the fault of the disk that an error comes from; None where it comes from another.

    Parameters
    ----------
    error : BaseException
        Its causes and contexts are looked through, too: libraries wrap what the system said.

    Examples
    --------
    >>> str(find_disk_fault(OSError(errno.ENOSPC, "No space left on device", "a")).found)
    'a cannot be written or read (No space left on device); expected room on a disk that works'
    >>> find_disk_fault(ValueError("something else")) is None
    True
    """
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        if isinstance(now, OSError) and now.errno in FAULTS:
            return DiskError.of("disk_fault", path=now.filename or "a file", why=now.strerror)
        told = str(now).lower()
        for words in TOLD_BY_LIBRARIES:
            if words in told:
                return DiskError.of("disk_fault", path="a file", why=words)
        now = now.__cause__ or now.__context__
    return None
