"""The shop, release and look-up that `benchmarks.serving` serves: simulated once, then kept."""

from __future__ import annotations

import math
import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.config import Config
from features.errors import TierwiseError
from features.progress import Progress
from serving.current import read_current
from serving.keys import KEYS, add_key
from training.release import Release, load_current

ROOT = Path(__file__).resolve().parents[1]
SEED = 0
N_CUSTOMERS = 10_000


@dataclass(frozen=True)
class World:
    """A trained release with everybody's features.

    Attributes
    ----------
    state : Path
        Its state folder.
    release : Release
        What is served.
    features : DataFrame
        The feature table of all customers.
    key : str
        An API key of role application.
    """

    state: Path
    release: Release
    features: pd.DataFrame
    key: str

    def vectors(self, n: int) -> list[dict[str, Any]]:
        """Return the features of n customers as JSON objects."""
        rows = self.features[list(self.release.columns)].to_numpy(np.float64)
        step = max(1, len(rows) // n)
        return [
            {
                name: None if math.isnan(value) else value
                for name, value in zip(self.release.columns, row, strict=True)
            }
            for row in rows[::step][:n].tolist()
        ]


def build_world(state: Path) -> World:
    """Return a simulated shop with its release; made once and kept in `state`."""
    features = state / "features.parquet"
    if not (features.is_file() and _is_promoted(state)):
        shutil.rmtree(state, ignore_errors=True)
        _train(state).to_parquet(features)
    key = add_key(state / KEYS, f"bench {os.getpid()}", "application", datetime.now(UTC))
    return World(state, load_current(state / "releases"), pd.read_parquet(features), key)


def _is_promoted(state: Path) -> bool:
    try:
        read_current(state)
    except TierwiseError:
        return False
    return True


def _train(state: Path) -> pd.DataFrame:
    from datasets.simulated_shop import Parameters
    from datasets.simulated_shop import build_world as simulate
    from datasets.simulated_shop.export import write_shop
    from features.ingestion.ingest import ingest
    from features.store import read_or_build_features
    from features.tables import read_tables
    from training.artifact import RELEASES, point_to
    from training.cohort import CohortSource
    from training.run import train
    from training.score import write_lookup

    parameters = Parameters(n_customers=N_CUSTOMERS, start=date(2023, 1, 1), end=date(2025, 1, 1))
    folder = state / "source" / "datasets"
    folder.mkdir(parents=True)
    write_shop(
        simulate(parameters, np.random.default_rng(SEED)),
        state / "source" / "state" / "simulated",
        None,
        SEED,
    )
    toml = Path(shutil.copy(ROOT / "datasets" / "simulated_shop.toml", folder))
    ingest(toml, state)
    tables = read_tables(state / "tables" / "simulated_shop")
    config = Config()
    settings = config.training.model_copy(update={"n_cutoffs": 2})
    config = config.model_copy(update={"training": settings})
    source = CohortSource(tables, state, config.features)
    release = train(source, config, None, state, Progress(time.monotonic)).release
    table = read_or_build_features(tables, release.feature_snapshot(), config.features, state)
    point_to(state / RELEASES, release.digest)
    write_lookup(release, table, state / "online")
    return table
