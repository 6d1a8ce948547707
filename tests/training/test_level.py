"""The level correction on hand-made cohorts: what was realised over what was expected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from features.config import TrainingSettings
from features.snapshot import Snapshot
from training.cohort import Cohort
from training.learn.crossfit import TrainingCohort
from training.learn.level import Level, learn_level, shrunk_ratio, steady_ratio
from training.models.matrix import FeatureMatrix
from training.split import TrainingPlan, plan_training

START = date(2020, 1, 1)
UNREAD: dict[str, np.ndarray] = {}
EXPECTED = {"bgnbd_value": np.full(4, 12.0), "p_active": np.full(4, 0.5)}


def cohort(
    snapshot: Snapshot, value: list[float], expected_value: float, times: int = 1
) -> TrainingCohort:
    """Four customers, `times` over, each expected to bring the same and to be active by half."""
    n = 4 * times
    expected = {"bgnbd_value": np.full(n, expected_value), "p_active": np.full(n, 0.5)}
    ids = tuple(f"c{i}" for i in range(n))
    nobody = FeatureMatrix((), np.empty((n, 0)))
    return TrainingCohort(Cohort(snapshot, ids, nobody, np.tile(value, times)), expected, 1.0)


def plan_of(history_days: int, horizon_days: int) -> TrainingPlan:
    target = Snapshot(START + timedelta(days=history_days), horizon_days, START)
    return plan_training(target, TrainingSettings())


def by_cutoff(
    plan: TrainingPlan,
    worlds: dict[date, list[float]],
    expected_value: float = 10.0,
    times: int = 1,
) -> Callable[[date], TrainingCohort]:
    return lambda cutoff: cohort(
        plan.training_snapshot(cutoff), worlds[cutoff], expected_value, times
    )


def test_the_same_season_a_year_before_is_read_where_there_is_one():
    plan = plan_of(600, 90)
    last_year = plan.target.cutoff - timedelta(days=365)
    # 60 realised of 40 expected; three of four active where two were expected; refunds floored
    worlds = {last_year: [30.0, 20.0, 10.0, -99.0]}
    level = learn_level(plan, by_cutoff(plan, worlds, times=100_000), UNREAD)
    read = pytest.approx(1.5, rel=1e-5)
    assert level == Level(read, read, "same_season", (last_year,), season_unseen=False)


def test_a_season_of_few_customers_is_shrunk_by_its_error():
    plan = plan_of(600, 90)
    last_year = plan.target.cutoff - timedelta(days=365)
    level = learn_level(plan, by_cutoff(plan, {last_year: [30.0, 20.0, 10.0, 0.0]}), UNREAD)
    # log 1.5, less (15^2 + 5^2 + 5^2 + 15^2) / 60^2 of sampling variance
    variance = 500 / 3600
    assert level.value_ratio == pytest.approx(1.5 ** (1 - variance / np.log(1.5) ** 2))
    # three of four active, half expected: (3 * .25^2 + .75^2) / 3^2
    variance = 0.75 / 9
    assert level.active_ratio == pytest.approx(1.5 ** (1 - variance / np.log(1.5) ** 2))


def test_a_season_of_twenty_times_the_expected_is_a_base_that_knew_too_little_and_counts_as_unseen():
    plan = plan_of(600, 90)
    cutoff = plan.target.cutoff
    last_year = cutoff - timedelta(days=365)
    newest = [cutoff - timedelta(days=90 + 45 * i) for i in range(4)]
    as_expected = [10.0, 10.0, 20.0, 0.0]
    worlds = {last_year: [200.0] * 4, **dict.fromkeys(newest, as_expected)}
    level = learn_level(plan, by_cutoff(plan, worlds, times=1_000), UNREAD)
    assert (level.rule, level.season_unseen) == ("shrunk", True)
    assert level.value_ratio == pytest.approx(1.0)
    assert level.cutoffs == tuple(newest)


def test_a_season_in_which_one_customer_brought_everything_says_nothing():
    value = np.array([0.0, 0.0, 0.0, 60.0])
    assert steady_ratio(value, np.full(4, 10.0)) == 1.0


def test_a_horizon_of_a_year_is_read_from_the_newest_cohort():
    plan = plan_of(1200, 365)
    newest = plan.target.cutoff - timedelta(days=365)
    worlds = {newest: [20.0, 0.0, 0.0, 0.0]}
    level = learn_level(plan, by_cutoff(plan, worlds, times=100_000), UNREAD)
    assert (level.rule, level.cutoffs, level.season_unseen) == ("newest_year", (newest,), False)
    assert (level.value_ratio, level.active_ratio) == pytest.approx((0.5, 0.5), rel=1e-4)


@pytest.mark.parametrize(("history_days", "season_unseen"), [(300, True), (400, False)])
def test_a_scaled_horizon_lies_half_way_to_the_newest_cohort_carried_on(
    history_days, season_unseen
):
    plan = plan_of(history_days, 200)
    newest, longer = plan.cutoffs[0], 200 / plan.training_horizon_days
    carried_on = {newest: [30.0, 10.0, 0.0, 0.0]}
    # carried on 40 * longer, expected 40 * longer / 4: twice the expected is their mean
    expected = {"bgnbd_value": np.full(4, 2.5 * longer), "p_active": np.full(4, 0.5)}
    level = learn_level(plan, by_cutoff(plan, carried_on), expected)
    assert (level.rule, level.cutoffs) == ("scaled_horizon", (newest,))
    assert level.season_unseen is season_unseen
    assert level.value_ratio == pytest.approx(2.0)
    assert level.active_ratio == pytest.approx((1 - 0.5**2) / 0.5)


def test_without_the_season_the_newest_cohorts_are_shrunk_and_the_season_called_unseen():
    plan = plan_of(400, 90)  # 35 days of history a year before: 60 are needed
    cutoffs = [plan.target.cutoff - timedelta(days=90 + 45 * i) for i in range(4)]
    realised = [[20.0, 20.0, 0.0, 0.0]] * 4  # 40 of 40 expected, half of them active
    level = learn_level(plan, by_cutoff(plan, dict(zip(cutoffs, realised, strict=True))), UNREAD)
    assert level == Level(1.0, 1.0, "shrunk", tuple(cutoffs), season_unseen=True)


def test_where_cohorts_agree_little_is_shrunk_and_where_they_do_not_much():
    plan = plan_of(400, 90)
    cutoffs = [plan.target.cutoff - timedelta(days=90 + 45 * i) for i in range(4)]
    agreed = {c: [20.0, 20.0, 20.0, 20.0] for c in cutoffs}
    ratio = learn_level(plan, by_cutoff(plan, agreed), UNREAD).value_ratio
    # log 2 * (1 - (0.04 / 4) / log(2)^2), James and Stein's factor
    assert ratio == pytest.approx(2 ** (1 - 0.01 / np.log(2) ** 2))
    torn = {c: [v, 0.0, 0.0, 0.0] for c, v in zip(cutoffs, [20, 60, 10, 160], strict=True)}
    assert learn_level(plan, by_cutoff(plan, torn), UNREAD).value_ratio == 1.0


def test_too_little_history_before_the_newest_cohort_corrects_nothing():
    target = Snapshot(START + timedelta(days=120), 90, START)
    plan = TrainingPlan(target, 90, (), ())
    assert learn_level(plan, by_cutoff(plan, {}), UNREAD) == Level(1.0, 1.0, "none", (), True)


@pytest.mark.parametrize(
    ("log_ratios", "expected"),
    [([0.0], 1.0), ([0.2], 1.0), ([1.0], np.exp(0.96)), ([0.5, -0.5, 0.5, -0.5], 1.0)],
)
def test_one_cohort_is_shrunk_by_the_prior_variance_alone(log_ratios, expected):
    assert shrunk_ratio(log_ratios) == pytest.approx(expected)


def test_a_cohort_without_any_revenue_does_not_break_the_shrinkage():
    assert shrunk_ratio([float(np.log(1e-9)), 0.1, 0.0, -0.1]) == 1.0
