from __future__ import annotations

import json

import numpy as np
import pytest

from training.learn.baselines import value_knots
from training.models.formulas import FORMULAS, FormulaModel, formula_from
from training.models.matrix import FeatureMatrix
from training.models.transform import expectations_of

EDGES = {
    "days_since_last_order": [8.0, 20.0, 40.0, 80.0],
    "n_order_days": [1.0, 1.0, 2.0, 8.0],
    "net_spend": [0.0, 100.0, 400.0, 800.0],
}


@pytest.fixture
def formula(buy_till_you_die):
    def make(name: str, horizon_days: int = 180, **knots: tuple[float, ...]) -> FormulaModel:
        return FormulaModel(name, horizon_days, buy_till_you_die, EDGES, **knots)

    return make


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # net spend a day since the first order, a horizon at least: 450 of 540 days is a third
        ("past_spend_rate", [150.0, 5.0, 180.0, -20.0, 900.0]),
        # unknown where the history is shorter: all spend counts
        ("net_spend_365d", [x * 180 / 365 for x in (300.0, 5.0, 180.0, -20.0, 900.0)]),
        ("recency", [-10.0, -100.0, -50.0, -30.0, -1.0]),
        ("constant", [0.0] * 5),
    ],
)
def test_whole_scores_of_five_customers(formula, five_customers, name, expected):
    assert formula(name).score(five_customers) == pytest.approx(expected)


def test_weighted_rfm_is_a_fifth_recency_three_tenths_frequency_and_half_money(
    formula, five_customers
):
    recency, frequency, money = [4, 1, 2, 3, 5], [4, 3, 4, 3, 5], [4, 2, 3, 1, 5]
    expected = [
        0.2 * r + 0.3 * f + 0.5 * m for r, f, m in zip(recency, frequency, money, strict=True)
    ]
    assert formula("weighted_rfm").score(five_customers) == pytest.approx(expected, abs=1e-3)


def test_weighted_rfm_breaks_ties_by_past_spend_and_by_less_than_a_step(formula, five_customers):
    rows = np.repeat(five_customers.values[:1], 3, axis=0)
    rows[:, five_customers.columns.index("net_spend")] = [420.0, 410.0, 430.0]
    score = formula("weighted_rfm").score(FeatureMatrix(five_customers.columns, rows))
    assert np.argsort(score).tolist() == [1, 0, 2]
    assert np.ptp(score) < 0.1


def test_bgnbd_gamma_gamma_is_orders_times_order_value(formula, five_customers, buy_till_you_die):
    expected = expectations_of(five_customers, buy_till_you_die, 180)
    found = formula("bgnbd_gamma_gamma").predict(five_customers)
    assert np.array_equal(found.value, expected["bgnbd_value"])
    assert np.array_equal(found.p_active, expected["p_active"])
    assert (found.p_active > 0).all()
    assert (found.p_active < 1).all()


def test_a_score_without_a_currency_becomes_a_value_between_its_knots(formula, five_customers):
    model = formula("recency", score_knots=(-100.0, -50.0, -10.0), value_knots=(1.0, 11.0, 31.0))
    assert model.predict(five_customers).value == pytest.approx([31.0, 1.0, 11.0, 21.0, 31.0])


def test_knots_rise_strictly_even_where_the_outcomes_fall():
    score = np.arange(1000.0)
    knots, values = value_knots(score, 1000.0 - score)
    assert np.all(np.diff(knots) > 0)
    assert np.all(np.diff(values) > 0)
    assert values[-1] == pytest.approx(values[0], rel=1e-4)


def test_a_constant_score_is_worth_the_mean_outcome():
    assert value_knots(np.zeros(4), np.array([0.0, 0.0, 6.0, 2.0])) == ((0.0,), (2.0,))


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_comes_back_from_json_bit_for_bit(formula, five_customers, name):
    model = formula(name, score_knots=(-100.0, 0.1), value_knots=(1 / 3, 2 / 3))
    again = formula_from(json.loads(json.dumps(model.to_numbers())))
    before, after = model.predict(five_customers), again.predict(five_customers)
    assert again == model
    assert np.array_equal(before.value, after.value)
    assert np.array_equal(before.p_active, after.p_active)
    assert model.to_texts() == {}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_row_alone_scores_as_among_ten_thousand(formula, five_customers, name):
    model = formula(name)
    many = five_customers.take(np.arange(10_000) % 5)
    among = model.predict(many)
    for row in range(5):
        alone = model.predict(five_customers.take(np.array([row])))
        assert (among.value[row::5] == alone.value).all()
        assert (among.p_active[row::5] == alone.p_active).all()
