"""The list a CRM manager works from, and the look-up of the service."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.online import OnlineStore
from training.assignment.in_force import TiersInForce
from training.release import Release, write_release
from training.score import build_scores, escape_formula, write_lookup, write_scores

IDS = ["00123", "123", "=HYPERLINK(1)", "中文é", "+49"]


@pytest.fixture
def release(make_release: Any, five_customers: Any, tmp_path: Path) -> Release:
    return write_release(make_release(), five_customers.values, tmp_path / "releases")


@pytest.fixture
def features(five_customers: Any) -> pd.DataFrame:
    table = pd.DataFrame(five_customers.values, columns=list(five_customers.columns))
    table.insert(0, "customer_id", IDS)
    table.insert(1, "another_feature", np.nan)
    return table


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_whole_scores_of_five_customers(release: Release, features: pd.DataFrame):
    scores = build_scores(release, features)
    told = release.score(features[list(release.columns)].to_numpy())
    known = [True, True, True, False, True]
    expected = pd.DataFrame(
        {
            "customer_id": IDS,
            "tier": ["silver", "regular", "silver", None, "diamond"],
            "tier_since": [None] * 5,
            "indicated_tier": ["silver", "regular", "silver", None, "diamond"],
            "expected_value": [150.0, 5.0, 180.0, np.nan, 900.0],
            "p_churn": np.where(known, told.p_churn, np.nan),
            "value_at_risk": np.where(known, told.value_at_risk, np.nan),
            "expected_value_low90": np.where(known, told.expected_value_low90, np.nan),
            "expected_value_high90": np.where(known, told.expected_value_high90, np.nan),
            "tier_probability": np.where(known, told.tier_probability, np.nan),
            "risk_level": ["high" if p >= 0.3 else "low" for p in told.p_churn[:3]]
            + [None, "high" if told.p_churn[4] >= 0.3 else "low"],
            "borderline": [False, False, True, None, True],
            "rung": ["repeat", "one_order", "repeat", "no_orders", "repeat"],
            "currency": "GBP",
            "horizon_days": 180,
            "cutoff": "2011-06-13",
            "release": release.digest,
        }
    )
    pd.testing.assert_frame_equal(scores, expected)


def test_parquet_keeps_every_bit(release: Release, features: pd.DataFrame, tmp_path: Path):
    scores = build_scores(release, features)
    parquet, _ = write_scores(scores, release, tmp_path / "scores", "en")
    assert parquet == tmp_path / "scores" / "hand_made_2011-06-13.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), scores, check_exact=True)


def test_whole_csv_in_english_the_best_first_and_no_formula_alive(
    release: Release, features: pd.DataFrame, tmp_path: Path
):
    scores = build_scores(release, features)
    _, table = write_scores(scores, release, tmp_path, "en")
    assert table.read_bytes().startswith(b"\xef\xbb\xbfCustomer,Tier,")
    header, *rows = read_csv(table)
    assert header == [
        "Customer",
        "Tier",
        "Since",
        "Expected value",
        "P(churn)",
        "Value at risk",
        "Churn risk",
        "Low (90 %)",
        "High (90 %)",
        "P(tier)",
        "Borderline",
        "Orders",
        "Currency",
        "Horizon (days)",
        "As of",
    ]
    assert [row[:4] for row in rows] == [
        ["'+49", "Diamond", "", "900.0000"],
        ["'=HYPERLINK(1)", "Silver", "", "180.0000"],
        ["00123", "Silver", "", "150.0000"],
        ["123", "Regular", "", "5.0000"],
        ["中文é", "(too little data)", "", ""],
    ]
    assert [row[10:12] for row in rows] == [
        ["yes", "two or more"],
        ["yes", "two or more"],
        ["no", "two or more"],
        ["no", "one"],
        ["", "none"],
    ]
    assert [row[12:] for row in rows] == [["GBP", "180", "2011-06-13"]] * 5
    assert rows[-1][4:10] == [""] * 6
    assert {row[6] for row in rows[:-1]} <= {"Low risk", "High risk"}
    assert float(rows[0][4]) == pytest.approx(scores["p_churn"][4], abs=1e-4)


def test_the_csv_in_chinese(release: Release, features: pd.DataFrame, tmp_path: Path):
    _, table = write_scores(build_scores(release, features), release, tmp_path, "zh")
    header, *rows = read_csv(table)
    assert header == [
        "客户编号", "等级", "生效日", "预期价值", "流失概率", "风险价值", "流失风险", "下限（90%）",
        "上限（90%）", "等级概率", "临界", "订单数", "币种", "预测天数", "截至",
    ]  # fmt: skip
    assert [row[1] for row in rows] == ["钻石", "白银", "白银", "普通", "（数据不足）"]
    assert [row[10] for row in rows] == ["是", "是", "否", "否", ""]
    assert [row[11] for row in rows] == ["两次及以上", "两次及以上", "两次及以上", "一次", "无"]


def test_writing_again_replaces_and_leaves_nothing_else(
    release: Release, features: pd.DataFrame, tmp_path: Path
):
    scores = build_scores(release, features)
    folder = tmp_path / "scores"
    write_scores(scores.head(2), release, folder, "en")
    paths = write_scores(scores, release, folder, "en")
    assert sorted(folder.iterdir()) == sorted(paths)
    assert len(read_csv(paths[1])) == 6


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_cell_that_begins_like_a_formula_is_quoted(start: str):
    assert escape_formula(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("cell", ["", "00123", "a=b", "1-2", "'already", "中文"])
def test_any_other_cell_is_left_alone(cell: str):
    assert escape_formula(cell) == cell


def test_the_look_up_is_the_feature_table_bit_for_bit(
    release: Release, features: pd.DataFrame, tmp_path: Path
):
    folder = write_lookup(release, features, tmp_path / "online")
    assert folder == tmp_path / "online" / release.digest
    store = OnlineStore.open(folder)
    assert store.columns == tuple(features.columns[1:])
    assert store.meta == {"release": release.digest, "tiers_in_force": []}
    for customer_id, row in zip(IDS, features[list(store.columns)].to_numpy(), strict=True):
        found = store.read(customer_id)
        assert found is not None
        assert found.tobytes() == row.tobytes()
    assert store.read("0123") is None
    store.close()


def test_the_list_and_the_look_up_hold_the_tier_in_force_and_its_day(
    release: Release, features: pd.DataFrame, tmp_path: Path
):
    scheme = ({"id": "old", "zh": "旧", "en": "Old"}, {"id": "gold", "zh": "黄金", "en": "Gold"})
    day = date(2011, 4, 1)
    in_force = TiersInForce(scheme, {IDS[0]: 1, IDS[3]: 1, IDS[4]: 0}, dict.fromkeys(IDS, day))
    scores = build_scores(release, features, in_force)
    # the fourth has too little data for any answer but that
    assert scores["tier"].tolist() == ["gold", "regular", "silver", None, "old"]
    assert scores["indicated_tier"].tolist() == ["silver", "regular", "silver", None, "diamond"]
    assert scores["tier_since"].tolist() == ["2011-04-01", None, None, None, "2011-04-01"]
    _, table = write_scores(scores, release, tmp_path, "zh", in_force)
    assert [row[1:3] for row in read_csv(table)[1:3]] == [["旧", "2011-04-01"], ["白银", ""]]
    store = OnlineStore.open(write_lookup(release, features, tmp_path / "online", in_force))
    assert store.meta["tiers_in_force"] == list(scheme)
    stored = [store.read_scores(customer_id)[-2:] for customer_id in IDS]
    told = float(day.toordinal())
    assert stored == [(1, told), (-1, 0), (-1, 0), (1, told), (0, told)]
    store.close()


def test_every_customer_of_the_small_shop_is_looked_up_and_scored_bit_for_bit(small_world: Any):
    release, features = small_world.result.release, small_world.features
    scores = build_scores(release, features)
    store = OnlineStore.open(small_world.state / "online" / release.digest)
    place = [store.columns.index(name) for name in release.columns]
    for row in range(0, len(features), 25):
        found = store.read(features["customer_id"][row])
        assert found is not None
        alone = release.score(found[place][None, :])
        if scores["tier"][row] is not None:
            assert alone.expected_value[0] == scores["expected_value"][row]
            assert alone.p_churn[0] == scores["p_churn"][row]
            assert release.tiers[alone.tier[0]].id == scores["tier"][row]
    store.close()
