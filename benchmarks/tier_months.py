"""A year of re-tier dates: how many customers move, how many come back, what the tiers explain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np

from features.snapshot import Snapshot
from training.backtest import Backtest
from training.cohort import CohortSource
from training.judge.evaluate import eta_squared
from training.replay import ReplayedDate, ScoredDate, learn_bonus, replay
from training.tiers import LearnedTiers

MONTHS_BEFORE = 12
SHORTEST_HISTORY_DAYS = 30


def month_later(start: date, months: int) -> date:
    """Return the same day some months on (or back), or the last of that month.

    >>> month_later(date(2011, 12, 31), 2).isoformat(), month_later(date(2011, 1, 15), -1).isoformat()
    ('2012-02-29', '2010-12-15')
    """
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    first, after = date(year, month + 1, 1), date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(first + timedelta(days=start.day - 1), after - timedelta(days=1))


def months_after(start: date, end: date) -> Iterator[date]:
    """Yield the same day of each month from `start` on, up to and with `end`.

    >>> [day.isoformat() for day in months_after(date(2011, 12, 15), date(2012, 2, 20))]
    ['2011-12-15', '2012-01-15', '2012-02-15']
    """
    months = 0
    while (day := month_later(start, months)) <= end:
        yield day
        months += 1


def score_dates(source: CohortSource, backtest: Backtest) -> list[ScoredDate]:
    """Score every month from the backtest's cutoff on with the model that was made for it."""
    plan, model = backtest.fitted.lesson.plan, backtest.fitted.model
    complete = source.tables.data_complete_before
    dates = []
    for day in months_after(plan.target.cutoff, complete):
        snapshot = Snapshot(day, plan.training_horizon_days, plan.target.history_start)
        outcome = Snapshot(day, plan.target.horizon_days, plan.target.history_start)
        cohort = source.cohort(snapshot, outcome)
        value = model.predict(cohort.features.select(model.columns)).value
        labelled = source.labelled(cohort, complete) if outcome.is_mature(complete) else cohort
        dates.append(ScoredDate(day, np.array(cohort.customer_ids), value, labelled.net_value))
    return dates


def score_dates_before(source: CohortSource, backtest: Backtest) -> list[ScoredDate]:
    """Score the months up to the backtest's cutoff with its model: all of it known at the cutoff."""
    plan, model = backtest.fitted.lesson.plan, backtest.fitted.model
    days = [month_later(plan.target.cutoff, -back) for back in range(MONTHS_BEFORE - 1, -1, -1)]
    dates = []
    for day in days:
        if (day - plan.target.history_start).days < SHORTEST_HISTORY_DAYS:
            continue
        snapshot = Snapshot(day, plan.training_horizon_days, plan.target.history_start)
        cohort = source.cohort(snapshot)
        value = model.predict(cohort.features.select(model.columns)).value
        dates.append(ScoredDate(day, np.array(cohort.customer_ids), value))
    return dates


def figures_of_months(
    before: list[ScoredDate], dates: list[ScoredDate], learned: LearnedTiers
) -> dict[str, Any]:
    """Return moves, reversals and what the tiers explain, with the bonus and without memory.

    The bonus is learned on the months before the first of the dates.
    """
    chosen = learn_bonus(before, learned.shares)
    return {
        "d": chosen.bonus,
        "d_holds_before": chosen.holds,
        "d_reversals_before": {f"{d:g}": share for d, share in chosen.reversals_share.items()},
        "n_dates_before": chosen.n_dates,
        "n_dates": len(dates),
        **_figures(dates, replay(dates, learned.shares, chosen.bonus)),
        "by_d": {
            f"{d:g}": _figures(dates, replay(dates, learned.shares, d))
            for d in (0.0, 0.25, 0.4, 0.5)
        },
        "without_memory": _figures(
            dates, replay(dates, learned.shares, 0.0, most_levels_down=len(learned.tiers))
        ),
    }


def _figures(dates: list[ScoredDate], played: list[ReplayedDate]) -> dict[str, float]:
    n_seen = max(sum(one.n_seen for one in played), 1)
    explained = [
        eta_squared(one.net_value, done.tier)
        for one, done in zip(dates, played, strict=True)
        if one.net_value is not None
    ]
    return {
        "moves_share": sum(one.n_moved for one in played) / n_seen,
        "reversals_share": sum(one.n_reversed for one in played) / n_seen,
        "eta_squared": float(np.mean(explained)),
        "overflow_share_max": max(one.overflow_share for one in played),
    }
