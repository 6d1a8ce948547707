"""What tests share: where real data lies, hand-made tables, and a small shop taken the whole way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pandas as pd

    from features.config import Config
    from features.tables import Tables
    from training.run import TrainingResult

ROOT = Path(__file__).resolve().parent.parent
SHOP_TOML = ROOT / "datasets" / "simulated_shop.toml"
SHOP_SEED = 7
N_CUSTOMERS = 1200


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets that TIERWISE_DATA names; the test is skipped without it."""
    named = os.environ.get("TIERWISE_DATA")
    folder = Path(named) if named else Path("data")
    if not folder.is_dir():
        pytest.skip(f"no real data: TIERWISE_DATA is {named!r} and there is no folder data")
    return folder


Line = tuple[Any, ...]
WriteTables = Callable[[Path, Iterable[Line], date], "Tables"]


@pytest.fixture(scope="session")
def write_tables() -> WriteTables:
    """Write order lines (customer_id, day, amount[, known_day]) as canonical tables of a shop."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from features.tables import ORDER_LINES, Tables

    def write(folder: Path, lines: Iterable[Line], data_complete_before: date) -> Tables:
        rows = [
            {
                "customer_id": customer_id,
                "order_id": f"o{number}",
                "occurred_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
                "day": day,
                "known_day": known[0] if known else day,
                "amount": float(amount),
                "is_return": amount < 0,
            }
            for number, (customer_id, day, amount, *known) in enumerate(lines)
        ]
        part = folder / "order_lines" / "part.parquet"
        part.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=ORDER_LINES), part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        first = min(row["day"] for row in rows)
        return Tables(folder, "hand_made", "GBP", first, data_complete_before, digest)

    return write


MakeShop = Callable[[Path, int], Path]


@pytest.fixture(scope="session")
def make_shop() -> MakeShop:
    """Write a simulated shop of n customers over two years; return the TOML that describes it."""
    import numpy as np

    from datasets.simulated_shop import Parameters, build_world
    from datasets.simulated_shop.export import write_shop

    def make(folder: Path, n_customers: int) -> Path:
        parameters = Parameters(
            n_customers=n_customers, start=date(2023, 1, 1), end=date(2025, 1, 1)
        )
        world = build_world(parameters, np.random.default_rng(SHOP_SEED))
        write_shop(world, folder / "state" / "simulated", None, SHOP_SEED)
        toml = folder / "datasets" / SHOP_TOML.name
        toml.parent.mkdir()
        toml.write_text(SHOP_TOML.read_text(encoding="utf-8"), encoding="utf-8")
        return toml

    return make


@pytest.fixture(scope="session")
def small_tables(tmp_path_factory: pytest.TempPathFactory, make_shop: MakeShop) -> Tables:
    """Validated tables of a simulated shop of 1,200 customers over two years."""
    from features.ingestion.ingest import ingest
    from features.tables import read_tables

    base = tmp_path_factory.mktemp("small")
    ingest(make_shop(base, N_CUSTOMERS), base / "state")
    return read_tables(base / "state" / "tables" / "simulated_shop")


@dataclass(frozen=True)
class SmallWorld:
    """The small shop with one release trained and promoted, and its look-up written.

    ``features`` is the feature table of everybody at the release's cutoff.
    """

    state: Path
    tables: Tables
    config: Config
    result: TrainingResult
    release_folder: Path
    features: pd.DataFrame


@pytest.fixture(scope="session")
def small_world(small_tables: Tables) -> SmallWorld:
    """The small shop, taken the whole way once a session."""
    from features.config import Config
    from features.progress import Progress
    from features.store import read_or_build_features
    from training.artifact import RELEASES, point_to
    from training.cohort import CohortSource
    from training.run import train
    from training.score import write_lookup

    config = Config()
    state = small_tables.folder.parent.parent
    source = CohortSource(small_tables, state, config.features)
    result = train(source, config, None, state, Progress(lambda: 0.0))
    release = result.release
    snapshot = release.feature_snapshot()
    features = read_or_build_features(small_tables, snapshot, config.features, state)
    point_to(state / RELEASES, release.digest)
    write_lookup(release, features, state / "online")
    folder = state / RELEASES / release.digest
    return SmallWorld(state, small_tables, config, result, folder, features)
