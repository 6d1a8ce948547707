"""Boosters kept on the disk while a training lasts, so that one that was killed goes on.

A booster is a function of its rows, targets, weights, parameters and LightGBM's version; its text
is kept under the sha256 of all of them. What is read back gives the same bits as what was fitted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from features.durable import write_durably
from training.models.booster import AnyBooster, TextBooster
from training.models.matrix import Array

_FOLDER: ContextVar[Path | None] = ContextVar("folder of kept boosters", default=None)


@contextmanager
def keep_boosters(folder: Path) -> Iterator[None]:
    """Keep every booster that is fitted in the block; removed once the block ends well."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)
    shutil.rmtree(folder, ignore_errors=True)


def kept_folder() -> Path | None:
    """Return where boosters are kept now; None where they are not. Threads do not inherit it."""
    return _FOLDER.get()


def fit_or_read(
    folder: Path | None,
    parameters: Mapping[str, Any],
    data: tuple[Array, Array, Array],
    n_rounds: int,
) -> AnyBooster:
    """Fit a booster, or read the one of the very same inputs that an earlier run has fitted.

    Parameters
    ----------
    folder : Path, optional
        Where boosters are kept.
    parameters : mapping
        Of LightGBM.
    data : (rows, target, weight)
        Arrays (n, width), (n,) and (n,).
    n_rounds : int
        Trees.
    """
    if folder is None:
        return _fit(parameters, data, n_rounds)
    path = folder / f"{_digest(parameters, data, n_rounds)}.txt"
    if path.is_file():
        return TextBooster(path.read_text(encoding="utf-8"))
    booster = _fit(parameters, data, n_rounds)
    folder.mkdir(parents=True, exist_ok=True)
    # another training of the same state may have ended, and taken the folder with it
    with suppress(FileNotFoundError):
        write_durably(path, booster.model_to_string(num_iteration=-1).encode())
    return booster


def _fit(
    parameters: Mapping[str, Any], data: tuple[Array, Array, Array], n_rounds: int
) -> AnyBooster:
    rows, target, weight = data
    own = {name: parameters[name] for name in ("max_bin", "verbose") if name in parameters}
    dataset = lgb.Dataset(rows, target, weight=weight, params=own)
    booster: AnyBooster = lgb.train(dict(parameters), dataset, n_rounds)
    return booster


def _digest(parameters: Mapping[str, Any], data: tuple[Array, Array, Array], n_rounds: int) -> str:
    told = [lgb.__version__, n_rounds, dict(parameters), [each.shape for each in data]]
    total = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for each in data:
        total.update(np.ascontiguousarray(each, dtype=np.float64).tobytes())
    return total.hexdigest()
