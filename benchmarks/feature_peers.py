"""The features of order lines made by hand in DuckDB SQL, Polars and pandas, for comparison.

The same columns as :mod:`features.build` from the same file, in float64, as one would write them
for each engine. Unknown is null or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.snapshot import Snapshot

SQL = Path(__file__).with_name("features.sql")
WINDOWS = (7, 14, 30, 60, 90, 180, 365, 730)
SHARES = {"eighth": 0.125, "quarter": 0.25, "half": 0.5}
DECAYS = {"quarter": 0.25, "one": 1.0, "three": 3.0}
SEASON = 365
CENT_FRACTION = 5e-7  # what float sums of money may be off; half a millionth
EPOCH_ORDINAL = 719_163


def windows_of(snapshot: Snapshot) -> dict[str, tuple[float, float]]:
    """Return every window as (age above, age up to), in days."""
    horizon = snapshot.horizon_days
    fixed = {f"{days}d": (0, days) for days in WINDOWS if days <= 1.05 * snapshot.observation_days}
    shares = {f"{name}_horizon": (0, math.ceil(share * horizon)) for name, share in SHARES.items()}
    return {
        **fixed,
        **shares,
        "last_horizon": (0, horizon),
        "previous_horizon": (horizon, 2 * horizon),
        "same_season": (SEASON - horizon, SEASON),
    }


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


def with_pandas(lines: Path, snapshot: Snapshot, threads: int) -> pd.DataFrame:
    """Group, shift and aggregate whole columns."""
    cutoff = snapshot.cutoff
    names = (
        "customer_id order_id day hour amount margin quantity discount product_id category channel"
    )
    table = pd.read_parquet(
        lines,
        columns=names.split(),
        filters=[
            ("day", ">=", snapshot.history_start), ("day", "<", cutoff), ("known_day", "<", cutoff),
        ],
    )  # fmt: skip
    day = pd.to_datetime(table["day"])
    table["age"] = (pd.Timestamp(cutoff) - day).dt.days.astype("int32")
    table["customer_id"] = table["customer_id"].astype("category")
    amount, quantity = table["amount"], table["quantity"]
    table["gross"], table["returned"] = amount.clip(lower=0), (-amount).clip(lower=0)
    table["units_sold"], table["units_returned"] = quantity.clip(lower=0), (-quantity).clip(lower=0)
    days = _pandas_days(table, snapshot)
    by = days.groupby("customer_id", observed=True)
    told = _pandas_sums(days, by, snapshot)
    told = pd.concat([told, _pandas_mixes(table)], axis=1)
    return derive_features(told, snapshot).reset_index(names="customer_id")


def _pandas_days(table: pd.DataFrame, snapshot: Snapshot) -> pd.DataFrame:
    grouped = table.groupby(["customer_id", "age"], observed=True, sort=True)
    days = grouped.agg(
        net=("amount", "sum"), gross=("gross", "sum"), returned=("returned", "sum"),
        n_lines=("amount", "size"), n_products=("product_id", "nunique"), hour=("hour", "mean"),
        discount=("discount", "sum"), units_sold=("units_sold", "sum"),
        units_returned=("units_returned", "sum"), margin=("margin", "sum"),
    ).reset_index()  # fmt: skip
    by = days.groupby("customer_id", observed=True)["age"]
    days["previous"], days["second"] = by.shift(-1), by.shift(-2)
    days["is_last"] = by.shift(1).isna()
    days["gap"] = days["previous"] - days["age"]
    days["weekday"] = (days["age"] * 6 + snapshot.cutoff.weekday()) % 7
    return days


def _pandas_sums(days: pd.DataFrame, by: Any, snapshot: Snapshot) -> pd.DataFrame:
    customer = days["customer_id"]
    told = by.agg(
        n_order_days=("age", "size"), days_since_last_order=("age", "min"),
        tenure_days=("age", "max"), net_spend=("net", "sum"), max_day_value=("net", "max"),
        returned=("returned", "sum"), gross=("gross", "sum"), n_lines=("n_lines", "sum"),
        products_per_day=("n_products", "mean"), mean_hour=("hour", "mean"),
        discount=("discount", "sum"), margin=("margin", "sum"), units_sold=("units_sold", "sum"),
        units_returned=("units_returned", "sum"), max_gap_days=("gap", "max"), n_gaps=("gap", "count"),
    )  # fmt: skip
    last = days[days["is_last"]].set_index("customer_id")
    told["days_since_second_last_order"], told["last_gap_days"] = last["previous"], last["gap"]
    told["days_since_third_last_order"], told["last_weekday"] = last["second"], last["weekday"]
    told["last_day_value"], told["last_day_products"] = last["net"], last["n_products"]
    told["first_day_value"] = days[days["previous"].isna()].set_index("customer_id")["net"]
    told["day_value_sd"] = by["net"].std(ddof=0)
    told["gap_sd"] = by["gap"].std(ddof=0)
    net, age = days["net"], days["age"]
    sums = {
        "log_gross": np.log(days["gross"].clip(lower=0.01)), "n_positive_days": net > CENT_FRACTION,
        "positive_day_spend": net.where(net > 0, 0.0), "n_return_days": days["returned"] > 0,
        "n_nonpositive_days": net <= CENT_FRACTION, "n_weekend_days": days["weekday"] >= 5,
        "east": np.cos(days["weekday"] * 2 * np.pi / 7), "north": np.sin(days["weekday"] * 2 * np.pi / 7),
        "n_discount_days": days["discount"] > 0,
        "n_order_days_twelfth_horizon": age <= math.ceil(max(snapshot.horizon_days / 12, 3)),
    }  # fmt: skip
    for name, (above, up_to) in windows_of(snapshot).items():
        inside = (age > above) & (age <= up_to)
        sums |= {f"net_spend_{name}": net.where(inside, 0.0), f"n_order_days_{name}": inside}
    for name, share in DECAYS.items():
        weight = np.exp((1 - age) / (snapshot.horizon_days * share))
        sums |= {f"decayed_net_spend_{name}_horizon": net * weight}
        sums |= {f"decayed_order_days_{name}_horizon": weight}
    wide = pd.DataFrame(sums).groupby(customer, observed=True).sum()
    return pd.concat([told, wide], axis=1)


def _pandas_mixes(table: pd.DataFrame) -> pd.DataFrame:
    sale = table["amount"] >= 0
    orders = table[["customer_id", "order_id"]].assign(
        sold=table["age"].where(sale), returned=table["age"].where(~sale)
    )
    orders = orders.groupby(["customer_id", "order_id"], observed=True)[["sold", "returned"]].max()
    lag = (orders["sold"] - orders["returned"]).where(lambda days: days >= 0)
    told = pd.DataFrame(
        {
            "n_orders": orders["sold"].groupby(level=0, observed=True).count(),
            "return_lag_days": lag.groupby(level=0, observed=True).mean(),
        }
    )
    for column, plural in (("category", "categories"), ("channel", "channels")):
        sold = table[sale & table[column].notna()]
        n = sold.groupby(["customer_id", column], observed=True).size().rename("n").reset_index()
        by = n.assign(square=n["n"] ** 2).groupby("customer_id", observed=True)
        total = by["n"].sum()
        told[f"n_{plural}"] = by.size()
        told[f"{column}_concentration"] = by["square"].sum() / total**2
        if column == "channel":
            told["main_channel_share"] = by["n"].max() / total
    return told


def derive_features(t: pd.DataFrame, snapshot: Snapshot) -> pd.DataFrame:
    """Return the features that are made of other aggregates of a customer, and those."""
    n, horizon = t["n_order_days"], snapshot.horizon_days
    since, tenure = t["days_since_last_order"] - 1, t["tenure_days"]
    first_to_last = tenure - t["days_since_last_order"]
    mean_gap = first_to_last / (n - 1).where(n > 1)
    last, previous = t["net_spend_last_horizon"], t["net_spend_previous_horizon"]
    n_last, n_previous = t["n_order_days_last_horizon"], t["n_order_days_previous_horizon"]
    seen = tenure > SEASON - horizon
    return t.assign(
        first_to_last_days=first_to_last, mean_day_value=t["net_spend"] / n,
        recency_ratio=since / tenure, order_rate=n / tenure.clip(lower=horizon / 2),
        spend_rate=t["net_spend"] / tenure.clip(lower=horizon / 2),
        day_value_cv=t["day_value_sd"] / (t["net_spend"] / n).abs().clip(lower=1e-6),
        geometric_mean_day_value=np.exp(t["log_gross"] / n),
        repeat_net_spend=t["net_spend"] - t["first_day_value"], mean_gap_days=mean_gap,
        gap_sd_days=t["gap_sd"].where(t["n_gaps"] > 1),
        overdue_ratio=(since / mean_gap.clip(lower=1)).where(n > 1, 0.0),
        overdue_max_ratio=since / t["max_gap_days"].fillna(0).clip(lower=1),
        spend_trend=(last - previous) / (last.abs() + previous.abs() + 1e-6),
        order_trend=(n_last - n_previous) / (n_last + n_previous + 1e-6),
        net_spend_same_season=t["net_spend_same_season"].where(seen),
        n_order_days_same_season=t["n_order_days_same_season"].where(seen),
        return_share=t["returned"] / t["gross"].clip(lower=1e-6), lines_per_day=t["n_lines"] / n,
        weekend_share=t["n_weekend_days"] / n,
        weekday_concentration=np.hypot(t["east"], t["north"]) / n,
        discount_share=t["discount"] / (t["gross"] + t["discount"]).clip(lower=1e-6),
        margin_share=t["margin"] / t["net_spend"].where(t["net_spend"] > CENT_FRACTION),
        return_units_share=t["units_returned"] / t["units_sold"].clip(lower=1e-6),
    )  # fmt: skip


def with_polars(lines: Path, snapshot: Snapshot, threads: int) -> pd.DataFrame:
    """One lazy query of three group-bys, collected by the streaming engine."""
    from benchmarks.feature_peer_polars import build_with_polars

    return derive_features(
        build_with_polars(lines, snapshot).to_pandas().set_index("customer_id"), snapshot
    ).reset_index()


ENGINES: dict[str, Callable[[Path, Snapshot, int], pd.DataFrame]] = {
    "duckdb_sql": with_duckdb_sql,
    "polars": with_polars,
    "pandas": with_pandas,
}
"""Every peer by the name it has in the figures."""
