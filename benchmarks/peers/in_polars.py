"""The aggregates of order lines as one would write them for Polars."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.peers.ratios import derive_features
from benchmarks.peers.windows import CENT_FRACTION, DECAYS, windows_of
from features.snapshot import Snapshot


def with_polars(lines: Path, snapshot: Snapshot, threads: int) -> pd.DataFrame:
    """One lazy query of three group-bys, collected by the streaming engine."""
    sums = build_with_polars(lines, snapshot).to_pandas().set_index("customer_id")
    return derive_features(sums, snapshot).reset_index()


def build_with_polars(lines: Path, snapshot: Snapshot) -> pl.DataFrame:
    """Return every aggregate of each customer; what is made of two of them is made later."""
    cutoff = snapshot.cutoff
    known = (
        pl.scan_parquet(lines)
        .filter(
            pl.col("day") >= snapshot.history_start,
            pl.col("day") < cutoff,
            pl.col("known_day") < cutoff,
        )
        .with_columns(age=(pl.lit(cutoff) - pl.col("day")).dt.total_days().cast(pl.Int32))
    )
    sums = _days(known, snapshot).group_by("customer_id").agg(_sums(snapshot))
    for part in (_orders(known), _mix(known, "category"), _mix(known, "channel")):
        sums = sums.join(part, on="customer_id", how="left")
    return sums.sort("customer_id").collect(engine="streaming")


def _days(known: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
    amount, quantity = pl.col("amount"), pl.col("quantity")
    days = known.group_by("customer_id", "age").agg(
        net=amount.sum(),
        gross=amount.clip(lower_bound=0).sum(),
        returned=(-amount).clip(lower_bound=0).sum(),
        n_lines=pl.len(),
        n_products=pl.col("product_id").n_unique(),
        hour=pl.col("hour").mean(),
        discount=pl.col("discount").sum(),
        units_sold=quantity.clip(lower_bound=0).sum(),
        units_returned=(-quantity).clip(lower_bound=0).sum(),
        margin=pl.col("margin").sum(),
    )
    age, who = pl.col("age"), pl.col("customer_id")
    days = days.sort("customer_id", "age").with_columns(
        previous=pl.when(who.shift(-1) == who).then(age.shift(-1)),
        second=pl.when(who.shift(-2) == who).then(age.shift(-2)),
        is_last=(who.shift(1) != who).fill_null(True),
    )
    return days.with_columns(
        gap=pl.col("previous") - age, weekday=(age * 6 + snapshot.cutoff.weekday()) % 7
    )


def _sums(snapshot: Snapshot) -> list[pl.Expr]:
    age, net, gap = pl.col("age"), pl.col("net"), pl.col("gap")
    is_last, angle = pl.col("is_last"), pl.col("weekday") * (2 * np.pi / 7)
    told = {
        "n_order_days": pl.len().cast(pl.Int64), "days_since_last_order": age.min(),
        "tenure_days": age.max(), "net_spend": net.sum(), "max_day_value": net.max(),
        "days_since_second_last_order": pl.col("previous").filter(is_last).first(),
        "days_since_third_last_order": pl.col("second").filter(is_last).first(),
        "last_gap_days": gap.filter(is_last).first(), "max_gap_days": gap.max(),
        "last_weekday": pl.col("weekday").filter(is_last).first(),
        "last_day_value": net.filter(is_last).first(),
        "last_day_products": pl.col("n_products").filter(is_last).first(),
        "first_day_value": net.filter(pl.col("previous").is_null()).first(),
        "day_value_sd": net.std(ddof=0), "gap_sd": gap.std(ddof=0), "n_gaps": gap.count(),
        "log_gross": pl.col("gross").clip(lower_bound=0.01).log().sum(),
        "n_positive_days": (net > CENT_FRACTION).sum(),
        "positive_day_spend": net.clip(lower_bound=0).sum(),
        "n_return_days": (pl.col("returned") > 0).sum(),
        "n_nonpositive_days": (net <= CENT_FRACTION).sum(),
        "n_weekend_days": (pl.col("weekday") >= 5).sum(),
        "east": angle.cos().sum(), "north": angle.sin().sum(),
        "n_discount_days": (pl.col("discount") > 0).sum(),
        "n_unit_days": (pl.col("units_sold") > 0).sum(),
        "products_per_day": pl.col("n_products").mean(), "mean_hour": pl.col("hour").mean(),
        "n_order_days_twelfth_horizon":
            (age <= math.ceil(max(snapshot.horizon_days / 12, 3))).sum(),
    }  # fmt: skip
    for name in (
        "returned",
        "gross",
        "n_lines",
        "discount",
        "margin",
        "units_sold",
        "units_returned",
    ):
        told[name] = pl.col(name).sum()
    for name, (above, up_to) in windows_of(snapshot).items():
        inside = (age > above) & (age <= up_to)
        told[f"net_spend_{name}"] = pl.when(inside).then(net).otherwise(0.0).sum()
        told[f"n_order_days_{name}"] = inside.sum().cast(pl.Int64)
    for name, share in DECAYS.items():
        weight = ((1 - age) / (snapshot.horizon_days * share)).exp()
        told[f"decayed_net_spend_{name}_horizon"] = (net * weight).sum()
        told[f"decayed_order_days_{name}_horizon"] = weight.sum()
    return [value.alias(name) for name, value in told.items()]


def _orders(known: pl.LazyFrame) -> pl.LazyFrame:
    age, is_sale = pl.col("age"), pl.col("amount") >= 0
    orders = known.group_by("customer_id", "order_id").agg(
        sold=pl.when(is_sale).then(age).max(), returned=pl.when(~is_sale).then(age).max()
    )
    lag = pl.col("sold") - pl.col("returned")
    return orders.group_by("customer_id").agg(
        n_orders=pl.col("sold").count(), return_lag_days=pl.when(lag >= 0).then(lag).mean()
    )


def _mix(known: pl.LazyFrame, column: str) -> pl.LazyFrame:
    sold = known.filter(pl.col("amount") >= 0, pl.col(column).is_not_null())
    counts = sold.group_by("customer_id", column).agg(n=pl.len().cast(pl.Int64))
    n = pl.col("n")
    plural = {"category": "categories", "channel": "channels"}[column]
    told = {f"n_{plural}": pl.len(), f"{column}_concentration": (n * n).sum() / n.sum() ** 2}
    if column == "channel":
        told["main_channel_share"] = n.max() / n.sum()
    return counts.group_by("customer_id").agg(**told)
