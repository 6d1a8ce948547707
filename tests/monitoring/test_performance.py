"""Performance: matured labels only, each figure with its cohort, paired with the backtest."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from features.config import MonitoringSettings
from monitoring.performance import Predicted, judge_cohort
from training.judge.evaluate import evaluate_predictions

SETTINGS = MonitoringSettings()
COHORT, MATURE = date(2024, 1, 1), date(2024, 3, 31)


@pytest.fixture(scope="module")
def shop() -> Any:
    rng = np.random.default_rng(0)
    value = rng.lognormal(3, 1.2, 3000)
    p_active = np.clip(value / (value + 20), 0.02, 0.98)
    paid = rng.uniform(size=3000) < p_active
    return value, p_active, np.where(paid, value / p_active * rng.lognormal(-0.08, 0.4, 3000), 0)


def predicted(shop: Any, level: float = 1.0) -> Predicted:
    return Predicted(COHORT, 90, shop[0] * level * shop[2].sum() / shop[0].sum(), shop[1])


def backtest(shop: Any) -> dict[str, float]:
    return evaluate_predictions(shop[2], shop[0], shop[1])


@pytest.mark.parametrize(
    ("complete_before", "status"), [(date(2024, 3, 30), "immature"), (MATURE, "judged")]
)
def test_there_is_no_figure_before_the_last_day_of_the_window_is_known(
    shop: Any, complete_before: date, status: str
):
    told = judge_cohort(predicted(shop, 3.0), shop[2], complete_before, {}, SETTINGS)
    assert told.status == status
    assert bool(told.figures) == bool(told.findings) == (status == "judged")
    assert (told.cutoff, told.matured_on, told.horizon_days) == (COHORT, MATURE, 90)


def test_a_cohort_without_outcomes_is_immature(shop: Any):
    assert judge_cohort(predicted(shop), None, MATURE, {}, SETTINGS).status == "immature"


def test_a_good_cohort_is_told_beside_its_backtest_without_findings(shop: Any):
    told = judge_cohort(predicted(shop), shop[2], MATURE, backtest(shop), SETTINGS)
    assert told.findings == ()
    assert set(told.figures) == set(told.standard_errors) == set(told.backtest)
    assert told.figures["level_bias"] == pytest.approx(1.0)
    assert told.figures["ngini"] == told.backtest["ngini"]


@pytest.mark.parametrize(
    ("level", "kinds"), [(0.5, ["level"]), (0.85, []), (1.2, []), (1.7, ["level"])]
)
def test_the_level_must_be_surely_outside_its_band(shop: Any, level: float, kinds: list[str]):
    told = judge_cohort(predicted(shop, level), shop[2], MATURE, backtest(shop), SETTINGS)
    assert [each.kind for each in told.findings] == kinds


def test_a_season_never_seen_may_be_further_off(shop: Any):
    say = predicted(shop, 1.45)
    assert judge_cohort(say, shop[2], MATURE, {}, SETTINGS).findings
    assert not judge_cohort(say, shop[2], MATURE, {}, SETTINGS, season_unseen=True).findings


def test_a_ranking_that_fell_is_found_and_one_that_fell_a_little_is_not(shop: Any):
    rng = np.random.default_rng(1)

    def kinds(share: float) -> set[str]:
        order = np.arange(3000)
        moved = np.flatnonzero(rng.uniform(size=3000) < share)
        order[moved] = rng.permutation(moved)
        say = Predicted(COHORT, 90, shop[0][order], shop[1][order])
        told = judge_cohort(say, shop[2], MATURE, backtest(shop), SETTINGS)
        return {each.kind for each in told.findings}

    assert "rank" in kinds(0.5)
    assert "rank" not in kinds(0.02)


def test_where_nobody_or_everybody_paid_nothing_can_be_said(shop: Any):
    for outcome in (np.zeros(3000), np.ones(3000)):
        told = judge_cohort(predicted(shop), outcome, MATURE, {}, SETTINGS)
        assert (told.status, told.findings) == ("insufficient", ())


@pytest.mark.parametrize(("told_ece", "kinds"), [(0.02, ["calibration"]), (0.30, [])])
def test_a_calibration_error_that_the_release_told_itself_is_no_news(
    shop: Any, told_ece: float, kinds: list[str]
):
    flat = Predicted(COHORT, 90, predicted(shop).value, shop[1] ** 0.3)
    known = {**backtest(shop), "ece": told_ece}
    told = judge_cohort(flat, shop[2], MATURE, known, SETTINGS)
    assert [each.kind for each in told.findings] == kinds


def test_a_level_that_was_read_from_the_cohort_is_not_judged_on_it(shop: Any):
    told = judge_cohort(
        predicted(shop, 1.7), shop[2], MATURE, backtest(shop), SETTINGS, level_was_seen=True
    )
    assert told.findings == ()
    assert told.figures["level_bias"] == pytest.approx(1.7)
