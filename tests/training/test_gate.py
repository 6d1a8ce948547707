"""The gate: who passes, who does not, and the reason that is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.gate import TOO_GOOD, Papers, Trial, judge_challenger

N = 2500


@pytest.fixture(scope="module")
def trial() -> Trial:
    """A shop whose champion knows a part of what drives value, and a challenger that knows more."""
    rng = np.random.default_rng(3)
    habit, mood = rng.normal(size=N), rng.normal(size=N)
    worth = np.exp(3 + habit + 0.7 * mood)
    outcome = np.where(rng.uniform(size=N) < 0.7, worth * rng.lognormal(0, 0.5, N) / 0.8, 0.0)

    def levelled(said: Any) -> Any:
        return said * outcome.sum() / said.sum()

    baseline = levelled(np.exp(3 + habit + rng.normal(0, 0.8, N)))
    champion = levelled(np.exp(3 + habit + 0.25 * mood))
    return Trial(outcome, levelled(np.exp(3 + habit + 0.68 * mood)), champion, baseline)


def test_a_truly_better_challenger_passes_and_the_figures_say_by_how_much(trial: Trial):
    ruling = judge_challenger(trial, Papers(moved_share=0.05))
    assert ruling.passes
    assert ruling.figures["ngini_lower95"] > 0
    assert ruling.figures["level_bias"] == pytest.approx(1.0)
    assert ruling.reasons[0].startswith("nGini +")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.champion, "it is not surely ahead in nGini or capture"),
        (lambda t: t.challenger[::-1], "its nGini may fall by more than 0.005"),
        (lambda t: 1 / t.challenger, "its capture may fall by more than 0.01"),
        (lambda t: t.challenger * 100, "its level is 100.00; expected 0.8 to 1.25"),
        (lambda t: t.challenger * 0.7, "its level is 0.70; expected 0.8 to 1.25"),
        (lambda t: t.outcome + 1, "which looks like a leak"),
        (lambda t: t.best_baseline * 0 + 7.0, "it says the same of everybody"),
        (lambda t: np.where(t.outcome > 1e3, np.nan, t.challenger), "not finite"),
    ],
)
def test_a_bad_challenger_is_told_why(trial: Trial, change: Any, reason: str):
    ruling = judge_challenger(replace(trial, challenger=change(trial)), Papers())
    assert not ruling.passes
    assert any(reason in each for each in ruling.reasons), ruling.reasons


@pytest.mark.parametrize(
    ("papers", "reason"),
    [
        (Papers(is_sound=False), "it does not load, or not reproduce its golden rows"),
        (Papers(is_certified=False), "a boundary between its tiers is not certified"),
        (Papers(moved_share=0.11), "11% of the customers would move; expected at most 10%"),
        (Papers(gaps=("region north",)), "a group's gap is over its limit: region north"),
    ],
)
def test_a_better_challenger_without_its_papers_stays_outside(
    trial: Trial, papers: Papers, reason: str
):
    ruling = judge_challenger(trial, papers)
    assert not ruling.passes
    assert reason in ruling.reasons


def test_a_challenger_behind_the_best_baseline_stays_outside(trial: Trial):
    behind = replace(trial, best_baseline=np.maximum(trial.outcome, 0) + trial.challenger)
    assert "it is worse than the best baseline" in judge_challenger(behind, Papers()).reasons


def test_a_season_nobody_had_seen_explains_a_level_but_not_another_unit(trial: Trial):
    off = replace(trial, challenger=trial.challenger * 1.5)
    assert not judge_challenger(off, Papers()).passes
    assert judge_challenger(off, Papers(season_unseen=True)).passes
    slip = replace(trial, challenger=trial.challenger * 100)
    assert not judge_challenger(slip, Papers(season_unseen=True)).passes


def test_a_great_lead_over_a_weak_champion_is_no_leak_and_one_that_leaves_nothing_to_chance_is(
    trial: Trial,
):
    """A champion no better than a baseline is passed by .1 and more, and honestly so."""
    weak = replace(trial, champion=trial.best_baseline)
    honest = judge_challenger(weak, Papers())
    assert honest.passes
    assert 0.10 < honest.figures["ngini_difference"] < TOO_GOOD * honest.figures["ngini_left"]
    seen = np.maximum(trial.outcome, 0) + 0.1 * trial.champion
    leaked = judge_challenger(replace(weak, challenger=seen), Papers(season_unseen=True))
    assert any("looks like a leak" in each for each in leaked.reasons)
