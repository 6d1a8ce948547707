"""The features of order lines made by hand in DuckDB SQL, Polars and pandas, for comparison.

The same columns as :mod:`features.build` from the same file, in float64, as one would write them
for each engine. Unknown is null or NaN.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from benchmarks.peers.in_pandas import with_pandas
from benchmarks.peers.in_polars import with_polars
from benchmarks.peers.in_sql import with_duckdb_sql
from features.snapshot import Snapshot

ENGINES: dict[str, Callable[[Path, Snapshot, int], pd.DataFrame]] = {
    "duckdb_sql": with_duckdb_sql,
    "polars": with_polars,
    "pandas": with_pandas,
}
"""Every peer by the name it has in the figures."""
