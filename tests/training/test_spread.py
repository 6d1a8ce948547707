"""Intervals by rung of the cold-start ladder, chances of tiers, and who is near a boundary."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from training.boundaries import cut_at_shares, is_borderline
from training.learn.spread import (
    calibration_error,
    covered_share,
    figures_of_spread,
    learn_spread,
)
from training.outlook import learn_borderline
from training.spread import N_POINTS, RungSpread, Spread, spread_from, spread_to_numbers

RISING = tuple(i / 100 for i in range(N_POINTS))  # uniform between 0 and 2
WIDE = tuple(i / 50 for i in range(N_POINTS))  # uniform between 0 and 4
SPREAD = Spread(RungSpread((), (WIDE,), (30,)), RungSpread((100.0,), (WIDE, RISING), (30, 30)))


def hurdle(
    n: int, seed: int, level: float = 1.0, one_order_noise: float = 1.2
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rung, expected value, p_active and outcome; those with one order are harder to tell."""
    rng = np.random.default_rng(seed)
    rung = rng.integers(1, 3, n)
    p_active = rng.uniform(0.02, 1.0, n)
    if_active = rng.lognormal(4, 0.7, n)
    noise = np.where(rung == 2, 0.5, one_order_noise)
    ratio = np.exp(noise * rng.standard_normal(n) - noise**2 / 2)
    active = rng.random(n) < p_active
    return rung, p_active * if_active, p_active, np.where(active, level * if_active * ratio, 0.0)


def test_whole_intervals_of_six_customers():
    # sure to buy, 100 if active; 200; may bring nothing; nearly surely nothing; one order; no value
    rung = np.array([2, 2, 2, 2, 1, 2])
    value = np.array([99.0, 200.0, 50.0, 5.0, 50.0, 0.0])
    p_active = np.array([1.0, 1.0, 0.5, 0.05, 0.5, 0.5])
    low, high = SPREAD.intervals(rung, value, p_active)
    assert low == pytest.approx([99 * 4 * 0.05, 200 * 2 * 0.05, 0, 0, 0, 0])
    assert high == pytest.approx(
        [99 * 4 * 0.95, 200 * 2 * 0.95, 100 * 4 * 0.8, 0, 100 * 4 * 0.8, 0]
    )


def test_whole_chances_to_stay_below_a_bound():
    rung = np.array([2, 2, 2, 2, 2, 1])
    value = np.array([200.0, 200.0, 200.0, 200.0, 0.0, 50.0])
    p_active = np.array([1.0, 0.5, 0.5, 0.5, 0.5, 0.5])
    bound = np.array([200.0, 400.0, np.inf, 0.0, 1.0, 1e300])
    below = SPREAD.shares_below(rung, value, p_active, bound)
    assert below == pytest.approx([0.5, 0.5 + 0.5 * 0.5, 1, 0, 1, 1])


@given(
    st.integers(0, 2),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.floats(0, 1e9) | st.sampled_from([-np.inf, np.inf, -1.0]),
)
def test_one_customer_is_told_the_same_alone_bit_for_bit(
    rung: int, value: float, p_active: float, bound: float
):
    spread = LEARNED
    among = (np.array([1, rung, 2]), np.array([7.0, value, 1e4]), np.array([0.3, p_active, 0.99]))
    low, high = spread.intervals(*among)
    assert repr(spread.interval_of_one(rung, value, p_active)) == repr(
        (float(low[1]), float(high[1]))
    )
    below = spread.shares_below(*among, np.array([1.0, bound, 2.0]))
    alone = spread.share_below_of_one(rung, value, p_active, bound)
    assert repr(alone) == repr(float(below[1]))


@given(st.integers(1, 2), st.floats(0.01, 1e6), st.floats(0, 1), st.lists(st.floats(0, 1e7)))
def test_a_higher_bound_is_never_less_likely_to_hold(
    rung: int, value: float, p_active: float, bounds: list[float]
):
    shares = [LEARNED.share_below_of_one(rung, value, p_active, bound) for bound in sorted(bounds)]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)


def test_intervals_cover_nine_of_ten_outcomes_of_another_cohort_on_both_rungs():
    rung, value, p_active, outcome = hurdle(8000, 1)
    figures = figures_of_spread(LEARNED, rung, value, p_active, outcome)
    assert figures["interval_coverage"] == pytest.approx(0.9, abs=0.015)
    assert figures["one_order_coverage"] == pytest.approx(0.9, abs=0.02)
    assert figures["repeat_coverage"] == pytest.approx(0.9, abs=0.02)
    assert "no_orders_coverage" not in figures


def test_where_one_order_says_less_its_interval_is_wider_for_its_value():
    rung, value, p_active, outcome = hurdle(8000, 1)
    figures = figures_of_spread(LEARNED, rung, value, p_active, outcome)
    assert figures["one_order_relative_width"] > 1.08 * figures["repeat_relative_width"]


def test_intervals_learned_in_a_season_of_another_level_still_cover():
    spread = learn_spread(*hurdle(8000, 2, level=0.5))
    rung, value, p_active, outcome = hurdle(8000, 3)
    covered = covered_share(*spread.intervals(rung, value, p_active), outcome)
    assert covered == pytest.approx(0.9, abs=0.02)


def test_a_rung_with_too_few_who_came_back_is_told_as_everybody():
    rung, value, p_active, outcome = hurdle(2000, 4)
    outcome[rung == 1] = 0.0
    spread = learn_spread(rung, value, p_active, outcome)
    assert spread.one_order == spread.repeat
    assert sum(spread.repeat.n_active) == np.count_nonzero(outcome > 0)


def test_as_many_strata_as_thirty_outcomes_each_allow():
    _, value, p_active, outcome = hurdle(300, 5)
    spread = learn_spread(np.full(300, 2), value, p_active, outcome)
    n_active = np.count_nonzero(outcome > 0)
    assert len(spread.repeat.ratios) == min(3, n_active // 30)
    assert sum(spread.repeat.n_active) == n_active
    assert list(spread.repeat.edges) == sorted(spread.repeat.edges)


def test_customers_of_one_value_make_one_stratum():
    n = 200
    spread = learn_spread(
        np.full(n, 2), np.full(n, 10.0), np.full(n, 0.5), np.tile([0.0, 40.0], n // 2)
    )
    assert spread.repeat == RungSpread((), ((1.0,) * N_POINTS,), (100,))


def test_too_few_outcomes_to_learn_from_are_refused():
    rung, value, p_active, outcome = hurdle(400, 6)
    outcome[np.flatnonzero(outcome > 0)[29:]] = 0.0
    with pytest.raises(
        InputError, match="29 customers with a positive outcome; expected at least 30"
    ):
        learn_spread(rung, value, p_active, outcome)


def test_json_keeps_a_spread_to_the_last_bit():
    again = spread_from(json.loads(json.dumps(spread_to_numbers(LEARNED))))
    assert again == LEARNED
    assert spread_from(spread_to_numbers(None)) is None


def test_the_chances_of_all_tiers_add_to_one():
    bounds = [-np.inf, 20.0, 60.0, 200.0, np.inf]
    below = [LEARNED.share_below_of_one(2, 75.0, 0.7, bound) for bound in bounds]
    assert np.diff(below).sum() == pytest.approx(1)
    assert min(np.diff(below)) > 0


def test_calibration_error_of_four_customers():
    probability = np.array([0.1, 0.9, 0.5, 0.5])
    happened = np.array([False, True, True, False])
    assert calibration_error(probability, happened) == pytest.approx((0.1 + 0.1 + 0.5 + 0.5) / 4)


# ---- borderline -------------------------------------------------------------------------------


def noisy_scores(noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.lognormal(4, 1, 5000)
    return truth, truth * np.exp(noise * rng.standard_normal(5000))


def test_the_factor_is_one_standard_error_of_a_retraining():
    value, before = noisy_scores(0.2)
    factors = learn_borderline(value, before, (0.7, 0.2, 0.08, 0.02))
    assert len(factors) == 3
    # cuts of noisy scores lie further out, so the upper ones are seen with a shift
    assert factors[0] == pytest.approx(np.exp(0.2), rel=0.1)


def test_borderline_customers_move_at_a_retraining_and_others_seldom():
    shares = (0.7, 0.2, 0.08, 0.02)
    value, before = noisy_scores(0.1)
    factors = learn_borderline(value, before, shares)
    later = value * np.exp(0.1 * np.random.default_rng(9).standard_normal(5000))
    boundaries, boundaries_later = cut_at_shares(value, shares), cut_at_shares(later, shares)
    moved = boundaries.assign(value) != boundaries_later.assign(later)
    near = is_borderline(value, boundaries.cuts, factors)
    assert moved[near].mean() > 0.25
    assert moved[~near].mean() < 0.03


@pytest.mark.parametrize("before", [None, "same"])
def test_without_noise_the_factor_is_that_of_the_boundaries_themselves(before: str | None):
    value, _ = noisy_scores(0.0)
    factors = learn_borderline(value, None if before is None else value, (0.7, 0.3))
    assert factors == (1.05,)


def test_boundaries_at_zero_have_the_least_factor_and_wild_ones_the_largest():
    value = np.concatenate([np.zeros(80), np.linspace(1, 2, 20)])
    assert learn_borderline(value, value, (0.5, 0.5)) == (1.05,)
    value, before = noisy_scores(3.0)
    assert learn_borderline(value, before, (0.5, 0.5)) == (2.0,)


def test_the_release_and_the_rule_agree_on_who_is_borderline(make_release, five_customers):
    release = make_release()
    scores = release.score(five_customers.values)
    near = is_borderline(scores.expected_value, release.boundaries.cuts, release.borderline_factors)
    assert scores.expected_value.tolist() == [150.0, 5.0, 180.0, -20.0, 900.0]
    assert scores.borderline.astype(bool).tolist() == near.tolist()
    assert near.tolist() == [False, False, True, False, True]
    nowhere = dataclasses.replace(release, borderline_factors=())
    assert not nowhere.score(five_customers.values).borderline.any()


def test_a_release_without_a_spread_tells_no_interval(make_release, five_customers):
    scores = dataclasses.replace(make_release(), spread=None).score(five_customers.values)
    for name in ("expected_value_low90", "expected_value_high90", "tier_probability"):
        assert np.isnan(getattr(scores, name)).all()
    assert scores.rung.tolist() == [2, 1, 2, 0, 2]


LEARNED = learn_spread(*hurdle(8000, 0))
