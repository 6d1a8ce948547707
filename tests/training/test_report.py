from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from training.judge.resample import Difference
from training.report import comparison_table, tier_table


def test_whole_tier_table_in_english(make_release: Any):
    assert tier_table(make_release(), "en") == (
        "Tiers of hand_made on 2011-06-13, 180 days ahead, GBP. Realised figures: "
        "customers of 2010-12-15, scored without knowing what came after.\n"
        "  Tier       From  Share  Mean realised value  P(active)  Share of revenue\n"
        "  Diamond  900.00     2%                    -          -                 -\n"
        "  Gold     230.00     8%             1,402.90        80%             30.0%\n"
        "  Silver    60.00    20%               120.50        60%             20.0%\n"
        "  Regular       -    70%                20.00        25%             10.0%"
    )


def test_whole_tier_table_in_chinese_with_columns_as_wide_as_they_look(make_release: Any):
    assert tier_table(make_release(), "zh") == (
        "hand_made 于 2011-06-13 的客户等级（预测 180 天，GBP）。"
        "实际值来自 2010-12-15 的客户：当时打分，之后兑现。\n"
        "  等级    起点  客户占比  实际平均价值  活跃比例  收入占比\n"
        "  钻石  900.00        2%             -         -         -\n"
        "  黄金  230.00        8%      1,402.90       80%     30.0%\n"
        "  白银   60.00       20%        120.50       60%     20.0%\n"
        "  普通       -       70%         20.00       25%     10.0%"
    )


@pytest.fixture
def backtest(small_world: Any) -> Any:
    shown = ("ngini", "capture_top10", "decile_mape", "level_bias", "spearman", "auc_active")
    return dataclasses.replace(
        small_world.result.backtest,
        metrics={
            "constant": dict.fromkeys(shown, float("nan")),
            "recency": dict.fromkeys(shown, 0.25),
            "blend": dict.fromkeys(shown, 0.5),
        },
        best_baseline="recency",
        difference=Difference(0.25, 0.1, 0.05, 0.45),
    )


def test_whole_comparison_the_best_ranking_first_and_what_is_undefined_last(backtest: Any):
    rows = comparison_table(backtest).splitlines()
    assert [row.split() for row in rows[:-1]] == [
        ["model", "ngini", "capture_top10", "decile_mape", "level_bias", "spearman", "auc_active"],
        ["blend", "*", *["0.500"] * 6],
        ["recency", *["0.250"] * 6],
        ["constant", *["nan"] * 6],
    ]
    n, cutoff = len(backtest.cohort), backtest.cohort.snapshot.cutoff
    assert rows[-1] == (
        f"blend less recency: nGini +0.2500, 95 % [+0.0500, +0.4500] over {n} customers "
        f"of {cutoff}; * is released"
    )


def test_the_released_baseline_has_the_star(backtest: Any):
    lost = dataclasses.replace(backtest, difference=Difference(0.0, 0.1, -0.1, 0.1))
    starred = [row.split()[0] for row in comparison_table(lost).splitlines()[1:-1] if " * " in row]
    assert starred == ["recency"]
