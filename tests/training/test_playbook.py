"""What to do with whom: the rows that hold, and the playbooks that are refused by name."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from features.config import LIFECYCLE, Config, PlaybookRow, check_settings
from features.errors import ConfigError
from training.playbook import build_playbook, playbook_from

TIERS = ("regular", "silver", "gold", "diamond")
RISKS = ("low", "medium", "high")
DEFAULT = build_playbook(Config().playbook, TIERS, RISKS)


def row(**values: Any) -> dict[str, Any]:
    return {"zh": "做", "en": "do"} | values


@pytest.mark.parametrize(
    ("tier", "state", "risk", "told"),
    [
        ("diamond", "active", "low", ("vip_line", "personal_recommendation")),
        ("diamond", "active", "high", ("vip_line", "personal_recommendation", "coupon")),
        ("regular", "active", "medium", ("personal_recommendation",)),
        ("regular", "new", "low", ("activation",)),
        ("silver", "cooling", "high", ("coupon",)),
        ("gold", "dormant", "medium", ("wake_up",)),
        ("diamond", "lost", "high", ("vip_line", "win_back")),
        ("gold", "won_back", "low", ("personal_recommendation",)),
        ("gold", "active", None, ("personal_recommendation",)),  # no lane of risk: rows for any
    ],
)
def test_what_the_default_playbook_says(tier: str, state: str, risk: Any, told: tuple[str, ...]):
    assert DEFAULT.actions_for(tier, state, risk) == told


def test_every_combination_of_the_default_has_something_to_do():
    for tier, state, risk in product(TIERS, LIFECYCLE, RISKS):
        assert DEFAULT.actions_for(tier, state, risk), (tier, state, risk)


def test_the_table_is_the_rows_by_position():
    table = DEFAULT.table(TIERS, RISKS)
    for (i, tier), (j, state), (k, risk) in product(
        enumerate(TIERS), enumerate(LIFECYCLE), enumerate(RISKS)
    ):
        assert table[i][j][k] == DEFAULT.actions_for(tier, state, risk)


def test_a_playbook_comes_back_from_its_rows_as_it_was():
    assert playbook_from(DEFAULT.to_rows()) == DEFAULT
    assert list(DEFAULT.labels) == [
        "vip_line", "personal_recommendation", "activation", "coupon", "wake_up", "win_back",
    ]  # fmt: skip


def test_no_action_names_a_price():
    words = " ".join(text for label in DEFAULT.labels.values() for text in label.values())
    assert not any(sign in words for sign in "$€£¥%0123456789")


def test_what_is_meant_to_be_left_alone_is_covered_and_empty():
    rows = [row(id="call", tier="vip"), {"id": "none", "tier": "member"}]
    held = build_playbook([PlaybookRow(**one) for one in rows], ("member", "vip"), RISKS)
    assert held.actions_for("member", "lost", "high") == ()
    assert held.actions_for("vip", "lost", "high") == ("call",)
    assert list(held.labels) == ["call"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row(id="call", tier="gould")], r'playbook\.0\.tier is "gould".*did you mean "gold"'),
        ([row(id="a"), row(id="b", lifecycle="asleep")], r'playbook\.1\.lifecycle is "asleep"'),
        ([row(id="a", lifecycle="top")], r'playbook\.0\.lifecycle is "top"'),
        ([row(id="a", risk=["low", "huge"])], r'playbook\.0\.risk is "huge"'),
        ([row(id="a", tier="gold")], "no row of playbook covers tier regular, lifecycle new"),
        (
            [row(id="a", lifecycle=list(LIFECYCLE[:-1]))],
            "covers tier regular, lifecycle won_back, risk low",
        ),
        ([row(id="a"), row(id="a", en="else")], r"playbook\.1\.id a has another text than before"),
        ([{"id": "call"}], r"playbook\.0: the action call has no text in zh or en"),
        ([row(id="Call")], r"playbook\.0\.id is 'Call'"),
        ([row(id="a", teir="gold")], r'unknown key playbook\.0\.teir; did you mean "tier"'),
        ([row(id="a", en="x" * 301)], r"playbook\.0\.en .*at most 300"),
    ],
)
def test_playbooks_that_are_refused(rows: list[dict[str, Any]], told: str):
    with pytest.raises(ConfigError, match=told) as caught:
        check_settings(Config, {"playbook": rows}, Path("config.toml"))
    assert caught.value.exit_code == 78


def test_an_empty_playbook_says_nothing_and_is_no_gap():
    assert check_settings(Config, {"playbook": []}, Path("config.toml")).playbook == ()


def test_the_default_fits_other_names_of_tiers():
    tiers = {
        "ids": ["c", "b", "a"], "labels_zh": ["丙", "乙", "甲"], "labels_en": ["C", "B", "A"],
        "shares": [0.7, 0.2, 0.1], "minimum_shares": [0, 0.05, 0.02],
        "maximum_shares": [1, 0.3, 0.15],
    }  # fmt: skip
    config = check_settings(Config, {"training": {"tiers": tiers}}, Path("config.toml"))
    held = build_playbook(config.playbook, config.training.tiers.ids, RISKS)
    assert held.actions_for("a", "new", "low") == ("vip_line", "activation")


@pytest.mark.parametrize("limits", [(2.0, 2.0, 4.0), (1.0, 5.0, 4.0), (4.0, 2.0, 1.0)])
def test_thresholds_that_do_not_rise_are_refused(limits: tuple[float, float, float]):
    names = ("cooling_gaps", "dormant_gaps", "lost_gaps")
    values = {"training": {"lifecycle": dict(zip(names, limits, strict=True))}}
    with pytest.raises(ConfigError, match=r"training\.lifecycle: .*expected them to rise"):
        check_settings(Config, values, Path("config.toml"))
