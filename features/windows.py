"""Spend and order days in windows before the cutoff: fixed, as shares of the horizon, fading,
and the same season a year before.

Each feature is a function named like its column, or a member of a small parametric family; it
takes customer-days and the snapshot and returns an Ibis aggregate, as in :mod:`features.rfm`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ibis
import ibis.expr.types as ir

from features.aggregates import (
    Definition,
    count_rows,
    money,
    named,
    sum_fine,
    sum_money,
    within,
)
from features.catalogue_of_days import DECAY_HORIZONS, HORIZON_SHARES, WINDOW_DAYS
from features.snapshot import Snapshot

SHORTEST_TWELFTH_DAYS = 3
"""Least length of the twelfth-of-a-horizon window, in days."""

SEASON_DAYS = 365
"""How long ago the same season was, in days."""

SMALLEST = 1e-6
"""Keeps the denominator of a trend above 0."""


def net_spend_window(days: ir.Table, snapshot: Snapshot, window_days: int) -> ir.Value:
    """Net spend of the `window_days` days before the cutoff."""
    return sum_money(days, within(days, window_days))


def n_order_days_window(days: ir.Table, snapshot: Snapshot, window_days: int) -> ir.Value:
    """Order days of the `window_days` days before the cutoff."""
    return count_rows(within(days, window_days))


def net_spend_share(days: ir.Table, snapshot: Snapshot, share: float, start: int = 0) -> ir.Value:
    """Net spend of a window of `share` horizons that ends `start` horizons before the cutoff."""
    horizon = snapshot.horizon_days
    return sum_money(days, within(days, share * horizon, start * horizon))


def n_order_days_share(
    days: ir.Table, snapshot: Snapshot, share: float, start: int = 0
) -> ir.Value:
    """Order days of a window of `share` horizons that ends `start` horizons before the cutoff."""
    horizon = snapshot.horizon_days
    return count_rows(within(days, share * horizon, start * horizon))


def n_order_days_twelfth_horizon(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days of the last twelfth of a horizon, of three days at least."""
    length = max(snapshot.horizon_days / 12, SHORTEST_TWELFTH_DAYS)
    return count_rows(within(days, length))


def spend_trend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Net spend of the last horizon against the previous one, between -1 and 1."""
    last = net_spend_share(days, snapshot, 1)
    previous = net_spend_share(days, snapshot, 1, 1)
    return (last - previous) / (last.abs() + previous.abs() + SMALLEST)


def order_trend(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days of the last horizon against the previous one, between -1 and 1."""
    last = n_order_days_share(days, snapshot, 1)
    previous = n_order_days_share(days, snapshot, 1, 1)
    return (last - previous) / (last + previous + SMALLEST)


def decayed_net_spend(days: ir.Table, snapshot: Snapshot, horizons: float) -> ir.Value:
    """Net spend that fades with a time constant of `horizons` horizons; a day's in millionths."""
    faded = days.net.cast("float64") * _fading(days, snapshot, horizons)
    return money(faded.round().cast("int64").sum())


def decayed_order_days(days: ir.Table, snapshot: Snapshot, horizons: float) -> ir.Value:
    """Order days that fade with a time constant of `horizons` horizons."""
    return sum_fine(_fading(days, snapshot, horizons))


def _fading(days: ir.Table, snapshot: Snapshot, horizons: float) -> ir.Value:
    elapsed = (days.age_days - 1).cast("float64")
    return (-elapsed / (snapshot.horizon_days * horizons)).exp()


def net_spend_same_season(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Net spend of the days a year before the outcome window."""
    return _if_season_seen(days, snapshot, partial(sum_money, days))


def n_order_days_same_season(days: ir.Table, snapshot: Snapshot) -> ir.Value:
    """Order days of the days a year before the outcome window."""
    return _if_season_seen(days, snapshot, count_rows)


def _if_season_seen(
    days: ir.Table, snapshot: Snapshot, told: Callable[[ir.Value], ir.Value]
) -> ir.Value:
    """Return `told` of the window [cutoff - 365, cutoff - 365 + horizon), null where not seen."""
    horizon = snapshot.horizon_days
    if snapshot.observation_days < SEASON_DAYS or horizon >= SEASON_DAYS:
        return ibis.null("float64")
    ends_before = SEASON_DAYS - horizon
    in_season = within(days, horizon, ends_before)
    seen = days.age_days.max() > ends_before
    return seen.ifelse(told(in_season), ibis.null("float64"))


def definitions() -> dict[str, Definition]:
    """Return every feature of this module under its column's name."""
    told = named(
        n_order_days_twelfth_horizon,
        spend_trend,
        order_trend,
        net_spend_same_season,
        n_order_days_same_season,
    )
    for length in WINDOW_DAYS:
        told[f"net_spend_{length}d"] = partial(net_spend_window, window_days=length)
        told[f"n_order_days_{length}d"] = partial(n_order_days_window, window_days=length)
    for name, share in HORIZON_SHARES.items():
        told[f"net_spend_{name}_horizon"] = partial(net_spend_share, share=share)
        told[f"n_order_days_{name}_horizon"] = partial(n_order_days_share, share=share)
    for name, start in (("last", 0), ("previous", 1)):
        told[f"net_spend_{name}_horizon"] = partial(net_spend_share, share=1, start=start)
        told[f"n_order_days_{name}_horizon"] = partial(n_order_days_share, share=1, start=start)
    for name, horizons in DECAY_HORIZONS.items():
        told[f"decayed_net_spend_{name}_horizon"] = partial(decayed_net_spend, horizons=horizons)
        told[f"decayed_order_days_{name}_horizon"] = partial(decayed_order_days, horizons=horizons)
    return told
