"""The features of order lines as one would write them in DuckDB's SQL."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from benchmarks.peers.windows import DECAYS, windows_of
from features.snapshot import Snapshot

SQL = Path(__file__).with_name("features.sql")


def with_duckdb_sql(lines: Path, snapshot: Snapshot, threads: int) -> pd.DataFrame:
    """Run features.sql."""
    import duckdb

    horizon = snapshot.horizon_days
    columns = []
    for name, (above, up_to) in windows_of(snapshot).items():
        inside = (
            f"FILTER (age > {above} AND age <= {up_to})" if above else f"FILTER (age <= {up_to})"
        )
        spend, count = f"coalesce(sum(net) {inside}, 0)", f"count(*) {inside}"
        if name == "same_season":
            spend, count = (f"CASE WHEN max(age) > {above} THEN {x} END" for x in (spend, count))
        columns += [f"{spend} AS net_spend_{name}", f"{count} AS n_order_days_{name}"]
    twelfth = math.ceil(max(horizon / 12, 3))
    columns.append(f"count(*) FILTER (age <= {twelfth}) AS n_order_days_twelfth_horizon")
    for name, share in DECAYS.items():
        weight = f"exp((1 - age) / {horizon * share}::DOUBLE)"
        columns.append(f"sum(net * {weight}) AS decayed_net_spend_{name}_horizon")
        columns.append(f"sum({weight}) AS decayed_order_days_{name}_horizon")
    filled = {
        "lines": lines,
        "cutoff": snapshot.cutoff,
        "start": snapshot.history_start,
        "horizon": horizon,
        "weekday": snapshot.cutoff.weekday(),
        "windows": ",\n           ".join(columns),
    }
    sql = SQL.read_text(encoding="utf-8")
    for key, value in filled.items():
        sql = sql.replace(f"{{{key}}}", str(value))
    with duckdb.connect(config={"threads": threads}) as engine:
        frame: pd.DataFrame = engine.execute(sql).df()
    return frame
