"""The features of order lines as one would write them in pandas."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers.ratios import derive_features
from benchmarks.peers.windows import CENT_FRACTION, DECAYS, windows_of
from features.snapshot import Snapshot

EPOCH_ORDINAL = 719_163


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
        "n_discount_days": days["discount"] > 0, "n_unit_days": days["units_sold"] > 0,
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
