"""The level learned again: what it mends, what it leaves alone, and how little a handful moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.acts.correct import correct_unseen, figures_of, learn_correction
from training.acts.gate import judge_recalibration, judge_recut, keeps_ranks
from training.models.model import Prediction
from training.policy import LevelCorrection

N = 6000


def cohort(seed: int = 0, n: int = N) -> tuple[Prediction, np.ndarray]:
    """Probabilities and values that are right, and what then happened."""
    rng = np.random.default_rng(seed)
    p_active = rng.beta(1.2, 2.0, n).clip(0.01, 0.99)
    paid = rng.uniform(size=n) < p_active
    spent = rng.lognormal(4.0, 0.6, n)
    return Prediction(p_active * np.exp(4.0 + 0.18), p_active), np.where(paid, spent, 0.0)


def test_a_level_twice_too_high_is_halved_and_probabilities_that_were_flattened_rise_again():
    right, outcome = cohort()
    wrong = Prediction(right.value * 2.0, right.p_active**0.4)
    learned = learn_correction(wrong, outcome)
    assert learned.value_factor == pytest.approx(0.5, abs=0.03)
    mended = learned.correct(wrong)
    before, after = figures_of(wrong, outcome), figures_of(mended, outcome)
    assert before["ece"] > 0.2
    assert after["ece"] < 0.03
    assert after["level_bias"] == pytest.approx(1.0, abs=0.03)


def test_a_right_level_is_left_nearly_alone():
    right, outcome = cohort()
    learned = learn_correction(right, outcome)
    assert learned.value_factor == pytest.approx(1.0, abs=0.05)
    assert learned.active_logit_slope == pytest.approx(1.0, abs=0.1)
    assert learned.active_logit_shift == pytest.approx(0.0, abs=0.1)


def test_ten_customers_move_less_than_ten_thousand():
    few = Prediction(np.full(10, 5.0), np.full(10, 0.5))
    many = Prediction(np.full(10_000, 5.0), np.full(10_000, 0.5))
    outcomes = np.tile([9.0, 9.0, 9.0, 9.0, 0.0], 2000)
    small = learn_correction(few, outcomes[:10])
    large = learn_correction(many, outcomes)
    assert 0 < small.active_logit_shift < large.active_logit_shift
    assert large.correct(many).p_active[0] == pytest.approx(0.8, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.floats(0.2, 5.0),
    st.floats(-3.0, 3.0),
    st.floats(0.25, 4.0),
)
def test_no_correction_changes_a_rank_and_one_row_is_corrected_as_among_many(
    seed: int, factor: float, shift: float, slope: float
):
    told, _ = cohort(seed, 50)
    level = LevelCorrection(factor, shift, slope)
    many = level.correct(told)
    assert keeps_ranks(told.value, many.value)
    assert keeps_ranks(told.p_active, many.p_active)
    for place in (0, 7, 49):
        alone = level.correct_one(float(told.value[place]), float(told.p_active[place]))
        assert alone == (many.value[place], many.p_active[place])


def test_a_correction_over_a_correction_is_one_correction():
    told, _ = cohort(n=100)
    first, second = LevelCorrection(2.0, 0.5, 0.7), LevelCorrection(0.4, -1.0, 1.6)
    both = first.after(second).correct(told)
    in_turn = second.correct(first.correct(told))
    np.testing.assert_allclose(both.value, in_turn.value)
    np.testing.assert_allclose(both.p_active, in_turn.p_active)


def test_no_customer_is_told_by_a_correction_that_saw_the_own_outcome():
    told, outcome = cohort(n=400)
    ids = [f"c{i}" for i in range(400)]
    other = outcome.copy()
    other[17] = 1e6
    first = correct_unseen(ids, told, outcome)
    second = correct_unseen(ids, told, other)
    assert first.value[17] == second.value[17]
    assert (first.value != second.value).any()


RANKS = [(np.arange(5.0), np.arange(5.0) * 2)]
SWAPPED = [(np.arange(3.0), np.array([0.0, 2.0, 1.0]))]


@pytest.mark.parametrize(
    ("before", "after", "ranks", "passes", "reason"),
    [
        ((1.6, 0.15), (1.02, 0.03), RANKS, True, "level 1.60 to 1.02"),
        ((1.0, 0.15), (1.0, 0.03), RANKS, True, "calibration error 0.150 to 0.030"),
        ((1.6, 0.03), (1.02, 0.15), RANKS, False, "becomes worse"),
        ((1.02, 0.03), (1.02, 0.03), RANKS, False, "neither the level nor the calibration"),
        ((1.6, 0.15), (1.02, 0.03), SWAPPED, False, "it changes ranks"),
        ((float("nan"), 0.1), (1.0, 0.1), RANKS, True, "level nan to 1.00"),
    ],
)
def test_a_recalibration_passes_where_it_helps_and_hurts_nothing(
    before, after, ranks, passes, reason
):
    names = ("level_bias", "ece")
    ruling = judge_recalibration(
        dict(zip(names, before, strict=True)), dict(zip(names, after, strict=True)), ranks, 0.3
    )
    assert ruling.passes is passes
    assert reason in "; ".join(ruling.reasons)
    assert ruling.figures["moved_share"] == 0.3


@pytest.mark.parametrize(
    ("before", "after", "ranks", "passes", "reason"),
    [
        ([0.5, 0.5], [0.71, 0.29], RANKS, True, "20.0% to 1.0%"),
        ([0.7, 0.3], [0.7, 0.3], RANKS, False, "come no nearer"),
        ([0.5, 0.5], [0.7, 0.3], SWAPPED, False, "it changes ranks"),
    ],
)
def test_a_cut_passes_where_shares_come_nearer(before, after, ranks, passes, reason):
    ruling = judge_recut(before, after, [0.7, 0.3], ranks, 0.1)
    assert ruling.passes is passes
    assert reason in "; ".join(ruling.reasons)
