"""Promotion and rollback with all that they touch: trial, journal, alias and pointer.

The journal gets its intent first and its outcome last. What a kill left open is closed by the next
promotion or rollback, by what the signed pointer says: that is what is served.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.config import Config
from features.durable import hold_lock
from features.errors import ReleaseError
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import Tables
from training.artifact import RELEASES, current_release, point_to, roll_back
from training.backtest_store import KeptBacktest, read_backtest
from training.derived import ranks_from
from training.gate import Papers, Ruling, Trial, judge_challenger
from training.journal import Entry, append_entry, read_journal
from training.models.matrix import Array
from training.release import Release

if TYPE_CHECKING:
    from training.registry import Registry, Version

LOCK = ".promotion.lock"
CERTIFIED_BELOW = 0.05
UNSEEN_BY_NEITHER = "no matured cohort that neither release had seen is kept"


@dataclass(frozen=True)
class Note:
    """What the journal is told of a promotion, a refusal or a rollback."""

    at: datetime
    why: tuple[str, ...]
    figures: dict[str, float]


def judge_release(
    challenger: Release, champion: Release, tables: Tables, config: Config, state: Path
) -> Ruling | None:
    """Hold two releases against each other on the challenger's newest matured cohort.

    The challenger speaks by the backtest it was made with. The champion speaks by itself where it
    was made before that cohort, by its own backtest where that is of the same cohort; otherwise
    no fair trial exists and None is returned.
    """
    kept = read_backtest(state, challenger.digest)
    if kept is None or challenger.horizon_days != champion.horizon_days:
        return None
    said = _champion_says(kept, challenger, champion, tables, config, state)
    if said is None:
        return None
    trial = Trial(kept.outcome, kept.value, said, kept.best_baseline)
    papers = Papers(
        is_certified=_is_certified(challenger),
        season_unseen=challenger.season_unseen,
        moved_share=_moved_share(challenger, champion, tables, config, state),
    )
    return judge_challenger(trial, papers, seed=config.training.seed)


def _champion_says(
    kept: KeptBacktest,
    challenger: Release,
    champion: Release,
    tables: Tables,
    config: Config,
    state: Path,
) -> Array | None:
    cutoff = date.fromisoformat(challenger.lineage["backtest"]["cutoff"])
    if ranks_from(champion) <= cutoff:
        ids, rows = _rows(champion, cutoff, tables, config, state)
        value: Array = champion.score(rows).expected_value
    else:
        own = read_backtest(state, champion.digest)
        if own is None or champion.lineage["backtest"]["cutoff"] != cutoff.isoformat():
            return None
        ids, value = own.customer_ids, own.value
    place = {customer_id: i for i, customer_id in enumerate(ids)}
    if any(customer_id not in place for customer_id in kept.customer_ids):
        return None
    return np.asarray(value[[place[customer_id] for customer_id in kept.customer_ids]])


def _rows(
    release: Release, cutoff: date, tables: Tables, config: Config, state: Path
) -> tuple[tuple[str, ...], Array]:
    snapshot = Snapshot(cutoff, release.feature_horizon_days, release.history_start)
    frame = read_or_build_features(tables, snapshot, config.features, state)
    rows = frame[list(release.columns)].to_numpy(dtype=np.float64)
    return tuple(frame["customer_id"]), np.ascontiguousarray(rows)


def _is_certified(release: Release) -> bool:
    """Whether every boundary was certified; fixed shares promise nothing and need nothing."""
    return all(tier.p_value is None or tier.p_value < CERTIFIED_BELOW for tier in release.tiers)


def _moved_share(
    challenger: Release, champion: Release, tables: Tables, config: Config, state: Path
) -> float:
    """Return the share of today's customers whom the two releases put into different tiers."""
    named = []
    for release in (challenger, champion):
        _, rows = _rows(release, challenger.cutoff, tables, config, state)
        ids = np.array([*(tier.id for tier in release.tiers), ""])
        named.append(ids[release.score(rows).tier])
    return float((named[0] != named[1]).mean())


def promote_version(
    state: Path, registry: Registry, version: Version, note: Note, expected: str | None = None
) -> None:
    """Make a version the one that is served: intent, alias, pointer, done.

    Parameters
    ----------
    state : Path
        The state folder.
    registry : Registry
        Whose alias moves.
    version : Version
        To serve.
    note : Note
        For the journal.
    expected : str, optional
        Digest of what must be served until now.

    Raises
    ------
    LockedError
        If another promotion or rollback is going on.
    ReleaseError
        If the release's folder is not there, or something else is served than was expected.
    """
    with hold_lock(state / LOCK):
        close_journal(state, note.at)
        before = served_digest(state)
        if expected is not None and before not in (expected, version.digest):
            raise ReleaseError(
                f"release {before[:12]} is served; expected {expected[:12]}, which the new one was "
                "held against",
                "run it again, against what is served now",
            )
        _write(state, note, "intend", version.digest, before)
        registry.set_champion(version)
        point_to(state / RELEASES, version.digest)
        _write(state, note, "promote", version.digest, before)


def refuse_version(state: Path, version: Version, note: Note) -> None:
    """Write down that the gate refused a version."""
    with hold_lock(state / LOCK):
        close_journal(state, note.at)
        _write(state, note, "refuse", version.digest, served_digest(state))


def roll_back_release(state: Path, note: Note) -> str:
    """Serve the release that was served before, and return its digest; needs no registry."""
    with hold_lock(state / LOCK):
        close_journal(state, note.at)
        before = served_digest(state)
        digest = roll_back(state / RELEASES)
        _write(state, note, "roll back", digest, before)
    return digest


def close_journal(state: Path, at: datetime) -> None:
    """Close an intent that a kill left open, by what is served; the caller holds the lock."""
    rows = read_journal(state)
    if not rows or rows[-1].act != "intend":
        return
    left = rows[-1]
    done = served_digest(state) == left.release
    act, why = ("promote", "found done") if done else ("abandon", "found undone")
    note = Note(at, (*left.why, f"{why} after a run that was cut short"), left.figures)
    _write(state, note, act, left.release, left.previous)


def served_digest(state: Path) -> str:
    """Return the digest of the release that is served; empty where there is none."""
    try:
        return current_release(state / RELEASES).name
    except ReleaseError:
        return ""


def _write(state: Path, note: Note, act: str, release: str, previous: str) -> Entry:
    figures: dict[str, Any] = {k: v for k, v in note.figures.items() if np.isfinite(v)}
    return append_entry(
        state, note.at, getpass.getuser(), act, release, previous, note.why, figures
    )
