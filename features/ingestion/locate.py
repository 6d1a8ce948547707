"""Where the files of a source lie: its root, its patterns and folders, and nothing outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from features.errors import InputError
from features.identity import door_id
from features.ingestion.csv_file import read_lines
from features.ingestion.file_settings import Files, Lookup
from features.ingestion.source import Source

DATA_VARIABLE = "TIERWISE_DATA"
FALLBACK_DATA = Path("data")
PLACEHOLDER = "${" + DATA_VARIABLE + "}"
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


class Rooted(Protocol):
    """A source of any kind: its name, and the folder its files lie in."""

    @property
    def name(self) -> str:
        """Of the source."""

    @property
    def root(self) -> str:
        """Folder of the files, as the TOML gives it."""


def resolve_root(source: Rooted, path: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that the source's paths are relative to.

    ``${TIERWISE_DATA}`` at the head of `root` is the environment's value, or ``./data``; any
    other relative root begins at the folder of the TOML.

    Raises
    ------
    InputError
        If there is no such folder; the message names the variable where one is used.
    """
    if source.root.startswith(PLACEHOLDER):
        base = Path(environment.get(DATA_VARIABLE) or FALLBACK_DATA)
        root = base / source.root[len(PLACEHOLDER) :].lstrip("/")
    else:
        root = path.parent / source.root
    if root.is_dir():
        return root
    if not source.root.startswith(PLACEHOLDER):
        raise InputError.of("no_root", root=root, source=source.name, path=path)
    unset = {"en": "", "zh": ""}
    if DATA_VARIABLE not in environment:
        unset = {"en": f" ({DATA_VARIABLE} is not set)", "zh": f"（未设置 {DATA_VARIABLE}）"}
    raise InputError.of(
        "no_root_variable", root=root, unset=unset, source=source.name, variable=DATA_VARIABLE
    )


def resolve_paths(files: Files, root: Path) -> list[Path]:
    """Return the raw files that the paths of `files` name, in order of name.

    A path is a name, a glob, or a folder: of a folder every file of the declared format at any
    depth.

    Raises
    ------
    InputError
        If a path finds nothing, or a link leads out of `root`.
    """
    found: dict[Path, None] = {}
    for pattern in files.paths:
        literal = root / pattern  # a name may hold the signs of a pattern
        if literal.is_file():
            matches = [literal]
        elif literal.is_dir():
            matches = sorted(filter(Path.is_file, literal.rglob(f"*.{files.format}")))
        else:
            matches = sorted(filter(Path.is_file, root.glob(pattern)))
        if not matches:
            raise InputError.of("no_such_file", path=root / pattern, table=files.table)
        for match in matches:
            check_inside(match, root)
        found.update(dict.fromkeys(matches))
    return list(found)


def read_partitions(path: Path, root: Path) -> dict[str, str | None]:
    """Return the columns that the names of a file's folders bear, in the way of Hive.

    >>> read_partitions(Path("shop/region=EU/day=2024-03-31/a.csv"), Path("shop"))
    {'region': 'EU', 'day': '2024-03-31'}
    """
    told: dict[str, str | None] = {}
    for folder in path.relative_to(root).parts[:-1]:
        name, sign, value = folder.partition("=")
        if sign and name.isidentifier():
            told[name] = None if value == HIVE_NULL else unquote(value)
    return told


def resolve_lookup(lookup: Lookup, root: Path) -> Path:
    """Return the path of a look-up file.

    Raises
    ------
    InputError
        If it does not exist or leaves `root`.
    """
    path = root / lookup.path
    if not path.is_file():
        raise InputError.of("no_such_lookup", path=path, key=lookup.key)
    check_inside(path, root)
    return path


def check_inside(path: Path, root: Path) -> None:
    """Check that `path`, its links followed, lies under `root`.

    Raises
    ------
    InputError
        If it does not.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError.of("leads_out", path=path, root=root)


def read_left_out(source: Source, folder: Path) -> dict[str, frozenset[str]]:
    """Return the ids of the people whose rows are dropped, by the name of the rule.

    Parameters
    ----------
    source : Source
        Its ``[left_out]`` names the files.
    folder : Path
        Where they lie: the folder of the TOML.

    Raises
    ------
    InputError
        If a file is missing or not UTF-8.
    """
    people: dict[str, frozenset[str]] = {}
    for rule in ("erased", "objecting"):
        name = getattr(source.left_out, rule)
        if name is None:
            continue
        path = folder / name
        try:
            people[rule] = frozenset(door_id(line.rstrip("\r")) for line in read_lines(path))
        except OSError as cause:
            raise InputError.of("no_such_list", path=path, rule=rule) from cause
        except UnicodeDecodeError as cause:
            raise InputError.of("list_not_utf8", path=path) from cause
    return people
