"""What tests share: where real data lies, and a small shop taken the whole way once a session."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.simulated_shop.export import write_shop
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.world import build_world
from features.config import Config
from features.ingestion.ingest import ingest
from features.store import read_or_build_features
from features.tables import Tables, read_tables
from training.artifact import RELEASES, point_to
from training.cohort import CohortSource
from training.run import TrainingResult, train
from training.score import write_lookup

ROOT = Path(__file__).parent.parent
N_CUSTOMERS = 1200


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets that TIERWISE_DATA names; the test is skipped without it."""
    named = os.environ.get("TIERWISE_DATA")
    folder = Path(named) if named else Path("data")
    if not folder.is_dir():
        pytest.skip(f"no real data: TIERWISE_DATA is {named!r} and there is no folder data")
    return folder


@dataclass(frozen=True)
class SmallWorld:
    """A simulated shop of some customers, ingested; trained and promoted where asked for."""

    state: Path
    tables: Tables
    config: Config
    result: TrainingResult
    release_folder: Path
    features: pd.DataFrame


@pytest.fixture(scope="session")
def small_tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Validated tables of a simulated shop of 1,200 customers over two years."""
    base = tmp_path_factory.mktemp("small")
    parameters = Parameters(
        n_customers=N_CUSTOMERS, start=date(2023, 1, 1), end=date(2025, 1, 1), incidents=()
    )
    world = build_world(parameters, np.random.default_rng(7))
    write_shop(world, base / "state" / "simulated", None, 7)
    (base / "datasets").mkdir()
    toml = base / "datasets" / "simulated_shop.toml"
    toml.write_text((ROOT / "datasets" / "simulated_shop.toml").read_text(encoding="utf-8"))
    ingest(toml, base / "state")
    return read_tables(base / "state" / "tables" / "simulated_shop")


@pytest.fixture(scope="session")
def small_world(small_tables: Tables) -> SmallWorld:
    """The small shop with one release trained, promoted and scored."""
    config = Config()
    state = small_tables.folder.parent.parent
    source = CohortSource(small_tables, state, config.features)
    result = train(source, config, None, state, lambda line: None)
    release = result.release
    features = read_or_build_features(
        small_tables, release.feature_snapshot(), config.features, state
    )
    point_to(state / RELEASES, release.digest)
    write_lookup(release, features, state / "online")
    return SmallWorld(
        state, small_tables, config, result, state / RELEASES / release.digest, features
    )
