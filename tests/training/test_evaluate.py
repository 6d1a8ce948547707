import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from features.errors import InputError
from training.judge.evaluate import (
    auc_active,
    brier,
    capture_top10,
    decile_mape,
    ece,
    eta_squared,
    eta_squared_quota,
    evaluate_predictions,
    level_bias,
    mae,
    ngini,
    quota_tiers,
    rmse,
    spearman,
)
from training.judge.ranking import METRICS, Ranking
from training.judge.resample import (
    Difference,
    Skill,
    bootstrap_standard_errors,
    draw_counts,
    paired_bootstrap,
    permutation_skill,
)


def _cohort(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes (half of them zero), values and probabilities without ties."""
    rng = np.random.default_rng(seed)
    strength = rng.gamma(0.7, 1.0, n)
    y = np.where(rng.random(n) < strength / (strength + 0.5), rng.lognormal(3, 1, n) * strength, 0)
    return y, strength * rng.lognormal(2.5, 0.6, n), strength / (strength + 0.6)


# ---- each metric by hand ----------------------------------------------------------------------


def test_ngini_of_three_customers_by_hand():
    # y by rank 10, 30, 0 of 40: shares .25, 1, 1, mean .75, less 4/6; perfect .75, 1, 1: .91667.
    assert ngini([0, 10, 30], [1, 3, 2]) == pytest.approx((2.25 / 3 - 4 / 6) / (2.75 / 3 - 4 / 6))
    assert ngini([0, 10, 30], [1, 2, 3]) == 1
    assert ngini([0, 10, 30], [3, 2, 1]) == pytest.approx(-1)


def test_ngini_floors_returns_at_0():
    assert ngini([-50, 10, 30], [1, 3, 2]) == ngini([0, 10, 30], [1, 3, 2])


def test_ngini_breaks_ties_at_random_not_by_position():
    y = np.arange(1000.0)  # sorted: ties by position would rank perfectly or upside down
    assert abs(ngini(y, np.ones(1000))) < 0.1
    assert ngini(y, np.ones(1000)) == ngini(y, np.full(1000, 7.0))


def test_decile_mape_of_twenty_customers_by_hand():
    # Ten pairs; predictions right but for the top pair, mean 20 instead of 10.
    y = np.repeat(np.arange(1.0, 11.0), 2)
    value = y + np.tile([-0.1, 0.1], 10)
    value[-2:] += 10
    assert decile_mape(y, value) == pytest.approx((10 / 10) / 10)


def test_decile_mape_leaves_out_groups_without_value_and_parts_ties_as_given():
    y = np.array([0.0] * 10 + [4.0] * 10)
    assert decile_mape(y, np.full(20, 2.0)) == pytest.approx(0.5)


def test_decile_mape_cuts_uneven_groups_as_pandas_qcut_does():
    y = np.arange(1.0, 14.0)  # 13 customers: edges at 1 + 12 * j / 10, so sizes 2,1,1,1,2,1,1,1,1,2
    value = np.arange(1.0, 14.0) * 2
    sizes = np.array([2, 1, 1, 1, 2, 1, 1, 1, 1, 2])
    groups = np.split(np.arange(13), np.cumsum(sizes)[:-1])
    value[groups[0]] = [0.5, 0.5]
    assert decile_mape(y, value) == pytest.approx((abs(0.5 - 1.5) / 1.5 + 9 * 1.0) / 10)


def test_level_bias_mae_and_rmse_of_two_customers_by_hand():
    y, value = [10, -5], [6, 3]
    assert level_bias(y, value) == pytest.approx(0.9)
    assert mae(y, value) == pytest.approx((4 + 3) / 2)
    assert rmse(y, value) == pytest.approx(math.sqrt((16 + 9) / 2))


def test_capture_top10_is_the_share_of_n_over_10_customers_but_at_least_one():
    y = np.array([5.0] * 19 + [105.0])
    assert capture_top10(y, np.arange(20.0)) == pytest.approx(110 / 200)
    assert capture_top10([1, 3], [1, 2]) == pytest.approx(0.75)


def test_auc_active_of_five_customers_by_hand_ties_count_half():
    # active .9, .5; inactive .5, .1, .7: wins 3 + (.5 + 1 + 0) of 6.
    assert auc_active([1, 2, 0, 0, -1], [0.9, 0.5, 0.5, 0.1, 0.7]) == pytest.approx(4.5 / 6)


def test_brier_of_two_customers_by_hand():
    assert brier([5, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_ece_of_fifteen_pairs_by_hand():
    # 15 bins of two customers, one of each active: |.5 - p| where p is the bin's mean.
    p = np.repeat((np.arange(15) + 0.5) / 15, 2) + np.tile([-0.001, 0.001], 15)
    y = np.tile([0.0, 9.0], 15)
    expected = np.mean(np.abs(0.5 - (np.arange(15) + 0.5) / 15))
    assert ece(y, p) == pytest.approx(expected)


def test_ece_of_one_probability_for_all_is_its_distance_from_the_share_active():
    assert ece([1, 0, 0, 0], [0.4] * 4) == pytest.approx(0.15)


def test_eta_squared_of_two_tiers_by_hand():
    # 99.5th percentile of the positives (2, 4, 6) is 5.98: y 0, 2, 4, 5.98.
    y = np.array([0.0, 2.0, 4.0, 6.0])
    capped = np.array([0.0, 2.0, 4.0, 5.98])
    mean = capped.mean()
    between = 2 * (1 - mean) ** 2 + 2 * (4.99 - mean) ** 2
    assert eta_squared(y, [0, 0, 1, 1]) == pytest.approx(between / ((capped - mean) ** 2).sum())
    assert eta_squared(y, [0, 0, 0, 0]) == pytest.approx(0)


def test_eta_squared_quota_is_eta_squared_of_the_quota_tiers():
    y, value, _ = _cohort(997, seed=2)
    assert eta_squared_quota(y, value) == pytest.approx(eta_squared(y, quota_tiers(value)))


def test_quota_tiers_cut_at_the_rounded_cumulative_share_and_keep_ties_as_given():
    assert np.bincount(quota_tiers(np.arange(50.0))).tolist() == [35, 10, 4, 1]
    assert quota_tiers(np.zeros(10)).tolist() == [0] * 7 + [1] * 2 + [2]
    with pytest.raises(InputError, match=r"add to 0\.9; expected shares that add to 1"):
        quota_tiers([1.0], (0.5, 0.4))


def test_evaluate_predictions_gives_every_metric_and_the_churn_ones_with_a_probability():
    y, value, p = _cohort(500, seed=1)
    names = ["ngini", "decile_mape", "level_bias", "capture_top10", "spearman", "mae", "rmse"]
    got = evaluate_predictions(y, value, p)
    assert list(got) == [*names, "eta_squared", "auc_active", "brier", "ece"]
    assert got["auc_active"] == auc_active(y, p)
    baseline = evaluate_predictions(y, value)
    assert list(baseline) == [*names, "eta_squared", "auc_active"]
    assert baseline["auc_active"] == auc_active(y, value)
    assert all(type(v) is float for v in got.values())


def test_where_nobody_bought_metrics_of_value_are_nan_and_errors_are_not():
    got = evaluate_predictions([0, 0, -3], [1, 2, 3], [0.1, 0.2, 0.3])
    undefined = {name for name, value in got.items() if math.isnan(value)}
    assert undefined == {
        "ngini",
        "decile_mape",
        "level_bias",
        "capture_top10",
        "spearman",
        "eta_squared",
        "auc_active",
    }
    assert got["mae"] == 2


# ---- against others' and properties -----------------------------------------------------------

_cohorts = st.lists(
    st.tuples(st.integers(-3, 6), st.integers(0, 8)), min_size=2, max_size=60
).filter(lambda rows: 0 < sum(y > 0 for y, _ in rows) < len(rows))


@given(_cohorts)
@settings(max_examples=60, deadline=None)
def test_auc_and_spearman_agree_with_sklearn_and_scipy_on_ties(rows):
    y, score = np.array(rows, float).T
    assert auc_active(y, score) == pytest.approx(roc_auc_score(y > 0, score))
    if np.ptp(score) > 0:
        assert spearman(y, score) == pytest.approx(spearmanr(np.maximum(y, 0), score)[0])


@given(_cohorts)
@settings(max_examples=60, deadline=None)
def test_metrics_stay_in_their_bounds_and_ranks_look_at_order_only(rows):
    y, score = np.array(rows, float).T
    assert -1 - 1e-9 <= ngini(y, score) <= 1 + 1e-9
    assert ngini(y, score) == ngini(y, np.exp(score))
    assert auc_active(y, score) == auc_active(y, np.exp(score))
    assert 0 <= capture_top10(y, score) <= 1 + 1e-12
    assert 0 <= eta_squared_quota(y, score) <= 1 + 1e-9
    assert np.isnan(ngini(y * 0 + 1, score))


@pytest.mark.parametrize("name", METRICS)
def test_a_draw_from_one_sort_equals_sorting_the_resample_anew(name):
    y, value, p = _cohort(701, seed=5)
    score = p if name in ("auc_active", "brier", "ece") else value
    once = Ranking.of(y, score)
    rng = np.random.default_rng(9)
    for counts in draw_counts(y.size, 20, seed=9):
        drawn = rng.integers(0, y.size, y.size)
        anew = Ranking.of(y[drawn], score[drawn])
        assert METRICS[name](once, counts) == pytest.approx(
            METRICS[name](anew, anew.once), abs=1e-10
        )


@pytest.mark.parametrize("name", METRICS)
def test_counting_every_customer_twice_is_giving_every_customer_twice(name):
    y, value, p = _cohort(101, seed=6)
    score = p if name in ("auc_active", "brier", "ece") else value
    once, twice = Ranking.of(y, score), Ranking.of(np.repeat(y, 2), np.repeat(score, 2))
    assert METRICS[name](once, 2 * once.once) == pytest.approx(
        METRICS[name](twice, twice.once), abs=1e-10
    )


# ---- bootstrap and permutation ----------------------------------------------------------------


def test_paired_bootstrap_equals_naive_resampling_on_the_same_draws():
    y, a, _ = _cohort(600, seed=7)
    b = a * np.random.default_rng(1).lognormal(0, 0.5, y.size)
    rng = np.random.default_rng(3)
    drawn = [rng.integers(0, y.size, y.size) for _ in range(200)]
    naive = np.array([ngini(y[i], a[i]) - ngini(y[i], b[i]) for i in drawn])
    got = paired_bootstrap(y, a, b, "ngini", draws=200, seed=3)
    assert got.value == ngini(y, a) - ngini(y, b)
    assert got.standard_error == pytest.approx(naive.std(ddof=1), abs=1e-9)
    assert [got.lower95, got.upper95] == pytest.approx(np.quantile(naive, [0.025, 0.975]), abs=1e-9)


def test_paired_bootstrap_of_a_model_with_itself_is_nothing():
    y, a, _ = _cohort(100, seed=8)
    assert paired_bootstrap(y, a, a, draws=20) == Difference(0.0, 0.0, 0.0, 0.0)


def test_paired_bootstrap_knows_its_metrics():
    with pytest.raises(InputError, match='no metric "gini"; expected one of ngini'):
        paired_bootstrap([1, 2], [1, 2], [2, 1], "gini")


def test_bootstrap_standard_error_of_a_mean_is_the_textbook_one():
    y, value, p = _cohort(400, seed=10)
    got = bootstrap_standard_errors(y, value, p, draws=400, seed=0)
    assert list(got) == list(evaluate_predictions(y, value, p))
    assert got["mae"] == pytest.approx(np.abs(value - y).std() / math.sqrt(400), rel=0.12)
    assert got == bootstrap_standard_errors(y, value, p, draws=400, seed=0)


def test_permutation_skill_finds_skill_where_there_is_some():
    y, value, _ = _cohort(500, seed=11)
    got = permutation_skill(y, value, draws=199, seed=0)
    assert got.ngini == ngini(y, value)
    assert got.p_value == 1 / 200
    assert 0 < got.lower95 < got.ngini
    assert got.has_skill


def test_permutation_skill_of_noise_is_mostly_none():
    rng = np.random.default_rng(12)
    found = [
        permutation_skill(_cohort(200, seed)[0], rng.random(200), draws=99, seed=0).has_skill
        for seed in range(40)
    ]
    assert sum(found) <= 5


@pytest.mark.parametrize(("y", "value"), [([0, 0, 0], [1, 2, 3]), ([1, 0, 5], [2, 2, 2])])
def test_a_constant_score_and_a_cohort_that_bought_nothing_have_no_skill(y, value):
    got = permutation_skill(y, value, draws=9)
    assert isinstance(got, Skill)
    assert got.p_value == 1
    assert not got.has_skill


@pytest.mark.parametrize(
    ("y", "score", "said"),
    [
        ([1, 2], [1], "expected one of each for every customer"),
        ([], [], "at least one customer"),
        ([1, float("nan")], [1, 2], "1 outcomes or scores are not finite"),
        ([1, 2], [float("inf"), 2], "1 outcomes or scores are not finite"),
    ],
)
def test_scores_that_do_not_fit_the_outcomes_are_refused(y, score, said):
    with pytest.raises(InputError, match=said):
        evaluate_predictions(y, score)
