"""The level: how much a whole cohort will spend, which belongs to a season.

A ranking carries over from cohort to cohort, a level does not: on the wholesaler's data the mean
net value of 180 days is 1,254, 586 and 843 for windows that begin in June, December and June.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from training.models.matrix import Array
from training.split import (
    DAYS_A_YEAR,
    SHORTEST_HISTORY_DAYS,
    SHORTEST_HORIZON_DAYS,
    YEAR_LONG_DAYS,
    TrainingPlan,
)

if TYPE_CHECKING:
    from training.learn.crossfit import TrainingCohort  # brings the learners with it

SHORTEST_SEASON_HISTORY_DAYS = 60
LARGEST_SEASON_RATIO = 3.0
SHRINKAGE_COHORTS = 4
SHRINKAGE_PRIOR_VARIANCE = 0.04


@dataclass(frozen=True)
class Level:
    """By what the totals of plain buy-till-you-die models are multiplied.

    Attributes
    ----------
    value_ratio : float
        Realised value per value expected by BG/NBD with Gamma-Gamma.
    active_ratio : float
        Realised share of active customers per share expected by MBG/NBD.
    rule : str
        ``same_season``, ``newest_year``, ``shrunk``, ``scaled_horizon`` or ``none``.
    cutoffs : tuple of date
        The cohorts it was read from.
    season_unseen : bool
        Whether the season of the outcome window lies in no matured cohort.
    """

    value_ratio: float
    active_ratio: float
    rule: str
    cutoffs: tuple[date, ...]
    season_unseen: bool


def learn_level(
    plan: TrainingPlan,
    cohort_at: Callable[[date], TrainingCohort],
    expected: dict[str, Array],
) -> Level:
    """Choose and read the level correction of one target cohort.

    Parameters
    ----------
    plan : TrainingPlan
        Of the target.
    cohort_at : callable
        Returns the training cohort of a cutoff.
    expected : dict
        Buy-till-you-die expectations of the target cohort at the horizon that is predicted.

    Notes
    -----
    The same season a year before where there is one, unless that would multiply or divide by more
    than `LARGEST_SEASON_RATIO`: no season does, but a young shop's, whose first year held too few
    repeat orders for buy-till-you-die to be fitted; then it counts as never seen. For horizons of
    a year the newest cohort (both as `steady_ratio`); where training cohorts are shorter than the
    horizon, half way to the newest cohort's total carried on (`_half_way`); otherwise the mean log
    ratio of up to four cohorts, shrunk towards 0 (James and Stein, 1961).
    """
    cutoff, horizon = plan.target.cutoff, plan.training_horizon_days
    history = plan.target.observation_days
    last_year = cutoff - timedelta(days=DAYS_A_YEAR)
    season_history = (last_year - plan.target.history_start).days
    seasonal = horizon < YEAR_LONG_DAYS
    if plan.scaled_horizon:
        return _half_way(plan, cohort_at(plan.cutoffs[0]), expected, history < DAYS_A_YEAR)
    if seasonal and season_history >= max(SHORTEST_SEASON_HISTORY_DAYS, horizon / 2):
        season = _read([cohort_at(last_year)], "same_season", unseen=False)
        if abs(np.log(season.value_ratio)) <= np.log(LARGEST_SEASON_RATIO):
            return season
    newest = cutoff - timedelta(days=horizon)
    room = max(horizon // 2, SHORTEST_HISTORY_DAYS)
    if (newest - plan.target.history_start).days < room:
        return Level(1.0, 1.0, "none", (), season_unseen=seasonal)
    if not seasonal:
        return _read([cohort_at(newest)], "newest_year", unseen=False)
    step = max(horizon // 2, SHORTEST_HORIZON_DAYS)
    earliest = plan.target.history_start + timedelta(days=room)
    cutoffs = [newest - timedelta(days=step * i) for i in range(SHRINKAGE_COHORTS)]
    cohorts = [cohort_at(moment) for moment in cutoffs if moment >= earliest]
    return _shrunk(cohorts)


def _half_way(
    plan: TrainingPlan, newest: TrainingCohort, expected: dict[str, Array], unseen: bool
) -> Level:
    """Return the level between two extrapolations beyond the longest horizon that has matured.

    Buy-till-you-die models let customers drop out for good and fall short of long horizons; the
    newest cohort's outcomes carried on at their rate let nobody drop out and overshoot. The level
    is their geometric mean. More orders mean more active customers: a cohort that orders c times
    as often is active with 1 - (1 - p) ** c, as if orders were Poisson.
    """
    longer = plan.target.horizon_days / plan.training_horizon_days
    carried_on = max(float(newest.cohort.value.sum()), 1e-9) * longer
    ratio = float(np.sqrt(carried_on / float(expected["bgnbd_value"].sum())))
    p_active = float(expected["p_active"].mean())
    return Level(
        ratio,
        (1 - (1 - p_active) ** ratio) / p_active,
        "scaled_horizon",
        (newest.cohort.snapshot.cutoff,),
        unseen,
    )


def _value_log_ratio(cohort: TrainingCohort) -> float:
    return _log_ratio(cohort.cohort.value, cohort.expected["bgnbd_value"])


def _active_log_ratio(cohort: TrainingCohort) -> float:
    return _log_ratio(cohort.cohort.active.astype(np.float64), cohort.expected["p_active"])


def _log_ratio(realised: Array, expected: Array) -> float:
    return float(np.log(max(float(realised.mean()), 1e-9) / float(expected.mean())))


def _read(cohorts: list[TrainingCohort], rule: str, *, unseen: bool) -> Level:
    (cohort,) = cohorts
    return Level(
        steady_ratio(cohort.cohort.value, cohort.expected["bgnbd_value"]),
        steady_ratio(cohort.cohort.active.astype(np.float64), cohort.expected["p_active"]),
        rule,
        (cohort.cohort.snapshot.cutoff,),
        unseen,
    )


def steady_ratio(realised: Array, expected: Array) -> float:
    """Return realised over expected of one cohort, shrunk towards 1 by its error of sampling.

    The log ratio is multiplied by 1 - variance / ratio^2, at least 0 (James and Stein, 1961). The
    variance is that of a ratio of sums when customers are resampled, in closed form: the sum of
    (realised - ratio * expected)^2 over the squared sum of realised.

    Parameters
    ----------
    realised, expected : array (n,)
        Of each customer; above 0 in sum.

    >>> half, ones = np.tile([0.0, 4.0], 1000), np.ones(2000)
    >>> round(steady_ratio(half, ones), 3), round(steady_ratio(half[:8], ones[:8]), 3)
    (1.999, 1.67)
    """
    log_ratio = _log_ratio(realised, expected)
    misses = realised - np.exp(log_ratio) * expected
    variance = float(misses @ misses) / max(float(realised.sum()), 1e-9) ** 2
    return float(np.exp(log_ratio * max(0.0, 1 - variance / max(log_ratio**2, 1e-12))))


def _shrunk(cohorts: list[TrainingCohort]) -> Level:
    return Level(
        shrunk_ratio([_value_log_ratio(cohort) for cohort in cohorts]),
        shrunk_ratio([_active_log_ratio(cohort) for cohort in cohorts]),
        "shrunk",
        tuple(cohort.cohort.snapshot.cutoff for cohort in cohorts),
        season_unseen=True,
    )


def shrunk_ratio(log_ratios: list[float]) -> float:
    """Return exp of the mean log ratio, shrunk towards 0 by its own uncertainty.

    >>> shrunk_ratio([0.01, -0.01])
    1.0
    >>> round(shrunk_ratio([1.0, 1.1, 0.9, 1.0]), 3)
    2.687
    """
    ratios = np.asarray(log_ratios)
    mean = float(ratios.mean())
    spread = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    variance = (spread + SHRINKAGE_PRIOR_VARIANCE) / len(ratios)
    return float(np.exp(mean * max(0.0, 1 - variance / max(mean * mean, 1e-12))))
