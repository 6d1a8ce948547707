"""The whole simulated shop in memory: what a shop sees, and, apart from it, what it never sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from datasets.simulated_shop.basket import Lines, build_lines, build_order_values
from datasets.simulated_shop.calendar import Calendar, build_calendar
from datasets.simulated_shop.draws import Draws, Floats
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.process import Fates, Orders, Traits, build_orders, build_traits
from datasets.simulated_shop.voices import Voices, build_voices


@dataclass(frozen=True)
class World:
    """A simulated shop.

    Attributes
    ----------
    parameters, calendar
        The true generator.
    orders, order_value, lines, voices
        What happened and a shop can see; `order_value` is before returns, in currency.
    traits, fates
        What no shop sees; the oracle does not read them either.
    draws : Draws
        For the details that are drawn while writing.
    """

    parameters: Parameters
    calendar: Calendar
    orders: Orders
    order_value: Floats
    lines: Lines
    voices: Voices
    traits: Traits
    fates: Fates
    draws: Draws

    @property
    def customer_ids(self) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        """Ids in order of the customers' indices: eight digits with leading zeros."""
        n = self.parameters.n_customers
        return np.array([f"{number:08d}" for number in range(1, n + 1)], dtype=object)


def build_world(parameters: Parameters, generator: np.random.Generator) -> World:
    """Play the whole shop; the same parameters and generator give the same world."""
    draws = Draws(generator)
    calendar = build_calendar(parameters)
    traits = build_traits(parameters, draws)
    orders, fates = build_orders(parameters, calendar, traits, draws)
    value = build_order_values(parameters, calendar, traits, orders, draws)
    return World(
        parameters=parameters,
        calendar=calendar,
        orders=orders,
        order_value=value,
        lines=build_lines(parameters, calendar, orders, fates, value, draws),
        voices=build_voices(parameters, calendar, traits, orders, fates, draws),
        traits=traits,
        fates=fates,
        draws=draws,
    )


def realised_values(world: World, cutoff: date, horizon_days: int) -> Floats:
    """Return each customer's net value in [cutoff, cutoff + horizon_days): sales less returns.

    By customer index, in currency, signed; 0 for customers who do nothing in the window.
    """
    first = world.parameters.day_number(cutoff)
    lines, n = world.lines, world.parameters.n_customers
    customer = world.orders.customer[lines.order]

    def inside(day: np.ndarray) -> np.ndarray:
        return (day >= first) & (day < first + horizon_days)

    sold = np.where(inside(world.orders.day[lines.order]), lines.amount, 0)
    returned = np.where(inside(lines.return_day), lines.amount, 0)
    return np.asarray(np.bincount(customer, sold - returned, minlength=n), dtype=np.float64)
