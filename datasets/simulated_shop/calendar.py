"""The shop's calendar: for each day how eagerly each season type buys, prices, and experiences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from datasets.simulated_shop.draws import Floats, Ints
from datasets.simulated_shop.parameters import Parameters

LOOKAHEAD_DAYS = 800
"""Days after the end for which the calendar is known, so that the oracle can look ahead."""

LUNAR_NEW_YEAR = [
    "2020-01-25",
    "2021-02-12",
    "2022-02-01",
    "2023-01-22",
    "2024-02-10",
    "2025-01-29",
    "2026-02-17",
    "2027-02-06",
    "2028-01-26",
    "2029-02-13",
    "2030-02-03",
    "2031-01-23",
    "2032-02-11",
    "2033-01-31",
    "2034-02-19",
    "2035-02-08",
]
WEEKDAY_PULL = np.array([0.92, 0.90, 0.92, 0.96, 1.08, 1.14, 1.08])


@dataclass(frozen=True)
class Calendar:
    """Tables by day, counted from the first day of the shop.

    Attributes
    ----------
    season : array (2, days)
        Factor of the buying rate by season type; about 1 on average.
    elapsed : array (2, days + 1)
        Sum of `season` before each midnight: the clock in which buying is steady.
    acquisition : array (2, n_days)
        Probability, by season type, that a customer's first order falls on the day.
    price_level : array (days,)
        Factor of order values.
    experience : array (days, levels, 3)
        Probability of each experience by satisfaction level.
    habit_lost : array (days,)
        Share of gaps and order values that do not follow the customer's own habit.
    new_channel_share : array (days,)
        Share of orders placed through the new channel.
    """

    season: Floats
    elapsed: Floats
    acquisition: Floats
    price_level: Floats
    experience: Floats
    habit_lost: Floats
    new_channel_share: Floats

    def to_steady(self, season_type: Ints, time: Floats) -> Floats:
        """Turn days since the start into the steady clock of each season type."""
        midnights = np.arange(self.elapsed.shape[1], dtype=np.float64)
        both = [np.interp(time, midnights, row) for row in self.elapsed]
        return np.asarray(np.where(season_type == 0, both[0], both[1]))

    def from_steady(self, season_type: Ints, steady: Floats) -> Floats:
        """Turn the steady clock back into days since the start; infinite after the calendar."""
        midnights = np.arange(self.elapsed.shape[1], dtype=np.float64)
        both = [np.interp(steady, row, midnights, right=np.inf) for row in self.elapsed]
        return np.asarray(np.where(season_type == 0, both[0], both[1]))


def build_calendar(parameters: Parameters) -> Calendar:
    """Build the tables of the calendar, with the incidents that change behaviour in them."""
    start, n_days = parameters.start, parameters.n_days + LOOKAHEAD_DAYS
    day = np.arange(n_days)
    season = _season(start, day)
    level = season.mean(axis=1, keepdims=True)
    season = season / level
    plain = _acquisition(parameters, season)
    slump, habit_lost, channel = np.zeros((3, n_days))
    for incident in parameters.incidents:
        active = incident.in_force(start, n_days)
        if incident.kind == "changed_season":
            moved = _season(start, day - round(incident.size)) / level
            season = np.where(active, moved, season)
        elif incident.kind == "satisfaction_slump":
            slump += incident.size * active
        elif incident.kind == "slow_decay":
            since = day - (incident.day - start).days
            ramp = np.clip((since + 1) / incident.days, 0, 1) * incident.size
            habit_lost = np.maximum(habit_lost, ramp)
        elif incident.kind == "new_channel":
            channel = np.where(active, incident.size, channel)
    return Calendar(
        season=season,
        elapsed=np.concatenate([np.zeros((2, 1)), season.cumsum(axis=1)], axis=1),
        acquisition=_keep_past_mass(plain, _acquisition(parameters, season)),
        price_level=np.exp(parameters.yearly_price_growth * day / 365.25),
        experience=_experience(parameters, slump),
        habit_lost=habit_lost,
        new_channel_share=channel,
    )


def _season(start: date, day: Ints) -> Floats:
    """Return the unscaled pull of each day for both season types."""
    dates = np.datetime64(start) + day
    weekday = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7
    years = np.unique(dates.astype("datetime64[Y]"))
    festival = np.zeros(len(day))
    for year in range(int(str(years[0])) - 1, int(str(years[-1])) + 2):
        festival += _festival_pull(dates, year)
    pull = np.stack([1 + 0.35 * festival, 0.45 + 1.5 * festival])
    return np.asarray(np.maximum(pull, 0.15) * WEEKDAY_PULL[weekday])


def _festival_pull(dates: np.ndarray[tuple[int], np.dtype[np.datetime64]], year: int) -> Floats:
    """Return the pull of one year's festivals: 6.18, Double Eleven, Double Twelve, New Year."""

    def days_to(text: str) -> Floats:
        return np.asarray((dates - np.datetime64(text)).astype(np.float64))

    eleven, twelve = days_to(f"{year}-11-11"), days_to(f"{year}-12-12")
    june = days_to(f"{year}-06-18")
    known = [text for text in LUNAR_NEW_YEAR if text.startswith(str(year))]
    lunar = days_to(known[0] if known else f"{year}-02-05")
    return np.asarray(
        5.0 * np.exp(-np.abs(eleven) / 1.2)
        + 1.3 * ((eleven >= -18) & (eleven <= 1))
        + 1.6 * np.exp(-np.abs(twelve) / 1.0)
        + 2.2 * np.exp(-np.abs(june) / 1.2)
        + 0.7 * ((june >= -14) & (june <= 1))
        + 1.2 * ((lunar >= -26) & (lunar <= -5))
        - 0.8 * ((lunar >= -3) & (lunar <= 6))
    )


def _acquisition(parameters: Parameters, season: Floats) -> Floats:
    """Return the probability of each day for a first order, by season type."""
    day = np.arange(parameters.n_days)
    growth = np.exp(parameters.yearly_acquisition_growth * day / 365.25)
    weight = growth * season[:, : parameters.n_days] ** 0.8
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _keep_past_mass(plain: Floats, changed: Floats) -> Floats:
    """Scale changed days so that days before the first change keep their probability."""
    differs = np.abs(np.diff(np.log(changed) - np.log(plain), axis=1)).max(axis=0) > 1e-9
    if not differs.any():
        return plain
    first = int(np.argmax(differs)) + 1
    later = changed[:, first:] / changed[:, first:].sum(axis=1, keepdims=True)
    tail = plain[:, first:].sum(axis=1, keepdims=True)
    return np.concatenate([plain[:, :first], later * tail], axis=1)


def _experience(parameters: Parameters, slump: Floats) -> Floats:
    """Return P(bad), P(fair), P(good) by day and satisfaction level (ordered logistic)."""
    level = parameters.satisfaction_slope * np.array(parameters.satisfaction_levels)
    shift = slump[:, None] - level[None, :]
    bad = 1 / (1 + np.exp(-(parameters.bad_intercept + shift)))
    not_good = 1 / (1 + np.exp(-(parameters.not_good_intercept + shift)))
    return np.stack([bad, not_good - bad, 1 - not_good], axis=2)
