"""What can go wrong, as one tree: each error says what was found, what was expected and what to do.

TierwiseError                 exit code
├── InputError                2   a file, table, row or argument that cannot be used
├── ConfigError               78  a setting that is unknown, missing or out of range
├── ReleaseError              2   a release folder that is damaged, foreign or incomplete
├── NoSkillError              20  no model ranks customers better than chance: nothing is served
├── DiskError                 2   the disk is full, broken or read-only
└── LockedError               75  another run holds the lock
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Self

from features.messages import Words, say

EXIT_DONE = 0
EXIT_BAD_INPUT = 2
EXIT_ACTED = 10
EXIT_WANTS_HUMAN = 20
EXIT_LOCKED = 75
EXIT_CONFIGURATION = 78


class TierwiseError(Exception):
    """An error a user can mend.

    Parameters
    ----------
    found : str
        What was found and, after a semicolon, what was expected. One line.
    do : str
        What to do about it. One line.
    zh : tuple[str, str], optional
        Both lines in Chinese.
    """

    exit_code = EXIT_BAD_INPUT
    name = ""  # its key in messages.toml, of the errors that are worded there

    def __init__(self, found: str, do: str, zh: tuple[str, str] | None = None) -> None:
        super().__init__(f"{found}\n{do}")
        self.found = found
        self.do = do
        self._zh = zh

    @classmethod
    def of(cls, name: str, /, **values: object) -> Self:
        """Return the error that messages.toml words under `name`, in every language."""
        english, chinese = (say(name, lang, values) for lang in ("en", "zh"))
        error = cls(*english, zh=chinese)
        error.name = name
        return error

    def lines(self, lang: str) -> tuple[str, str]:
        """Return both lines in a language, in English where that has no words for it."""
        return self._zh if lang == "zh" and self._zh else (self.found, self.do)


class InputError(TierwiseError):
    """A file, table, row or argument that cannot be used."""


class ConfigError(TierwiseError):
    """A setting that is unknown, missing or out of range; the message names its key."""

    exit_code = EXIT_CONFIGURATION


class ReleaseError(TierwiseError):
    """A release folder that is damaged, foreign or incomplete."""


class NoSkillError(TierwiseError):
    """No model ranks customers better than chance, so nothing may be served."""

    exit_code = EXIT_WANTS_HUMAN


class DiskError(TierwiseError):
    """The disk is full, broken or not to be written."""


class LockedError(TierwiseError):
    """Another run holds the lock."""

    exit_code = EXIT_LOCKED


class WrongValue(ValueError):
    """A setting that a validator refuses, worded in each language; one half line after its key."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.words: Words = {"en": en, "zh": zh}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the closest known word, or the list of them.

    >>> did_you_mean("horzon_days", ["horizon_days", "cutoff"])
    'did you mean "horizon_days"?'
    >>> did_you_mean("xyz", ["a", "b"])
    'known: a, b'
    """
    return hint(word, known)["en"]


def hint(word: str, known: Iterable[str]) -> Words:
    """Return the hint of `did_you_mean` in every language."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return {"en": f'did you mean "{close[0]}"?', "zh": f"是否想写“{close[0]}”？"}
    listed = ", ".join(names)
    return {"en": f"known: {listed}", "zh": f"已知：{listed}"}
