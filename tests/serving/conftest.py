"""A hand-made shop with a real release of a formula, so that every answer can be worked out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

# BentoML reads these when it is imported: no telemetry, no folder in the user's home.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from features.config import Config
from features.online import OnlineStore, write_online
from serving.application import Application, Limits
from serving.metrics import Metrics
from serving.predictor import Predictor
from training.artifact import point_to
from training.boundaries import RiskLevel, Tier
from training.lifecycle import LifecycleRule
from training.models.btyd import BuyTillYouDie
from training.models.btyd_orders import BgNbd, MbgNbd
from training.models.formulas import COLUMNS, FormulaModel
from training.playbook import build_playbook
from training.policy import TierPolicy
from training.release import Release, load_release, write_release
from training.spread import N_POINTS, RungSpread, Spread

CUTOFF = date(2011, 6, 13)
HORIZON_DAYS = 180
LIMITS = Limits(max_batch=5, max_body_bytes=2048)

# BG/NBD of the CDNOW sample as published (Fader, Hardie and Lee 2005), weeks.
CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}

RISK = (
    RiskLevel("low", {"zh": "低风险", "en": "Low risk"}, -np.inf, 0.4, 0.1),
    RiskLevel("high", {"zh": "高风险", "en": "High risk"}, 0.3, 0.6, 0.7),
)

# With at most 181 days of tenure the expected value of past_spend_rate is the net spend itself.
CUSTOMERS = pd.DataFrame(
    [
        # id, order days, since last, tenure, first to last, net, repeat, positive days, their spend
        ("00123", 7.0, 10.0, 150.0, 140.0, 412.5, 400.0, 7.0, 412.5, 412.5),
        ("123", 1.0, 100.0, 100.0, 0.0, 5.0, 0.0, 1.0, 5.0, np.nan),
        ("a/b 100%", 2.0, 50.0, 90.0, 40.0, 229.5, 100.0, 2.0, 229.5, 229.5),
        ("returns", 1.0, 30.0, 30.0, 0.0, -20.0, 0.0, 0.0, 0.0, -20.0),
        ("中文é", 9.0, 1.0, 181.0, 180.0, 900.0, 800.0, 9.0, 900.0, 900.0),
    ],
    columns=["customer_id", *COLUMNS],
)


@dataclass(frozen=True)
class Shop:
    """A state folder with one promoted release, and what lies in it."""

    state: Path
    release: Release
    store: OnlineStore

    @property
    def predictor(self) -> Predictor:
        return Predictor(self.release, self.store)


def make_release(releases: Path) -> Release:
    models = BuyTillYouDie(BgNbd(**CDNOW), MbgNbd(**CDNOW), None, 30.0, None, 30.0)
    tiers = (
        Tier("regular", {"zh": "普通", "en": "Regular"}, -np.inf, 0.70, 20.0),
        Tier("silver", {"zh": "白银", "en": "Silver"}, 60.0, 0.20, 120.5, 0.6, 0.2, 200),
        Tier("gold", {"zh": "黄金", "en": "Gold"}, 230.0, 0.08, 402.9, 0.8, 0.3, 80),
        Tier("diamond", {"zh": "钻石", "en": "Diamond"}, 900.0, 0.02, None),
    )
    rising = tuple(i / 100 for i in range(N_POINTS))  # the ratio is uniform between 0 and 2
    one, more = (RungSpread((), (rising,), (40,)) for _ in range(2))
    release = Release(
        source="hand_made",
        currency="GBP",
        cutoff=CUTOFF,
        history_start=date(2010, 1, 1),
        horizon_days=HORIZON_DAYS,
        feature_horizon_days=HORIZON_DAYS,
        season_unseen=False,
        minimum_orders=1,
        policy=TierPolicy(
            tiers,
            RISK,
            playbook=build_playbook(
                Config().playbook, [tier.id for tier in tiers], [level.id for level in RISK]
            ),
            lifecycle=LifecycleRule(30.0, 2.0, 1.0, 2.0, 4.0),
        ),
        spread=Spread(one, more),
        borderline_factors=(1.1, 1.1, 1.25),
        model=FormulaModel("past_spend_rate", HORIZON_DAYS, models, {}),
        lineage={},
    )
    written = write_release(release, CUSTOMERS[list(COLUMNS)].to_numpy(np.float64), releases)
    return load_release(releases / written.digest)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    state = tmp_path_factory.mktemp("hand_made") / "state"
    release = make_release(state / "releases")
    point_to(state / "releases", release.digest)
    folder = state / "online" / release.digest
    write_online(folder, release.columns, CUSTOMERS, {})
    return Shop(state, release, OnlineStore.open(folder))


@pytest.fixture
def application(shop: Shop) -> Application:
    made = Application(Metrics())
    made.serve(shop.predictor, LIMITS)
    return made


@pytest.fixture
def client(application: Application) -> TestClient:
    return TestClient(application, raise_server_exceptions=True)


def features_of(customer_id: str) -> dict[str, Any]:
    """The stored features of a customer as a JSON object; NaN as null."""
    row = CUSTOMERS.set_index("customer_id").loc[customer_id]
    return {name: None if np.isnan(value) else float(value) for name, value in row.items()}
