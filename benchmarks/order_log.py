"""An order log of any size for timings: heavy tails, returns, and no meaning beyond that."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.snapshot import Snapshot
from features.tables import ORDER_LINES

START = date(2022, 1, 1)
N_DAYS = 1_096
SNAPSHOT = Snapshot(date(2024, 7, 5), 180, START)
"""The cutoff at which features are timed; a sixth of the lines lies after it."""

LINES_A_CUSTOMER = 23
LINES_AN_ORDER = 3.5
RETURNED_SHARE = 0.06
LATE_SHARE = 0.01
ROWS_A_GROUP = 1 << 18
MICROSECONDS_A_DAY = 86_400_000_000
CATEGORIES = ("beauty", "books", "electronics", "fashion", "food", "garden", "home", "toys")
CHANNELS = ("app", "store", "web")


def write_order_log(path: Path, n_lines: int, seed: int = 0) -> None:
    """Write :func:`draw_order_log` as one parquet part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = draw_order_log(n_lines, seed)
    pq.write_table(table, path, compression="zstd", row_group_size=ROWS_A_GROUP)


def draw_order_log(n_lines: int, seed: int = 0) -> pa.Table:
    """Draw canonical order lines in order of time.

    Orders per customer follow a gamma mixture (a few customers have hundreds), amounts are
    log-normal with two decimals, and a share of the lines comes back as a return of the same order.
    """
    rng = np.random.default_rng(seed)
    sold = _sold_lines(n_lines, rng)
    returned = _returned_lines(sold, rng)
    both = {name: np.concatenate([sold[name], returned[name]]) for name in sold}
    order = np.argsort(both["time"], kind="stable")[:n_lines]
    return _as_canonical({name: values[order] for name, values in both.items()}, rng)


def _sold_lines(n_lines: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Draw the lines sold; every column is an array of numbers, time in days since the start."""
    n_customers = max(n_lines // LINES_A_CUSTOMER, 1)
    n_orders = max(int(n_lines / LINES_AN_ORDER), 1)
    rate = rng.gamma(0.6, 1.0, n_customers)
    who = rng.choice(n_customers, n_orders, p=rate / rate.sum())
    born = rng.uniform(0, N_DAYS * 0.8, n_customers)[who]
    time = born + (N_DAYS - born) * rng.uniform(0, 1, n_orders) ** 1.5
    per_order = rng.geometric(1 / LINES_AN_ORDER, n_orders)
    line = np.repeat(np.arange(n_orders), per_order)
    favourite = rng.integers(0, len(CATEGORIES), n_customers)[who][line]
    stray = rng.integers(0, len(CATEGORIES), len(line))
    scale = rng.normal(3, 1, n_customers)[who][line]
    quantity = rng.geometric(0.6, len(line)).astype(np.float64)
    full = np.round(np.exp(scale + rng.normal(0, 0.8, len(line))) * quantity, 2) + 0.01
    discount = np.where(rng.uniform(size=len(line)) < 0.3, np.round(full * 0.1, 2), 0.0)
    product = np.minimum(rng.zipf(1.3, len(line)), 20_000).astype(np.float64)
    return {
        "customer": who[line].astype(np.float64),
        "order": line.astype(np.float64),
        "time": time[line],
        "quantity": quantity,
        "discount": discount,
        "amount": np.round(full - discount, 2),
        "product": product,
        "category": np.where(rng.uniform(size=len(line)) < 0.5, favourite, stray).astype(float),
        "channel": rng.integers(0, len(CHANNELS), n_orders)[line].astype(np.float64),
    }


def _returned_lines(
    sold: dict[str, NDArray[np.float64]], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Draw which lines come back, and when."""
    back = np.flatnonzero(rng.uniform(size=len(sold["time"])) < RETURNED_SHARE)
    lines = {name: values[back] for name, values in sold.items()}
    lines["time"] = lines["time"] + rng.gamma(2.0, 6.0, len(back))
    lines["quantity"], lines["amount"] = -lines["quantity"], -lines["amount"]
    lines["discount"] = np.zeros(len(back))
    kept = lines["time"] < N_DAYS
    return {name: values[kept] for name, values in lines.items()}


def _as_canonical(lines: dict[str, NDArray[np.float64]], rng: np.random.Generator) -> pa.Table:
    """Give the drawn numbers the schema of canonical order lines."""
    n = len(lines["time"])
    day = np.floor(lines["time"]).astype(np.int64)
    start = np.datetime64(START)
    late = np.where(rng.uniform(size=n) < LATE_SHARE, rng.integers(1, 6, n), 0)
    moment = np.round(lines["time"] * MICROSECONDS_A_DAY).astype(np.int64)
    texts = {
        name: pc.utf8_lpad(pc.cast(pa.array(lines[key].astype(np.int64)), pa.string()), width, "0")
        for name, width, key in (
            ("customer_id", 8, "customer"),
            ("order_id", 10, "order"),
            ("product_id", 6, "product"),
        )
    }
    choices = {
        name: pa.array(np.array(words)[lines[name].astype(np.int64)])
        for name, words in (("category", CATEGORIES), ("channel", CHANNELS))
    }
    columns = {
        **texts,
        **choices,
        "occurred_at": pa.array(start.astype("datetime64[us]") + moment).cast(
            pa.timestamp("us", tz="UTC")
        ),
        "day": pa.array(start + day),
        "known_day": pa.array(start + day + late),
        "hour": pa.array(np.round((lines["time"] - day) * 24, 4)),
        "amount": pa.array(lines["amount"]),
        "margin": pa.array(np.round(lines["amount"] * 0.4, 2)),
        "quantity": pa.array(lines["quantity"]),
        "discount": pa.array(lines["discount"]),
        "is_return": pa.array(lines["amount"] < 0),
    }
    return pa.table([columns[field.name].cast(field.type) for field in ORDER_LINES], ORDER_LINES)
