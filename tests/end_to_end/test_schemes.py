"""Schemes by configuration, each from a config.toml to an answer: four tiers, A/B/C, two, pinned."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import Config, read_config
from features.online import OnlineStore
from features.progress import Progress
from features.store import read_or_build_features
from serving.predictor import Predictor
from serving.schemas import TierAnswer
from training.assignment.history import read_in_force
from training.assignment.run import Job, default_day, dry_run, publish
from training.cohort import CohortSource
from training.release import Release, load_release
from training.run import TrainingResult, train
from training.score import write_lookup
from training.tier_report.gather import gather_report
from training.tier_report.page import tier_page

CHEAP = """
[training]
horizon_days = 90
n_cutoffs = 2
n_rounds = 20
"""
FOUR = ""
ABC = """
[training.tiers]
ids = ["c", "b", "a"]
labels_zh = ["C 级", "B 级", "A 级"]
labels_en = ["C", "B", "A"]
shares = [0.5, 0.3, 0.2]
minimum_shares = [0.0, 0.1, 0.05]
maximum_shares = [1.0, 0.4, 0.25]
"""
MEMBERS = """
[training.tiers]
ids = ["guest", "member"]
labels_zh = ["非会员", "会员"]
labels_en = ["Guest", "Member"]
shares = [0.8, 0.2]
minimum_shares = [0.0, 0.05]
maximum_shares = [1.0, 0.3]

[[playbook]]
id = "invite"
tier = "guest"
lifecycle = ["new", "active", "won_back"]
zh = "邀请入会"
en = "Invite"

[[playbook]]
id = "thank"
tier = "member"
zh = "致谢"
en = "Thank"

[[playbook]]
id = "none"
tier = "guest"
lifecycle = ["cooling", "dormant", "lost"]
"""
ACCOUNTS = """
[training.tiers]
ids = ["general", "important", "strategic"]
labels_zh = ["一般", "重要", "战略"]
labels_en = ["General", "Important", "Strategic"]
shares = [0.85, 0.10, 0.05]
minimum_shares = [0.0, 0.03, 0.02]
maximum_shares = [1.0, 0.25, 0.10]
method = "shares"
"""


@dataclass
class Played:
    """A scheme taken from its text to a predictor."""

    config: Config
    result: TrainingResult
    release: Release
    features: Any
    state: Path

    def predictor(self, online: Path) -> Predictor:
        in_force = read_in_force(self.state, self.release.source)
        folder = write_lookup(self.release, self.features, online, in_force)
        return Predictor(self.release, OnlineStore.open(folder))

    def page(self, lang: str) -> str:
        result = self.result
        tiers = self.config.training.tiers
        facts = gather_report(result.release, result.backtest, result.today, result.rivals, tiers)
        return tier_page(facts, lang)


@pytest.fixture
def play(small_tables: Any, tmp_path: Path) -> Any:
    def run(scheme: str) -> Played:
        path = tmp_path / "config.toml"
        path.write_text(CHEAP + scheme, encoding="utf-8")
        config = read_config(path)
        source = CohortSource(small_tables, tmp_path / "state", config.features)
        result = train(source, config, None, tmp_path / "state", Progress(lambda: 0.0))
        release = load_release(tmp_path / "state" / "releases" / result.release.digest)
        features = read_or_build_features(
            small_tables, release.feature_snapshot(), config.features, tmp_path / "state"
        )
        return Played(config, result, release, features, tmp_path / "state")

    return run


def check_scheme(played: Played, online: Path) -> list[TierAnswer]:
    """Hold a scheme to what it promises; return the answers of everybody with a tier."""
    asked = played.config.training.tiers
    ids = [tier.id for tier in played.release.tiers]
    merged = [one["tier"] for one in played.release.lineage["tiers"]["merges"]]
    # what the data does not carry is merged with a reason; the bottom tier and one above it hold
    assert sorted(ids + merged) == sorted(asked.ids)
    assert ids[0] == asked.ids[0]
    assert len(ids) >= 2
    predictor = played.predictor(online)
    names = played.features["customer_id"].tolist()
    answers = [predictor.answer_for(name) for name in names]
    placed = [one for one in answers if one is not None and one.status == "ok"]
    assert len(placed) > 1000
    held = [sum(one.tier == tier for one in placed) / len(placed) for tier in ids]
    assert np.allclose(held, [tier.share for tier in played.release.tiers], atol=0.02)
    value = {one.tier: [] for one in placed}
    for one in placed:
        value[one.tier].append(one.expected_value)
    for low, high in itertools.pairwise(ids):
        assert max(value[low]) < min(value[high])
    known = {one.id for one in predictor.scheme().playbook}
    assert {action for one in placed for action in one.playbook} <= known
    for lang in ("en", "zh"):
        page = played.page(lang)
        for tier in played.release.tiers:
            assert tier.label[lang] in page
    return placed


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "n_tiers"), [(FOUR, 4), (ABC, 3)], ids=["four", "abc"])
def test_a_scheme_is_learned_served_and_told(play: Any, tmp_path: Path, scheme: str, n_tiers: int):
    played = play(scheme)
    assert len(played.config.training.tiers.ids) == n_tiers
    check_scheme(played, tmp_path / "online")


@pytest.mark.slow
def test_a_shop_of_members_does_what_its_own_playbook_says(play: Any, tmp_path: Path):
    placed = check_scheme(play(MEMBERS), tmp_path / "online")
    told = {(one.tier, one.lifecycle, tuple(one.playbook)) for one in placed}
    assert {actions for tier, _, actions in told if tier == "member"} == {("thank",)}
    inviting = {"new", "active", "won_back"}
    for tier, state, actions in told:
        if tier == "guest":
            assert actions == (("invite",) if state in inviting else ())
    assert {state for tier, state, _ in told if tier == "guest"} >= {"active", "lost"}


@pytest.mark.slow
def test_pinned_accounts_are_strategic_whatever_they_bring(
    play: Any, small_tables: Any, tmp_path: Path
):
    played = play(ACCOUNTS)
    assert "strategic" in [tier.id for tier in played.release.tiers]
    predictor = played.predictor(tmp_path / "before")
    names = played.features["customer_id"].tolist()
    placed = [one for one in map(predictor.answer_for, names) if one and one.status == "ok"]
    placed.sort(key=lambda one: one.expected_value)
    pinned = [one.customer_id for one in placed[:2]]
    overrides = tmp_path / "pinned.csv"
    rows = [f"{one},strategic,2030-01-01,key account" for one in pinned]
    overrides.write_text("\n".join(["customer_id,tier,expires,reason", *rows]) + "\n")
    job = Job(played.release, small_tables, played.config, played.state, overrides)
    day = default_day(job)
    dry_run(job, day)
    publish(job, day)
    after = played.predictor(tmp_path / "after")
    for one in pinned:
        answer = after.answer_for(one)
        assert answer is not None
        assert (answer.tier, answer.indicated_tier) == ("strategic", "general")
        assert answer.tier_since == day.isoformat()
        assert "vip_line" in answer.playbook
    others = [after.answer_for(name) for name in names if name not in pinned]
    strategic = sum(one is not None and one.tier == "strategic" for one in others)
    share = played.release.tiers[-1].share
    assert strategic <= np.floor(share * len(others) + 1e-9)
