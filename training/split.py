"""Walk-forward: which cohorts a model for one cutoff may learn from, and the cross-fitting folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.config import TrainingSettings
from features.errors import InputError
from features.identity import hash_bucket
from features.snapshot import Snapshot

DAYS_A_YEAR = 365
SHORTEST_HORIZON_DAYS = 7
SHORTEST_HISTORY_DAYS = 14
SAME_SEASON_WITHIN_DAYS = 20
YEAR_LONG_DAYS = 330  # a horizon from here on holds every season


@dataclass(frozen=True)
class TrainingPlan:
    """The cohorts to learn from for one target snapshot.

    Attributes
    ----------
    target : Snapshot
        The moment the model is made for, with the horizon it predicts.
    training_horizon_days : int
        Horizon of the training cohorts; shorter than the target's where the history is short.
    cutoffs : tuple of date
        Newest first; the outcomes of each end at or before the target's cutoff.
    weights : tuple of float
        Weight of each cohort's rows.
    """

    target: Snapshot
    training_horizon_days: int
    cutoffs: tuple[date, ...]
    weights: tuple[float, ...]

    @property
    def scaled_horizon(self) -> bool:
        """Whether the cohorts are shorter than the horizon that is predicted."""
        return self.training_horizon_days != self.target.horizon_days

    def training_snapshot(self, cutoff: date) -> Snapshot:
        """Return the snapshot of a cohort at `cutoff` with the training horizon."""
        return Snapshot(cutoff, self.training_horizon_days, self.target.history_start)

    @property
    def feature_snapshot(self) -> Snapshot:
        """The snapshot with which the features of the target cohort are built."""
        return self.training_snapshot(self.target.cutoff)


def choose_training_horizon(observation_days: int, horizon_days: int) -> int:
    """Return the training horizon, in days.

    The horizon itself where the history holds it three times, otherwise a third of the history:
    predictions.md of the project's method notes, rule 2.

    >>> choose_training_horizon(559, 180), choose_training_horizon(273, 273)
    (180, 91)
    """
    if observation_days >= 3 * horizon_days:
        return horizon_days
    return max(observation_days // 3, SHORTEST_HORIZON_DAYS)


def plan_training(target: Snapshot, settings: TrainingSettings) -> TrainingPlan:
    """Choose the training cohorts of `target`; no label of theirs reaches its cutoff.

    Up to ``n_cutoffs`` cohorts a quarter of a horizon apart, each with half a horizon of history
    or more, and for horizons below a year the cohorts of the same season one and two years back.

    Raises
    ------
    InputError
        If the history holds not one cohort.
    """
    horizon = choose_training_horizon(target.observation_days, target.horizon_days)
    earliest = target.history_start + timedelta(days=max(round(horizon / 2), SHORTEST_HISTORY_DAYS))
    newest = target.cutoff - timedelta(days=horizon)
    step = max(round(horizon / 4), SHORTEST_HORIZON_DAYS)
    cutoffs = [newest - timedelta(days=step * i) for i in range(settings.n_cutoffs)]
    cutoffs = [cutoff for cutoff in cutoffs if cutoff >= earliest]
    cutoffs += _same_season(target.cutoff, horizon, earliest, cutoffs, step)
    if not cutoffs:
        raise InputError(
            f"the data holds {target.observation_days} days before {target.cutoff}; expected at "
            f"least {horizon + max(round(horizon / 2), SHORTEST_HISTORY_DAYS)} to learn "
            f"{target.horizon_days} days ahead",
            "add older orders or shorten training.horizon_days",
        )
    weights = [settings.cutoff_decay**i for i in range(len(cutoffs))]
    for i, cutoff in enumerate(cutoffs):
        days_from_year = abs((target.cutoff - cutoff).days - DAYS_A_YEAR)
        if horizon < YEAR_LONG_DAYS and days_from_year <= SAME_SEASON_WITHIN_DAYS:
            weights[i] = 1.0
    return TrainingPlan(target, horizon, tuple(cutoffs), tuple(weights))


def _same_season(
    cutoff: date, horizon: int, earliest: date, chosen: Sequence[date], step: int
) -> list[date]:
    """Return the cutoffs one and two years back that no chosen cutoff stands for."""
    if horizon >= DAYS_A_YEAR:
        return []
    found: list[date] = []
    for years in (1, 2):
        candidate = cutoff - timedelta(days=DAYS_A_YEAR * years)
        near = any(abs((candidate - other).days) <= step // 2 for other in [*chosen, *found])
        if candidate >= earliest and not near:
            found.append(candidate)
    return found


def fold_of(customer_ids: Sequence[str], n_folds: int) -> NDArray[np.int64]:
    """Return each customer's cross-fitting fold: one fold over all cutoffs, by a hash of the id."""
    return np.array([hash_bucket(c, n_folds, "fold") for c in customer_ids], dtype=np.int64)
