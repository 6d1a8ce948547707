"""A year of re-tier dates: how many customers move, how many come back, what the tiers explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from features.snapshot import Snapshot
from training.assign import NO_TIER, AssignmentPolicy, Standing, assign_tiers
from training.backtest import Backtest
from training.cohort import CohortSource
from training.judge.evaluate import eta_squared
from training.models.matrix import Array
from training.tiers import LearnedTiers, cut_at_shares

BONUS = 0.25


@dataclass(frozen=True)
class ScoredDate:
    """One re-tier date: who is known, what they are expected to bring, what they then brought."""

    day: date
    customer_ids: Array
    expected_value: Array
    net_value: Array | None


def months_after(start: date, end: date) -> Iterator[date]:
    """Yield the same day of each month from `start` on, up to and with `end`.

    >>> [day.isoformat() for day in months_after(date(2011, 12, 15), date(2012, 2, 20))]
    ['2011-12-15', '2012-01-15', '2012-02-15']
    """
    day, months = start, 0
    while day <= end:
        yield day
        months += 1
        first = date(
            start.year + (start.month - 1 + months) // 12, (start.month - 1 + months) % 12 + 1, 1
        )
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        day = min(first + timedelta(days=start.day - 1), after - timedelta(days=1))


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


def figures_of_months(dates: list[ScoredDate], learned: LearnedTiers) -> dict[str, Any]:
    """Return moves, reversals and what the tiers explain, with the bonus and without memory."""
    remembered = _play(dates, learned, BONUS)
    return {
        "d": BONUS,
        "n_dates": len(dates),
        **remembered,
        "without_memory": _play(dates, learned, None),
    }


def _play(dates: list[ScoredDate], learned: LearnedTiers, bonus: float | None) -> dict[str, float]:
    """Play the dates; without a bonus each is cut anew as if there had been none before."""
    names = np.unique(np.concatenate([one.customer_ids for one in dates]))
    tier = np.full(len(names), NO_TIER, np.int64)
    since = np.zeros(len(names))
    last_move = np.zeros(len(names), np.int64)
    seen = moved = reversed_ = 0
    explained = []
    breach = 0.0
    for one in dates:
        rows = np.searchsorted(names, one.customer_ids)
        policy = AssignmentPolicy(
            boundaries=cut_at_shares(one.expected_value, learned.shares).cuts,
            capacities=learned.shares_at_or_above,
            bonus=bonus or 0.0,
            most_levels_down=1 if bonus is not None else len(learned.tiers),
        )
        held = one.day.toordinal() - since[rows]
        standing = Standing(tier[rows], held, np.zeros(len(rows), bool))
        done = assign_tiers(
            tuple(one.customer_ids.tolist()), one.expected_value, standing, policy, one.day
        )
        move = np.sign(done.move)
        known = done.previous != NO_TIER
        seen += int(known.sum())
        moved += int((move != 0).sum())
        reversed_ += int((move * last_move[rows] < 0).sum())
        last_move[rows] = np.where(move != 0, move, last_move[rows])
        since[rows] = np.where((move != 0) | ~known, one.day.toordinal(), since[rows])
        tier[rows] = done.tier
        breach = max(breach, *(seat.n_overflow / len(rows) for seat in done.seats))
        if one.net_value is not None:
            explained.append(eta_squared(one.net_value, done.tier))
    return {
        "moves_share": moved / max(seen, 1),
        "reversals_share": reversed_ / max(seen, 1),
        "eta_squared": float(np.mean(explained)),
        "overflow_share_max": breach,
    }
