"""The bonus from a shop's own past dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.config import Config, check_settings
from features.errors import InputError
from training.bonus import bonus_of_past, past_days


def monthly() -> Config:
    return check_settings(Config, {"training": {"assignment": {"every": "month"}}}, Path("c"))


def test_the_dates_are_those_of_the_calendar_up_to_the_cutoff(make_release: Any):
    release = make_release()  # cutoff 2011-06-13, history from 2009-12-01
    assert past_days(release, Config()) == [
        date(2010, 1, 1), date(2010, 4, 1), date(2010, 7, 1), date(2010, 10, 1), date(2011, 1, 1),
        date(2011, 4, 1),
    ]  # fmt: skip
    months = past_days(release, monthly())
    assert (len(months), months[0], months[-1]) == (12, date(2010, 7, 1), date(2011, 6, 1))


def test_a_short_past_is_refused(make_release: Any):
    release = replace(make_release(), history_start=date(2011, 1, 1))
    with pytest.raises(InputError, match="1 re-tier dates lie in the data before 2011-06-13"):
        bonus_of_past(release, None, Config(), Path("nowhere"))  # type: ignore[arg-type]


def test_the_small_shop_needs_one_of_the_bonuses_that_are_tried(small_world: Any):
    found = bonus_of_past(
        small_world.result.release, small_world.tables, Config(), small_world.state
    )
    assert found.n_dates == len(past_days(small_world.result.release, Config()))
    assert next(iter(found.reversals_share)) == 0.25
    assert found.bonus == list(found.reversals_share)[-1]
    assert found.holds == (found.reversals_share[found.bonus] <= 0.02)
