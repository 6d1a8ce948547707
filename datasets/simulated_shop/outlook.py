"""What a customer with given traits will still bring: the backward equations of the true process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from datasets.simulated_shop.basket import LINE_COUNT_SHARES, RETURN_DELAY_SHARES
from datasets.simulated_shop.calendar import Calendar
from datasets.simulated_shop.draws import Floats
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.process import rate_of

RATE_NODES = 48
RATE_REACH = 4.2
"""The grid of the rate: equally spaced standard normal scores from -4.2 to 4.2."""


@dataclass(frozen=True)
class Grid:
    """Nodes of the hidden traits that decide when a customer buys.

    Attributes
    ----------
    z : array (R,)
        Standard normal scores of the buying rate.
    rate : array (R,)
        Buying rate per day of the steady clock.
    log_prior : array (2, R, L)
        Logarithm of the share of customers at season type, rate and satisfaction level.
    """

    z: Floats
    rate: Floats
    log_prior: Floats


def build_grid(parameters: Parameters) -> Grid:
    """Lay the grid over the population's traits."""
    z = np.linspace(-RATE_REACH, RATE_REACH, RATE_NODES)
    log_density = -0.5 * z**2
    log_density -= np.log(np.exp(log_density).sum())
    season = np.log([1 - parameters.festive_share, parameters.festive_share])
    level = np.log(np.array(parameters.satisfaction_shares) / sum(parameters.satisfaction_shares))
    log_prior = season[:, None, None] + log_density[None, :, None] + level[None, None, :]
    return Grid(z=z, rate=rate_of(parameters, z), log_prior=log_prior)


@dataclass(frozen=True)
class Outlook:
    """What follows in the window for a customer who is active at the cutoff.

    Attributes
    ----------
    orders_worth : array (2, R, L, 3)
        Expected number of orders, each weighted by the price level of its day and by the part
        that is not sent back within the window; by season type, rate, satisfaction level and
        latest experience.
    silent : array (2, R, L, 3)
        Probability that no order is placed and (at least in part) kept.
    """

    orders_worth: Floats
    silent: Floats


def build_outlook(
    parameters: Parameters, calendar: Calendar, grid: Grid, first_day: int, horizon_days: int
) -> Outlook:
    """Solve the backward equations from the window's end to its first day.

    With v the expected worth to come, at experience q and per day of the steady clock,
    ``-dv/ds = rate * pace[q] * (worth + sum_j P(j) * (1 - leave[j]) * v[j] - v[q])``; likewise
    for the probability of silence. Runge-Kutta steps of at most half an expected order.
    """
    shape = (2, len(grid.rate), len(parameters.satisfaction_levels), 3)
    worth_to_come, silent = np.zeros(shape), np.ones(shape)
    pace = grid.rate[None, :, None, None] * np.array(parameters.pace_after)
    stay = 1 - np.array(parameters.leave_after)
    for day in range(first_day + horizon_days - 1, first_day - 1, -1):
        experience = calendar.experience[day]
        back = _returned_share(parameters, first_day + horizon_days - 1 - day)
        worth = calendar.price_level[day] * (1 - experience @ back)[None, None, :, None]
        undone = experience * _all_returned(back)
        rate = pace * calendar.season[:, day, None, None, None]
        n_steps = max(1, int(np.ceil(rate.max() / 0.5)))
        stays, gone = experience * stay, (undone * (1 - stay)).sum(axis=1)[:, None]

        for_worth = partial(_slope, rate=rate, gain=worth, onward=stays)
        for_silence = partial(_slope, rate=rate, gain=gone, onward=undone * stay)
        for _ in range(n_steps):
            worth_to_come = _step(for_worth, worth_to_come, 1 / n_steps)
            silent = _step(for_silence, silent, 1 / n_steps)
    return Outlook(worth_to_come, silent)


def _slope(value: Floats, rate: Floats, gain: Floats, onward: Floats) -> Floats:
    """Return how fast a value changes, going backwards, where an order brings `gain`."""
    return np.asarray(rate * (gain + (onward * value).sum(axis=-1, keepdims=True) - value))


def _step(slope: Callable[[Floats], Floats], value: Floats, length: float) -> Floats:
    """Return the value one classical Runge-Kutta step later."""
    first = slope(value)
    second = slope(value + length / 2 * first)
    third = slope(value + length / 2 * second)
    fourth = slope(value + length * third)
    return np.asarray(value + length / 6 * (first + 2 * second + 2 * third + fourth))


def _returned_share(parameters: Parameters, days_left: int) -> Floats:
    """Return, by experience, the probability that a line is sent back within `days_left` days."""
    within = float(RETURN_DELAY_SHARES[: days_left + 1].sum())
    return np.array(parameters.return_after) * within


def _all_returned(line_share: Floats) -> Floats:
    """Return the probability that every line of an order is sent back."""
    count = np.arange(1, len(LINE_COUNT_SHARES) + 1)
    shares = LINE_COUNT_SHARES / LINE_COUNT_SHARES.sum()
    return np.asarray((shares * line_share[:, None] ** count).sum(axis=1))
