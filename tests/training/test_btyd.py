import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from features.errors import InputError
from training.models.btyd import (
    BuyTillYouDie,
    PurchaseHistory,
    fit_buy_till_you_die,
    purchase_history,
)
from training.models.btyd_orders import BgNbd, MbgNbd, fit_bg_nbd, fit_mbg_nbd
from training.models.btyd_spend import GammaGamma, fit_gamma_gamma

PUBLISHED_BG = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
PUBLISHED_MBG = MbgNbd(r=0.525, alpha=6.183, a=0.891, b=1.614)
PUBLISHED_GG = GammaGamma(p=6.25, q=3.74, v=15.44)


def _cohort(order_lines: pd.DataFrame, cutoff: str, horizon_days: int) -> pd.DataFrame:
    """History columns, one row a customer, and what he did in the outcome window."""
    moment = pd.Timestamp(cutoff)
    days = order_lines.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    past = days[days["date"] < moment]
    end = moment + pd.Timedelta(days=horizon_days)
    future = days[(days["date"] >= moment) & (days["date"] < end)].groupby("customer_id")
    by = past.groupby("customer_id")
    positive = past[past["amount"] > 0].groupby("customer_id")["amount"]
    first = by["date"].min()
    table = pd.DataFrame(
        {
            "n_order_days": by.size(),
            "tenure_days": (moment - first).dt.days,
            "first_to_last_days": (by["date"].max() - first).dt.days,
            "net_spend": by["amount"].sum(),
            "repeat_net_spend": by["amount"].sum() - by["amount"].first(),
            "n_positive_days": positive.size(),
            "positive_day_spend": positive.sum(),
            "future_orders": future.size(),
            "future_spend": future["amount"].sum(),
        },
        index=first.index,
    )
    return table.fillna(0.0)


@pytest.fixture(scope="module")
def cdnow_sample(real_data: Path) -> pd.DataFrame:
    raw = pd.read_parquet(real_data / "cdnow" / "cdnow_sample.parquet")
    return _cohort(raw.rename(columns={"sample_id": "customer_id"}), "1997-10-01", 273)


@pytest.fixture(scope="module")
def cdnow_history(cdnow_sample: pd.DataFrame) -> PurchaseHistory:
    return purchase_history(cdnow_sample)


@pytest.fixture(scope="module")
def cdnow_models(cdnow_history: PurchaseHistory) -> BuyTillYouDie:
    return fit_buy_till_you_die(cdnow_history)


def _timing(history: PurchaseHistory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return history.x, history.t_x_weeks, history.T_weeks


def _shop(n: int = 400, seed: int = 3) -> PurchaseHistory:
    """A made-up shop: histories drawn from the BG/NBD story itself, with gamma values."""
    rng = np.random.default_rng(seed)
    n_orders = rng.geometric(0.45, n)
    tenure = rng.integers(60, 400, n).astype(float)
    first_to_last = np.where(n_orders > 1, np.floor(rng.random(n) * (tenure - 1)), 0)
    values = [rng.gamma(4, rng.gamma(3, 5), k) for k in n_orders]
    return purchase_history(
        {
            "n_order_days": n_orders,
            "tenure_days": tenure,
            "first_to_last_days": first_to_last,
            "net_spend": [v.sum() for v in values],
            "repeat_net_spend": [v[1:].sum() for v in values],
            "n_positive_days": n_orders,
            "positive_day_spend": [v.sum() for v in values],
        }
    )


# ---- published figures ---------------------------------------------------------------------------


def test_bg_nbd_on_cdnow_is_r_0_243_alpha_4_414_a_0_793_b_2_426(cdnow_models):
    model = cdnow_models.bg_nbd
    assert [model.r, model.alpha, model.a, model.b] == pytest.approx(
        [0.243, 4.414, 0.793, 2.426], abs=6e-4
    )


def test_bg_nbd_log_likelihood_on_cdnow_is_minus_9582_4(cdnow_models, cdnow_history):
    assert len(cdnow_history) == 2357
    assert cdnow_models.bg_nbd.log_likelihood(*_timing(cdnow_history)) == pytest.approx(
        -9582.4, abs=0.05
    )


def test_bg_nbd_hold_out_count_correlation_on_cdnow_is_0_626(
    cdnow_models, cdnow_history, cdnow_sample
):
    expected = cdnow_models.expectations(cdnow_history, 273)["bgnbd_orders"]
    assert np.corrcoef(expected, cdnow_sample["future_orders"])[0, 1] == pytest.approx(
        0.626, abs=1e-3
    )


def test_bg_nbd_of_x_2_t_x_30_43_T_38_86_expects_1_226_orders_in_39_weeks():
    assert PUBLISHED_BG.expected_purchases(2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=5e-4)


def test_mbg_nbd_on_cdnow_is_r_0_525_alpha_6_183_a_0_891_b_1_614(cdnow_models):
    model = cdnow_models.mbg_nbd
    assert [model.r, model.alpha, model.a, model.b] == pytest.approx(
        [0.525, 6.183, 0.891, 1.614], abs=6e-4
    )


def test_gamma_gamma_on_946_cdnow_repeat_customers_is_p_6_25_q_3_74_v_15_44(
    cdnow_models, cdnow_history
):
    assert ((cdnow_history.x > 0) & (cdnow_history.repeat_mean_value > 0)).sum() == 946
    model = cdnow_models.repeat_spend
    assert model is not None
    assert [model.p, model.q, model.v] == pytest.approx([6.25, 3.74, 15.44], abs=6e-3)


def test_gamma_gamma_of_hardies_sheet_expects_24_65_18_91_35_17():
    value = PUBLISHED_GG.expected_mean_value([2, 1, 0], [22.35, 11.77, 0])
    assert value == pytest.approx([24.65, 18.91, 35.17], abs=0.07)


def test_bg_nbd_gamma_gamma_spend_on_cdnow_has_mae_30_41_and_rmse_72_30(
    cdnow_models, cdnow_history, cdnow_sample
):
    error = cdnow_models.expectations(cdnow_history, 273)["bgnbd_value"]
    error = error - cdnow_sample["future_spend"].to_numpy()
    assert np.abs(error).mean() == pytest.approx(30.41, abs=0.01)
    assert np.sqrt((error**2).mean()) == pytest.approx(72.30, abs=0.01)


# ---- the same mathematics, written another way ---------------------------------------------------


@pytest.mark.parametrize("model", [PUBLISHED_BG, PUBLISHED_MBG, BgNbd(0.6, 9.0, 1.7, 2.0)])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0, 20), (1, 5, 20), (7, 38, 39), (30, 20, 39)])
def test_expected_purchases_is_the_integral_over_what_the_customer_may_be(model, x, t_x, T):
    # Given alive at T: rate ~ Gamma(r + x, alpha + T), drop-out ~ Beta(a, b + chances). With m
    # orders in t while alive the count is (1 - (1 - p)^m) / p; over Poisson m: (1 - e^{-p rate t})
    # / p; over the rate: (1 - ((alpha + T) / (alpha + T + p t))^(r + x)) / p; left is p itself.
    t, chances = 26.0, x + model._extra_chances
    shape, rate = model.r + x, model.alpha + T
    a, b = model.a, model.b + chances

    def of(u: float) -> float:  # p = u^4 takes the edge off the density at 0
        p = u**4
        orders = -np.expm1(shape * -np.log1p(p * t / rate)) / p
        return float(orders * p ** (a - 1) * (1 - p) ** (b - 1) * 4 * u**3)

    def mass(u: float) -> float:
        return float(u ** (4 * a - 1) * 4 * (1 - u**4) ** (b - 1))

    by_integral = quad(of, 0, 1)[0] / quad(mass, 0, 1)[0] * float(model.p_alive(x, t_x, T))
    assert float(model.expected_purchases(x, t_x, T, t)) == pytest.approx(by_integral, rel=1e-6)


def test_a_customer_of_400_orders_is_expected_to_go_on_where_the_printed_formula_overflows():
    heavy = BgNbd(0.436, 4.0, 0.584, 11.0).expected_purchases(400, 103.9, 104, 52)
    assert 100 < heavy < 200  # 400 in 104 weeks: at most 200 in 52


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.2), (0.5, 1.2), (2.5, 1.2), (0.3, 0.7), (17.0, 1.0)])
def test_where_the_formula_has_a_removable_hole_the_expectation_has_none(a, b):
    at, beside = BgNbd(0.5, 0.25, a, b), BgNbd(0.5, 0.25, a + 1e-5, b)
    for x in (0, 3, 98):
        got, near = (float(m.expected_purchases(x, 0, 0, 3)) for m in (at, beside))
        assert got == pytest.approx(near, rel=1e-3)
        assert got > 0


def test_without_a_repeat_order_bg_nbd_thinks_all_alive_and_mbg_nbd_does_not():
    assert PUBLISHED_BG.p_alive([0, 0], [0, 0], [1, 100]).tolist() == [1.0, 1.0]
    fresh, stale = PUBLISHED_MBG.p_alive([0, 0], [0, 0], [1, 100])
    assert stale < fresh < 1


def test_p_active_is_p_alive_times_the_closed_form():
    alive = PUBLISHED_MBG.p_alive(2, 30.43, 38.86)
    closed = alive * (1 - ((6.183 + 38.86) / (6.183 + 38.86 + 39)) ** (0.525 + 2))
    assert PUBLISHED_MBG.p_active(2, 30.43, 38.86, 39) == pytest.approx(closed, rel=1e-12)


def test_equal_histories_are_counted_as_often_as_they_occur():
    history = _shop()
    once, thrice = _timing(history), tuple(np.repeat(v, 3) for v in _timing(history))
    assert PUBLISHED_BG.log_likelihood(*thrice) == pytest.approx(
        3 * PUBLISHED_BG.log_likelihood(*once), rel=1e-12
    )
    single, triple = fit_mbg_nbd(*once), fit_mbg_nbd(*thrice)
    assert list(single.to_dict().values()) == pytest.approx(
        list(triple.to_dict().values()), rel=1e-4
    )


def test_the_order_of_customers_changes_no_bit_of_a_fit():
    x, t_x, T = _timing(_shop())
    assert fit_bg_nbd(x, t_x, T) == fit_bg_nbd(x[::-1], t_x[::-1], T[::-1])


def test_a_currency_of_a_hundredth_gives_the_same_shapes_and_a_hundred_times_the_scale():
    history = _shop()
    pounds = fit_gamma_gamma(history.n_positive, history.positive_mean_value)
    pence = fit_gamma_gamma(history.n_positive, 100 * history.positive_mean_value)
    assert [pence.p, pence.q, pence.v] == pytest.approx(
        [pounds.p, pounds.q, 100 * pounds.v], rel=1e-4
    )


# ---- properties ----------------------------------------------------------------------------------

_parameter = st.floats(0.02, 40)


@given(
    parameters=st.tuples(_parameter, _parameter, _parameter, _parameter),
    x=st.integers(0, 300),
    share=st.floats(0, 1),
    T=st.floats(0, 300),
    t=st.floats(0.1, 100),
)
@settings(max_examples=150, deadline=None)
def test_chances_are_chances_and_no_more_than_the_orders_expected(parameters, x, share, T, t):
    t_x = share * T if x else 0.0
    for model in (BgNbd(*parameters), MbgNbd(*parameters)):
        alive = model.p_alive(x, t_x, T)
        active = model.p_active(x, t_x, T, t)
        orders = model.expected_purchases(x, t_x, T, t)
        at_most = (model.r + x) * t / (model.alpha + T)
        assert 0 <= active <= alive <= 1
        assert active <= orders * (1 + 1e-6) + 1e-9
        assert orders <= at_most * (1 + 1e-6) + 1e-9


def test_one_customer_alone_gets_bit_for_bit_what_he_gets_among_10000():
    shop = _shop(10_000)
    models = fit_buy_till_you_die(shop)
    together = models.expectations(shop, 180)
    for i in (0, 1, 4_999, 9_999, *range(100, 140)):
        alone = PurchaseHistory(**{name: v[i : i + 1] for name, v in vars(shop).items()})
        for name, values in models.expectations(alone, 180).items():
            assert values.tobytes() == together[name][i : i + 1].tobytes(), name


# ---- histories, fall-backs, storing --------------------------------------------------------------


def test_purchase_history_counts_weeks_to_the_last_observed_day():
    history = purchase_history(
        pd.DataFrame(
            {
                "n_order_days": [3.0, 1.0, 2.0],
                "tenure_days": [71.0, 1.0, 8.0],
                "first_to_last_days": [35.0, 0.0, 7.0],
                "net_spend": [60.0, 5.0, -20.0],
                "repeat_net_spend": [50.0, 0.0, -20.0],
                "n_positive_days": [2.0, 1.0, 0.0],
                "positive_day_spend": [70.0, 5.0, 0.0],
            }
        )
    )
    expected = {
        "x": [2.0, 0.0, 1.0],
        "t_x_weeks": [5.0, 0.0, 1.0],
        "T_weeks": [10.0, 0.0, 1.0],
        "repeat_mean_value": [25.0, np.nan, -20.0],
        "n_positive": [2.0, 1.0, 0.0],
        "positive_mean_value": [35.0, 5.0, np.nan],
        "net_spend": [60.0, 5.0, -20.0],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(history, name), values, err_msg=name)


def test_expectations_are_products_of_orders_and_order_values(cdnow_models, cdnow_history):
    got = cdnow_models.expectations(cdnow_history, 273)
    assert list(got) == [
        "bgnbd_orders",
        "mbgnbd_orders",
        "mbgnbd_p_alive",
        "p_active",
        "repeat_value",
        "all_value",
        "bgnbd_value",
        "bgnbd_all_value",
        "mbgnbd_value",
    ]
    assert all(v.dtype == np.float64 and np.isfinite(v).all() for v in got.values())
    np.testing.assert_array_equal(got["bgnbd_value"], got["bgnbd_orders"] * got["repeat_value"])
    np.testing.assert_array_equal(got["bgnbd_all_value"], got["bgnbd_orders"] * got["all_value"])
    np.testing.assert_array_equal(got["mbgnbd_value"], got["mbgnbd_orders"] * got["all_value"])
    assert (got["repeat_value"] > 0).all()
    assert (got["all_value"] > 0).all()


def test_with_fewer_than_20_repeat_buyers_a_repeat_is_worth_the_mean_customer_day():
    columns = {
        "n_order_days": np.repeat([1.0, 2.0], [60, 19]),
        "tenure_days": np.full(79, 100.0),
        "first_to_last_days": np.repeat([0.0, 30.0], [60, 19]),
        "net_spend": np.repeat([10.0, 50.0], [60, 19]),
        "repeat_net_spend": np.repeat([0.0, 30.0], [60, 19]),
        "n_positive_days": np.repeat([1.0, 2.0], [60, 19]),
        "positive_day_spend": np.repeat([10.0, 50.0], [60, 19]),
    }
    models = fit_buy_till_you_die(purchase_history(columns))
    assert models.repeat_spend is None
    value = models.expectations(purchase_history(columns), 90)["repeat_value"]
    assert value == pytest.approx(np.full(79, (60 * 10 + 19 * 50) / (60 + 38)))


def test_a_shop_where_nobody_paid_or_came_back_still_fits_and_expects_next_to_nothing():
    columns = {
        "n_order_days": np.ones(5),
        "tenure_days": np.arange(10.0, 60.0, 10.0),
        "first_to_last_days": np.zeros(5),
        "net_spend": np.full(5, -3.0),
        "repeat_net_spend": np.zeros(5),
        "n_positive_days": np.zeros(5),
        "positive_day_spend": np.zeros(5),
    }
    models = fit_buy_till_you_die(purchase_history(columns))
    got = models.expectations(purchase_history(columns), 30)
    assert models.all_spend is None
    assert (got["mbgnbd_orders"] < 0.02).all()
    assert got["all_value"].tolist() == [1e-6] * 5
    assert (got["p_active"] >= 1e-4).all()


def test_where_gamma_gamma_has_no_expectation_the_mean_it_was_fitted_on_is_taken():
    thick_tail = GammaGamma(p=2.0, q=0.9, v=10.0)  # q <= 1.05: no population mean
    assert np.isnan(thick_tail.expected_mean_value(0, 0))
    models = BuyTillYouDie(PUBLISHED_BG, PUBLISHED_MBG, thick_tail, 33.0, thick_tail, 44.0)
    got = models.expectations(
        purchase_history(
            {
                "n_order_days": [1],
                "tenure_days": [10],
                "first_to_last_days": [0],
                "net_spend": [-5],
                "repeat_net_spend": [0],
                "n_positive_days": [0],
                "positive_day_spend": [0],
            }
        ),
        30,
    )
    assert (got["repeat_value"].item(), got["all_value"].item()) == (33.0, 44.0)


def test_models_survive_json_bit_for_bit():
    models = fit_buy_till_you_die(_shop())
    assert BuyTillYouDie.from_dict(json.loads(json.dumps(models.to_dict()))) == models
    assert BgNbd.from_dict(PUBLISHED_BG.to_dict()) == PUBLISHED_BG
    small = BuyTillYouDie(PUBLISHED_BG, PUBLISHED_MBG, None, 3.0, None, 4.0)
    assert BuyTillYouDie.from_dict(json.loads(json.dumps(small.to_dict()))) == small


@pytest.mark.parametrize(
    "values",
    [
        {"r": 1.0, "alpha": 1.0, "a": 1.0},
        {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": -1.0},
        {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": float("nan")},
        {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0, "c": 1.0},
    ],
)
def test_damaged_parameters_are_refused(values):
    with pytest.raises(InputError, match=r"parameters of BgNbd are .*expected r, alpha, a, b"):
        BgNbd.from_dict(values)


def test_damaged_models_are_refused():
    with pytest.raises(InputError, match="buy-till-you-die model has"):
        BuyTillYouDie.from_dict({"bg_nbd": PUBLISHED_BG.to_dict()})


@pytest.mark.parametrize(
    ("x", "t_x", "T"), [([], [], []), ([1], [5], [4]), ([-1], [0], [4]), ([np.nan], [0], [4])]
)
def test_histories_that_cannot_be_are_refused(x, t_x, T):
    with pytest.raises(InputError, match="purchase histories are possible"):
        fit_bg_nbd(x, t_x, T)


@pytest.mark.parametrize(("x", "mean"), [([], []), ([0], [5]), ([1], [0]), ([1], [np.inf])])
def test_order_values_that_cannot_be_are_refused(x, mean):
    with pytest.raises(InputError, match="not all finite and above 0"):
        fit_gamma_gamma(x, mean)
