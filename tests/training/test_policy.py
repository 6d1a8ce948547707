"""The tier policy: written, replaced and corrected without touching the model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.artifact import read_files
from training.boundaries import Tier
from training.learn.level import Level
from training.learn_policy import without_level
from training.lifecycle import LifecycleRule
from training.models.matrix import FeatureMatrix
from training.models.model import Prediction
from training.playbook import Action, Playbook
from training.policy import (
    POLICY,
    AssignmentRules,
    LevelCorrection,
    TierPolicy,
    at_level,
    cut_again,
    policy_bytes,
    policy_from,
)
from training.release import load_release, rewrite_release, with_policy

NAME = {"zh": "", "en": ""}
CALL = Playbook((Action("call", ("high",), ("lost",), None, {"zh": "致电", "en": "Call"}),))
TWO = (Tier("low", NAME, -np.inf, 0.75), Tier("high", NAME, 60.0, 0.25))


def test_a_policy_comes_back_as_it_was_written(make_release: Any):
    policy = replace(
        make_release().policy,
        level=LevelCorrection(1.25, -0.1),
        capacities=(0.5, 0.2, 0.05),
        rules=AssignmentRules(0.4, 2, 90, 0.3),
        playbook=CALL,
        lifecycle=LifecycleRule(30.0, 2.0, 1.0, 2.0, 4.0),
        lineage={"incumbent": None},
    )
    back = policy_from(json.loads(policy_bytes(policy)))
    assert back == policy
    assert back.id == policy.id
    assert back.tiers[0].boundary_below == back.risk[0].boundary_below == -np.inf


def test_capacities_are_the_shares_unless_said_otherwise():
    assert TierPolicy(TWO).capacities == (0.25,)
    assert TierPolicy(TWO, capacities=(0.4,)).capacities == (0.4,)
    assert TierPolicy(TWO[:1]).capacities == ()


@pytest.mark.parametrize(
    "change",
    [
        {"capacities": (0.3,)},
        {"level": LevelCorrection(1.01)},
        {"rules": AssignmentRules(bonus=0.4)},
        {"playbook": CALL},
        {"lifecycle": LifecycleRule(30.0, 2.0, 1.0, 2.0, 4.0)},
        {"tiers": (TWO[0], replace(TWO[1], boundary_below=61.0))},
    ],
)
def test_anything_else_is_another_policy(change: dict[str, Any]):
    policy = TierPolicy(TWO)
    assert replace(policy, **change).id != policy.id
    assert replace(policy).id == policy.id


# --- the level -------------------------------------------------------------------------------


def test_the_level_multiplies_value_and_moves_the_odds():
    corrected = LevelCorrection(2.0, np.log(3.0)).correct(
        Prediction(np.array([10.0, -4.0]), np.array([0.5, 0.25]))
    )
    assert corrected.value.tolist() == [20.0, -8.0]
    assert corrected.p_active == pytest.approx([0.75, 0.5])  # odds 1 and 1/3, times 3


def test_without_a_correction_nothing_changes_a_bit():
    p_active = np.random.default_rng(0).random(1000)
    value = np.random.default_rng(1).lognormal(3, 3, 1000)
    corrected = LevelCorrection().correct(Prediction(value, p_active))
    assert corrected.value.tobytes() == value.tobytes()
    assert corrected.p_active.tobytes() == p_active.tobytes()


@given(st.floats(0, 1e9), st.floats(1e-12, 1), st.floats(0.01, 100), st.floats(-5, 5))
def test_one_customer_is_corrected_as_among_many(
    value: float, p_active: float, factor: float, shift: float
):
    level = LevelCorrection(factor, shift)
    many = level.correct(Prediction(np.array([value]), np.array([p_active])))
    assert level.correct_one(value, p_active) == (many.value[0], many.p_active[0])


def test_the_level_is_taken_out_of_the_model_and_stands_in_the_policy(small_world: Any):
    release, backtest = small_world.result.release, small_world.result.backtest
    factor = release.lineage["level"]["value_ratio"]
    assert release.policy.level == LevelCorrection(factor)
    fitted = backtest.models["blend"]
    bare, level = without_level(fitted, Level(factor, 1.0, "same_season", (), False))
    features = FeatureMatrix(backtest.cohort.features.columns, backtest.cohort.features.values)
    whole, again = fitted.predict(features), level.correct(bare.predict(features))
    assert again.value == pytest.approx(whole.value, rel=1e-14)
    assert again.p_active.tolist() == whole.p_active.tolist()
    formula = backtest.models["past_spend_rate"]
    assert without_level(formula, Level(9.0, 1.0, "none", (), False)) == (
        formula, LevelCorrection(),
    )  # fmt: skip


# --- another policy over the same model ------------------------------------------------------


def test_boundaries_cut_again_keep_the_shares_and_every_file_of_the_model(
    small_world: Any, tmp_path: Path
):
    old = load_release(small_world.release_folder)
    rows = small_world.features[list(old.columns)].to_numpy(np.float64)
    dearer = at_level(old.policy, LevelCorrection(old.policy.level.value_factor * 3), "dearer")
    scores = with_policy(old, dearer).score(rows)
    policy = cut_again(dearer, scores.expected_value, scores.p_churn, "shares had moved")
    new = rewrite_release(small_world.release_folder, policy, tmp_path)
    assert new.digest != old.digest
    assert new.policy.id != old.policy.id
    assert new.policy.lineage["replaces"] == dearer.id
    _, before = read_files(small_world.release_folder)
    _, after = read_files(tmp_path / new.digest)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {POLICY, "golden.json"}
    assert set(before) == set(after)
    loaded = load_release(tmp_path / new.digest)
    assert (loaded.policy, loaded.lineage) == (new.policy, new.lineage)
    now, then = loaded.score(rows), old.score(rows)
    assert now.expected_value == pytest.approx(3 * then.expected_value)
    assert now.tier.tolist() == then.tier.tolist()
    assert now.p_churn.tobytes() == then.p_churn.tobytes()
    for tier, was in zip(loaded.tiers, old.tiers, strict=True):
        assert tier.boundary_below == pytest.approx(3 * was.boundary_below)


def test_the_row_scorer_follows_a_policy_to_the_last_bit(small_world: Any):
    old = load_release(small_world.release_folder)
    rows = small_world.features[list(old.columns)].to_numpy(np.float64)[::30]
    policy = at_level(old.policy, LevelCorrection(1.7, 0.4), "a warm winter")
    release = with_policy(old, policy)
    scorer = release.row_scorer()
    assert scorer.is_quick
    scores = release.score(rows)
    for place, row in enumerate(rows):
        alone = scorer.score(row)
        assert alone.expected_value == scores.expected_value[place]
        assert alone.p_churn == scores.p_churn[place]
        assert alone.value_at_risk == scores.value_at_risk[place]
        assert (alone.tier, alone.risk) == (scores.tier[place], scores.risk[place])
    assert scores.p_churn.mean() < old.score(rows).p_churn.mean()


# --- the second lane -------------------------------------------------------------------------


def test_levels_of_churn_rise_and_hold_what_was_realised(small_world: Any):
    release = small_world.result.release
    levels = release.policy.risk
    assert [level.id for level in levels] == ["low", "medium", "high"]
    assert sum(level.share for level in levels) == pytest.approx(1)
    churned = [level.churned_share for level in levels]
    assert churned == sorted(churned)
    rows = small_world.features[list(release.columns)].to_numpy(np.float64)
    scores = release.score(rows)
    held = np.bincount(scores.risk[scores.risk >= 0], minlength=3) / len(rows)
    assert held == pytest.approx([level.share for level in levels], abs=0.02)
    # a lane of its own: churn is not told by the tier
    assert len(set(zip(scores.tier.tolist(), scores.risk.tolist(), strict=True))) > 3
