"""Which members enter the blend, and the shape of the score."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from features.snapshot import Snapshot
from training.cohort import Cohort
from training.learn.crossfit import TrainingCohort
from training.learn.value import (
    SMALLEST_POWER,
    learn_power,
    learn_weights,
    weigh_structure,
)
from training.models.matrix import Array, FeatureMatrix
from training.models.members import VALUE_MEMBERS

N = 2000
SNAPSHOT = Snapshot(date(2024, 1, 1), 90, date(2020, 1, 1))
EQUAL = dict.fromkeys(VALUE_MEMBERS, 1.0)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def cohort(value: Array) -> TrainingCohort:
    ids = tuple(f"c{i}" for i in range(len(value)))
    held = Cohort(SNAPSHOT, ids, FeatureMatrix((), np.empty((len(value), 0))), value)
    return TrainingCohort(held, {}, 1.0)


def scores_of(good: Array, **others: Array) -> dict[str, Array]:
    return {name: others.get(name, good) for name in VALUE_MEMBERS}


def test_members_that_rank_alike_have_equal_weights(generator):
    truth = generator.lognormal(0, 1, N)
    value = truth * generator.lognormal(0, 0.5, N)
    scores = {name: truth * generator.lognormal(0, 0.1, N) for name in VALUE_MEMBERS}
    assert learn_weights([cohort(value)], [scores], seed=0) == EQUAL


def test_a_member_that_ranks_by_chance_is_dropped(generator):
    truth = generator.lognormal(0, 1, N)
    value = truth * generator.lognormal(0, 0.5, N)
    scores = scores_of(truth, glm=generator.random(N))
    assert learn_weights([cohort(value)], [scores], seed=0) == {**EQUAL, "glm": 0.0}


def test_a_member_that_lags_less_than_a_tenth_stays(generator):
    truth = generator.lognormal(0, 1, N)
    scores = scores_of(truth, tweedie=truth * generator.lognormal(0, 0.3, N))
    assert learn_weights([cohort(truth)], [scores], seed=0) == EQUAL


def test_a_member_that_lags_within_two_bootstrap_errors_stays(generator):
    truth = generator.lognormal(0, 1, 30)
    value = truth * generator.lognormal(0, 1.5, 30)
    scores = scores_of(truth, mbgnbd=truth * generator.lognormal(0, 0.8, 30))
    assert learn_weights([cohort(value)], [scores], seed=0) == EQUAL


def test_where_no_member_has_skill_none_is_dropped(generator):
    value = generator.lognormal(0, 1, 200)
    scores = {name: generator.random(200) for name in VALUE_MEMBERS}
    assert learn_weights([cohort(value)], [scores], seed=0) == EQUAL


def test_only_the_three_newest_cohorts_are_heard(generator):
    truth = generator.lognormal(0, 1, N)
    newest = scores_of(truth)
    oldest = scores_of(truth, glm=generator.random(N))
    cohorts = [cohort(truth)] * 4
    assert learn_weights(cohorts, [newest] * 3 + [oldest], seed=0) == EQUAL


def test_a_cohort_without_revenue_is_not_heard(generator):
    truth = generator.lognormal(0, 1, N)
    scores = scores_of(truth, glm=generator.random(N))
    cohorts = [cohort(np.zeros(N)), cohort(truth)]
    assert learn_weights(cohorts, [scores, scores], seed=0) == {**EQUAL, "glm": 0.0}


@pytest.mark.parametrize("power", [0.6, 1.0, 1.3])
def test_a_power_law_is_found_again(generator, power):
    score = generator.lognormal(0, 0.5, N)
    members = scores_of(score)
    value = 80.0 * score**power * generator.gamma(4, 0.25, N)
    assert learn_power([cohort(value)], [members], EQUAL) == pytest.approx(power, abs=0.05)


def test_the_power_has_no_unit_and_no_level(generator):
    score = generator.lognormal(0, 0.5, N)
    members = scores_of(score)
    value = score**0.8 * generator.gamma(4, 0.25, N)
    both = [cohort(value), cohort(1000 * value)]
    alone = learn_power([both[0]], [members], EQUAL)
    assert learn_power(both, [members, members], EQUAL) == pytest.approx(alone, abs=1e-3)


def test_the_shape_never_turns_the_order_of_the_score_round(generator):
    score = generator.lognormal(0, 0.5, N)
    value = 1 / score
    assert learn_power([cohort(value)], [scores_of(score)], EQUAL) == SMALLEST_POWER


def levelled(level: float) -> TrainingCohort:
    """A cohort that brought `level` times what buy-till-you-die expects."""
    expected = {"mbgnbd_value": np.ones(4), "bgnbd_all_value": np.ones(4)}
    ids = ("a", "b", "c", "d")
    held = Cohort(SNAPSHOT, ids, FeatureMatrix((), np.empty((4, 0))), np.full(4, level))
    return TrainingCohort(held, expected, 1.0)


@pytest.mark.parametrize(
    ("log_levels", "weight"),
    [
        ([0.1, 0.1, 0.1], 0.0),  # every period like the other: structure adds nothing
        ([-0.025, 0.0, 0.025], 0.25),  # deviation .025, half of .05, squared
        ([-0.3, 0.0, 0.3], 1.0),
        ([0.7], 1.0),  # one cohort tells nothing of periods
    ],
)
def test_structure_counts_as_much_as_periods_differ(log_levels, weight):
    cohorts = [levelled(float(np.exp(level))) for level in log_levels]
    found = weigh_structure(EQUAL, cohorts)
    assert found == {**EQUAL, "mbgnbd": pytest.approx(weight, abs=1e-9)}


def test_structure_that_is_left_alone_keeps_its_weight():
    alone = {**dict.fromkeys(VALUE_MEMBERS, 0.0), "mbgnbd": 1.0}
    assert weigh_structure(alone, [levelled(1.0), levelled(1.0)]) == alone
