"""What is learned, certified and told, on worlds whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from features.config import TierSettings
from features.errors import InputError
from training.tiers import LearnedTiers, cut_at_shares, learn_tiers
from training.tiers.certify import holm, learning_part, rise_p_values
from training.tiers.limits import check_limits, tier_limits

FOUR = TierSettings()


def ids_of(n: int) -> tuple[str, ...]:
    return tuple(f"C{i:06d}" for i in range(n))


def shop(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A skewed score, and outcomes that follow it: half of them zero, some negative."""
    rng = np.random.default_rng(seed)
    score = rng.lognormal(3, 1.1, n)
    value = np.where(rng.random(n) < 0.5, 2 * score * rng.lognormal(-0.32, 0.8, n), 0)
    return score, value - np.where(rng.random(n) < 0.05, 10, 0)


def steps(n: int, seed: int, tails: tuple[float, ...] = (0.25, 0.09, 0.02)) -> tuple:
    """Outcomes whose mean is a step function of the score."""
    rng = np.random.default_rng(seed)
    score = rng.lognormal(3, 1, n)
    rank = np.argsort(np.argsort(-score)) / n
    mean = np.array([400.0, 150.0, 60.0, 20.0])[np.searchsorted(tails[::-1], rank, side="right")]
    return score, mean * rng.gamma(2, 0.5, n)


def learn(score: np.ndarray, net: np.ndarray, scheme: TierSettings = FOUR, **more) -> LearnedTiers:
    return learn_tiers(ids_of(len(score)), score, net, scheme, **more)


def test_planted_steps_are_found_within_2_points_of_cumulative_share():
    found = [learn(*steps(20_000, seed)) for seed in range(20)]
    near = [
        len(one.tiers) == 4 and np.allclose(one.shares_at_or_above, (0.25, 0.09, 0.02), atol=0.02)
        for one in found
    ]
    assert sum(near) >= 18


def test_a_good_score_gets_all_four_tiers_with_what_their_members_brought():
    score, net = shop(6000, 1)
    learned = learn(score, net)
    assert learned.status == "learned"
    assert learned.ids == FOUR.ids
    assert learned.merges == ()
    assert learned.n_learning + learned.n_certifying == 6000
    assert sum(learned.shares) == pytest.approx(1)
    member = learned.boundaries.assign(score)
    for k, tier in enumerate(learned.tiers):
        mine = net[member == k]
        assert tier.n_customers == len(mine)
        assert tier.realised_mean == pytest.approx(mine.mean())
        assert tier.realised_mean_low95 < tier.realised_mean < tier.realised_mean_high95
        assert tier.active_share == pytest.approx((mine > 0).mean())
        assert tier.active_share_low95 < tier.active_share < tier.active_share_high95
        revenue = np.maximum(mine, 0).sum() / np.maximum(net, 0).sum()
        assert tier.revenue_share == pytest.approx(revenue)
    assert learned.tiers[0].p_value is None
    assert all(tier.p_value < 0.05 for tier in learned.tiers[1:])


@pytest.mark.parametrize("seed", range(5))
def test_learned_shares_stay_within_their_limits(seed: int):
    learned = learn(*shop(12_000, seed))
    assert learned.ids == FOUR.ids
    for share, least, most in zip(
        learned.shares, FOUR.minimum_shares, FOUR.maximum_shares, strict=True
    ):
        assert least - 1e-9 <= share <= most + 1e-9


def test_pure_noise_certifies_at_most_3_percent():
    rng = np.random.default_rng(0)
    score, net = shop(1500, 0)
    certified = [len(learn(score, rng.permutation(net)).tiers) > 1 for _ in range(60)]
    assert sum(certified) <= 2


def test_a_returns_only_customer_counts_as_zero_in_learning_and_signed_in_the_mean():
    score, net = shop(4000, 2)
    worst = np.argsort(score)[:50]
    returned = net.copy()
    returned[worst] = -500.0
    floored = net.copy()
    floored[worst] = 0.0
    signed, zero = learn(score, returned), learn(score, floored)
    assert signed.boundaries == zero.boundaries
    assert signed.tiers[0].realised_mean < zero.tiers[0].realised_mean


def test_one_giant_does_not_move_the_boundaries():
    score, net = shop(5000, 3)
    huge_score, huge_net = score.copy(), net.copy()
    huge_score[np.argmax(score)] = 1e9
    huge_net[np.argmax(net)] = 1e9
    assert learn(huge_score, huge_net).boundaries == learn(score, net).boundaries


# ---- what must happen when --------------------------------------------------------------------


def causes(learned: LearnedTiers) -> list[tuple[str, str, str]]:
    return [(merge.tier, merge.into, merge.cause) for merge in learned.merges]


@pytest.mark.parametrize(
    ("score", "net", "reason"),
    [
        ([], [], "0 customers"),
        ([5.0], [3.0], "1 customers"),
        (np.arange(500.0), np.zeros(500), "0 customers with a positive outcome"),
        (np.arange(500.0), -np.ones(500), "0 customers with a positive outcome"),
        (np.arange(500.0), np.eye(500)[7] * 90, "1 customers with a positive outcome"),
        (np.full(500, 7.0), np.arange(500.0), "every customer has the same expected value"),
    ],
)
def test_insufficient_data_is_said_before_anything_is_learned(score, net, reason):
    learned = learn(np.asarray(score, float), np.asarray(net, float))
    assert learned.status == "insufficient_data"
    assert reason in learned.reason
    assert learned.ids == ("regular",)
    assert learned.boundaries.cuts == ()
    assert learned.shares == (1.0,)


def test_two_distinct_scores_carry_two_tiers_and_the_reason_is_the_cells():
    rng = np.random.default_rng(0)
    score = np.repeat([1.0, 100.0], [3600, 400])
    learned = learn(score, score * rng.gamma(2, 1, 4000))
    assert len(learned.ids) == 2
    assert [cause for _, _, cause in causes(learned)] == ["cells", "cells"]
    assert "only 2 distinct cells" in learned.merges[0].detail


def test_too_few_customers_for_the_top_tier_name_the_tier_and_the_count():
    learned = learn(*shop(1000, 4))
    assert ("diamond", "gold", "counts") in causes(learned)
    (merge,) = [one for one in learned.merges if one.tier == "diamond"]
    assert "diamond holds at most" in merge.detail
    assert "50 customers" in merge.detail


def test_means_that_do_not_rise_surely_name_the_rise():
    rng = np.random.default_rng(1)
    score = rng.lognormal(3, 1, 5000)
    flat = np.where(score > np.quantile(score, 0.8), 50.0, 10.0) * rng.exponential(1, 5000)
    learned = learn(score, flat)
    assert len(learned.ids) < 4
    assert {cause for _, _, cause in causes(learned)} <= {"rise", "not_certified"}


def test_a_gap_no_data_can_meet_names_the_gaps():
    wide = FOUR.model_copy(update={"minimum_gaps": (1e6, 1e6, 1e6)})
    learned = learn(*shop(5000, 5), wide)
    assert learned.ids == ("regular",)
    assert [cause for _, _, cause in causes(learned)] == ["gaps", "gaps", "gaps"]


def test_shares_that_ties_make_impossible_name_the_shares():
    rng = np.random.default_rng(2)
    score = np.repeat([1.0, 2.0, 3.0, 4.0], [1000, 1000, 1000, 1000])
    learned = learn(score, score**3 * rng.gamma(4, 1, 4000))
    assert "shares" in {cause for _, _, cause in causes(learned)}


def test_a_falling_score_has_no_rise_at_all():
    score = np.random.default_rng(3).permutation(np.arange(3000.0))
    learned = learn(score, 4000 - score)
    assert learned.ids == ("regular",)
    assert {cause for _, _, cause in causes(learned)} == {"no_rise"}


def test_a_boundary_that_is_not_certified_is_removed_with_its_p_value():
    removed = [
        merge
        for seed in range(40)
        for merge in learn(*shop(1800, 100 + seed)).merges
        if merge.cause == "not_certified"
    ]
    assert removed
    assert all(merge.p_value > 0.05 / 3 for merge in removed)
    assert all("not certainly above" in merge.detail for merge in removed)


def test_limits_that_cannot_add_to_1_are_refused_first():
    limits = replace(tier_limits(FOUR), minimum_shares=(0.6, 0.3, 0.3, 0.1))
    with pytest.raises(InputError, match=r"minima add to 1\.3"):
        check_limits(limits)


@pytest.mark.parametrize(
    ("score", "net", "match"),
    [
        (np.ones(3), np.ones(4), "one of each for every customer"),
        (np.array([1.0, np.nan, 2.0]), np.ones(3), "1 expected values or outcomes are not finite"),
    ],
)
def test_unfit_inputs_are_refused(score, net, match):
    with pytest.raises(InputError, match=match):
        learn_tiers(ids_of(3), score, net, FOUR)


# ---- with an incumbent ------------------------------------------------------------------------


def test_the_same_customers_a_season_later_keep_their_scheme():
    old = learn(*shop(12_000, 6))
    later = shop(12_000, 7)
    free, kept = learn(*later), learn(*later, incumbent=old.as_incumbent())
    assert kept.steadying_weight > 0

    def moved(new: LearnedTiers) -> float:
        return float(np.abs(np.subtract(new.shares_at_or_above, old.shares_at_or_above)).sum())

    assert moved(kept) <= moved(free)


def test_a_change_of_currency_is_flagged_and_moves_no_share():
    score, net = shop(6000, 8)
    old = learn(score, net)
    slipped = learn(score * 100, net * 100, incumbent=old.as_incumbent())
    assert [flag.code for flag in slipped.flags if flag.code == "unit_slip"] == ["unit_slip"]
    assert "100 times" in slipped.flags[0].detail
    assert slipped.shares == pytest.approx(old.shares)


# ---- properties -------------------------------------------------------------------------------

scores = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(scores, st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_more_value_never_means_a_lower_tier(values: list[float], seed: int):
    score = np.array(values)
    rng = np.random.default_rng(seed)
    free = FOUR.model_copy(
        update={
            "n_customers_min": 1,
            "n_payers_min": 0,
            "rise_standard_errors": 0.0,
            "certification_level": 0.49,
            "maximum_shares": (1.0,) * 4,
            "minimum_shares": (0.0,) * 4,
        }
    )
    learned = learn(score, score + rng.normal(0, 1, len(score)), free)
    ranked = np.sort(score)
    assert (np.diff(learned.boundaries.assign(ranked)) >= 0).all()
    assert list(learned.boundaries.cuts) == sorted(set(learned.boundaries.cuts))


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_does_not_matter(seed: int):
    score, net = shop(2000, 9)
    names = np.array(ids_of(2000))
    order = np.random.default_rng(seed).permutation(2000)
    one = learn_tiers(tuple(names), score, net, FOUR)
    other = learn_tiers(tuple(names[order]), score[order], net[order], FOUR)
    assert one.boundaries == other.boundaries
    assert one.shares == other.shares
    assert causes(one) == causes(other)


def test_ties_at_a_boundary_all_belong_above_it_and_are_told():
    score = np.round(shop(5000, 10)[0], -1)
    _, net = shop(5000, 10)
    learned = learn(score, net)
    for tier in learned.tiers[1:]:
        at = score == tier.boundary_below
        assert at.any()
        assert (learned.boundaries.assign(score[at]) == learned.ids.index(tier.id)).all()
    assert {flag.code for flag in learned.flags} >= {"ties"}


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_fewer_customers_than_a_tier_needs_leave_one_tier(n: int):
    score, net = shop(n, 11)
    assert learn(score, np.abs(net) + 1).ids == ("regular",)


# ---- certification by hand --------------------------------------------------------------------


def test_the_p_value_is_welchs():
    rng = np.random.default_rng(0)
    below, above = rng.gamma(1, 5, 40), rng.gamma(1, 8, 25)
    tier = np.repeat([0, 1], [40, 25])
    wanted = ttest_ind(above, below, equal_var=False, alternative="greater").pvalue
    p = rise_p_values(tier, np.concatenate([below, above]), 2)
    assert p.tolist() == pytest.approx([wanted])


@pytest.mark.parametrize(
    ("tier", "outcome", "wanted"),
    [
        ([0, 0, 1], [1.0, 2.0, 9.0], [1.0]),
        ([0, 0, 1, 1], [1.0, 1.0, 2.0, 2.0], [0.0]),
        ([0, 0, 1, 1], [2.0, 2.0, 2.0, 2.0], [1.0]),
        ([0, 0, 0], [1.0, 2.0, 9.0], [1.0]),
    ],
)
def test_the_p_value_at_the_edges(tier, outcome, wanted):
    assert rise_p_values(np.array(tier), np.array(outcome), 2).tolist() == wanted


def test_holm_stops_at_the_first_that_is_not_rejected():
    assert holm(np.array([0.02, 0.03, 0.01]), 0.05).tolist() == [True, True, True]
    assert holm(np.array([0.026, 0.03, 0.01]), 0.05).tolist() == [False, False, True]
    assert holm(np.array([0.2]), 0.05).tolist() == [False]


def test_60_percent_are_learned_from_and_it_is_the_same_60_percent_every_time():
    names = ids_of(20_000)
    learning = learning_part(names)
    assert learning.mean() == pytest.approx(0.6, abs=0.012)
    assert (learning_part(names[::-1])[::-1] == learning).all()
    # neighbours in number are no neighbours in the split
    assert np.corrcoef(learning[1:], learning[:-1])[0, 1] == pytest.approx(0, abs=0.03)


# ---- schemes by configuration -----------------------------------------------------------------


def scheme(ids, shares, least, most) -> TierSettings:
    return TierSettings(
        ids=ids,
        labels_zh=ids,
        labels_en=ids,
        shares=shares,
        minimum_shares=least,
        maximum_shares=most,
    )


@pytest.mark.parametrize(
    "chosen",
    [
        FOUR,
        scheme(("c", "b", "a"), (0.8, 0.15, 0.05), (0.5, 0.1, 0.02), (0.9, 0.3, 0.1)),
        scheme(("guest", "member"), (0.7, 0.3), (0.0, 0.1), (1.0, 0.5)),
        scheme(
            ("general", "important", "strategic"),
            (0.9, 0.08, 0.02),
            (0.0, 0.04, 0.01),
            (1.0, 0.2, 0.03),
        ),
    ],
    ids=["four tiers", "A/B/C", "member or not", "strategic/important/general"],
)
def test_schemes_by_configuration(chosen: TierSettings):
    score, net = shop(8000, 12)
    learned = learn(score, net, chosen)
    assert learned.ids == chosen.ids
    means = [tier.realised_mean for tier in learned.tiers]
    assert means == sorted(means)
    for share, least, most in zip(
        learned.shares, chosen.minimum_shares, chosen.maximum_shares, strict=True
    ):
        assert least - 1e-9 <= share <= most + 1e-9
    # the contract on another day: the shares hold, the money follows
    boundaries = cut_at_shares(score * 3, learned.shares)
    assert np.bincount(boundaries.assign(score * 3)) / 8000 == pytest.approx(
        learned.shares, abs=0.001
    )
