"""What customers say and click: reviews, complaints, referrals and visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.simulated_shop.calendar import Calendar
from datasets.simulated_shop.draws import Draws, Floats, Ints, pick, pick_by_row, poisson
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.process import Fates, Orders, Traits

TONES = ("negative", "mixed", "positive")
REVIEW_AFTER = np.array([0.60, 0.35, 0.45])
"""Probability of a review by experience (bad, fair, good)."""
STARS_AFTER = np.array(
    [
        [0.46, 0.28, 0.16, 0.06, 0.04],
        [0.04, 0.12, 0.38, 0.32, 0.14],
        [0.01, 0.02, 0.07, 0.30, 0.60],
    ]
)
"""Probability of 1 to 5 stars by experience."""
TONE_AFTER = np.array([[0.80, 0.17, 0.03], [0.14, 0.58, 0.28], [0.03, 0.13, 0.84]])
"""Probability of a negative, mixed or positive text by experience, apart from the stars."""
COMPLAINT_AFTER = np.array([0.25, 0.03, 0.005])
REFERRAL_AFTER = np.array([0.002, 0.02, 0.08])
REVIEW_DELAY_SHARES = np.concatenate([[0.0, 0.0], np.exp(-np.arange(2, 22) / 5.0)])
REVIEW_DELAY_SHARES /= REVIEW_DELAY_SHARES.sum()
COMPLAINT_DELAY_SHARES = np.exp(-np.arange(8) / 3.0)
COMPLAINT_DELAY_SHARES /= COMPLAINT_DELAY_SHARES.sum()
REFERRAL_DELAY_SHARES = np.concatenate([[0.0], np.full(20, 0.05)])
SESSION_KINDS = ("visit", "cart", "message_open")
SESSION_SHARES = np.array([0.6, 0.2, 0.2])


@dataclass(frozen=True)
class Voices:
    """What customers say and click.

    Attributes
    ----------
    review_day, complaint_day, referral_day : array
        By order: the day it happens, -1 if it never does.
    stars : array
        By order: 1 to 5; meaningful where there is a review.
    tone : array
        By order: index into `TONES`; what a perfect reader finds in the text.
    session_order : array
        By session: the latest order before it.
    session_time : array
        By session: days since the first midnight of the shop.
    session_kind : array
        By session: index into `SESSION_KINDS`.
    """

    review_day: Ints
    complaint_day: Ints
    referral_day: Ints
    stars: Ints
    tone: Ints
    session_order: Ints
    session_time: Floats
    session_kind: Ints


def build_voices(
    parameters: Parameters,
    calendar: Calendar,
    traits: Traits,
    orders: Orders,
    fates: Fates,
    draws: Draws,
) -> Voices:
    """Draw reviews, complaints and referrals of each order, and the visits between orders."""
    who, number, q = orders.customer, orders.number, fates.experience

    def event(name: str, after: Floats, delays: Floats) -> Ints:
        happens = draws.uniform(name + ".happens", who, number) < after[q]
        day = orders.day + pick(draws.uniform(name + ".delay", who, number), delays)
        return np.where(happens & (day < parameters.n_days), day, -1)

    session_order, key, session_time = _sessions(parameters, calendar, traits, orders, fates, draws)
    kind = draws.uniform("session.kind", who[session_order], key)
    return Voices(
        review_day=event("review", REVIEW_AFTER, REVIEW_DELAY_SHARES),
        complaint_day=event("complaint", COMPLAINT_AFTER, COMPLAINT_DELAY_SHARES),
        referral_day=event("referral", REFERRAL_AFTER, REFERRAL_DELAY_SHARES),
        stars=1 + pick_by_row(draws.uniform("review.stars", who, number), STARS_AFTER[q]),
        tone=pick_by_row(draws.uniform("review.tone", who, number), TONE_AFTER[q]),
        session_order=session_order,
        session_time=session_time,
        session_kind=pick(kind, SESSION_SHARES),
    )


def _sessions(
    parameters: Parameters,
    calendar: Calendar,
    traits: Traits,
    orders: Orders,
    fates: Fates,
    draws: Draws,
) -> tuple[Ints, Ints, Floats]:
    """Return the latest order before each session, its key among draws, and its time.

    While active a customer visits in proportion to the buying rate of the moment; after leaving
    at a small steady rate, the same for all.
    """
    who, n_days = orders.customer, float(parameters.n_days)
    is_last = np.append(who[1:] != who[:-1], True)
    until = np.where(is_last, n_days, np.append(orders.time[1:], n_days))
    season_type = traits.season_type[who]
    begin = calendar.to_steady(season_type, orders.time)
    end = calendar.to_steady(season_type, until)
    mean = np.where(
        fates.leaves,
        parameters.lost_sessions_per_day * (n_days - orders.time),
        parameters.sessions_per_order * fates.rate_after * (end - begin),
    )
    count = poisson(draws.uniform("session.count", who, orders.number), np.minimum(mean, 600))
    order = np.repeat(np.arange(len(who)), count)
    nth = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    key = orders.number[order] * 1024 + nth
    where = draws.uniform("session.time", who[order], key)
    steady = calendar.from_steady(season_type[order], begin[order] + where * (end - begin)[order])
    plain = orders.time[order] + where * (n_days - orders.time[order])
    time = np.where(fates.leaves[order], plain, steady)
    return order, key, np.clip(time, orders.time[order], np.nextafter(n_days, 0))
