"""Prune a state folder: plan, and unless it is a dry run, remove; no promotion goes on meanwhile."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import Config
from features.durable import hold_lock
from training.acts.retrain import LOCK as RETRAIN_LOCK
from training.promotion import LOCK as PROMOTION_LOCK
from training.prune.plan import Plan, plan_pruning

if TYPE_CHECKING:
    from training.registry import Registry


def prune(
    state: Path, config: Config, now: datetime, registry: Registry | None, *, dry_run: bool
) -> tuple[Plan, int]:
    """Remove what may go, and return the plan with the number of failed runs that go, too.

    A release folder is renamed before its files go, so that a run that is killed leaves no half
    release under a digest's name.

    Parameters
    ----------
    state : Path
        The state folder.
    config : Config
        The rules.
    now : datetime
        With a time zone.
    registry : Registry, optional
        Of the champion, and of failed runs; None where there is no MLflow store.
    dry_run : bool
        Tell and remove nothing.

    Raises
    ------
    LockedError
        If a retraining or a promotion is going on.
    """
    with hold_lock(state / RETRAIN_LOCK), hold_lock(state / PROMOTION_LOCK):
        champion = registry.champion() if registry is not None else None
        plan = plan_pruning(state, config, now, champion.digest if champion else "")
        before = now - timedelta(days=config.pruning.failed_run_days)
        failed = registry.failed_runs(before) if registry is not None else []
        if not dry_run:
            for each in plan.removals:
                _remove(each.path)
            for run_id in failed:
                if registry is not None:
                    registry.remove_run(run_id)
    return plan, len(failed)


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink()
        return
    aside = path.with_name(f".{path.name}.0")
    if not path.name.startswith("."):
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        path = aside
    shutil.rmtree(path)
