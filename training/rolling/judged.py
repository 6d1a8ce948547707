"""One moment of a rolling-origin backtest: every model's figures, as they are kept and resumed."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from features.config import TrainingSettings
from features.durable import write_durably
from features.errors import NoSkillError
from features.progress import Progress
from features.snapshot import Snapshot
from training.backtest import LEARNED, Backtest, run_backtest
from training.cohort import CohortSource
from training.judge.resample import paired_bootstrap

DRAWS = 300
Metrics = dict[str, float]


@dataclass(frozen=True)
class Judged:
    """What was found at one cutoff with one horizon.

    Attributes
    ----------
    cutoff, horizon_days
        The moment.
    n_customers, active_share
        The cohort: its size, and the share with a positive outcome.
    season_unseen : bool
        Whether the season of the outcome window lies in no matured cohort.
    metrics : dict
        By model, as `training.judge.evaluate.evaluate_predictions`.
    differences : dict
        By baseline: value, standard_error, lower95 and upper95 of the nGini of the learned model
        less the baseline's, paired over customers.
    p_value : float
        Of the learned ranking against chance.
    no_skill : str
        Why there are no figures, where nothing could be learned; empty otherwise.
    """

    cutoff: date
    horizon_days: int
    n_customers: int = 0
    active_share: float = math.nan
    season_unseen: bool = False
    metrics: dict[str, Metrics] | None = None
    differences: dict[str, Metrics] | None = None
    p_value: float = math.nan
    no_skill: str = ""

    @property
    def name(self) -> str:
        """Such as ``2011-06-13 180 d``."""
        return f"{self.cutoff} {self.horizon_days} d"


def judge_moment(source: CohortSource, snapshot: Snapshot, settings: TrainingSettings) -> Judged:
    """Fit every model for one moment on what was known before it, then look.

    Raises
    ------
    InputError
        If the history is too short or a column knows the outcome.
    """
    try:
        backtest = run_backtest(source, snapshot, settings, Progress(lambda: 0.0, out=StringIO()))
    except NoSkillError as nothing:
        return Judged(snapshot.cutoff, snapshot.horizon_days, no_skill=nothing.found)
    return judged_of(backtest, settings.seed)


def judged_of(backtest: Backtest, seed: int) -> Judged:
    """Return the figures of a backtest."""
    cohort, said = backtest.cohort, backtest.predictions
    differences = {
        name: asdict(
            paired_bootstrap(
                cohort.value, said[LEARNED].value, prediction.value, draws=DRAWS, seed=seed
            )
        )
        for name, prediction in said.items()
        if name != LEARNED
    }
    return Judged(
        cutoff=cohort.snapshot.cutoff,
        horizon_days=cohort.snapshot.horizon_days,
        n_customers=len(cohort),
        active_share=float(cohort.active.mean()),
        season_unseen=backtest.fitted.lesson.level.season_unseen,
        metrics=backtest.metrics,
        differences=differences,
        p_value=backtest.skill.p_value,
    )


def write_judged(judged: Judged, path: Path) -> None:
    """Keep what was found, whole or not at all; a figure that does not exist is null."""
    told = _nulls(asdict(judged) | {"cutoff": judged.cutoff.isoformat()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, json.dumps(told, indent=1, allow_nan=False).encode())


def read_judged(path: Path) -> Judged | None:
    """Return what was kept; None if there is nothing, or it cannot be read."""
    try:
        told = _nans(json.loads(path.read_text(encoding="utf-8")))
        return Judged(**(told | {"cutoff": date.fromisoformat(told["cutoff"])}))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _nulls(v) for name, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _nans(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: math.nan if v is None and name not in ("metrics", "differences") else _nans(v)
            for name, v in value.items()
        }
    return value
