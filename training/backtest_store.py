"""The predictions of a release's backtest, kept so that another release can be held against them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.durable import sync
from training.models.matrix import Array

if TYPE_CHECKING:
    from training.backtest import Backtest  # brings the learners with it

FOLDER = "backtests"


@dataclass(frozen=True)
class KeptBacktest:
    """What the version of a release that had not seen its newest matured cohort said of it.

    Attributes
    ----------
    customer_ids : tuple of str
        The cohort.
    outcome, value, best_baseline : array (n,)
        Net value, signed; expected value; what the best baseline said. Currency.
    """

    customer_ids: tuple[str, ...]
    outcome: Array
    value: Array
    best_baseline: Array


def write_backtest(backtest: Backtest, state: Path, digest: str) -> Path:
    """Keep the backtest of a release as ``state/backtests/DIGEST.parquet`` and return the path."""
    cohort = backtest.cohort
    frame = pd.DataFrame(
        {
            "customer_id": list(cohort.customer_ids),
            "outcome": cohort.net_value,
            "value": backtest.predictions[backtest.winner].value,
            "best_baseline": backtest.predictions[backtest.best_baseline].value,
        }
    )
    path = _path(state, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".{path.name}.{os.getpid()}")
    frame.to_parquet(writing, index=False)
    sync(writing)
    writing.replace(path)
    sync(path.parent)
    return path


def read_backtest(state: Path, digest: str) -> KeptBacktest | None:
    """Return the backtest of a release; None for one that was made without keeping it."""
    path = _path(state, digest)
    if not path.is_file():
        return None
    frame = pd.read_parquet(path)
    outcome, value, best = (
        frame[name].to_numpy(dtype=np.float64) for name in ("outcome", "value", "best_baseline")
    )
    return KeptBacktest(tuple(frame["customer_id"]), outcome, value, best)


def _path(state: Path, digest: str) -> Path:
    return state / FOLDER / f"{digest}.parquet"
