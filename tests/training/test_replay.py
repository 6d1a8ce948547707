"""Past re-tier dates played again: moves, reversals, and the bonus a shop needs."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from training.replay import ScoredDate, learn_bonus, replay

NAMES = np.array(["a", "b", "c", "d"])
HALVES = (0.5, 0.5)


def dates(*values: tuple[float, ...]) -> list[ScoredDate]:
    first = date(2024, 1, 1)
    return [
        ScoredDate(first + timedelta(days=30 * i), NAMES[: len(row)], np.array(row))
        for i, row in enumerate(values)
    ]


def test_moves_and_those_that_undo_the_last_one_are_counted():
    # b and c change places, change back, and stay
    played = replay(dates((9, 5, 1, 0), (9, 1, 5, 0), (9, 5, 1, 0), (9, 5, 1, 0)), HALVES, 0.0)
    assert [done.tier.tolist() for done in played] == [
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
    ]
    assert [(d.n_seen, d.n_moved, d.n_reversed) for d in played] == [
        (0, 0, 0),
        (4, 2, 0),
        (4, 2, 2),
        (4, 0, 0),
    ]


def test_a_reversal_is_one_at_any_lag():
    rows = [(9, 5, 1, 0), (9, 1, 5, 0), (9, 1, 5, 0), (9, 1, 5, 0), (9, 5, 1, 0)]
    assert [one.n_reversed for one in replay(dates(*rows), HALVES, 0.0)] == [0, 0, 0, 0, 2]


def test_who_comes_later_is_new_and_moves_nobody_by_being_counted():
    played = replay(dates((9, 5), (9, 5, 1, 0)), HALVES, 0.0)
    assert (played[1].n_seen, played[1].tier.tolist()) == (2, [1, 1, 0, 0])


def test_a_bonus_keeps_the_seat_that_a_small_lead_would_take():
    rows = [(9, 5, 4, 0), (9, 4, 5, 0), (9, 5, 4, 0)]
    assert sum(one.n_moved for one in replay(dates(*rows), HALVES, 0.0)) == 4
    assert sum(one.n_moved for one in replay(dates(*rows), HALVES, 0.5)) == 0


def test_the_least_bonus_that_keeps_the_limit_is_taken():
    # a quarter is not enough to hold 4 against 5.5; two fifths is
    rows = [(9, 5.5, 4, 0), (9, 4, 5.5, 0), (9, 5.5, 4, 0)]
    found = learn_bonus(dates(*rows), HALVES)
    assert (found.bonus, found.holds, found.n_dates) == (0.4, True, 3)
    assert found.reversals_share == {0.25: 0.5, 0.4: 0.0}


def test_where_no_bonus_keeps_the_limit_the_largest_is_taken_and_told():
    rows = [(9, 8, 1, 0), (9, 1, 8, 0), (9, 8, 1, 0)]
    found = learn_bonus(dates(*rows), HALVES)
    assert (found.bonus, found.holds) == (0.5, False)
    assert found.reversals_share == {0.25: 0.5, 0.4: 0.5, 0.5: 0.5}


def test_only_the_last_date_is_judged():
    # all the coming and going is in the past: with the last dates quiet a quarter is enough
    rows = [(9, 8, 1, 0), (9, 1, 8, 0), (9, 8, 1, 0), (9, 8, 1, 0)]
    assert learn_bonus(dates(*rows), HALVES).bonus == 0.25


@pytest.mark.parametrize("n_levels", [1, 3])
def test_a_fall_is_held_to_the_levels_of_the_rule(n_levels: int):
    thirds = (0.25, 0.25, 0.25, 0.25)
    played = replay(dates((9, 5, 3, 1), (0, 9, 5, 3)), thirds, 0.0, n_levels)
    assert played[0].tier.tolist() == [3, 2, 1, 0]
    assert int(played[1].tier[0]) == 3 - n_levels
