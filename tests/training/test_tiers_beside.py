"""What stands beside the tiers: levels of churn, rivals, and what is served."""

import numpy as np
import pytest

from features.config import RiskSettings, TierSettings
from features.errors import InputError
from training.tiers import learn_tiers, serve_tiers
from training.tiers.risk import LearnedRisk, learn_risk
from training.tiers.rivals import (
    RIVALS,
    breach_points,
    equal_shares,
    fixed_shares,
    k_means,
    natural_breaks,
)

FOUR, RISK = TierSettings(), RiskSettings()


def ids_of(n: int) -> tuple[str, ...]:
    return tuple(f"C{i:06d}" for i in range(n))


# ---- levels of churn --------------------------------------------------------------------------


def churn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p_churn = rng.beta(1.5, 1.0, n)
    return p_churn, np.where(rng.random(n) < p_churn, 0.0, rng.lognormal(3, 1, n))


def learn(p_churn: np.ndarray, net: np.ndarray) -> LearnedRisk:
    return learn_risk(ids_of(len(net)), p_churn, net, RISK, FOUR)


def test_three_levels_of_churn_rise_and_are_certified():
    p_churn, net = churn(4000, 0)
    risk = learn(p_churn, net)
    assert [level.id for level in risk.levels] == ["low", "medium", "high"]
    churned = [level.churned_share for level in risk.levels]
    assert churned == sorted(churned)
    member = risk.boundaries.assign(p_churn)
    for k, level in enumerate(risk.levels):
        assert level.n_customers == (member == k).sum()
        assert level.churned_share == pytest.approx((net[member == k] <= 0).mean())
        assert level.churned_share_low95 < level.churned_share < level.churned_share_high95
        assert 0.1 - 1e-9 <= level.share <= 0.8 + 1e-9
    assert all(level.p_value < 0.05 for level in risk.levels[1:])


def test_a_customer_who_only_returned_goods_has_churned():
    p_churn, net = churn(4000, 1)
    assert learn(p_churn, np.where(net == 0, -5.0, net)) == learn(p_churn, net)


def test_probabilities_that_say_nothing_give_one_level():
    p_churn, net = churn(4000, 2)
    risk = learn(np.random.default_rng(3).permutation(p_churn), net)
    assert [level.id for level in risk.levels] == ["low"]
    assert len(risk.merges) == 2


@pytest.mark.parametrize(("value", "told"), [(0.0, "have churned"), (9.0, "0 of the")])
def test_where_everybody_or_nobody_churned_there_is_one_level(value: float, told: str):
    risk = learn(np.linspace(0, 1, 500), np.full(500, value))
    assert len(risk.levels) == 1
    assert told in risk.reason


@pytest.mark.parametrize(
    ("p_churn", "match"),
    [
        (np.array([0.1, 1.2, 0.3]), "outside 0 and 1"),
        (np.array([0.1, np.nan, 0.3]), "outside 0 and 1"),
        (np.array([0.1, 0.3]), "one of each for every customer"),
    ],
)
def test_what_is_no_probability_of_each_customer_is_refused(p_churn: np.ndarray, match: str):
    with pytest.raises(InputError, match=match):
        learn_risk(ids_of(3), p_churn, np.ones(3), RISK, FOUR)


# ---- rivals -----------------------------------------------------------------------------------


def test_fixed_and_equal_shares():
    score = np.arange(10.0)
    assert fixed_shares(score, score, FOUR) == (0.7, 0.2, 0.08, 0.02)
    assert equal_shares(score, score, FOUR) == (0.25, 0.25, 0.25, 0.25)


@pytest.mark.parametrize("rival", [natural_breaks, k_means])
def test_clusters_of_the_score_are_found_by_those_who_look_for_them(rival):
    rng = np.random.default_rng(0)
    score = np.repeat([10.0, 100.0, 1000.0, 10_000.0], [500, 300, 150, 50])
    score = score * rng.uniform(0.99, 1.01, 1000)
    # on cells of less than a hundredth of the customers
    assert rival(score, score, FOUR) == pytest.approx((0.5, 0.3, 0.15, 0.05), abs=0.01)


def test_natural_breaks_are_exact():
    score = np.array([1.0, 2, 4, 7, 8, 9, 30, 31, 35, 90, 99])
    three = TierSettings(
        ids=("c", "b", "a"),
        labels_zh=("c", "b", "a"),
        labels_en=("c", "b", "a"),
        shares=(0.7, 0.2, 0.1),
        minimum_shares=(0, 0, 0),
        maximum_shares=(1, 1, 1),
    )
    capped = np.minimum(score, np.quantile(score, 0.995))

    def within(i: int, j: int) -> float:
        return sum(part.var() * len(part) for part in np.split(capped, [i, j]))

    i, j = min(((i, j) for i in range(1, 10) for j in range(i + 1, 11)), key=lambda p: within(*p))
    assert natural_breaks(score, score, three) == pytest.approx(
        (i / 11, (j - i) / 11, (11 - j) / 11)
    )


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_gives_shares_that_add_to_1(name: str):
    rng = np.random.default_rng(1)
    for score in (rng.lognormal(3, 1, 400), np.ones(50), np.array([1.0, 2.0])):
        shares = RIVALS[name](score, score, FOUR)
        assert len(shares) == 4
        assert sum(shares) == pytest.approx(1)
        assert min(shares) >= 0


def test_the_breach_is_the_largest_excess_over_a_maximum_in_points():
    assert breach_points((0.55, 0.30, 0.10, 0.05), FOUR) == 0
    assert breach_points((0.50, 0.30, 0.12, 0.08), FOUR) == pytest.approx(3)


# ---- what is served ---------------------------------------------------------------------------


def test_served_tiers_keep_the_shares_and_cut_the_money_anew():
    rng = np.random.default_rng(8)
    score = rng.lognormal(3, 1.1, 12_000)
    net = np.where(rng.random(12_000) < 0.5, 2 * score * rng.lognormal(-0.3, 0.8, 12_000), 0)
    learned = learn_tiers(ids_of(12_000), score, net, FOUR)
    later = rng.lognormal(3.5, 1.1, 10_000)
    served = serve_tiers(FOUR, learned, later)
    assert [tier.id for tier in served] == list(FOUR.ids)
    assert served[0].boundary_below == -np.inf
    for k, tier in enumerate(served):
        assert tier.share == learned.tiers[k].share
        assert tier.label == {"zh": FOUR.labels_zh[k], "en": FOUR.labels_en[k]}
        assert tier.realised_mean == learned.tiers[k].realised_mean
        above = (later >= tier.boundary_below).mean()
        assert above == pytest.approx(sum(learned.shares[k:]), abs=1e-3)
