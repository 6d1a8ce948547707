"""What may be removed from a state folder, and why; what anything refers to never is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.config import Config
from features.errors import InputError
from training.artifact import RELEASES
from training.derived import DERIVED
from training.pointers import read_digests
from training.promotion import served_digest

PREDICTIONS = "predictions"
LAST_GOOD = Path("serving") / "last_good.json"
ID_DIGITS = 12
GOES_WITH_IT = "belongs to a release that goes"
_DIGEST_LENGTH = 64


@dataclass(frozen=True)
class Removal:
    """One file or folder that may go.

    Attributes
    ----------
    path : Path
        Within the state folder.
    why : str
        The rule.
    size_bytes : int
        Of all its files.
    """

    path: Path
    why: str
    size_bytes: int


@dataclass(frozen=True)
class Plan:
    """What goes, and which releases stay for which reason.

    Attributes
    ----------
    removals : tuple of Removal
        In the order in which they are removed.
    kept : dict of str to str
        Digest of a release to why it stays.
    """

    removals: tuple[Removal, ...]
    kept: dict[str, str]

    @property
    def size_bytes(self) -> int:
        """Of everything that goes."""
        return sum(each.size_bytes for each in self.removals)


def plan_pruning(state: Path, config: Config, now: datetime, champion: str) -> Plan:
    """Decide what goes.

    Kept are the release that is served, the one a rollback would go to, the registry's champion,
    the one a service fell back to, those that answered within the retention of the prediction log,
    the parents of all of these, and the newest ones. Everything that belongs to a release goes with
    it: look-up, report and backtest.

    Parameters
    ----------
    state : Path
        The state folder.
    config : Config
        ``[pruning]``, and ``serving.log_retention_days``.
    now : datetime
        With a time zone.
    champion : str
        Digest of the registry's champion; empty where there is none.
    """
    first_kept = (now - timedelta(days=config.serving.log_retention_days)).date()
    kept = _kept_releases(state, config.pruning.keep_releases, champion, first_kept)
    removals = [
        *_old_days(state, first_kept),
        *_of_releases(state, kept),
        *_old_features(state, now - timedelta(days=config.pruning.feature_days)),
        *_left_behind(state),
    ]
    return Plan(tuple(removals), kept)


def _kept_releases(state: Path, n_newest: int, champion: str, first_kept: date) -> dict[str, str]:
    there = _releases(state)
    kept: dict[str, str] = {}

    def keep(digest: str, why: str) -> None:
        if digest in there:
            kept.setdefault(digest, why)

    served = served_digest(state)
    keep(served, "is served")
    before = [digest for digest in read_digests(state / RELEASES) if digest in there]
    while before and before[-1] == served:
        before.pop()
    if before:
        keep(before[-1], "a rollback goes to it")
    keep(champion, "is the registry's champion")
    keep(_last_good(state), "a service last answered with it")
    for name in sorted(_answering(state, first_kept)):
        for digest in there:
            if digest.startswith(name):
                keep(digest, "answered within the retention of the prediction log")
    for digest in list(kept):
        keep(_parent(state, digest), f"parent of {digest[:ID_DIGITS]}")
    newest = sorted(there, key=lambda one: (-(state / RELEASES / one).stat().st_mtime, one))
    for digest in [one for one in newest if one not in kept][:n_newest]:
        keep(digest, "among the newest")
    return kept


def _releases(state: Path) -> list[str]:
    folder = state / RELEASES
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if _is_digest(each.name) and each.is_dir())


def _is_digest(name: str) -> bool:
    return len(name) == _DIGEST_LENGTH and all(each in "0123456789abcdef" for each in name)


def _last_good(state: Path) -> str:
    try:
        return str(json.loads((state / LAST_GOOD).read_text(encoding="ascii"))["digest"])
    except FileNotFoundError:
        return ""
    except (ValueError, LookupError, TypeError) as cause:
        raise InputError(
            f"{state / LAST_GOOD} cannot be read ({type(cause).__name__}); expected the release a "
            "service last answered with",
            "start the service once, or remove the file, then prune",
        ) from cause


def _parent(state: Path, digest: str) -> str:
    numbers = json.loads((state / RELEASES / digest / "release.json").read_text(encoding="utf-8"))
    return str(numbers["lineage"].get(DERIVED, {}).get("parent", ""))


def _answering(state: Path, first_kept: date) -> set[str]:
    """Return the names of the releases that the kept days of the prediction log bear.

    Raises
    ------
    InputError
        If a segment cannot be read: then nobody knows which release it needs.
    """
    names: set[str] = set()
    for day, folder in _days(state):
        if day < first_kept:
            continue
        for path in sorted(folder.glob("[!.]*.parquet")):
            try:
                column = pq.read_table(path, columns=["release"], partitioning=None)["release"]
            except (OSError, pa.ArrowException, KeyError) as cause:
                raise InputError(
                    f"{path} cannot be read ({type(cause).__name__}); expected a segment of the "
                    "prediction log, whose releases must stay",
                    "remove the segment or restore it, then prune",
                ) from cause
            names.update(name for name in column.unique().to_pylist() if name)
    return names


def _days(state: Path) -> Iterator[tuple[date, Path]]:
    for each in _entries(state / PREDICTIONS):
        try:
            yield date.fromisoformat(each.name), each
        except ValueError:
            continue


def _old_days(state: Path, first_kept: date) -> Iterator[Removal]:
    for day, folder in _days(state):
        if day < first_kept:
            yield _removal(folder, "predictions beyond serving.log_retention_days")


def _of_releases(state: Path, kept: dict[str, str]) -> Iterator[Removal]:
    """Yield the releases that go, and whatever belongs to no release that stays."""
    short = {digest[:ID_DIGITS] for digest in kept}
    for path in _entries(state / "online"):
        if _is_digest(path.name) and path.name not in kept:
            yield _removal(path, GOES_WITH_IT)
    for path in _entries(state / "reports"):
        if len(path.name) == ID_DIGITS and path.name not in short:
            yield _removal(path, GOES_WITH_IT)
    for path in _entries(state / "backtests"):
        if _is_digest(path.stem) and path.stem not in kept:
            yield _removal(path, GOES_WITH_IT)
    for digest in _releases(state):
        if digest not in kept:
            yield _removal(state / RELEASES / digest, "neither referred to nor among the newest")


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _old_features(state: Path, before: datetime) -> Iterator[Removal]:
    for path in sorted((state / "features").glob("*/*.parquet")):
        if path.stat().st_mtime < before.timestamp():
            yield _removal(
                path, "a feature table beyond pruning.feature_days; built again if asked"
            )


def _left_behind(state: Path) -> Iterator[Removal]:
    """Yield the half-written releases of processes that are gone."""
    for path in sorted((state / RELEASES).glob(".*.*")):
        process = path.name.rpartition(".")[2]
        if process.isdigit() and not Path("/proc", process).exists():
            yield _removal(path, "left behind by a run that was killed")


def _removal(path: Path, why: str) -> Removal:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return Removal(path, why, sum(os.stat(each).st_size for each in files))


def parse_now(text: str) -> datetime:
    """Return a moment with its time zone; UTC where none is given."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
