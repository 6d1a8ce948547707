"""The job of the rolling-origin backtest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.config import Config
from features.durable import hold_lock
from features.errors import EXIT_DONE, InputError
from features.progress import Progress
from features.tables import Tables
from training.record import REPORTS
from training.registry import Registry
from training.rolling.plan import plan_rolling
from training.rolling.record import record_backtest, write_backtest
from training.rolling.report import backtest_page
from training.rolling.run import BACKTESTS, backtest_key, run_rolling


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    horizons: tuple[int, ...]
    n_cutoffs: int
    step_days: int | None
    jobs: int


def read_horizons(text: str) -> tuple[int, ...]:
    """Read ``90,180,365``.

    Raises
    ------
    InputError
        If a part is no whole number.

    Examples
    --------
    >>> read_horizons("90, 180")
    (90, 180)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as cause:
        raise InputError(
            f'--horizons is "{text}"; expected whole numbers of days with commas between',
            "give such as --horizons 90,180,365",
        ) from cause


def run_rolling_job(tables: Tables, config: Config, state: Path, asked: Asked) -> int:
    """Judge every moment that the data carries, record it, and print the page."""
    plan = plan_rolling(
        tables.history_start,
        tables.data_complete_before,
        asked.horizons,
        asked.n_cutoffs,
        asked.step_days,
        config.training,
    )
    with hold_lock(state / BACKTESTS / f".{tables.source}.lock"):
        tell = Progress(time.monotonic)
        judged = run_rolling(tables, plan.snapshots, config, state, asked.jobs, tell)
        folder = state / REPORTS / f"backtest-{_name(tables, config, asked.horizons)}"
        write_backtest(tables.source, judged, plan.left_out, folder)
        record_backtest(tables.source, judged, config, Registry(state), folder)
    print(backtest_page(tables.source, judged, plan.left_out))
    print(f"wrote {folder / 'backtest.md'} and {folder / 'backtest.png'}")
    return EXIT_DONE


def _name(tables: Tables, config: Config, horizons: Sequence[int]) -> str:
    days = "-".join(map(str, sorted(set(horizons))))
    return f"{tables.source}-{days}d-{backtest_key(tables, config)[:12]}"
