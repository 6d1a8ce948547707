"""A review's text as it is scored: cleaned once, so that equal texts are scored once."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata

LONGEST = 2_000
"""Characters of a cleaned text that are read; models read some 128 tokens of them."""
LONGEST_RAW = 20_000
"""Characters that are looked at in cleaning."""
MODULUS = 10

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>|<!--.{0,200}?-->")
_SPACES = re.compile(r"\s+")
_UNWRITTEN = {"Cc", "Cs", "Co", "Cn"}
"""Unicode categories that are dropped: control, lone surrogates, private, unassigned."""


def clean_text(raw: str | None) -> str:
    r"""Return a text without markup, control characters and doubled spaces; "" if nothing is left.

    >>> clean_text("  Great<br/>phone &amp; case\x00!\n")
    'Great phone & case!'
    >>> clean_text(None)
    ''
    """
    if not raw:
        return ""
    text = _TAG.sub(" ", html.unescape(raw[:LONGEST_RAW]))
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii() or not text.isprintable():
        text = "".join(
            letter if unicodedata.category(letter) not in _UNWRITTEN else _space_or_nothing(letter)
            for letter in text
        )
    return _SPACES.sub(" ", text).strip()[:LONGEST].strip()


def _space_or_nothing(letter: str) -> str:
    return " " if letter.isspace() else ""


def text_digest(text: str) -> bytes:
    """Return the sha256 of a cleaned text, under which its vector is kept.

    >>> text_digest("ok").hex()[:8]
    '2689367b'
    """
    return hashlib.sha256(text.encode()).digest()


def split_of(text: str) -> int:
    """Return the part, 0 to 9, that a cleaned text belongs to wherever texts are split.

    >>> split_of("ok")
    1
    """
    return int.from_bytes(text_digest(text), "big") % MODULUS
