"""Our features are those that DuckDB SQL, Polars and pandas make by hand of the same order log."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.features import compare_columns
from benchmarks.order_log import write_order_log
from benchmarks.peers import ENGINES


@pytest.fixture(scope="module")
def order_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "order_lines" / "part.parquet"
    write_order_log(path, 5_000, seed=3)
    return path


def test_every_engine_makes_the_same_features(order_log: Path) -> None:
    largest = compare_columns(order_log)
    assert set(largest) == set(ENGINES)
    assert max(largest.values()) < 1e-5  # a fading sum holds a day to a millionth
