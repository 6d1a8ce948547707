"""Where a customer stands by the own cadence: each state, each edge, one row as ten thousand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config import LIFECYCLE, LifecycleSettings
from training.lifecycle import COLUMNS, LifecycleRule, learn_lifecycle, lifecycle_from
from training.models.matrix import FeatureMatrix

RULE = LifecycleRule(30.0, 2.0, 1.0, 2.0, 4.0)


def matrix(*rows: tuple[float, float, float, float]) -> FeatureMatrix:
    return FeatureMatrix(COLUMNS, np.array(rows, np.float64).reshape(-1, 4))


NAN = float("nan")


@pytest.mark.parametrize(
    ("told", "row"),
    [  # order days, since the last, first to last, last gap
        ("new", (1, 31, 0, NAN)),  # the shop's 30 days have not passed
        ("cooling", (1, 32, 0, NAN)),
        ("cooling", (1, 61, 0, NAN)),
        ("dormant", (1, 62, 0, NAN)),
        ("dormant", (1, 121, 0, NAN)),
        ("lost", (1, 122, 0, NAN)),
        # eight gaps of 5 days beside the shop's two of 30: usual are 10
        ("active", (9, 11, 40, 5)),
        ("cooling", (9, 12, 40, 5)),
        ("cooling", (9, 21, 40, 5)),
        ("dormant", (9, 22, 40, 5)),
        ("dormant", (9, 41, 40, 5)),
        ("lost", (9, 42, 40, 5)),
        # six gaps of 90: usual are 75, so two months of silence are nothing
        ("active", (7, 61, 540, 90)),
        # one order before a gap of 122 days: gone by the shop's 30, and back
        ("won_back", (2, 1, 122, 122)),
        ("active", (2, 1, 121, 121)),
        # back, and quiet again
        ("cooling", (2, 62, 122, 122)),
        ("active", (2, 1, 60, 60)),
    ],
)
def test_each_state_at_its_edge(told: str, row: tuple[float, float, float, float]):
    assert LIFECYCLE[int(RULE.states(matrix(row))[0])] == told
    assert LIFECYCLE[RULE.state(*row)] == told


@pytest.mark.parametrize("row", [(0, NAN, NAN, NAN), (NAN, 3, 0, NAN), (2, NAN, 10, 10)])
def test_without_an_order_day_there_is_no_state(row: tuple[float, float, float, float]):
    assert RULE.states(matrix(row)).tolist() == [-1]
    assert RULE.state(*row) == -1


def test_without_the_last_gap_nobody_is_told_to_be_won_back():
    held = matrix((2, 1, 122, 122)).select(COLUMNS[:3])
    assert LIFECYCLE[int(RULE.states(held)[0])] == "active"


days = st.one_of(st.integers(0, 800).map(float), st.floats(0, 1e4), st.just(NAN))


@given(
    rows=st.lists(st.tuples(st.integers(0, 40).map(float), days, days, days), min_size=1),
    weight=st.floats(0, 10),
    usual=st.floats(1, 400),
)
def test_one_row_gives_what_ten_thousand_give(rows: list, weight: float, usual: float):
    rule = LifecycleRule(usual, weight, 1.0, 2.0, 4.0)
    assert rule.states(matrix(*rows)).tolist() == [rule.state(*row) for row in rows]


@given(st.integers(2, 30), st.integers(1, 300), st.integers(0, 900), st.integers(1, 900))
def test_a_longer_silence_never_makes_a_customer_livelier(
    n: int, since: int, span: int, later: int
):
    order = {"active": 0, "won_back": 0, "cooling": 1, "dormant": 2, "lost": 3}
    gap = span / (n - 1)
    now, then = (
        order[LIFECYCLE[RULE.state(n, days, span, gap)]] for days in (since, since + later)
    )
    assert now <= then


def test_the_usual_gap_of_a_shop_is_the_median_of_who_came_back():
    shop = matrix((1, 5, 0, NAN), (2, 5, 10, 10), (3, 5, 40, 20), (5, 5, 400, 100))
    rule = learn_lifecycle(shop, LifecycleSettings(), 180)
    assert rule == LifecycleRule(20.0, 2.0, 1.0, 2.0, 4.0)
    assert lifecycle_from(rule.to_numbers()) == rule


def test_where_nobody_came_back_the_horizon_is_the_usual_gap():
    assert learn_lifecycle(matrix((1, 5, 0, NAN)), LifecycleSettings(), 180).usual_gap_days == 180


def test_no_usual_gap_is_shorter_than_a_day():
    rule = learn_lifecycle(matrix((3, 5, 0, 0)), LifecycleSettings(usual_gap_weight=0), 180)
    assert rule.usual_gap_days == 1.0
    assert LIFECYCLE[rule.state(1, 1, 0, NAN)] == "new"


def test_a_release_tells_of_one_row_what_it_tells_of_many(small_world):
    release = small_world.result.release
    rows = small_world.features[list(release.columns)].to_numpy(np.float64)[:40]
    told = release.score(rows).lifecycle
    scorer = release.row_scorer()
    assert [scorer.score(row).lifecycle for row in rows] == told.tolist()
    assert set(told.tolist()) > {0, 1}
