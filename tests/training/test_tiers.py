from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from features.config import TierSettings
from training.boundaries import Tier, TierBoundaries
from training.tiers import cut_at_shares, describe_tiers

SHARES = (0.70, 0.20, 0.08, 0.02)


def test_distinct_values_are_cut_at_exactly_the_shares():
    value = np.random.default_rng(0).permutation(np.arange(1000.0))
    boundaries = cut_at_shares(value, SHARES)
    assert boundaries.cuts == (700.0, 900.0, 980.0)
    assert Counter(boundaries.assign(value).tolist()) == {0: 700, 1: 200, 2: 80, 3: 20}


def test_boundaries_are_observed_values_and_who_ties_belongs_to_the_upper_tier():
    value = np.array([1.0, 2.0, 5.0, 5.0, 5.0, 9.0])
    boundaries = cut_at_shares(value, (0.5, 0.5))
    assert boundaries.cuts == (5.0,)
    assert boundaries.assign(value).tolist() == [0, 0, 1, 1, 1, 1]


def test_the_boundaries_do_not_move_with_who_is_scored():
    boundaries = TierBoundaries((10.0, 50.0))
    value = np.array([60.0, 9.999, -5.0, 10.0])
    assert boundaries.assign(value).tolist() == [2, 0, 0, 1]
    assert [int(boundaries.assign(value[i : i + 1])[0]) for i in range(4)] == [2, 0, 0, 1]


def test_more_value_is_never_a_lower_tier():
    generator = np.random.default_rng(1)
    value = np.sort(generator.lognormal(3, 2, 500))
    assert np.all(np.diff(cut_at_shares(value, SHARES).assign(value)) >= 0)


def test_a_scheme_without_a_backtest_tells_no_outcomes():
    assert describe_tiers(TierSettings(), TierBoundaries((7.0, 8.0, 9.5))) == (
        Tier("regular", {"zh": "普通", "en": "Regular"}, -np.inf, 0.70),
        Tier("silver", {"zh": "白银", "en": "Silver"}, 7.0, 0.20),
        Tier("gold", {"zh": "黄金", "en": "Gold"}, 8.0, 0.08),
        Tier("diamond", {"zh": "钻石", "en": "Diamond"}, 9.5, 0.02),
    )


def test_whole_outcomes_of_ten_backtest_customers():
    score = np.arange(10.0)
    net_value = np.array([-40.0, 0.0, 0.0, 0.0, 20.0, 0.0, 6.0, 14.0, 60.0, 100.0])
    boundaries = TierBoundaries((7.0, 8.0, 9.5))
    regular, silver, gold, diamond = describe_tiers(TierSettings(), boundaries, score, net_value)
    # the mean is of the signed value, revenue of what was paid
    assert (regular.n_customers, regular.realised_mean) == (7, pytest.approx(-2.0))
    assert (regular.realised_active_share, regular.revenue_share) == pytest.approx((2 / 7, 0.13))
    assert (silver.n_customers, silver.realised_mean) == (2, pytest.approx(37.0))
    assert (silver.realised_active_share, silver.revenue_share) == pytest.approx((1.0, 0.37))
    assert (gold.n_customers, gold.realised_mean) == (1, pytest.approx(100.0))
    assert (diamond.n_customers, diamond.realised_mean, diamond.revenue_share) == (0, None, 0.0)
