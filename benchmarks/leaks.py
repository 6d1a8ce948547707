"""Twenty planted leaks, and whether the guards refuse them: `planted_leaks_refused`.

Some are functions of tables that read past the cutoff; some are columns that a shop brings with a
date that is not true. Each is refused by the guard a training run calls.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.order_log import draw_order_log
from features.errors import InputError
from features.leaks import Rows, check_cutoff_invariance
from features.snapshot import Snapshot
from training.leaks import check_no_answer

SNAPSHOT = Snapshot(date(2024, 1, 1), 180, date(2022, 1, 1))
N_LINES = 12_000
FLIPPED_SHARE = 0.01
CELLS = 60
Frames = dict[str, pd.DataFrame]
Leak = Callable[[Frames, Snapshot], pd.Series]
"""Tables with ``day`` and ``known_day`` as dates, and a moment, to one number a customer."""


def draw_rows(seed: int = 0) -> dict[str, pa.Table]:
    """Draw order lines, reviews, interactions and a score that is told anew every month."""
    rng = np.random.default_rng(seed)
    lines = _book_some_late(draw_order_log(N_LINES, seed))
    some = lines.take(pa.array(np.sort(rng.choice(lines.num_rows, 3_000, replace=False))))
    told = some.select(["customer_id", "day", "known_day"])
    n = told.num_rows
    return {
        "order_lines": lines,
        "reviews": told.append_column("stars", pa.array(rng.integers(1, 6, n).astype(float))),
        "interactions": told.append_column(
            "kind", pa.array(["complaint", "visit", "cart"] * n)[:n]
        ),
        "scores": told.append_column("score", pa.array(rng.normal(size=n))),
    }


def _book_some_late(lines: pa.Table) -> pa.Table:
    """Let every third line of the ten days before the cutoff become known five days after it."""
    day, known = (lines[name].to_numpy() for name in ("day", "known_day"))
    cutoff = np.datetime64(SNAPSHOT.cutoff)
    late = (day < cutoff) & (day >= cutoff - 10) & (np.arange(len(day)) % 3 == 0)
    booked = pa.array(np.where(late, cutoff + 5, known), pa.date32())
    return lines.set_column(lines.column_names.index("known_day"), "known_day", booked)


def _spend(lines: pd.DataFrame) -> pd.Series:
    return lines.groupby("customer_id")["amount"].sum()


def _outcome(frames: Frames, snapshot: Snapshot) -> pd.DataFrame:
    lines = frames["order_lines"]
    return lines[(lines["day"] >= snapshot.cutoff) & (lines["day"] < snapshot.outcome_end)]


def _past(frames: Frames, snapshot: Snapshot) -> pd.DataFrame:
    lines = frames["order_lines"]
    return lines[(lines["day"] < snapshot.cutoff) & (lines["known_day"] < snapshot.cutoff)]


def future_spend(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """What is to be predicted."""
    return _spend(_outcome(frames, snapshot))


def future_order_days(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Order days of the outcome window."""
    return _outcome(frames, snapshot).groupby("customer_id")["day"].nunique()


def label_copy(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Whether the customer will be active."""
    return (future_spend(frames, snapshot) > 0).astype(float)


def noisy_label_copy(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Whether the customer will be active, hidden in as much noise again."""
    copy = label_copy(frames, snapshot)
    return copy + np.random.default_rng(1).normal(0, 1, len(copy))


def days_to_next_order(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Recency, forwards."""
    first = _outcome(frames, snapshot).groupby("customer_id")["day"].min()
    return first.map(lambda day: (day - snapshot.cutoff).days)


def recency_from_the_newest_row(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Recency from max(day) of all data: a hidden clock."""
    newest = frames["order_lines"]["day"].max()
    last = _past(frames, snapshot).groupby("customer_id")["day"].max()
    return last.map(lambda day: (newest - day).days)


def last_day_of_all(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Last order day, whenever it was."""
    return frames["order_lines"].groupby("customer_id")["day"].max().map(date.toordinal)


def lifetime_spend(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """All spend without a cutoff."""
    return _spend(frames["order_lines"])


def spend_of_one_day_too_many(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Off by one: the cutoff day counts."""
    lines = frames["order_lines"]
    return _spend(lines[lines["day"] <= snapshot.cutoff])


def spend_of_one_clock(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """What happened before the cutoff, though some of it was booked later."""
    lines = frames["order_lines"]
    return _spend(lines[lines["day"] < snapshot.cutoff])


def returns_of_past_orders(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Returns of orders placed before the cutoff, whenever they came back."""
    lines = frames["order_lines"]
    orders = set(_past(frames, snapshot)["order_id"])
    back = lines[lines["order_id"].isin(orders) & (lines["amount"] < 0)]
    return -_spend(back)


def spend_standardised_over_all_time(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Past spend, with a mean and a spread that know the future."""
    everything = _spend(frames["order_lines"])
    return (_spend(_past(frames, snapshot)) - everything.mean()) / everything.std()


def category_by_target(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Mean future spend of those with the same last category."""
    last = _past(frames, snapshot).groupby("customer_id")["category"].last()
    future = future_spend(frames, snapshot).reindex(last.index).fillna(0.0)
    return last.map(future.groupby(last).mean())


def mean_stars_of_all_time(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Stars of reviews that were not yet written, too."""
    return frames["reviews"].groupby("customer_id")["stars"].mean()


def complaints_of_all_time(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """Complaints that were not yet made, too."""
    made = frames["interactions"]
    return made[made["kind"] == "complaint"].groupby("customer_id").size()


def newest_score(frames: Frames, snapshot: Snapshot) -> pd.Series:
    """The newest value of a score, whenever it became known."""
    return frames["scores"].groupby("customer_id")["score"].last()


FUNCTIONS: tuple[Leak, ...] = (
    future_spend,
    future_order_days,
    label_copy,
    noisy_label_copy,
    days_to_next_order,
    recency_from_the_newest_row,
    last_day_of_all,
    lifetime_spend,
    spend_of_one_day_too_many,
    spend_of_one_clock,
    returns_of_past_orders,
    spend_standardised_over_all_time,
    category_by_target,
    mean_stars_of_all_time,
    complaints_of_all_time,
    newest_score,
)
"""Leaks through what a function of tables reads."""


def build_with(leak: Leak) -> Callable[[Rows, Snapshot], pd.DataFrame]:
    """Return a builder of a feature table with an honest column and the leaking one."""

    def build(rows: Rows, snapshot: Snapshot) -> pd.DataFrame:
        frames = {name: table.to_pandas() for name, table in rows.items()}
        spend = _spend(_past(frames, snapshot)).rename("net_spend")
        leaking = leak(frames, snapshot).reindex(spend.index).astype(float).fillna(0.0)
        return pd.DataFrame({"net_spend": spend, leak.__name__: leaking}).reset_index()

    return build


def backdated_columns(value: NDArray[np.float64], seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Return columns made of the outcome that claim to have been known before the cutoff."""
    rng = np.random.default_rng(seed)
    active = (value > 0).astype(float)
    flipped = rng.uniform(size=len(value)) < FLIPPED_SHARE
    cell = np.argsort(np.argsort(value + rng.normal(0, 1e-6, len(value)))) * CELLS // len(value)
    by_cell = np.array([active[cell == one].mean() for one in range(CELLS)])
    return {
        "own_label": active,
        "own_label_but_for_one_in_a_hundred": np.where(flipped, 1 - active, active),
        "own_days_silent_after_the_cutoff": np.where(value > 0, np.nan, 180.0),
        "own_segment_encoded_by_target": by_cell[cell] + rng.normal(0, 0.01, len(value)),
    }


def outcome_of(rows: Rows, snapshot: Snapshot) -> pd.Series:
    """Return the net value in the outcome window of everybody known at the cutoff."""
    frames = {"order_lines": rows["order_lines"].to_pandas()}
    customers = _spend(_past(frames, snapshot)).index
    return future_spend(frames, snapshot).reindex(customers).fillna(0.0)


def is_refused(check: Callable[[], None], name: str) -> bool:
    """Tell whether a guard refuses, naming the column."""
    try:
        check()
    except InputError as refusal:
        return name in refusal.found and "net_spend" not in refusal.found
    return False


def leaks_refused(seed: int = 0) -> dict[str, bool]:
    """Return for each planted leak whether it was refused."""
    rows = draw_rows(seed)
    value = outcome_of(rows, SNAPSHOT).to_numpy()
    refused = {}
    for leak in FUNCTIONS:
        build = build_with(leak)
        refused[leak.__name__] = is_refused(
            lambda build=build: check_cutoff_invariance(build, rows, SNAPSHOT),  # type: ignore[misc]
            leak.__name__,
        )
    for name, column in backdated_columns(value, seed).items():
        refused[name] = is_refused(
            lambda name=name, column=column: check_no_answer(  # type: ignore[misc]
                [name], column[:, None], value > 0
            ),
            name,
        )
    return refused


def planted_leaks_refused() -> float:
    """Return the share of the planted leaks that the guards refuse."""
    refused = leaks_refused()
    return sum(refused.values()) / len(refused)
