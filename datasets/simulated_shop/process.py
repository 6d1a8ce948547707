"""Who buys when: rates, experiences, drop-out. Everything here is hidden but the order times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.simulated_shop.calendar import Calendar
from datasets.simulated_shop.draws import Draws, Floats, Ints, pick, pick_by_row
from datasets.simulated_shop.parameters import Parameters


@dataclass(frozen=True)
class Traits:
    """What no shop ever sees, one element a customer.

    Attributes
    ----------
    log_rate_z, log_value_z : array
        Standard normal scores of the rate and of the typical order value.
    satisfaction : array
        Index of the satisfaction level.
    season_type : array
        0 steady, 1 festive.
    """

    log_rate_z: Floats
    log_value_z: Floats
    satisfaction: Ints
    season_type: Ints


@dataclass(frozen=True)
class Orders:
    """Orders sorted by customer and time: what a shop sees.

    Attributes
    ----------
    customer : array
        Index of the customer.
    number : array
        0 for the customer's first order, then 1, 2, ...
    time : array
        Days since the first midnight of the shop, with the fraction of the day.
    """

    customer: Ints
    number: Ints
    time: Floats

    @property
    def day(self) -> Ints:
        """Day of each order, counted from the first day of the shop."""
        return np.floor(self.time).astype(np.int64)


@dataclass(frozen=True)
class Fates:
    """What no shop ever sees, one element an order.

    Attributes
    ----------
    experience : array
        0 bad, 1 fair, 2 good.
    leaves : array of bool
        Whether the customer leaves for good after the order.
    rate_after : array
        Buying rate until the next order, per day of the steady clock; 0 after leaving.
    """

    experience: Ints
    leaves: np.ndarray[tuple[int], np.dtype[np.bool_]]
    rate_after: Floats


def build_traits(parameters: Parameters, draws: Draws) -> Traits:
    """Draw the hidden traits of every customer."""
    customer = np.arange(parameters.n_customers)
    rate_z = draws.normal("trait.rate", customer)
    own = draws.normal("trait.value", customer)
    rho = parameters.rate_value_correlation
    festive = draws.uniform("trait.season", customer) < parameters.festive_share
    return Traits(
        log_rate_z=rate_z,
        log_value_z=rho * rate_z + np.sqrt(1 - rho**2) * own,
        satisfaction=pick(
            draws.uniform("trait.satisfaction", customer), parameters.satisfaction_shares
        ),
        season_type=festive.astype(np.int64),
    )


def rate_of(parameters: Parameters, z: Floats) -> Floats:
    """Return the buying rate per day of the steady clock for a standard normal score."""
    return np.asarray(parameters.median_orders_per_day * np.exp(parameters.log_rate_sd * z))


def build_orders(
    parameters: Parameters, calendar: Calendar, traits: Traits, draws: Draws
) -> tuple[Orders, Fates]:
    """Play every customer from the first order until leaving or the end of the data.

    After an order with experience q a customer leaves with probability ``leave_after[q]``;
    otherwise the next order comes after an exponential time of rate ``rate * pace_after[q]`` on
    the steady clock of the customer's season type. A beta-geometric/NBD model (Fader, Hardie and
    Lee 2005) with season and with drop-out that follows the experience.
    """
    who = np.arange(parameters.n_customers)
    time = _first_orders(parameters, calendar, traits, draws)
    rounds: list[tuple[np.ndarray, ...]] = []
    number = 0
    while who.size:
        experience, leaves, rate = _live_order(
            parameters, calendar, traits, draws, who, number, time
        )
        rounds.append((who, np.full(who.size, number), time, experience, leaves, rate))
        gap = -np.log(draws.uniform("order.gap", who, number)) / np.where(leaves, 1, rate)
        season_type = traits.season_type[who]
        following = calendar.from_steady(season_type, calendar.to_steady(season_type, time) + gap)
        goes_on = ~leaves & (following < parameters.n_days)
        who, time, number = who[goes_on], following[goes_on], number + 1
    customer, numbers, times, experiences, left, rates = (
        np.concatenate(parts) for parts in zip(*rounds, strict=True)
    )
    order = np.lexsort((numbers, customer))
    return (
        Orders(customer[order], numbers[order], times[order]),
        Fates(experiences[order], left[order], rates[order]),
    )


def _first_orders(
    parameters: Parameters, calendar: Calendar, traits: Traits, draws: Draws
) -> Floats:
    """Draw the time of each customer's first order."""
    uniform = draws.uniform("order.first", np.arange(parameters.n_customers))
    midnights = np.arange(parameters.n_days + 1, dtype=np.float64)
    both = []
    for row in calendar.acquisition:
        before = np.concatenate([[0.0], np.cumsum(row)])
        both.append(np.interp(uniform * before[-1], before, midnights))
    time = np.where(traits.season_type == 0, both[0], both[1])
    return np.asarray(np.minimum(time, np.nextafter(parameters.n_days, 0)))


def _live_order(
    parameters: Parameters,
    calendar: Calendar,
    traits: Traits,
    draws: Draws,
    who: Ints,
    number: int,
    time: Floats,
) -> tuple[Ints, np.ndarray, Floats]:
    """Return experience, leaving and the rate until the next order, for one order each."""
    day = np.floor(time).astype(np.int64)
    shares = calendar.experience[day, traits.satisfaction[who]]
    experience = pick_by_row(draws.uniform("order.experience", who, number), shares)
    leave = np.array(parameters.leave_after)[experience]
    leaves = draws.uniform("order.leaves", who, number) < leave
    rate = rate_of(parameters, traits.log_rate_z[who])
    stranger = draws.uniform("order.habit", who, number) < calendar.habit_lost[day]
    if stranger.any():
        fresh = rate_of(parameters, draws.normal("order.fresh", who, number))
        rate = np.where(stranger, fresh, rate)
    return (
        experience,
        leaves,
        np.where(leaves, 0.0, rate * np.array(parameters.pace_after)[experience]),
    )
