"""Which moments a rolling-origin backtest judges: those that the data can carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from features.config import TrainingSettings
from features.errors import InputError
from features.snapshot import Snapshot
from training.split import plan_training

SHORTEST_STEP_DAYS = 30


@dataclass(frozen=True)
class RollingPlan:
    """The moments, and those left out with the reason."""

    snapshots: tuple[Snapshot, ...]
    left_out: tuple[str, ...]


def plan_rolling(
    history_start: date,
    data_complete_before: date,
    horizons: Sequence[int],
    n_cutoffs: int,
    step_days: int | None,
    settings: TrainingSettings,
) -> RollingPlan:
    """Plan up to `n_cutoffs` moments of each horizon, the newest whose outcomes are known first.

    Parameters
    ----------
    history_start, data_complete_before : date
        The days that the data holds.
    horizons : sequence of int
        Days predicted.
    n_cutoffs : int
        Of each horizon.
    step_days : int or None
        Between two cutoffs; by default a quarter of the horizon, at least 30 days.
    settings : TrainingSettings
        With which each moment's models are trained.

    Raises
    ------
    InputError
        If the data can carry no moment of any horizon, or a number is out of bounds.
    """
    if (
        n_cutoffs < 1
        or not horizons
        or min(horizons) < 7
        or (step_days is not None and step_days < 1)
    ):
        raise InputError(
            f"{n_cutoffs} cutoffs, horizons {list(horizons)}, a step of {step_days} days; expected "
            "1 cutoff or more, horizons of 7 days or more, a step of 1 day or more",
            "give such as --cutoffs 5 --horizons 90,180 --step-days 45",
        )
    snapshots: list[Snapshot] = []
    left_out: list[str] = []
    for horizon in sorted(set(horizons)):
        step = step_days or max(round(horizon / 4), SHORTEST_STEP_DAYS)
        for i in range(n_cutoffs):
            cutoff = data_complete_before - timedelta(days=horizon + step * i)
            why = _refusal(cutoff, horizon, history_start, settings)
            if why is None:
                snapshots.append(Snapshot(cutoff, horizon, history_start))
            else:
                left_out.append(f"{cutoff}, {horizon} days: {why}")
                break
    if not snapshots:
        raise InputError(
            f"the data from {history_start} to {data_complete_before} carries no cutoff of "
            f"{', '.join(map(str, sorted(set(horizons))))} days ({left_out[0]}); expected one or more",
            "give shorter --horizons, or add older orders",
        )
    return RollingPlan(tuple(snapshots), tuple(left_out))


def _refusal(
    cutoff: date, horizon: int, history_start: date, settings: TrainingSettings
) -> str | None:
    """Return why a moment cannot be judged, or None."""
    days = (cutoff - history_start).days
    if days < horizon:
        return f"{max(days, 0)} days of history before it; expected at least {horizon}"
    try:
        plan_training(Snapshot(cutoff, horizon, history_start), settings)
    except InputError as refused:
        return refused.found
    return None
