"""A hand-made report with hostile names, of four tiers of which one was merged away."""

from __future__ import annotations

from typing import Any

import pytest

from training.tier_report.facts import (
    ActionFacts,
    CertificationFacts,
    CurveFacts,
    LevelFacts,
    MergeFacts,
    MigrationFacts,
    ModelFacts,
    MoveFacts,
    NextMovesFacts,
    RivalFacts,
    TierFacts,
    TierReport,
)

HOSTILE = '"><script>alert(1)</script><img src=https://evil.example/x>&'


def tier(one: str, zh: str, en: str, boundary: float | None, **changes: Any) -> TierFacts:
    told = {
        "share": 0.7, "n_then": 70, "n_now": 75, "mean": 20.0, "mean_low95": 15.0,
        "mean_high95": 25.0, "active": 0.25, "active_low95": 0.2, "active_high95": 0.3,
        "revenue_share": 0.1, "p_value": None, "returned": 0.02, "stars": None, "sentiment": None,
    }  # fmt: skip
    return TierFacts(one, {"zh": zh, "en": en}, boundary, **(told | changes))


@pytest.fixture
def report() -> TierReport:
    labels = {
        "regular": {"zh": "普通", "en": "Regular"},
        "silver": {"zh": "白银", "en": "Silver"},
        "gold": {"zh": "黄金", "en": "Gold"},
        "diamond": {"zh": "钻石", "en": HOSTILE},
    }
    return TierReport(
        source="hand_made",
        currency="GBP",
        release="3f9c0a1be2d4",
        model="blend",
        cutoff="2011-06-13",
        backtest_cutoff="2010-12-15",
        horizon_days=180,
        backtest_horizon_days=180,
        season_unseen=True,
        n_then=100,
        n_now=110,
        n_without_tier=3,
        tiers=(
            tier("regular", "普通", "Regular", None),
            tier("gold", "黄金", "Gold", 230.0, share=0.28, n_then=28, p_value=3e-9, mean=402.9),
            tier("diamond", "钻石", HOSTILE, 12345.0, share=0.02, n_then=2, mean=15000.0,
                 revenue_share=0.5, p_value=0.0213),
        ),
        certification=CertificationFacts(
            "learned", "learned", "", 60, 40, 0.05,
            (MergeFacts("silver", "regular", "not_certified", "English detail", 0.3),),
            ("ties",),
        ),
        curve=CurveFacts(
            100, (1.0, 10.0, 100.0), (20000.0, 500.0, 2.0), (3.0, 30.0), (15000.0, 100.0),
            (230.0, 12345.0),
        ),
        rivals=(
            RivalFacts("learned", (0.7, 0.28, 0.02), 0.41, 0.5, 0.0, 2),
            RivalFacts("quartiles", (0.25,) * 4, 0.2, 0.6, 20.0, 1),
        ),
        models=(ModelFacts("blend", 0.87, 0.6, 0.5), ModelFacts("recency", 0.4, 0.3, 0.2)),
        lifecycle={
            "new": (5, 0, 0), "active": (20, 20, 2), "cooling": (20, 4, 0),
            "dormant": (20, 3, 0), "lost": (10, 1, 0), "won_back": (0, 0, 0),
        },
        usual_gap_days=56.3,
        risk=(
            LevelFacts("low", {"zh": "低风险", "en": "Low risk"}, (10, 20, 2)),
            LevelFacts("high", {"zh": "高风险", "en": "High risk"}, (65, 8, 0)),
        ),
        labels=labels,
        playbook=(ActionFacts("call", {"zh": "致电", "en": "Call"}),),
        migration=MigrationFacts(
            "backtest", "2010-12-15", "2011-06-13", ("regular", "gold", "diamond"),
            ((60, 9, 0), (7, 18, 1), (0, 1, 1)), 13, {"behaviour": 12, "model": 4, "boundary": 2},
        ),
        next_moves=NextMovesFacts(
            "2011-07-01", 1, 1,
            (MoveFacts(HOSTILE, "gold", "diamond", 13000.0, "behaviour"),
             MoveFacts("00123", "gold", "regular", 12.0, "no_such_cause")),
        ),
    )  # fmt: skip
