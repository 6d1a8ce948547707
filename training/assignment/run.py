"""The job of a re-tier date: dry run first, then publish what the dry run showed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from features.config import Config
from features.durable import hold_lock, replace_folder
from features.errors import InputError, ReleaseError
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import Tables
from training.artifact import RELEASES
from training.assignment.calendar import check_calendar, newest_re_tier_date, next_re_tier_date
from training.assignment.history import (
    Published,
    folder_of,
    newest_day,
    read_newest,
    write_published,
)
from training.assignment.overrides import read_overrides
from training.assignment.propose import Proposal, propose
from training.assignment.told import moves_csv, proposal_text
from training.release import Release, load_release

DRY_RUN = "dry-run"
LOCK = ".lock"


@dataclass(frozen=True)
class Job:
    """What a re-tier date needs.

    Attributes
    ----------
    release : Release
        The champion.
    tables : Tables
        Of its source.
    config : Config
        Calendar and language.
    state : Path
        Folder of all results.
    overrides : Path or None
        File of tiers that people gave.
    """

    release: Release
    tables: Tables
    config: Config
    state: Path
    overrides: Path | None = None

    @property
    def source(self) -> str:
        """Whose customers."""
        return self.tables.source

    @property
    def folder(self) -> Path:
        """Where its assignments lie."""
        return folder_of(self.state, self.source)


def default_day(job: Job) -> date:
    """Return the last date of the calendar that the data reaches."""
    return newest_re_tier_date(job.tables.data_complete_before, job.config.training.assignment)


def propose_day(job: Job, day: date) -> Proposal:
    """Return what a re-tier date would do.

    Raises
    ------
    InputError
        As `propose` and `read_overrides`, or if a later day is published.
    """
    newest = newest_day(job.state, job.source)
    if newest is not None and newest > day:
        raise InputError(
            f"tiers from {newest} on are published; expected a later re-tier date than that, "
            f"found {day}",
            "the history is append-only: take the next date",
        )
    previous = read_newest(job.state, job.source, day - timedelta(days=1))
    tiers = [tier.id for tier in job.release.tiers]
    given = {} if job.overrides is None else read_overrides(job.overrides, tiers)
    return propose(
        job.release,
        job.tables,
        lambda snapshot: _features(job, snapshot),
        day,
        previous,
        _release_of(job, previous),
        given,
    )


def dry_run(job: Job, day: date) -> tuple[Proposal, Path]:
    """Write what a re-tier date would do beside the history, and publish nothing.

    Returns
    -------
    tuple of Proposal and Path
        The folder holds ``moves.csv`` and ``manifest.json``.
    """
    proposal = propose_day(job, day)
    folder = job.folder / DRY_RUN / day.isoformat()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(job.folder / LOCK), replace_folder(folder) as new:
        (new / "moves.csv").write_bytes(moves_csv(proposal, job.config.lang))
        told = {"digest": proposal.digest, "proposal": proposal.summary}
        text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True)
        (new / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return proposal, folder


def publish(
    job: Job, day: date, off_calendar: str | None = None, digest: str | None = None
) -> tuple[Proposal, Path]:
    """Publish what the dry run of a day showed; once it is published, nothing more happens.

    Parameters
    ----------
    job : Job
        What it needs.
    day : date
        The re-tier date.
    off_calendar : str, optional
        Why on a day that is none of the calendar.
    digest : str, optional
        Of the dry run that was looked at, or its beginning; without one the last dry run counts.

    Raises
    ------
    InputError
        If the day is none of the calendar and no reason is given, no dry run was made, or it
        showed something else than would be published.
    LockedError
        If another run is publishing.
    """
    check_calendar(day, job.config.training.assignment, off_calendar)
    seen = _dry_run_digest(job, day)
    proposal = propose_day(job, day)
    for told in (seen, *([] if digest is None else [digest])):
        if not told or not proposal.digest.startswith(told):
            raise InputError(
                f"what would be published on {day} is {proposal.digest[:12]}; expected "
                f"{told[:12]}, which the dry run showed",
                "data, release, overrides or history changed since: look at a new --dry-run first",
            )
    reason = (off_calendar or "").strip() or None
    published = Published(
        day, proposal.digest, proposal.tiers, proposal.moves, proposal.summary, reason
    )
    with hold_lock(job.folder / LOCK):
        return proposal, write_published(job.state, job.source, published)


def told(job: Job, proposal: Proposal) -> str:
    """Return a proposal in words, with the next date of the calendar."""
    following = next_re_tier_date(proposal.day, job.config.training.assignment)
    return proposal_text(proposal, job.config.lang, following)


def _features(job: Job, snapshot: Snapshot) -> pd.DataFrame:
    return read_or_build_features(job.tables, snapshot, job.config.features, job.state)


def _release_of(job: Job, previous: Published | None) -> Release | None:
    """Return the release of the last assignment, or None where it is no longer kept."""
    if previous is None:
        return None
    if previous.release == job.release.digest:
        return job.release
    folder = job.state / RELEASES / previous.release
    if not folder.is_dir():
        return None
    try:
        return load_release(folder)
    except ReleaseError as cause:
        raise InputError(
            f"the release of {previous.day} is damaged: {cause.found}",
            "restore it from the registry, or remove its folder: its moves are then told without "
            "a cause",
        ) from cause


def _dry_run_digest(job: Job, day: date) -> str:
    path = job.folder / DRY_RUN / day.isoformat() / "manifest.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, LookupError, TypeError) as cause:
        raise InputError(
            f"no dry run of {day} in {path.parent}; expected one that somebody looked at",
            f"run: python -m training assign --date {day} --dry-run",
        ) from cause
