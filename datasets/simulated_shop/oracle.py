"""The oracle: the best forecast that anyone could make from what the shop knew at the cutoff.

The posterior mean of a customer's net value in the outcome window under the true generator, its
population parameters known and every trait of the customer integrated out: rate, season type and
satisfaction level on a grid, experiences of single orders and drop-out by summing them out
exactly, the typical order value in closed form. It never reads the traits that were drawn.

What it leaves out, all of it small: orders not yet booked at the cutoff (1.5 % of a day's), the
rounding of amounts and their floor of 1, what audit-only columns tell of spend, and for the
probability of activity that a refund may outweigh a purchase. Refunds of recent orders are
expected from the order's own evidence, not from the customer's whole history. With incidents it
knows those to come, so it is then no fair yardstick for cutoffs before them.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from datasets.simulated_shop.draws import Floats, Ints
from datasets.simulated_shop.evidence import Evidence, Scope, build_evidence
from datasets.simulated_shop.outlook import Grid, Outlook, build_grid, build_outlook
from datasets.simulated_shop.world import World
from features.errors import InputError

CHUNK_ORDERS = 1_000
_TINY = 1e-300


def build_oracle(
    world: World, cutoff: date, horizon_days: int, scope: Scope = "orders"
) -> pd.DataFrame:
    """Compute the oracle for every customer with a known order before the cutoff.

    Parameters
    ----------
    world : World
        The simulated shop; only what a shop can see, and the true parameters, are read.
    cutoff : date
        First day that is not known.
    horizon_days : int
        Length of the outcome window, in days.
    scope : {"orders", "reviews", "all"}
        What is evidence: order lines and returns; reviews too; complaints, referrals and visits
        as well.

    Returns
    -------
    DataFrame
        customer_id, cutoff, horizon_days, expected_value (net, currency), p_active; sorted by
        customer_id.

    Raises
    ------
    InputError
        If the window leaves the calendar, nobody has ordered yet, or habits decay (an incident
        under which the posterior has no closed form).
    """
    first_day = world.parameters.day_number(cutoff)
    _check_window(world, cutoff, first_day, horizon_days)
    evidence = build_evidence(world, first_day, horizon_days, scope)
    if not len(evidence.customer):
        raise InputError(
            f"nobody has ordered before {cutoff}; expected at least one customer",
            "choose a later cutoff",
        )
    grid = build_grid(world.parameters)
    outlook = build_outlook(world.parameters, world.calendar, grid, first_day, horizon_days)
    starts = np.flatnonzero(np.append(True, evidence.is_last[:-1]))
    value, active = np.empty(len(starts)), np.empty(len(starts))
    for begin, end in _chunks(starts, len(evidence.customer)):
        rows = slice(starts[begin], starts[end] if end < len(starts) else len(evidence.customer))
        part = Evidence(*(getattr(evidence, name)[rows] for name in Evidence.__annotations__))
        result = _posterior(world, grid, outlook, part, starts[begin:end] - starts[begin], scope)
        value[begin:end], active[begin:end] = result
    return pd.DataFrame(
        {
            "customer_id": world.customer_ids[evidence.customer[starts]],
            "cutoff": pd.Series([cutoff] * len(starts), dtype=object),
            "horizon_days": horizon_days,
            "expected_value": value,
            "p_active": active,
        }
    )


def _check_window(world: World, cutoff: date, first_day: int, horizon_days: int) -> None:
    """Check that the window lies in the calendar and that the posterior is computable."""
    if horizon_days < 1 or first_day + horizon_days > world.calendar.season.shape[1]:
        raise InputError(
            f"a window of {horizon_days} days from {cutoff}; expected 1 day or more, inside the "
            f"calendar of {world.calendar.season.shape[1]} days from {world.parameters.start}",
            "choose an earlier cutoff or a shorter horizon",
        )
    if world.calendar.habit_lost[: first_day + horizon_days].any():
        raise InputError(
            "the incident slow_decay is in force; expected customers who keep their habits",
            "ask for a window that ends before the incident",
        )


def _chunks(starts: Ints, n_orders: int) -> list[tuple[int, int]]:
    """Return ranges of customers with about `CHUNK_ORDERS` orders each."""
    wanted = np.arange(0, n_orders, CHUNK_ORDERS)
    edges = np.unique(np.append(np.searchsorted(starts, wanted), len(starts)))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _posterior(
    world: World, grid: Grid, outlook: Outlook, rows: Evidence, starts: Ints, scope: Scope
) -> tuple[Floats, Floats]:
    """Return expected value and probability of activity for the customers of some rows."""
    log_each, p_alive, worth, silent = _order_terms(world, grid, outlook, rows, scope)
    log_weight = np.add.reduceat(log_each, starts) + grid.log_prior
    log_weight += np.log(world.calendar.acquisition[:, rows.day[starts]]).T[:, :, None, None]
    log_fit, order_value = _spend(world, grid, rows, starts)
    log_weight += log_fit[:, None, :, None]
    weight = np.exp(log_weight - log_weight.max(axis=(1, 2, 3), keepdims=True))
    weight /= weight.sum(axis=(1, 2, 3), keepdims=True)
    alive = weight * p_alive
    value = np.einsum("ngrl,ngrl,nr->n", alive, worth, order_value)
    refunds = np.add.reduceat(_expected_refunds(world, rows), starts)
    return value - refunds, np.einsum("ngrl,ngrl->n", alive, 1 - silent)


def _order_terms(
    world: World, grid: Grid, outlook: Outlook, rows: Evidence, scope: Scope
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return each order's log likelihood on the grid; of the last also what follows.

    Shapes (n, 2, R, L): log likelihood of the order's evidence and of what came until the next
    order or the cutoff; and, for each customer's last order, the probability of still being
    active, the expected worth and the probability of silence if active.
    """
    parameters = world.parameters
    sessions = parameters.sessions_per_order if scope == "all" else 0.0
    pace, leave = np.array(parameters.pace_after), np.array(parameters.leave_after)
    exposure = (1 + sessions) * _steady_days(world, rows)[:, :, None, None]
    waiting = np.exp(-exposure * (grid.rate[:, None] * pace))
    n_events = rows.n_sessions + ~rows.is_last
    prior = world.calendar.experience[rows.day] * rows.experience[:, None, :]
    staying = prior * (1 - leave) * (pace ** n_events[:, None])[:, None, :]
    flat = waiting.reshape(len(waiting), -1, 3)
    mixed = np.matmul(flat, staying.transpose(0, 2, 1))
    mixed = np.maximum(mixed.reshape(len(waiting), 2, len(grid.rate), -1), _TINY)
    log_each = np.log(mixed) + (n_events[:, None] * np.log(grid.rate))[:, None, :, None]
    log_each += _log_event_season(world, rows, sessions)[:, :, None, None]
    last = np.flatnonzero(rows.is_last)
    log_lost = np.log(np.maximum((prior[last] * leave).sum(axis=2), _TINY))
    if scope == "all":
        lost_rate, since = parameters.lost_sessions_per_day, (rows.until - rows.time)[last]
        log_lost += (rows.n_sessions[last] * np.log(lost_rate) - lost_rate * since)[:, None]
    log_total = np.logaddexp(log_each[last], log_lost[:, None, None, :])
    p_alive = np.exp(log_each[last] - log_total)
    log_each[last] = log_total
    worth, silent = (
        np.einsum("ngrq,nlq,grlq->ngrl", waiting[last], staying[last], table) / mixed[last]
        for table in (outlook.orders_worth, outlook.silent)
    )
    return log_each, p_alive, worth, silent


def _steady_days(world: World, rows: Evidence) -> Floats:
    """Return the days from each order to the next, or the cutoff, on both steady clocks (n, 2)."""
    both = []
    for season_type in (0, 1):
        types = np.full(len(rows.day), season_type)
        until = world.calendar.to_steady(types, rows.until)
        both.append(until - world.calendar.to_steady(types, rows.time))
    return np.stack(both, axis=1)


def _log_event_season(world: World, rows: Evidence, sessions: float) -> Floats:
    """Return the log season factors (n, 2) of the next order and of the visits before it."""
    day = np.minimum(np.floor(rows.until).astype(np.int64), world.calendar.season.shape[1] - 1)
    following = np.log(world.calendar.season[:, day]).T * ~rows.is_last[:, None]
    if not sessions:
        return np.asarray(following)
    visits = rows.session_log_season + (rows.n_sessions * np.log(sessions))[:, None]
    return np.asarray(following + visits)


def _spend(world: World, grid: Grid, rows: Evidence, starts: Ints) -> tuple[Floats, Floats]:
    """Return, by customer and rate node, the fit of order values and the value expected next.

    Normal levels of log values with a normal prior that leans on the rate: conjugate.
    """
    parameters = world.parameters
    n = np.diff(np.append(starts, len(rows.day)))[:, None]
    mean = np.add.reduceat(rows.log_value, starts)[:, None] / n
    rho, noise = parameters.rate_value_correlation, parameters.log_order_sd**2
    prior_mean = parameters.log_value_sd * rho * grid.z[None, :]
    prior_variance = parameters.log_value_sd**2 * (1 - rho**2)
    spread = prior_variance + noise / n
    log_fit = -0.5 * (mean - prior_mean) ** 2 / spread
    variance = 1 / (1 / prior_variance + n / noise)
    level = variance * (prior_mean / prior_variance + n * mean / noise)
    value = parameters.median_order_value * np.exp(level + variance / 2 + noise / 2)
    return log_fit, value


def _expected_refunds(world: World, rows: Evidence) -> Floats:
    """Return, by order, refunds expected in the window for lines not yet sent back."""
    shares = np.array(world.parameters.satisfaction_shares)
    prior = np.einsum("l,nlq->nq", shares, world.calendar.experience[rows.day])
    weight = prior * rows.experience
    return np.asarray((weight * rows.refund_base).sum(axis=1) / weight.sum(axis=1))
