"""The monitoring job: look, decide, write it down, tell. The same inputs are looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from features.config import Config
from features.durable import hold_lock
from features.errors import EXIT_ACTED, EXIT_DONE, EXIT_WANTS_HUMAN, InputError
from features.sentiment.periods import read_text_periods
from features.tables import Tables
from monitoring.act import FAILED, Acting, carry_out, exit_code_of, open_act
from monitoring.alert import send_alert
from monitoring.answers import Answers, read_answers
from monitoring.drift import find_faults
from monitoring.finding import Finding
from monitoring.look import feature_rows, judge, read_days, score_window
from monitoring.quarantine import renew_quarantine
from monitoring.verdicts import (
    FOLDER,
    find_looked_at,
    read_memory,
    read_newest,
    read_verdicts,
    verdict_path,
    verdict_to_json,
    write_gauges,
    write_verdict,
)
from monitoring.watch import watch
from training.artifact import RELEASES, current_release, read_files
from training.derived import matured_cutoffs
from training.journal import read_journal
from training.reference import FILE, Reference, reference_from
from training.release import Release, load_release

MOST_NEW_DAYS = 28
MOST_COHORTS = 4
EXITS = {"none": EXIT_DONE, "escalate": EXIT_WANTS_HUMAN}


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes
    ----------
    told : dict
        The verdict as it was written.
    is_new : bool
        False where the same inputs had been looked at before.
    exit_code : int
        0 nothing to do, 10 an act, 20 a human is wanted.
    acted : tuple of dict
        What came of the acts that this run carried out: one that an earlier run had left open,
        then that of this verdict.
    """

    told: dict[str, Any]
    is_new: bool
    exit_code: int
    acted: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class _Look:
    """What one run looks at; the attributes are the arguments of `run_monitoring`."""

    tables: Tables
    config: Config
    state: Path
    day: date
    happened_column: str | None
    tell: Callable[[str], None]


def run_monitoring(
    tables: Tables,
    config: Config,
    state: Path,
    as_of: date | None,
    happened_column: str | None,
    tell: Callable[[str], None],
    acting: Acting | None = None,
) -> Outcome:
    """Look at the release that is served, up to a day, and decide.

    Parameters
    ----------
    tables : Tables
        Validated tables of the release's source.
    config : Config
        Limits and addresses.
    state : Path
        The state folder; verdicts are kept below ``monitoring``.
    as_of : date, optional
        The first day that is not looked at; by default the end of the complete data.
    happened_column : str, optional
        The raw files' column of the time, for lines that were set aside.
    tell : callable
        Is told each step.
    acting : Acting, optional
        With it the act is carried out, and first that which an earlier run left open.

    Raises
    ------
    LockedError
        If another run is at it, or at a retraining.
    InputError
        If the tables are of another source, or the day lies before the release.
    """
    day = as_of or tables.data_complete_before
    acted: list[dict[str, Any]] = []
    with hold_lock(state / FOLDER / ".lock"):
        left = read_newest(state)
        if acting is not None and left is not None and open_act(left, state):
            acted.append(carry_out(left, tables, config, state, acting))
        told, is_new = _told_of(_Look(tables, config, state, day, happened_column, tell))
        if acting is not None and is_new and open_act(told, state):
            acted.append(carry_out(told, tables, config, state, acting))
    code = EXITS.get(told["act"], EXIT_ACTED) if is_new else EXIT_DONE
    if acted:
        code = exit_code_of(acted[-1])
    if config.monitoring.webhook:
        _tell_somebody(config.monitoring.webhook, told if is_new else None, acted)
    return Outcome(told, is_new, code, tuple(acted))


def _told_of(look: _Look) -> tuple[dict[str, Any], bool]:
    """Return the verdict of a day, and whether it is new; the caller holds the lock."""
    tables, state, day = look.tables, look.state, look.day
    folder = current_release(state / RELEASES)
    release = load_release(folder)
    known = find_looked_at(state, day, release.digest, tables.digest)
    if known is not None:
        look.tell(f"{day} was looked at already")
        return known, False
    _check(release, tables, day)
    reference = read_reference(folder)
    told = _verdict_of(look, release, reference)
    renew_quarantine(told, tables, state, reference, look.config.monitoring, look.happened_column)
    write_verdict(told, verdict_path(state, day, release.digest))
    write_gauges(told, state / FOLDER)
    return told, True


def _tell_somebody(
    address: str, told: Mapping[str, Any] | None, acted: Sequence[Mapping[str, Any]]
) -> None:
    """Post a verdict that acts, and an act that was not done."""
    if told is not None and told["act"] != "none":
        send_alert(address, told)
    for each in acted:
        if each["status"] in FAILED:
            release = each.get("previous", "")
            reasons = [f"{each['act']} {each['status']}", *each["reasons"]]
            row = {"release": release, "quarantine": False, **each}
            send_alert(address, {**row, "act": "escalate", "reasons": reasons})


def _check(release: Release, tables: Tables, day: date) -> None:
    if release.source != tables.source:
        raise InputError(
            f"the release was learned on {release.source}, the tables are of {tables.source}; "
            "expected the same source",
            f"run: python -m monitoring run --source datasets/{release.source}.toml",
        )
    if not release.cutoff <= day <= tables.data_complete_before:
        raise InputError(
            f"{day} is not between the release's cutoff {release.cutoff} and "
            f"{tables.data_complete_before}, up to which the data is complete",
            "ingest newer data, or give another --as-of",
        )


def _verdict_of(look: _Look, release: Release, reference: Reference | None) -> dict[str, Any]:
    """Gather what a day shows, judge it, and return the verdict as JSON values."""
    tables, config, state, day = look.tables, look.config, look.state, look.day
    memory, looked_on = read_memory(state, day)
    n_new_days = config.monitoring.window_days
    if looked_on is not None:
        n_new_days = min(max((day - looked_on).days, 1), MOST_NEW_DAYS)
    look.tell(f"features of {day}")
    _, rows = feature_rows(tables, release, day, config, state)
    performances = []
    for cutoff in matured_cutoffs(release, day)[:MOST_COHORTS]:
        look.tell(f"outcomes of {cutoff}")
        performances.append(judge(tables, release, cutoff, day, config, state))
    look.tell("answers and order days")
    first = day.fromordinal(day.toordinal() - n_new_days)
    answers = read_answers(state, first, day, release.digest, len(release.columns))
    verdict = watch(
        score_window(release, rows, day, _expected_rows(state, day)),
        reference,
        read_days(tables, day, n_new_days, look.happened_column),
        performances,
        memory,
        config.monitoring,
        promoted_on(state, release.digest),
        n_new_days,
        _faults_of_answers(release, answers.rows, day, reference, config),
        next(iter(read_text_periods(tables, day, release.cutoff, 1)), None),
    )
    told = verdict_to_json(verdict, release.digest, tables.digest)
    told["release_age_days"] = (day - release.cutoff).days
    told["n_new_days"] = n_new_days
    told["answers"] = _answers_to_json(answers)
    return told


def _answers_to_json(answers: Answers) -> dict[str, Any]:
    """Return what was counted of the logged answers as JSON values."""
    return {
        "n_of_release": answers.n_of_release,
        "n_of_others": answers.n_of_others,
        "n_vectors": len(answers.rows),
        "statuses": answers.statuses,
        "tiers": answers.tiers,
        "n_damaged": answers.n_damaged,
        "by_day": {each.isoformat(): n for each, n in sorted(answers.n_by_day.items())},
    }


def read_reference(folder: Path) -> Reference | None:
    """Return the reference of a release's folder; None for a release made without one."""
    content = read_files(folder)[1].get(FILE)
    return None if content is None else reference_from(content)


def promoted_on(state: Path, release: str) -> date | None:
    """Return the day on which a release was last made the one that is served."""
    days = [
        date.fromisoformat(entry.at[:10])
        for entry in read_journal(state)
        if entry.release == release and entry.act in ("promote", "roll back")
    ]
    return days[-1] if days else None


def _expected_rows(state: Path, day: date) -> float | None:
    """Return the rows of the newest window before a day: customers do not disappear."""
    rows = None
    for told in read_verdicts(state):
        if date.fromisoformat(told["as_of"]) < day and told["drift"] is not None:
            rows = float(told["drift"]["n_rows"])
    return rows


def _faults_of_answers(
    release: Release, rows: Any, day: date, reference: Reference | None, config: Config
) -> tuple[Finding, ...]:
    """Return what is broken in the vectors that clients sent.

    Who asks is not who exists, so their shares are no drift; a fault of the data is one all the
    same.
    """
    if reference is None or len(rows) < config.monitoring.minimum_rows:
        return ()
    window = score_window(release, rows, day)
    return tuple(
        replace(fault, subject=f"{fault.subject} as asked")
        for fault in find_faults(window, reference, config.monitoring)
    )
