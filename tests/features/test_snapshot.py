"""A snapshot: half-open windows at midnights, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from features.errors import InputError
from features.snapshot import Snapshot

SNAPSHOT = Snapshot(cutoff=date(2011, 6, 13), horizon_days=180, history_start=date(2009, 12, 1))


def test_windows_of_the_online_retail_benchmark_cohort() -> None:
    assert SNAPSHOT.observation_days == 559
    assert SNAPSHOT.outcome_end == date(2011, 12, 10)


@pytest.mark.parametrize(
    ("complete_before", "mature"),
    [(date(2011, 12, 9), False), (date(2011, 12, 10), True), (date(2011, 12, 11), True)],
)
def test_matures_on_the_day_after_its_last_outcome_day(complete_before: date, mature: bool) -> None:
    assert SNAPSHOT.is_mature(complete_before) is mature


def test_one_day_of_history_and_of_outcome_is_the_least() -> None:
    least = Snapshot(date(2024, 3, 1), 1, date(2024, 2, 29))
    assert (least.observation_days, least.outcome_end) == (1, date(2024, 3, 2))


@pytest.mark.parametrize("horizon_days", [0, -1])
def test_refuses_an_empty_outcome_window(horizon_days: int) -> None:
    with pytest.raises(InputError, match=f"horizon_days is {horizon_days}; expected 1 or more"):
        Snapshot(date(2024, 3, 1), horizon_days, date(2024, 1, 1))


@pytest.mark.parametrize("history_start", [date(2024, 3, 1), date(2024, 3, 2)])
def test_refuses_an_empty_observation_window(history_start: date) -> None:
    with pytest.raises(InputError, match="cutoff 2024-03-01 is not after the first day of data"):
        Snapshot(date(2024, 3, 1), 30, history_start)


def test_snapshots_sort_by_cutoff() -> None:
    later = Snapshot(date(2011, 12, 10), 180, date(2009, 12, 1))
    assert max(SNAPSHOT, later) is later
