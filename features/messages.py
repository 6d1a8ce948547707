"""What errors say, in each language: messages.toml has the words, this lays the values in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")
Words = dict[str, str]
"""A text in each language."""


@cache
def read_messages() -> dict[str, dict[str, list[str]]]:
    """Return messages.toml: key, language, and the two lines (found and expected; what to do)."""
    return tomllib.loads(Path(__file__).with_name("messages.toml").read_text(encoding="utf-8"))


def say(key: str, lang: str, values: Mapping[str, object]) -> tuple[str, str]:
    """Return the two lines of a message.

    A value that is a dictionary by language is laid in in that language.

    >>> say("empty_file", "en", {"path": "a.csv", "format": "csv"})
    ('a.csv is empty; expected csv', 'check the export')
    """
    worded = {name: v[lang] if isinstance(v, dict) else v for name, v in values.items()}
    found, do = read_messages()[key][lang]
    return found.format(**worded), do.format(**worded)
