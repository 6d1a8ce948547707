"""Draw what was decided: the workspace of all verdicts, and reports on the newest window."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from features.config import Config
from features.durable import hold_lock
from features.errors import InputError
from features.snapshot import Snapshot
from features.tables import Tables
from monitoring.look import feature_rows
from monitoring.report.dashboard import (
    PAGES,
    draw_verdicts,
    write_drift_page,
    write_matured_pages,
)
from monitoring.report.texts import PAGE, write_review_page
from monitoring.verdicts import FOLDER, read_verdicts
from training.artifact import RELEASES
from training.derived import matured_cutoffs
from training.labels import build_labels
from training.release import load_release


def draw(
    tables: Tables, config: Config, state: Path, tell: Callable[[str], None]
) -> tuple[Path, list[Path]]:
    """Draw every verdict that is not drawn yet, and the pages of the newest.

    Returns
    -------
    tuple
        The workspace, and the pages: drift on samples, reviews where they are scored, and, once a cohort of the release has
        matured, regression and classification.

    Raises
    ------
    InputError
        If nothing was looked at yet.
    LockedError
        If another run draws.
    """
    verdicts = list(read_verdicts(state))
    if not verdicts:
        raise InputError(
            f"no verdict in {state / FOLDER}; expected at least one run of the monitoring",
            f"run: python -m monitoring run --source datasets/{tables.source}.toml",
        )
    newest = verdicts[-1]
    as_of = date.fromisoformat(newest["as_of"])
    with hold_lock(state / FOLDER / ".drawing.lock"):
        workspace = draw_verdicts(verdicts, state / FOLDER, tell)
        release = load_release(state / RELEASES / newest["release"])
        pages = state / FOLDER / PAGES
        tell("drift on samples")
        _, made_on = feature_rows(tables, release, release.cutoff, config, state)
        _, now = feature_rows(tables, release, as_of, config, state)
        written = [write_drift_page(now, made_on, release.columns, pages / "drift.html")]
        tell("reviews")
        reviews = write_review_page(tables, release.cutoff, as_of, pages / PAGE)
        written += [] if reviews is None else [reviews]
        for cutoff in matured_cutoffs(release, as_of)[:1]:
            tell(f"outcomes of {cutoff}")
            ids, rows = feature_rows(tables, release, cutoff, config, state)
            snapshot = Snapshot(cutoff, release.horizon_days, release.history_start)
            outcome = build_labels(tables, snapshot, ids, as_of).to_numpy(dtype=float)
            scores = release.score(rows)
            written += write_matured_pages(
                outcome, scores.expected_value, 1.0 - scores.p_churn, pages
            )
    return workspace, written
