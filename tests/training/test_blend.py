"""The blend: tail rule by hand, and that a customer's answer hangs on no other customer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.models.blend import (
    ABSENCE,
    SMALLEST_SCORE,
    BlendModel,
    Mixture,
    absence_fade,
    blend_from,
    freeze_mixture,
)
from training.models.matrix import FeatureMatrix, weighted_sum
from training.models.members import VALUE_MEMBERS

EQUAL = dict.fromkeys(VALUE_MEMBERS, 1.0)
ONES = dict.fromkeys(VALUE_MEMBERS, 1.0)


def scores_of(trees: list[float], others: list[float]) -> dict[str, Any]:
    sides = dict.fromkeys(("hurdle_log", "hurdle_gamma", "tweedie"), np.array(trees))
    return {**sides, **dict.fromkeys(("glm", "mbgnbd"), np.array(others))}


def test_below_the_cap_trees_hold_three_fifths_and_above_it_their_weight_falls_away():
    mixture = Mixture(scales=ONES, weights=EQUAL, cap=10.0, mean=1.0)
    # the others' 20 is twice the cap, so the trees' .6 halves; at 100 it is a tenth of .6
    mixed = mixture.mix(scores_of([5.0, 5.0, 5.0, 5.0], [0.0, 10.0, 20.0, 100.0]))
    expected = [0.6 * 5, 0.6 * 5 + 0.4 * 10, 0.3 * 5 + 0.7 * 20, 0.06 * 5 + 0.94 * 100]
    assert mixed == pytest.approx(expected)


def test_the_tail_rule_never_turns_more_into_less():
    mixture = Mixture(scales=ONES, weights=EQUAL, cap=10.0, mean=1.0)
    rising = np.linspace(0, 200, 2001)
    mixed = mixture.mix(scores_of([10.0] * 2001, list(rising)))
    assert np.all(np.diff(mixed) > 0)


@pytest.mark.parametrize(
    ("dropped", "expected"),
    [
        (("glm", "mbgnbd"), [5.0, 5.0]),  # trees alone
        (("hurdle_log", "hurdle_gamma", "tweedie"), [20.0, 1.0]),  # the others alone
        (("hurdle_gamma", "tweedie", "mbgnbd"), [0.25 * 5 + 0.75 * 20, 0.5 * 5 + 0.5 * 1]),
    ],
)
def test_a_dropped_member_has_no_say(dropped, expected):
    weights = {**EQUAL, **dict.fromkeys(dropped, 0.0)}
    scores = scores_of([5.0, 5.0], [20.0, 1.0])
    for name in dropped:
        scores[name] = np.array([1e6, 1e-6])
    mixture = Mixture(scales=ONES, weights=weights, cap=10.0, mean=1.0)
    assert mixture.mix(scores) == pytest.approx(expected)


def test_a_mixture_has_mean_one_on_the_cohort_it_was_frozen_on_whatever_the_members_units():
    generator = np.random.default_rng(3)
    scores = {
        name: generator.lognormal(0, 1, 500) * 10**unit for unit, name in enumerate(VALUE_MEMBERS)
    }
    mixture = freeze_mixture(scores, EQUAL)
    assert mixture.mix(scores).mean() == pytest.approx(1.0)
    other_units = {name: 1000 * score for name, score in scores.items()}
    assert freeze_mixture(other_units, EQUAL).mix(other_units) == pytest.approx(mixture.mix(scores))


def test_the_cap_is_the_98th_percentile_of_the_trees_mean():
    trees = list(np.arange(101.0))
    assert freeze_mixture(scores_of(trees, [50.0] * 101), EQUAL).cap == pytest.approx(98 / 50)


def test_weighted_sum_adds_left_to_right_whatever_the_number_of_rows():
    terms = [np.array([0.1, 0.2]), np.array([0.3, 0.4])]
    assert weighted_sum(terms, [2.0, 10.0]).tolist() == [0.1 * 2 + 3.0, 0.2 * 2 + 4.0]


def test_beyond_the_longest_absence_of_training_value_and_odds_fall_as_one_over_the_days():
    days = FeatureMatrix((ABSENCE,), np.array([[1.0], [365.0], [730.0], [3650.0]]))
    assert absence_fade(days, 365.0).tolist() == [1.0, 1.0, 2.0, 10.0]


# --- a blend as it was trained ---------------------------------------------------------------


@pytest.fixture(scope="module")
def blend(small_world: Any) -> BlendModel:
    model = small_world.result.backtest.models["blend"]
    assert isinstance(model, BlendModel)
    return model


@pytest.fixture(scope="module")
def customers(small_world: Any) -> FeatureMatrix:
    return small_world.result.backtest.cohort.features


def test_one_row_scores_bit_for_bit_as_among_ten_thousand(blend, customers):
    generator = np.random.default_rng(0)
    many = customers.take(generator.integers(0, len(customers), 10_000))
    noise = generator.lognormal(0, 0.2, many.values.shape)
    many = FeatureMatrix(many.columns, many.values * noise)
    among = blend.predict(many)
    for row in (*range(0, 10_000, 400), 9_999):
        alone = blend.predict(many.take(np.array([row])))
        assert (alone.value[0], alone.p_active[0]) == (among.value[row], among.p_active[row])


def test_neither_the_order_of_rows_nor_foreign_columns_change_a_bit(blend, customers):
    order = np.random.default_rng(1).permutation(len(customers))
    before = blend.predict(customers)
    foreign = FeatureMatrix(("foreign",), np.full((len(customers), 1), np.nan))
    after = blend.predict(foreign.beside(customers).take(order))
    assert np.array_equal(after.value, before.value[order])
    assert np.array_equal(after.p_active, before.p_active[order])


def test_a_blend_comes_back_from_numbers_and_texts_bit_for_bit(blend, customers):
    numbers = json.loads(json.dumps(blend.to_numbers(), allow_nan=False))
    again = blend_from(numbers, blend.to_texts())
    before, after = blend.predict(customers), again.predict(customers)
    assert np.array_equal(before.value, after.value)
    assert np.array_equal(before.p_active, after.p_active)
    assert again.to_numbers() == blend.to_numbers()
    assert again.to_texts() == blend.to_texts()


def test_away_twice_as_long_as_anyone_in_training_halves_value_and_odds(blend, customers):
    assert blend.longest_absence_days is not None
    values = customers.values.copy()
    values[:, customers.columns.index(ABSENCE)] = blend.longest_absence_days * 2
    away = FeatureMatrix(customers.columns, values)
    unfaded = replace(blend, longest_absence_days=None).predict(away)
    faded = blend.predict(away)
    assert np.array_equal(faded.value, unfaded.value / 2)
    odds = [p.p_active / (1 - p.p_active) for p in (faded, unfaded)]
    assert odds[0] == pytest.approx(odds[1] / 2)


def test_values_are_positive_and_probabilities_inside_0_and_1(blend, customers):
    found = blend.predict(customers)
    assert found.value.min() >= blend.scale * SMALLEST_SCORE**blend.power
    assert 0 < found.p_active.min() <= found.p_active.max() < 1


def test_customers_with_nothing_known_but_one_order_are_scored(blend):
    known = {
        "n_order_days": 1.0,
        "days_since_last_order": 3.0,
        "tenure_days": 3.0,
        "first_to_last_days": 0.0,
        "net_spend": 12.0,
        "repeat_net_spend": 0.0,
        "n_positive_days": 1.0,
        "positive_day_spend": 12.0,
    }
    row = np.array([[known.get(name, np.nan) for name in blend.columns]])
    found = blend.predict(FeatureMatrix(blend.columns, row))
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.p_active).all()
