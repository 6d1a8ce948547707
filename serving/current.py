"""Which release is served: from the pointer in the state folder to a predictor.

state/releases/current holds the digest of the promoted release; the release itself lies in
state/releases/DIGEST and its look-up store in state/online/DIGEST.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from features.errors import ReleaseError
from features.online import OnlineStore
from serving.predictor import Predictor

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Current:
    """The promoted release and where its parts lie."""

    digest: str
    release_folder: Path
    store_folder: Path


def read_current(state: Path) -> Current:
    """Read the pointer to the promoted release.

    Raises
    ------
    ReleaseError
        If nothing is promoted, or the pointer holds no digest or one without a release.
    """
    pointer = state / "releases" / "current"
    try:
        digest = pointer.read_text(encoding="ascii").strip()
    except FileNotFoundError as cause:
        raise ReleaseError(
            f"no promoted release in {state}; expected the file {pointer}",
            "train and promote one (make demo), or point --state at the right folder",
        ) from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise ReleaseError(
            f"{pointer} cannot be read ({cause}); expected the digest of a release",
            "promote again: python -m training promote",
        ) from cause
    if not _DIGEST.fullmatch(digest):
        raise ReleaseError(
            f"{pointer} holds {digest[:80]!r}; expected 64 hex digits",
            "promote again: python -m training promote",
        )
    folder = state / "releases" / digest
    if not folder.is_dir():
        raise ReleaseError(
            f"{pointer} names a release that is not there; expected the folder {folder}",
            "promote another: python -m training promote",
        )
    return Current(digest, folder, state / "online" / digest)


def load_current(state: Path) -> Predictor:
    """Load the promoted release, checked, and its look-up store if it has been built.

    Raises
    ------
    ReleaseError
        If nothing is promoted, or the release or its store is damaged or foreign.
    """
    # LightGBM takes seconds to import; only a worker needs it, not the process that starts workers.
    from training.release import load_release

    current = read_current(state)
    try:
        release = load_release(current.release_folder)
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as cause:
        raise ReleaseError(
            f"{current.release_folder} cannot be read ({type(cause).__name__}: {cause}); "
            "expected a whole release",
            "restore it from the registry, or train again",
        ) from cause
    if release.digest != current.digest:
        raise ReleaseError(
            f"{current.release_folder} holds release {release.digest}; "
            "expected the digest that is the folder's name",
            "promote again: python -m training promote",
        )
    store = OnlineStore.open(current.store_folder) if current.store_folder.is_dir() else None
    return Predictor(release, store)
