"""The churn stack: three probabilities in, one at the level of the season out."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from features.snapshot import Snapshot
from training.cohort import Cohort
from training.learn.churn import LARGEST_SHIFT, anchor, learn_stack
from training.learn.crossfit import TrainingCohort
from training.models.blend import ChurnStack
from training.models.matrix import Array, FeatureMatrix
from training.models.transform import LinearModel, logit, sigmoid

N = 3000
SNAPSHOT = Snapshot(date(2024, 1, 1), 90, date(2020, 1, 1))
MEAN = LinearModel(0.0, (1 / 3, 1 / 3, 1 / 3))


@pytest.fixture
def p() -> Array:
    return np.random.default_rng(7).beta(2, 3, N)


def scores_of(p: Array) -> dict[str, Array]:
    return {"active_trees": p, "active_logistic": p}


def cohort(active: Array, p_bought: Array) -> TrainingCohort:
    ids = tuple(f"c{i}" for i in range(len(active)))
    value = np.where(active, 10.0, -1.0)
    held = Cohort(SNAPSHOT, ids, FeatureMatrix((), np.empty((len(active), 0))), value)
    return TrainingCohort(held, {"p_active": p_bought}, 1.0)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.99])
def test_the_mean_of_the_anchored_stack_is_the_share_asked_for(p, share):
    stack = anchor(MEAN, scores_of(p), p, share)
    assert stack.predict(scores_of(p), p).mean() == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(("share", "held"), [(1.4, 0.995), (0.0, 0.005)])
def test_the_share_is_held_where_it_is_no_probability(p, share, held):
    stack = anchor(MEAN, scores_of(p), p, share)
    assert stack.predict(scores_of(p), p).mean() == pytest.approx(held, abs=1e-9)


@pytest.mark.parametrize(("intercept", "share", "shift"), [(20.0, 0.2, -8.0), (-20.0, 0.9, 8.0)])
def test_a_share_out_of_reach_shifts_as_far_as_may_be(p, intercept, share, shift):
    lost = LinearModel(intercept, (0.0, 0.0, 0.0))
    assert anchor(lost, scores_of(p), p, share) == ChurnStack(lost, shift)
    assert abs(shift) == LARGEST_SHIFT


def test_anchoring_changes_no_order(p):
    before = ChurnStack(MEAN, 0.0).predict(scores_of(p), p)
    after = anchor(MEAN, scores_of(p), p, 0.7).predict(scores_of(p), p)
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))


def test_a_stack_of_calibrated_probabilities_comes_out_calibrated(p):
    active = np.random.default_rng(8).random(N) < p
    model = learn_stack([cohort(active, p)], [scores_of(p)])
    stacked = ChurnStack(model, 0.0).predict(scores_of(p), p)
    assert stacked.mean() == pytest.approx(active.mean(), abs=0.005)
    assert np.corrcoef(stacked, p)[0, 1] > 0.99
    thirds = np.digitize(p, np.quantile(p, [1 / 3, 2 / 3]))
    for third in range(3):
        assert stacked[thirds == third].mean() == pytest.approx(
            active[thirds == third].mean(), abs=0.04
        )


def test_coefficients_lie_half_way_to_their_mean(p):
    active = np.random.default_rng(8).random(N) < p
    noise = np.random.default_rng(9).beta(2, 3, N)
    only_trees_know = {"active_trees": p, "active_logistic": noise}
    model = learn_stack([cohort(active, noise)], [only_trees_know])
    known, *unknown = model.coefficients
    mean = sum(model.coefficients) / 3
    assert known - mean == pytest.approx((1.0 - 1 / 3) / 2, abs=0.05)  # learned 1, 0, 0
    assert unknown == pytest.approx([mean - (known - mean) / 2] * 2, abs=0.05)


def test_odds_fade_with_the_absence_and_the_mean_is_still_the_share_asked_for(p):
    fade = np.where(np.arange(N) % 2 == 0, 1.0, 3.0)
    stack = anchor(MEAN, scores_of(p), p, 0.3, fade)
    faded = stack.predict(scores_of(p), p, fade)
    assert faded.mean() == pytest.approx(0.3, abs=1e-9)
    plain = stack.predict(scores_of(p), p)
    assert faded / (1 - faded) == pytest.approx(plain / (1 - plain) / fade)


@pytest.mark.parametrize(("bought", "expected"), [(True, 9.0), (False, -9.0)])
def test_where_all_or_none_were_active_the_stack_is_a_constant(p, bought, expected):
    active = np.full(N, bought)
    assert learn_stack([cohort(active, p)], [scores_of(p)]) == LinearModel(expected, (0.0,) * 3)


def test_logit_and_sigmoid_undo_each_other_within_the_margin():
    probability = np.array([0.0, 1e-4, 0.25, 0.5, 1.0])
    assert sigmoid(logit(probability)) == pytest.approx([1e-4, 1e-4, 0.25, 0.5, 1 - 1e-4])
