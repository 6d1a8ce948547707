"""Which release is served: from the signed pointer in the state folder to a predictor.

The release lies in state/releases/DIGEST and its look-up store in state/online/DIGEST; the public key
that its pointer must be signed for lies in state/keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import InputError, ReleaseError
from features.online import DATA_FILE, OnlineStore
from serving.predictor import Predictor, Record
from training.pointers import read_pointer

if TYPE_CHECKING:
    from training.release import Release

RELEASES = "releases"
ONLINE = "online"
KEYS = "keys"
CURRENT = "current"
CONTRACTS = "contracts"
CONTRACT_NUMBERS = "contract.json"
SCORE_CONTRACTS = (
    "list them: python -m training score --source datasets/SOURCE.toml "
    "(docs/how-to-customers-under-contract.md)"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")

StoreIdentity = tuple[int, int, int]


@dataclass(frozen=True)
class Current:
    """The promoted release and where its parts lie.

    Attributes
    ----------
    digest : str
        Of its manifest.
    number : int
        Of its pointer.
    release_folder, store_folder : Path
        The store may not be there.
    store : tuple or None
        What tells one build of the store from another; None while there is none.
    """

    digest: str
    number: int
    release_folder: Path
    store_folder: Path
    store: StoreIdentity | None


def read_current(state: Path) -> Current:
    """Read the pointer to the promoted release, its signature checked.

    Raises
    ------
    ReleaseError
        If nothing is promoted, the pointer holds no digest or one without a release, the release is
        of customers under contract, or nobody signed for it.
    """
    pointer = state / RELEASES / CURRENT
    try:
        digest = pointer.read_text(encoding="ascii").strip()
    except FileNotFoundError as cause:
        if (state / CONTRACTS).is_dir():
            raise ReleaseError(
                f"{state} has releases of customers under contract only; expected one of tiers",
                f"{SCORE_CONTRACTS}; or train and promote a release of tiers",
            ) from cause
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
    current = locate(state, digest, 0)
    if not current.release_folder.is_dir():
        raise ReleaseError(
            f"{pointer} names a release that is not there; expected the folder "
            f"{current.release_folder}",
            "promote another: python -m training promote",
        )
    if (current.release_folder / CONTRACT_NUMBERS).is_file():
        raise ReleaseError(
            f"{current.release_folder} tells who leaves a contract; expected a release of tiers, "
            "for the service answers with tiers",
            SCORE_CONTRACTS,
        )
    signed = read_pointer(state / RELEASES, state / KEYS)
    if signed.digest != digest:
        raise ReleaseError(
            f"{pointer} names {digest[:12]}, the last signed pointer {signed.digest[:12]}; "
            "expected one release",
            "promote again: python -m training promote",
        )
    return locate(state, digest, signed.number)


def locate(state: Path, digest: str, number: int) -> Current:
    """Return where the parts of a release lie."""
    folder = state / ONLINE / digest
    try:
        told = (folder / DATA_FILE).stat()
        store: StoreIdentity | None = (told.st_dev, told.st_ino, told.st_mtime_ns)
    except OSError:
        store = None
    return Current(digest, number, state / RELEASES / digest, folder, store)


def load_checked(current: Current) -> Release:
    """Load a release: every byte held to the manifest, the manifest to the digest.

    Raises
    ------
    ReleaseError
        If it is damaged or foreign.
    """
    from training.release import load_release  # scipy takes a moment; only a worker needs it

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
    return release


def with_store(release: Release, current: Current, record: Record | None = None) -> Predictor:
    """Return a predictor with the release's look-up store, if it has been built.

    Raises
    ------
    ReleaseError
        If the store is damaged or another release's.
    """
    if current.store is None:
        return Predictor(release, None, record)
    try:
        store = OnlineStore.open(current.store_folder)
    except InputError as cause:
        raise ReleaseError(cause.found, cause.do) from cause
    return Predictor(release, store, record)


def load_current(state: Path, record: Record | None = None) -> Predictor:
    """Load the promoted release, checked, and its look-up store if it has been built.

    Raises
    ------
    ReleaseError
        If nothing is promoted or signed, or the release or its store is damaged or foreign.
    """
    current = read_current(state)
    return with_store(load_checked(current), current, record)
