"""Where the files of a source lie: its root, its patterns, and nothing outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from features.errors import InputError
from features.ingestion.source import Files, Lookup, Source

DATA_VARIABLE = "TIERWISE_DATA"
FALLBACK_DATA = Path("data")
PLACEHOLDER = "${" + DATA_VARIABLE + "}"


def resolve_root(source: Source, path: Path, environment: Mapping[str, str] = os.environ) -> Path:
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
        do = f"set {DATA_VARIABLE} to the folder that holds the data sets"
    else:
        root = path.parent / source.root
        do = f"mend root in {path}"
    if not root.is_dir():
        unset = "" if DATA_VARIABLE in environment else f" ({DATA_VARIABLE} is not set)"
        detail = unset if source.root.startswith(PLACEHOLDER) else ""
        raise InputError(f"no folder {root}{detail}; expected the files of {source.name}", do)
    return root


def resolve_paths(files: Files, root: Path) -> list[Path]:
    """Return the raw files that the paths and globs of `files` name, in order of name.

    Raises
    ------
    InputError
        If a name or glob finds nothing, or a link leads out of `root`.
    """
    found: dict[Path, None] = {}
    for pattern in files.paths:
        literal = root / pattern  # a name may hold the signs of a pattern
        matches = (
            [literal] if literal.is_file() else sorted(filter(Path.is_file, root.glob(pattern)))
        )
        if not matches:
            raise InputError(
                f"no such file: {root / pattern}; expected raw data for {files.table}",
                "check the name, or mend paths in the source's TOML",
            )
        for match in matches:
            check_inside(match, root)
        found.update(dict.fromkeys(matches))
    return list(found)


def resolve_lookup(lookup: Lookup, root: Path) -> Path:
    """Return the path of a look-up file.

    Raises
    ------
    InputError
        If it does not exist or leaves `root`.
    """
    path = root / lookup.path
    if not path.is_file():
        raise InputError(
            f"no such file: {path}; expected the look-up by {lookup.key}",
            "check the name, or mend path under [[files.lookup]]",
        )
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
        raise InputError(
            f"{path} leads out of {root}; expected a file below it",
            "copy the file there instead of linking to it",
        )
