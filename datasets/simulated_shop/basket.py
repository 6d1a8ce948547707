"""What is in each order and what of it is sent back: lines, products, prices, discounts, returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.simulated_shop.calendar import Calendar
from datasets.simulated_shop.draws import Draws, Floats, Ints, pick
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.process import Fates, Orders, Traits

LINE_COUNT_SHARES = np.array([0.48, 0.26, 0.13, 0.07, 0.04, 0.02])
"""Share of orders with 1, 2, ... lines."""
RETURN_DELAY_SHARES = np.concatenate([[0.0], np.exp(-np.arange(1, 31) / 8.0)])
RETURN_DELAY_SHARES /= RETURN_DELAY_SHARES.sum()
"""Share of returns that happen 0, 1, ..., 30 days after the order."""
RETURN_BOOKING_SHARES = np.array([0.55, 0.18, 0.12, 0.08, 0.04, 0.03])
"""Share of returns that are booked, hence known, 0, 1, ... days after they happen."""
LATE_SALE_SHARES = np.array([0.985, 0.010, 0.005])
"""Share of sales that are booked 0, 1, 2 days after they happen (tills that were offline)."""
CATEGORIES = (
    "womenswear", "menswear", "shoes", "beauty", "home", "kitchen", "toys", "food", "electronics",
    "sports",
)  # fmt: skip
CATEGORY_SHARES = np.array([0.18, 0.10, 0.09, 0.14, 0.12, 0.09, 0.08, 0.11, 0.05, 0.04])
COST_SHARES = np.array([0.48, 0.50, 0.52, 0.35, 0.55, 0.58, 0.56, 0.72, 0.82, 0.60])
"""Cost of a unit as a share of its list price, by category."""
CHANNELS = ("app", "mini_program", "web", "store")
CHANNEL_SHARES = np.array([0.45, 0.25, 0.15, 0.15])
NEW_CHANNEL = "live_stream"
PRICE_STEPS = 170
PRICE_EDGES = 3.0 * 1.065 ** np.arange(PRICE_STEPS - 1)
"""A category's products are ordered by price; a product's price moves within 6.5 %."""
VARIANTS = 3


@dataclass(frozen=True)
class Lines:
    """Order lines sorted as their orders are.

    Attributes
    ----------
    order : array
        Index of the order.
    number : array
        1 for the first line of the order, then 2, 3, ...
    category, product, channel : array
        Indices; `channel` equal to ``len(CHANNELS)`` is the new channel.
    quantity : array
        Units, 1 or more.
    unit_price, discount, unit_cost, amount : array
        Currency: list price of a unit, money off the line, cost of a unit, and
        ``quantity * unit_price - discount``.
    booked_day : array
        Day on which the sale became known.
    return_day, return_known_day : array
        Day on which the whole line was sent back, and on which that was booked; -1 if never.
    """

    order: Ints
    number: Ints
    category: Ints
    product: Ints
    channel: Ints
    quantity: Ints
    unit_price: Floats
    discount: Floats
    unit_cost: Floats
    amount: Floats
    booked_day: Ints
    return_day: Ints
    return_known_day: Ints


def build_order_values(
    parameters: Parameters, calendar: Calendar, traits: Traits, orders: Orders, draws: Draws
) -> Floats:
    """Draw what each order costs: log-normal around the customer's own level, times prices."""
    who, number, day = orders.customer, orders.number, orders.day
    level = traits.log_value_z[who]
    stranger = draws.uniform("value.habit", who, number) < calendar.habit_lost[day]
    if stranger.any():
        level = np.where(stranger, draws.normal("value.fresh", who, number), level)
    noise = draws.normal("value.order", who, number)
    log = parameters.log_value_sd * level + parameters.log_order_sd * noise
    value = parameters.median_order_value * calendar.price_level[day] * np.exp(log)
    return np.asarray(np.maximum(np.round(value, 2), 1.0))


def build_lines(
    parameters: Parameters,
    calendar: Calendar,
    orders: Orders,
    fates: Fates,
    value: Floats,
    draws: Draws,
) -> Lines:
    """Break each order into lines that add up to its value, and send some of them back."""
    n_lines = 1 + pick(
        draws.uniform("basket.lines", orders.customer, orders.number), LINE_COUNT_SHARES
    )
    n_lines = np.minimum(n_lines, np.maximum(1, value.astype(np.int64)))
    order = np.repeat(np.arange(len(value)), n_lines)
    number = np.arange(len(order)) - np.repeat(np.cumsum(n_lines) - n_lines, n_lines) + 1
    who, key = orders.customer[order], orders.number[order] * 8 + number
    amount = _split(value, order, number, n_lines, draws.uniform("line.share", who, key))
    category, variant = _category(who, key, draws)
    quantity = 1 + pick(draws.uniform("line.quantity", who, key), [0.72, 0.18, 0.06, 0.04])
    day = orders.day[order]
    rebate = _rebate(calendar.season[1, day], who, key, draws)
    list_price = np.ceil(np.round(amount / quantity / (1 - rebate) * 100, 6)) / 100
    step = np.searchsorted(PRICE_EDGES, list_price)
    returned, known = _returns(parameters, day, fates.experience[order], who, key, draws)
    late = pick(draws.uniform("order.booked", orders.customer, orders.number), LATE_SALE_SHARES)
    return Lines(
        order=order,
        number=number,
        category=category,
        product=(category * PRICE_STEPS + step) * VARIANTS + variant,
        channel=_channel(calendar, orders, draws)[order],
        quantity=quantity,
        unit_price=list_price,
        discount=np.round(list_price * quantity - amount, 2),
        unit_cost=np.round(list_price * COST_SHARES[category], 2),
        amount=amount,
        booked_day=day + late[order],
        return_day=returned,
        return_known_day=known,
    )


def _split(value: Floats, order: Ints, number: Ints, n_lines: Ints, uniform: Floats) -> Floats:
    """Return amounts in whole cents, at least .01, that add up to each order's value."""
    weight = 0.2 - np.log(uniform)
    share = weight / np.bincount(order, weight)[order]
    amount = np.maximum(np.floor(value[order] * share * 100) / 100, 0.01)
    short = value - np.bincount(order, amount)
    largest = np.lexsort((number, -amount, order))[np.cumsum(n_lines) - n_lines]
    amount[largest] += short
    return np.asarray(np.round(amount, 2), dtype=np.float64)


def _category(who: Ints, key: Ints, draws: Draws) -> tuple[Ints, Ints]:
    """Return category and variant of each line; half of the lines are in the favourite category."""
    favourite = pick(draws.uniform("line.favourite", who), CATEGORY_SHARES)
    any_ = pick(draws.uniform("line.category", who, key), CATEGORY_SHARES)
    loyal = draws.uniform("line.loyal", who, key) < 0.5
    variant = pick(draws.uniform("line.variant", who, key), np.ones(VARIANTS))
    return np.where(loyal, favourite, any_), variant


def _rebate(festive: Floats, who: Ints, key: Ints, draws: Draws) -> Floats:
    """Return the share of the list price taken off each line: often and more at festivals."""
    uniform = draws.uniform("line.rebate", who, key)
    calm = pick(uniform, [0.70, 0.12, 0.12, 0.06])
    sale = pick(uniform, [0.15, 0.20, 0.35, 0.30])
    return np.array([0.0, 0.05, 0.10, 0.20])[np.where(festive > 2.5, sale, calm)]


def _returns(
    parameters: Parameters, day: Ints, experience: Ints, who: Ints, key: Ints, draws: Draws
) -> tuple[Ints, Ints]:
    """Return the day each line is sent back and the day that is booked; -1 if it never is."""
    share = np.array(parameters.return_after)[experience]
    happens = draws.uniform("return.happens", who, key) < share
    returned = day + pick(draws.uniform("return.delay", who, key), RETURN_DELAY_SHARES)
    known = returned + pick(draws.uniform("return.booking", who, key), RETURN_BOOKING_SHARES)
    return np.where(happens, returned, -1), np.where(happens, known, -1)


def _channel(calendar: Calendar, orders: Orders, draws: Draws) -> Ints:
    """Return the channel of each order: seven in ten through the customer's usual one."""
    who, number = orders.customer, orders.number
    usual = pick(draws.uniform("channel.usual", who), CHANNEL_SHARES)
    other = pick(draws.uniform("channel.other", who, number), CHANNEL_SHARES)
    channel = np.where(draws.uniform("channel.stays", who, number) < 0.7, usual, other)
    new = draws.uniform("channel.new", who, number) < calendar.new_channel_share[orders.day]
    return np.where(new, len(CHANNELS), channel)
