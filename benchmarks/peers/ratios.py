"""What is made of two aggregates, the same for pandas and Polars."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.peers.windows import CENT_FRACTION, SEASON
from features.snapshot import Snapshot


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
        n_units=t["units_sold"], units_per_day=t["units_sold"] / t["n_unit_days"].where(t["n_unit_days"] > 0),
        gross_value_per_unit=t["gross"] / t["units_sold"].where(t["units_sold"] > 0),
    )  # fmt: skip
