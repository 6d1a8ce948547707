from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config import TrainingSettings
from features.errors import InputError
from features.snapshot import Snapshot
from training.split import choose_training_horizon, fold_of, plan_training

SETTINGS = TrainingSettings()


def test_cohorts_of_the_wholesaler_at_2011_06_13_reach_back_to_the_same_season():
    plan = plan_training(Snapshot(date(2011, 6, 13), 180, date(2009, 12, 1)), SETTINGS)
    assert plan.cutoffs == (
        date(2010, 12, 15),
        date(2010, 10, 31),
        date(2010, 9, 16),
        date(2010, 8, 2),
        date(2010, 6, 18),
        date(2010, 5, 4),
    )
    # 2010-06-18 stands for the year before (2010-06-13), so it weighs as much as the newest.
    assert plan.weights == pytest.approx((1, 0.8, 0.64, 0.512, 1.0, 0.32768))
    assert not plan.scaled_horizon
    assert plan.feature_snapshot == plan.target


def test_cohorts_of_cdnow_at_39_weeks_are_a_third_of_the_history_long():
    plan = plan_training(Snapshot(date(1997, 10, 1), 273, date(1997, 1, 1)), SETTINGS)
    assert plan.training_horizon_days == 91
    assert plan.scaled_horizon
    assert plan.cutoffs == (
        date(1997, 7, 2),
        date(1997, 6, 9),
        date(1997, 5, 17),
        date(1997, 4, 24),
        date(1997, 4, 1),
        date(1997, 3, 9),
    )
    assert plan.feature_snapshot == Snapshot(date(1997, 10, 1), 91, date(1997, 1, 1))


def test_the_same_season_one_and_two_years_back_is_added_where_no_cohort_stands_for_it():
    settings = TrainingSettings(n_cutoffs=1)
    plan = plan_training(Snapshot(date(2024, 1, 1), 60, date(2021, 1, 1)), settings)
    assert plan.cutoffs == (date(2023, 11, 2), date(2023, 1, 1), date(2022, 1, 1))
    assert plan.weights == pytest.approx((1.0, 1.0, 0.64))


def test_a_horizon_of_a_year_knows_no_season():
    plan = plan_training(Snapshot(date(2024, 1, 1), 365, date(2020, 1, 1)), SETTINGS)
    assert plan.weights == pytest.approx([0.8**i for i in range(6)])
    assert date(2022, 1, 1) not in plan.cutoffs


def test_a_history_that_holds_not_one_cohort_is_refused():
    with pytest.raises(InputError, match="20 days before 2024-01-21; expected at least 21"):
        plan_training(Snapshot(date(2024, 1, 21), 14, date(2024, 1, 1)), SETTINGS)


def test_a_history_of_exactly_one_cohort_is_enough():
    plan = plan_training(Snapshot(date(2024, 1, 22), 14, date(2024, 1, 1)), SETTINGS)
    assert plan.cutoffs == (date(2024, 1, 15),)


@pytest.mark.parametrize(
    ("history", "horizon", "expected"),
    [(540, 180, 180), (539, 180, 179), (559, 180, 180), (273, 273, 91), (20, 14, 7), (9, 7, 7)],
)
def test_the_training_horizon_is_the_horizon_or_a_third_of_the_history(history, horizon, expected):
    assert choose_training_horizon(history, horizon) == expected


@given(
    history=st.integers(60, 2000),
    horizon=st.integers(7, 730),
    n_cutoffs=st.integers(1, 24),
)
def test_no_label_of_any_plan_reaches_the_target(history: int, horizon: int, n_cutoffs: int):
    start = date(2015, 1, 1)
    target = Snapshot(start + timedelta(days=history), horizon, start)
    plan = plan_training(target, TrainingSettings(n_cutoffs=n_cutoffs))
    assert len(set(plan.cutoffs)) == len(plan.cutoffs) == len(plan.weights)
    assert all(0 < weight <= 1 for weight in plan.weights)
    assert plan.training_horizon_days <= horizon
    for cutoff in plan.cutoffs:
        snapshot = plan.training_snapshot(cutoff)
        assert snapshot.outcome_end <= target.cutoff
        assert snapshot.observation_days >= plan.training_horizon_days // 2


def test_a_customer_keeps_the_fold_whoever_else_is_there():
    ids = [f"c{i}" for i in range(3000)]
    folds = fold_of(ids, 3)
    assert fold_of(["c2", "c1"], 3).tolist() == [folds[2], folds[1]]
    assert fold_of(["00123", "123", "é"], 3).tolist() == [2, 2, 1]
    assert [(folds == k).sum() for k in range(3)] == pytest.approx([1000] * 3, rel=0.08)
