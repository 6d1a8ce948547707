"""Write a simulated shop: ``python -m datasets.simulated_shop --customers 20000 --seed 1``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.simulated_shop.export import write_shop
from datasets.simulated_shop.incidents import KINDS, read_incident
from datasets.simulated_shop.oracle import build_oracle
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.world import World, build_world
from features.cli import exit_with
from features.errors import InputError

DEFAULT_OUT = Path("state/simulated")
DEFAULT_HORIZON_DAYS = 180
END = date(2025, 1, 1)


def main(arguments: Sequence[str]) -> int:
    """Generate the shop, its oracle and its account; print what was written."""
    given = _build_parser().parse_args(arguments)
    if given.years < 1:
        raise InputError(f"{given.years} years; expected 1 or more", "give --years 3")
    parameters = Parameters(
        n_customers=given.customers,
        start=END.replace(year=END.year - given.years),
        end=END,
        incidents=tuple(read_incident(text) for text in given.incident),
    )
    world = build_world(parameters, np.random.default_rng(given.seed))
    windows = given.oracle if given.oracle is not None else default_windows(parameters)
    digests = write_shop(world, given.out, _oracle_of(world, windows), given.seed)
    n_lines, n_orders = len(world.lines.order), len(world.orders.time)
    print(
        f"{given.out}: {parameters.n_customers:,} customers, {n_orders:,} orders, "
        f"{n_lines:,} lines sold, from {parameters.start} to before {parameters.end}"
    )
    for name, digest in digests.items():
        print(f"  {name:<17} sha256 {digest[:16]}")
    return 0


def default_windows(parameters: Parameters) -> list[tuple[date, int]]:
    """Return the two newest mature windows of 180 days: (cutoff, horizon_days)."""
    horizon = timedelta(days=DEFAULT_HORIZON_DAYS)
    cutoffs = [parameters.end - 2 * horizon, parameters.end - horizon]
    return [(day, DEFAULT_HORIZON_DAYS) for day in cutoffs if day > parameters.start]


def read_window(text: str) -> tuple[date, int]:
    """Read a window of the oracle, ``CUTOFF:HORIZON_DAYS``.

    >>> read_window("2024-07-05:180")
    (datetime.date(2024, 7, 5), 180)
    """
    try:
        day, days = text.split(":")
        return date.fromisoformat(day), int(days)
    except ValueError as cause:
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected CUTOFF:HORIZON_DAYS, such as 2024-07-05:180"
        ) from cause


def _oracle_of(world: World, windows: Sequence[tuple[date, int]]) -> pd.DataFrame | None:
    """Build the oracle of each window; with everything known beside orders alone."""
    if world.calendar.habit_lost.any():
        print("no oracle: under slow_decay it has no closed form")
        return None
    parts = []
    for cutoff, horizon_days in windows:
        part = build_oracle(world, cutoff, horizon_days)
        everything = build_oracle(world, cutoff, horizon_days, "all")
        part["expected_value_all_evidence"] = everything["expected_value"]
        part["p_active_all_evidence"] = everything["p_active"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else None


def _build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m datasets.simulated_shop", description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000, help="customers who order")
    parser.add_argument("--years", type=int, default=3, help=f"years of data, before {END}")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same files")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder of the files")
    parser.add_argument(
        "--oracle", type=read_window, action="append", metavar="CUTOFF:DAYS",
        help="window of the oracle; repeatable; by default the two newest mature ones of 180 days",
    )  # fmt: skip
    parser.add_argument(
        "--incident", action="append", default=[], metavar="KIND:DATE:SIZE[:DAYS]",
        help=f"something that goes wrong; repeatable; kinds: {', '.join(KINDS)}",
    )  # fmt: skip
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    exit_with(main)
