"""Groups held against everybody: fair and planted unfair worlds, and who counts as a group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import FairnessSettings
from features.errors import InputError
from features.tables import CUSTOMERS, Tables
from training.groups import banded, read_groups
from training.jobs.champion import run_promote
from training.judge.fairness import (
    Gap,
    GroupFigures,
    Judged,
    decide_fairness,
    measure_groups,
    worst_gaps,
)
from training.promote import Standing, decide_promotion
from training.registry import Registry
from training.release import write_release

LIMITS = FairnessSettings()
N = 4000


def world(seed: int, told: float = 1.0, p_gap: float = 0.0) -> tuple[Judged, dict[str, list[str]]]:
    """Two regions that bring the same; of the south `told` times that is expected."""
    rng = np.random.default_rng(seed)
    south = np.arange(N) % 4 == 0
    p_active = rng.uniform(0.2, 0.8, N)
    if_active = rng.lognormal(4, 0.8, N)
    y = np.where(rng.random(N) < p_active, if_active * rng.lognormal(-0.125, 0.5, N), 0.0)
    value = p_active * if_active * np.where(south, told, 1.0)
    p_told = np.clip(p_active + np.where(south, p_gap, 0.0), 0, 1)
    tier = np.searchsorted(np.quantile(value, [0.7, 0.9, 0.98]), value, side="right")
    return Judged(y, value, p_told, tier), {"region": ["south" if s else "north" for s in south]}


def of(figures: tuple[GroupFigures, ...], group: str) -> GroupFigures:
    return next(each for each in figures if each.group == group)


def test_whole_figures_of_two_groups_of_four():
    judged = Judged(
        y=np.array([10.0, 0.0, 30.0, 0.0, 20.0, 20.0, 0.0, 0.0] * 10),
        value=np.array([5.0, 5.0, 10.0, 0.0, 20.0, 20.0, 10.0, 10.0] * 10),
        p_active=np.array([0.5, 0.5, 0.5, 0.5, 0.75, 0.75, 0.25, 0.25] * 10),
        tier=np.array([0, 0, 1, 0, 1, 1, 0, 0] * 10),
    )
    limits = FairnessSettings(minimum_customers=20, minimum_payers=10)
    groups = {"region": (["a"] * 4 + ["b"] * 4) * 10}
    a, b = measure_groups(judged, groups, limits, 2, seed=0)
    assert (a.attribute, a.group, a.n_customers, a.n_payers) == ("region", "a", 40, 20)
    assert (a.tier_shares, b.tier_shares) == ((0.75, 0.25), (0.5, 0.5))
    assert (a.mean_value, a.mean_outcome) == (5.0, 10.0)
    # everybody: 80 told of 80 brought; a: half; b: one and a half times; capture 7/8, 3/4, 1
    assert np.exp([a.level.value, b.level.value]).tolist() == pytest.approx([0.5, 1.5])
    assert [a.capture.value, b.capture.value] == pytest.approx([3 / 4 - 7 / 8, 1 - 7 / 8])
    assert [a.p_active.value, b.p_active.value] == pytest.approx([0.0, 0.0])
    assert a.level.low99 < a.level.value < a.level.high99


@pytest.mark.parametrize("seed", range(5))
def test_a_fair_world_is_told_fair(seed: int):
    judged, groups = world(seed)
    figures = measure_groups(judged, groups, LIMITS, 4, seed=0)
    assert [each.group for each in figures] == ["north", "south"]
    assert decide_fairness(figures, LIMITS) == ()


def test_a_region_told_half_of_what_it_brings_is_a_breach_with_its_reason():
    judged, groups = world(0, told=0.5)
    figures = measure_groups(judged, groups, LIMITS, 4, seed=0)
    (reason, *_) = [r for r in decide_fairness(figures, LIMITS) if "south" in r]
    assert reason.startswith("region south (1000 customers): the value told is 0.5")
    assert "expected within a factor of 1.35" in reason
    assert of(figures, "south").tier_shares[0] > of(figures, "north").tier_shares[0] + 0.1


def test_a_region_said_to_leave_more_often_than_it_does_is_a_breach():
    judged, groups = world(0, p_gap=-0.25)
    reasons = decide_fairness(measure_groups(judged, groups, LIMITS, 4, seed=0), LIMITS)
    assert any(
        r.startswith("region south (1000 customers): P(active) is off by -0.") for r in reasons
    )
    assert not any("north" in r for r in reasons)


def test_a_region_that_brings_less_and_is_told_so_is_no_breach():
    judged, groups = world(0)
    south = np.array([name == "south" for name in groups["region"]])
    less = Judged(
        np.where(south, judged.y / 3, judged.y),
        np.where(south, judged.value / 3, judged.value),
        judged.p_active,
        judged.tier,
    )
    figures = measure_groups(less, groups, LIMITS, 4, seed=0)
    assert of(figures, "south").mean_value < 0.5 * of(figures, "north").mean_value
    assert decide_fairness(figures, LIMITS) == ()


def test_the_noise_of_many_small_groups_is_seldom_a_breach():
    breaches = 0
    for seed in range(10):
        judged, _ = world(seed)
        rng = np.random.default_rng(seed)
        groups = {"anything": [f"g{k:02d}" for k in rng.integers(0, 16, N)]}
        figures = measure_groups(judged, groups, LIMITS, 4, seed=0)
        assert len(figures) > 10
        breaches += len(decide_fairness(figures, LIMITS))
    assert breaches == 0


def test_groups_that_are_small_unknown_or_everybody_are_not_judged():
    judged, _ = world(0)
    names = ["few"] * 199 + ["many"] * 2000 + [""] * (N - 2199)
    figures = measure_groups(judged, {"a": names, "b": ["all"] * N}, LIMITS, 4, seed=0)
    assert [(each.attribute, each.group) for each in figures] == [("a", "many")]


NONE = Gap(0.0, -0.01, 0.01)


@pytest.mark.parametrize(
    ("changed", "n_reasons"),
    [
        ({}, 0),
        ({"level": Gap(0.5, 0.2, 0.8)}, 0),  # over its limit, but it may be noise
        ({"level": Gap(0.5, 0.31, 0.7)}, 1),
        ({"level": Gap(-0.5, -0.7, -0.31)}, 1),
        ({"p_active": Gap(0.12, 0.11, 0.13)}, 1),
        ({"p_active": Gap(-0.12, -0.13, -0.09)}, 0),
        ({"capture": Gap(-0.5, -0.6, -0.4)}, 1),
        ({"capture": Gap(0.5, 0.4, 0.6)}, 0),  # found better than others is no harm
        ({"level": Gap(1.0, 0.9, 1.1), "capture": Gap(-0.5, -0.6, -0.4)}, 2),
    ],
)
def test_what_is_a_breach(changed: dict[str, Gap], n_reasons: int):
    gaps = {"level": NONE, "p_active": NONE, "capture": NONE, **changed}
    group = GroupFigures("region", "a", 500, 100, (0.7, 0.3), 1.0, 1.0, ece=0.01, **gaps)
    assert len(decide_fairness([group], LIMITS)) == n_reasons


def test_the_worst_gaps_of_a_run():
    groups = [
        GroupFigures(
            "r", "a", 500, 99, (1.0,), 1.0, 1.0, Gap(np.log(0.8), -1, 1), NONE, NONE, 0.02
        ),
        GroupFigures(
            "r", "b", 500, 99, (1.0,), 1.0, 1.0, NONE, Gap(-0.2, -1, 1), Gap(-0.1, -1, 1), 0.01
        ),
    ]
    worst = worst_gaps(groups)
    assert worst["fairness_worst_level_gap"] == pytest.approx(0.25)
    assert worst["fairness_worst_p_active_gap"] == 0.2
    assert worst["fairness_worst_capture_gap"] == 0.1
    assert (worst["fairness_worst_ece"], worst["fairness_n_groups"]) == (0.02, 2.0)
    assert worst_gaps([]) == {}


# ---- who is in which group --------------------------------------------------------------------


def test_whole_groups_of_five_customers(tmp_path: Path):
    rows = [
        {"customer_id": "1", "region": "north", "audit_only": [("gender", "f"), ("age", "")]},
        {"customer_id": "2", "region": None, "audit_only": [("gender", "m")]},
        {"customer_id": "3", "region": "south", "audit_only": []},
        {"customer_id": "4", "region": "", "audit_only": None},
    ]
    folder = tmp_path / "customers"
    folder.mkdir()
    pq.write_table(
        pa.Table.from_pylist(
            [{"signed_up_day": None, "attributes": [], **row} for row in rows], CUSTOMERS
        ),
        folder / "part.parquet",
    )
    tables = Tables(tmp_path, "hand_made", "GBP", None, None, "d")  # type: ignore[arg-type]
    tenure = np.array([89.0, 90.0, 364.0, 365.0, np.nan])
    assert read_groups(tables, ["1", "2", "3", "4", "5"], tenure) == {
        "tenure": [
            "under 90 days", "90 to 364 days", "90 to 364 days", "365 days and more", "",
        ],
        "gender": ["f", "m", "", "", ""],
        "region": ["north", "", "south", "", ""],
    }  # fmt: skip


def test_a_shop_without_customers_is_audited_by_tenure_alone(tmp_path: Path):
    tables = Tables(tmp_path, "hand_made", "GBP", None, None, "d")  # type: ignore[arg-type]
    assert read_groups(tables, ["1"], np.array([1.0])) == {"tenure": ["under 90 days"]}


def test_many_words_leave_the_twelve_most_frequent():
    cells = [f"w{i:02d}" for i in range(20) for _ in range(20 - i)]
    groups = set(banded(cells))
    assert groups == {f"w{i:02d}" for i in range(12)} | {"(others)"}


# ---- the gate ---------------------------------------------------------------------------------

BREACH = ("region south (1000 customers): the value told is 0.50 times that of everybody",)


def test_an_unfair_release_is_not_promoted_even_as_the_first():
    decision = decide_promotion(Standing("d", "s", 0.8, BREACH), None)
    assert not decision.promote
    assert decision.reasons[-1] == BREACH[0]


def test_an_unfair_release_is_promoted_with_a_reason_that_is_told():
    challenger = Standing("d", "s", 0.8, BREACH)
    decision = decide_promotion(challenger, None, accept_unfair="the south opened in May")
    assert decision.promote
    assert decision.reasons[-2:] == (*BREACH, "accepted as unfair: the south opened in May")


def test_a_reason_does_not_promote_what_ranks_worse():
    champion = Standing("c", "s", 0.9)
    decision = decide_promotion(Standing("d", "s", 0.8, BREACH), champion, accept_unfair="so be it")
    assert not decision.promote


def test_the_champion_stays_what_it_is():
    standing = Standing("d", "s", 0.8, BREACH)
    assert decide_promotion(standing, standing).promote


@pytest.mark.parametrize("reason", [None, "the south opened in May"])
def test_promote_refuses_what_is_unfair_and_keeps_the_reason_it_was_accepted_for(
    make_release, five_customers, mlflow_state, capsys, reason: str | None
):
    made = make_release()
    lineage = made.lineage | {"fairness": {"n_groups": 2, "breaches": list(BREACH)}}
    release = write_release(
        replace(made, lineage=lineage), five_customers.values, mlflow_state / "releases"
    )
    registry = Registry(mlflow_state)
    with registry.run("train") as run_id:
        folder = mlflow_state / "releases" / release.digest
        version = registry.register(run_id, folder, {"source": "hand_made", "ngini": "0.8"})
    accepted = [] if reason is None else ["--accept-unfair", reason]
    code = run_promote(["--state", str(mlflow_state), *accepted])
    told = capsys.readouterr().out
    assert BREACH[0] in told
    if reason is None:
        assert code == 20
        assert f"version {version.number} not promoted" in told
        assert registry.champion() is None
    else:
        assert code == 0
        assert f"accepted as unfair: {reason}" in told
        champion = registry.champion()
        assert champion is not None
        assert champion.tags["accepted_unfair"] == reason


def test_an_empty_reason_is_no_reason(tmp_path: Path):
    with pytest.raises(InputError, match="--accept-unfair is empty; expected a reason"):
        run_promote(["--state", str(tmp_path), "--accept-unfair", " "])
