"""The bonus that a shop needs: its own past re-tier dates, played again with the release in force."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from features.config import Config
from features.errors import InputError
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import Tables
from training.assignment.calendar import newest_re_tier_date
from training.release import Release
from training.replay import LearnedBonus, ScoredDate, learn_bonus
from training.scores import NO_TIER

MOST_DATES = 12
FEWEST_DATES = 3
SHORTEST_HISTORY_DAYS = 30


def past_days(release: Release, config: Config) -> list[date]:
    """Return the last re-tier dates up to the release's cutoff, rising, a month of data before each."""
    first = release.history_start + timedelta(days=SHORTEST_HISTORY_DAYS)
    days: list[date] = []
    day = newest_re_tier_date(release.cutoff, config.training.assignment)
    while day >= first and len(days) < MOST_DATES:
        days.append(day)
        day = newest_re_tier_date(day - timedelta(days=1), config.training.assignment)
    return days[::-1]


def bonus_of_past(release: Release, tables: Tables, config: Config, state: Path) -> LearnedBonus:
    """Learn the bonus from the dates of the calendar before the release's cutoff.

    Parameters
    ----------
    release : Release
        Whose model and shares are played; it saw nothing after its cutoff.
    tables : Tables
        Of its source.
    config : Config
        Calendar, and how features are computed.
    state : Path
        Folder of all results; feature tables are kept below it.

    Raises
    ------
    InputError
        If fewer than three dates lie in the data.
    """
    days = past_days(release, config)
    if len(days) < FEWEST_DATES:
        raise InputError(
            f"{len(days)} re-tier dates lie in the data before {release.cutoff}; expected at least "
            f"{FEWEST_DATES}",
            'take a shorter calendar, such as training.assignment.every = "month"',
        )
    dates = []
    for day in days:
        snapshot = Snapshot(day, release.feature_horizon_days, release.history_start)
        frame = read_or_build_features(tables, snapshot, config.features, state)
        scores = release.score(frame[list(release.columns)].to_numpy(dtype=np.float64))
        placed = scores.tier != NO_TIER
        ids = np.array(frame["customer_id"].tolist(), dtype=str)[placed]
        dates.append(ScoredDate(day, ids, scores.expected_value[placed]))
    return learn_bonus(dates, [tier.share for tier in release.tiers])
