"""What a shop knows at a cutoff, turned into how likely each experience makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from datasets.simulated_shop.basket import RETURN_BOOKING_SHARES, RETURN_DELAY_SHARES
from datasets.simulated_shop.draws import Floats, Ints
from datasets.simulated_shop.voices import (
    COMPLAINT_AFTER,
    COMPLAINT_DELAY_SHARES,
    REFERRAL_AFTER,
    REFERRAL_DELAY_SHARES,
    REVIEW_AFTER,
    REVIEW_DELAY_SHARES,
    STARS_AFTER,
    TONE_AFTER,
)
from datasets.simulated_shop.world import World

Scope = Literal["orders", "reviews", "all"]
"""orders: order lines and returns; reviews: their stars and texts too; all: complaints, referrals
and visits as well."""


@dataclass(frozen=True)
class Evidence:
    """Orders known at the cutoff, sorted by customer and time.

    Attributes
    ----------
    customer, day : array (n,)
        Index of the customer, and day of the order.
    time, until : array (n,)
        Time of the order, and of the customer's next known order or the cutoff.
    is_last : array (n,)
        Whether it is the customer's latest known order.
    log_value : array (n,)
        Logarithm of the order's value relative to the median value and the day's price level.
    experience : array (n, 3)
        Likelihood of each experience, given returns (and, by scope, what was said).
    n_sessions : array (n,)
        Visits between the order and `until`; 0 if visits are no evidence.
    session_log_season : array (n, 2)
        Sum over those visits of the logarithm of each season type's factor of the day.
    refund_base : array (n, 3)
        Expected refunds still to come in the window, if the experience was q; in currency.
    """

    customer: Ints
    day: Ints
    time: Floats
    until: Floats
    is_last: np.ndarray[tuple[int], np.dtype[np.bool_]]
    log_value: Floats
    experience: Floats
    n_sessions: Ints
    session_log_season: Floats
    refund_base: Floats


def build_evidence(world: World, cutoff_day: int, horizon_days: int, scope: Scope) -> Evidence:
    """Gather what is known before the cutoff: rows that happened and were booked before it."""
    orders, n_orders = world.orders, len(world.orders.time)
    booked = np.zeros(n_orders, dtype=np.int64)
    np.maximum.at(booked, world.lines.order, world.lines.booked_day)
    known = np.flatnonzero(booked < cutoff_day)
    customer, time, day = orders.customer[known], orders.time[known], orders.day[known]
    is_last = np.append(customer[1:] != customer[:-1], True)
    until = np.where(is_last, float(cutoff_day), np.append(time[1:], cutoff_day))
    level = world.parameters.median_order_value * world.calendar.price_level[day]
    likelihood, refund = _returns(world, cutoff_day, horizon_days)
    sessions, log_season = np.zeros(n_orders, dtype=np.int64), np.zeros((n_orders, 2))
    if scope != "orders":
        likelihood = likelihood * _reviewed(world, cutoff_day)
    if scope == "all":
        likelihood = likelihood * _complained(world, cutoff_day)
        sessions, log_season = _sessions(world, cutoff_day, known)
    return Evidence(
        customer=customer,
        day=day,
        time=time,
        until=until,
        is_last=is_last,
        log_value=np.log(world.order_value[known] / level),
        experience=likelihood[known],
        n_sessions=sessions[known],
        session_log_season=log_season[known],
        refund_base=refund[known],
    )


def _returns(world: World, cutoff_day: int, horizon_days: int) -> tuple[Floats, Floats]:
    """Return, by order and experience, the likelihood of known returns and refunds to come."""
    lines, n_orders = world.lines, len(world.orders.time)
    age = cutoff_day - 1 - world.orders.day[lines.order]
    share = np.array(world.parameters.return_after)
    booked_by = np.cumsum(np.convolve(RETURN_DELAY_SHARES, RETURN_BOOKING_SHARES))
    seen = (lines.return_day >= 0) & (lines.return_known_day < cutoff_day)
    unseen = 1 - share * _reach(booked_by, age)[:, None]
    by_line = np.where(seen[:, None], share, unseen)
    starts = np.searchsorted(lines.order, np.arange(n_orders))
    sent_back = np.cumsum(RETURN_DELAY_SHARES)
    in_window = _reach(sent_back, age + horizon_days) - _reach(sent_back, age)
    to_come = np.where(seen, 0, lines.amount * in_window)[:, None] * share / unseen
    return np.multiply.reduceat(by_line, starts), np.add.reduceat(to_come, starts)


def _reach(cumulative: Floats, age: Ints) -> Floats:
    """Return the probability that a delay is at most `age` days; 0 before the event."""
    inside = cumulative[np.clip(age, 0, len(cumulative) - 1)]
    return np.where(age < 0, 0.0, inside / cumulative[-1])


def _event(world: World, cutoff_day: int, day: Ints, after: Floats, delays: Floats) -> Floats:
    """Return the likelihood, by order and experience, of an event on `day` or of none so far."""
    age = cutoff_day - 1 - world.orders.day
    happened = (day >= 0) & (day < cutoff_day)
    silent = 1 - after * _reach(np.cumsum(delays), age)[:, None]
    return np.where(happened[:, None], after, silent)


def _reviewed(world: World, cutoff_day: int) -> Floats:
    """Return the likelihood, by order and experience, of its review or of none so far."""
    voices = world.voices
    written = (voices.review_day >= 0) & (voices.review_day < cutoff_day)
    words = STARS_AFTER[:, voices.stars - 1].T * TONE_AFTER[:, voices.tone].T
    event = _event(world, cutoff_day, voices.review_day, REVIEW_AFTER, REVIEW_DELAY_SHARES)
    return np.asarray(event * np.where(written[:, None], words, 1.0))


def _complained(world: World, cutoff_day: int) -> Floats:
    """Return the likelihood, by order and experience, of complaint and referral so far."""
    day, referral_day = world.voices.complaint_day, world.voices.referral_day
    complaint = _event(world, cutoff_day, day, COMPLAINT_AFTER, COMPLAINT_DELAY_SHARES)
    referral = _event(world, cutoff_day, referral_day, REFERRAL_AFTER, REFERRAL_DELAY_SHARES)
    return np.asarray(complaint * referral)


def _sessions(world: World, cutoff_day: int, known: Ints) -> tuple[Ints, Floats]:
    """Return visits before the cutoff by order, and the sums of their days' log season."""
    n_orders = len(world.orders.time)
    before = world.voices.session_time < cutoff_day
    latest = world.voices.session_order[before]
    is_known = np.zeros(n_orders, dtype=np.bool_)
    is_known[known] = True
    day = np.floor(world.voices.session_time[before]).astype(np.int64)
    latest, day = latest[is_known[latest]], day[is_known[latest]]
    log_season = np.log(world.calendar.season[:, day])
    sums = [np.bincount(latest, row, minlength=n_orders) for row in log_season]
    return np.bincount(latest, minlength=n_orders), np.stack(sums, axis=1)
