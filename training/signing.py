"""Signatures: what is served was made by who holds the key, and the service cannot make any.

Ed25519 (RFC 8032). Training makes the pair of keys the first time it signs, below ``keys`` of the
state folder: the private one for its eyes only (mode 0600), the public one for the service.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.durable import sync
from features.errors import ReleaseError

KEYS = "keys"
PRIVATE_KEY = "release_signing.key"
PUBLIC_KEY = "release_public.key"
KEY_BYTES = 32
OWNER_ONLY = 0o600
EVERYBODY_READS = 0o644


def keys_beside(releases: Path) -> Path:
    """Return the folder of keys that belongs to a folder of releases."""
    return releases.parent / KEYS


def sign(message: bytes, keys: Path) -> bytes:
    """Return the signature of a message, 64 bytes; the pair of keys is made if there is none.

    Parameters
    ----------
    message : bytes
        What is signed.
    keys : Path
        Folder of the keys.

    Raises
    ------
    ReleaseError
        If the private key cannot be read, or others may read it.
    """
    return _private_key(keys).sign(message)


def check_signature(message: bytes, signature: bytes, keys: Path, what: str) -> None:
    """Raise unless `signature` is that of `message` by the holder of the private key.

    Parameters
    ----------
    message, signature : bytes
        As read.
    keys : Path
        Folder with the public key.
    what : str
        Name of the message in the error.

    Raises
    ------
    ReleaseError
        If there is no public key, or the signature is another's, or of another message.
    """
    public = keys / PUBLIC_KEY
    try:
        trusted = Ed25519PublicKey.from_public_bytes(public.read_bytes())
    except (OSError, ValueError) as cause:
        raise ReleaseError(
            f"{public} cannot be read ({type(cause).__name__}); expected the public key of releases",
            "copy it from where the release was trained, or train again",
        ) from cause
    try:
        trusted.verify(signature, message)
    except InvalidSignature as cause:
        raise ReleaseError(
            f"the signature of {what} is not that of {public}; expected one of its private key",
            "restore the release from the registry, or train again",
        ) from cause


def _private_key(keys: Path) -> Ed25519PrivateKey:
    path = keys / PRIVATE_KEY
    try:
        if not path.exists():
            _make_keys(keys)
        if path.stat().st_mode & 0o077:
            raise ReleaseError(
                f"{path} can be read by others; expected mode 0600", f"run: chmod 600 {path}"
            )
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError) as cause:
        raise ReleaseError(
            f"{path} cannot be read ({type(cause).__name__}); expected the private key of releases",
            "restore it, or remove both keys, train again and give the new public key to the service",
        ) from cause


def _make_keys(keys: Path) -> None:
    """Make a pair of keys; of two that do it at once, one wins and both use its keys."""
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Ed25519PrivateKey.generate()
    public = made.public_key().public_bytes_raw()
    private = _write_aside(keys / PRIVATE_KEY, made.private_bytes_raw(), OWNER_ONLY)
    try:
        os.link(private, keys / PRIVATE_KEY)
    except FileExistsError:
        return
    finally:
        private.unlink()
    _write_aside(keys / PUBLIC_KEY, public, EVERYBODY_READS).replace(keys / PUBLIC_KEY)
    sync(keys)


def _write_aside(path: Path, content: bytes, mode: int) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return aside
