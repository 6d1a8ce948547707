"""Hand-made parts of releases, and one MLflow store that tests copy because making it is slow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from training.boundaries import RiskLevel, Tier
from training.models.btyd import BuyTillYouDie
from training.models.btyd_orders import BgNbd, MbgNbd
from training.models.formulas import COLUMNS, FormulaModel
from training.models.matrix import FeatureMatrix
from training.policy import TierPolicy
from training.release import Release
from training.spread import N_POINTS, RungSpread, Spread

# BG/NBD of the CDNOW sample as published (Fader, Hardie and Lee 2005), weeks.
CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


RISK = (
    RiskLevel("low", {"zh": "低风险", "en": "Low risk"}, -np.inf, 0.4, 0.1),
    RiskLevel("high", {"zh": "高风险", "en": "High risk"}, 0.3, 0.6, 0.7),
)


@pytest.fixture(scope="session")
def buy_till_you_die() -> BuyTillYouDie:
    return BuyTillYouDie(BgNbd(**CDNOW), MbgNbd(**CDNOW), None, 30.0, None, 30.0)


@pytest.fixture(scope="session")
def five_customers() -> FeatureMatrix:
    """The columns that formulas read, for five customers."""
    rows = [
        # order days, since last, tenure, first to last, net, repeat, positive days, theirs, 365 d
        (7.0, 10.0, 541.0, 140.0, 450.0, 400.0, 7.0, 450.0, 300.0),
        (1.0, 100.0, 100.0, 0.0, 5.0, 0.0, 1.0, 5.0, np.nan),
        (2.0, 50.0, 90.0, 40.0, 180.0, 100.0, 2.0, 180.0, 180.0),
        (1.0, 30.0, 30.0, 0.0, -20.0, 0.0, 0.0, 0.0, -20.0),
        (9.0, 1.0, 181.0, 180.0, 900.0, 800.0, 9.0, 900.0, 900.0),
    ]
    return FeatureMatrix(COLUMNS, np.array(rows))


MakeRelease = Callable[[], Release]


@pytest.fixture
def make_release(buy_till_you_die: BuyTillYouDie) -> MakeRelease:
    """Make an unwritten release of one formula; with 181 days of tenure value is net spend."""

    def make() -> Release:
        tiers = (
            Tier("regular", {"zh": "普通", "en": "Regular"}, -np.inf, 0.70, 20.0, 0.25, 0.1, 70),
            Tier("silver", {"zh": "白银", "en": "Silver"}, 60.0, 0.20, 120.5, 0.6, 0.2, 20),
            Tier("gold", {"zh": "黄金", "en": "Gold"}, 230.0, 0.08, 1402.9, 0.8, 0.3, 8),
            Tier("diamond", {"zh": "钻石", "en": "Diamond"}, 900.0, 0.02),
        )
        rising = tuple(i / 100 for i in range(N_POINTS))  # the ratio is uniform between 0 and 2
        one, more = (RungSpread((), (rising,), (40,)) for _ in range(2))
        return Release(
            source="hand_made",
            currency="GBP",
            cutoff=date(2011, 6, 13),
            history_start=date(2009, 12, 1),
            horizon_days=180,
            feature_horizon_days=180,
            season_unseen=False,
            minimum_orders=1,
            policy=TierPolicy(tiers, RISK),
            spread=Spread(one, more),
            borderline_factors=(1.1, 1.3, 1.25),
            model=FormulaModel("past_spend_rate", 180, buy_till_you_die, {}),
            lineage={"data": "d" * 64, "backtest": {"cutoff": "2010-12-15"}},
        )

    return make


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated MLflow store without experiments: the first start takes ten seconds."""
    pytest.MonkeyPatch().setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    uri = f"sqlite:///{path}"
    MlflowClient(uri, uri).search_experiments()
    return path


@pytest.fixture
def mlflow_state(tmp_path: Path, empty_store: Path) -> Path:
    """A state folder with an empty MLflow store."""
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(empty_store, state / "mlflow.db")
    return state
