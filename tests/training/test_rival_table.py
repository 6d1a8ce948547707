"""Other ways of making tiers, judged on the customers that certify."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.config import Config, TierSettings, check_settings
from features.errors import ConfigError
from training.tiers.rival_table import compare_rivals, rival_text

N = 3000
IDS = [f"c{i}" for i in range(N)]
SHARES = (0.7, 0.2, 0.08, 0.02)


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.lognormal(3, 1.2, N)
    return score, np.where(rng.random(N) < 0.5, score * rng.lognormal(0.2, 0.6, N), 0.0)


def compared(others: dict[str, np.ndarray] | None = None):
    score, net = world(3)
    held = {"weighted_rfm": score, "past_spend_rate": score} | (others or {})
    return compare_rivals(IDS, score, net, held, SHARES, TierSettings())


def test_the_scheme_comes_first_and_each_rival_follows():
    assert [one.name for one in compared()] == [
        "learned", "fixed_shares", "quartiles", "natural_breaks", "k_means", "weighted_rfm",
        "past_spend",
    ]  # fmt: skip


def test_the_same_shares_on_the_same_score_give_the_same_figures():
    by_name = {one.name: one for one in compared()}
    for other in ("fixed_shares", "weighted_rfm", "past_spend"):
        assert by_name[other].eta_squared == by_name["learned"].eta_squared
        assert by_name[other].n_certified == by_name["learned"].n_certified


def test_a_worse_score_explains_less():
    rng = np.random.default_rng(5)
    by_name = {one.name: one for one in compared({"past_spend_rate": rng.random(N)})}
    assert by_name["past_spend"].eta_squared < 0.1 < by_name["learned"].eta_squared
    assert by_name["past_spend"].n_certified == 0


def test_a_way_over_its_capacity_is_listed_as_out_of_limits():
    by_name = {one.name: one for one in compared()}
    assert not by_name["quartiles"].is_within_limits
    assert by_name["learned"].is_within_limits
    lines = rival_text(compared()).splitlines()
    assert lines[1].startswith("learned")
    (quartiles,) = [line for line in lines if line.startswith("quartiles")]
    assert quartiles.endswith("25.0% / 25.0% / 25.0% / 25.0%  out by 20.0 points")


def test_where_nobody_who_bought_certifies_nothing_is_compared():
    score, _ = world(3)
    assert compare_rivals(IDS, score, np.zeros(N), {}, SHARES, TierSettings()) == ()
    assert rival_text(()) == "too few customers who bought certify; no other way was compared"


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"net_spend": 0.6}, r"training\.scorecard: the weights of the scorecard add to 1\.1"),
        ({"net_spend": 1.5}, r"training\.scorecard\.net_spend is 1\.5"),
        ({"monetary": 0.5}, r"unknown key training\.scorecard\.monetary"),
    ],
)
def test_weights_of_the_scorecard_that_are_refused(weights: dict[str, float], told: str):
    with pytest.raises(ConfigError, match=told):
        check_settings(Config, {"training": {"scorecard": weights}}, Path("config.toml"))
