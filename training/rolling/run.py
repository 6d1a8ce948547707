"""Judge all moments of a plan, two at a time; what was judged before is taken from where it lies."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from features.config import Config
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import Tables
from training.cohort import CohortSource
from training.lineage import lineage_of
from training.rolling.judged import Judged, judge_moment, read_judged, write_judged

BACKTESTS = "backtests"


def backtest_key(tables: Tables, config: Config) -> str:
    """Return a digest of all that decides the figures: data, scores, settings, code, versions."""
    told = json.dumps(lineage_of(tables, tables.data_complete_before, config), sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def path_of(snapshot: Snapshot, folder: Path) -> Path:
    """Return where the figures of a moment are kept."""
    return folder / f"{snapshot.cutoff.isoformat()}-{snapshot.horizon_days}d.json"


def run_rolling(
    tables: Tables,
    snapshots: Sequence[Snapshot],
    config: Config,
    state: Path,
    jobs: int,
    tell: Progress,
) -> list[Judged]:
    """Return the figures of every moment, in the order given.

    Each is kept in ``state/backtests/SOURCE/KEY`` as soon as it is done, so that after Ctrl-C or a
    kill only the others are judged.

    Parameters
    ----------
    tables : Tables
        Of the source.
    snapshots : sequence of Snapshot
        The moments.
    config : Config
        Of features and training.
    state : Path
        Folder of all results.
    jobs : int
        Moments judged at a time, each in a process of its own; 1 for none of its own.
    tell : Progress
        Is told each moment that is done.

    Raises
    ------
    InputError
        As `run_backtest`, for the first moment that cannot be judged.
    """
    folder = state / BACKTESTS / tables.source / backtest_key(tables, config)[:16]
    found = {snapshot: read_judged(path_of(snapshot, folder)) for snapshot in snapshots}
    todo = [snapshot for snapshot, judged in found.items() if judged is None]
    tell.expect(float(len(todo)))
    tell(f"{len(todo)} of {len(snapshots)} moments to judge")
    for snapshot in _judge_all(tables, todo, config, state, folder, jobs):
        tell(f"judged {snapshot.cutoff}, {snapshot.horizon_days} days")
    kept = [found[snapshot] or read_judged(path_of(snapshot, folder)) for snapshot in snapshots]
    return [judged for judged in kept if judged is not None]


def _judge_all(
    tables: Tables,
    snapshots: Sequence[Snapshot],
    config: Config,
    state: Path,
    folder: Path,
    jobs: int,
) -> Iterator[Snapshot]:
    """Judge and keep each moment; yield it once it is kept."""
    if jobs < 2 or len(snapshots) < 2:
        for snapshot in snapshots:
            _judge_and_keep(tables, snapshot, config, state, folder)
            yield snapshot
        return
    with _workers(jobs) as pool:
        alone = _for_one_thread(config)
        running = {
            pool.submit(_judge_and_keep, tables, snapshot, alone, state, folder): snapshot
            for snapshot in snapshots
        }
        for done in as_completed(running):
            done.result()
            yield running[done]


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes that is gone at the end, however the end comes."""
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    except BaseException:
        children = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        raise
    pool.shutdown()


def _for_one_thread(config: Config) -> Config:
    """Return settings with which a process takes one core; the figures do not depend on it."""
    return config.model_copy(
        update={
            "training": config.training.model_copy(update={"num_threads": 1}),
            "features": config.features.model_copy(update={"threads": 1}),
        }
    )


def _judge_and_keep(
    tables: Tables, snapshot: Snapshot, config: Config, state: Path, folder: Path
) -> None:
    source = CohortSource(tables, state, config.features)
    judged = judge_moment(source, snapshot, config.training)
    write_judged(judged, path_of(snapshot, folder))
