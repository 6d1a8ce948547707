"""The one door for customer ids: files, look-ups and logs all pass through it."""

from __future__ import annotations

import hashlib
import unicodedata


def door_id(raw: str) -> str:
    """Return the id by which a customer is known inside.

    Byte-identical to the source's id once in Unicode NFC, so ``00123`` and ``123`` stay two
    people. A keyed pseudonym (HMAC-SHA256) belongs here and nowhere else.

    >>> door_id("00123")
    '00123'
    """
    return unicodedata.normalize("NFC", raw)


def hash_bucket(customer_id: str, buckets: int, salt: str) -> int:
    """Return a stable bucket in [0, buckets) for splits that must never change.

    sha256 of ``salt:id``, so it depends on neither the process nor the platform.

    >>> hash_bucket("00123", 100, "tier")
    74
    """
    digest = hashlib.sha256(f"{salt}:{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % buckets
