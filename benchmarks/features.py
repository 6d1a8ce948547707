"""What making features costs, against the same columns by hand: ``make bench-features``.

One synthetic order log (fixed seed), every engine in a fresh process, in turn, several times over;
medians. CPU seconds are of the work alone, from the first read to a pandas frame, all threads
together; what a process needs to start and import is told apart as ``process_cpu_s``. Peak RSS is
of the whole process. Before anything is timed, the columns are compared with ours.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.order_log import SNAPSHOT, START, write_order_log
from benchmarks.peers import ENGINES
from benchmarks.record import write_benchmark
from features.build import build_features
from features.cli import DEFAULT_STATE, exit_with
from features.config import FeatureSettings
from features.errors import InputError
from features.grains import GRAINS
from features.tables import Tables

SEED = 0
N_LINES = (2_000_000,)
N_ROUNDS = 5
THREADS = 2
N_COMPARED = 100_000
N_TINY = 2_000
TOLERANCE = 1e-6
"""By which peers may differ, of one or of the value; of a fading sum, a millionth a day more."""

FLOOR = """
SELECT customer_id, count(*), sum(amount), min(day), max(day), avg(amount), min(amount), max(amount),
       sum(quantity)
FROM read_parquet('{lines}')
WHERE day < DATE '{cutoff}' AND known_day < DATE '{cutoff}' GROUP BY customer_id
"""


def make_features(engine: str, lines: Path) -> pd.DataFrame:
    """Make the features of order lines with one engine."""
    if engine == "ours":
        tables = Tables(
            lines.parents[1], "order_log", "EUR", START, date(2025, 1, 1), digest="0" * 64
        )
        return build_features(tables, SNAPSHOT, FeatureSettings(threads=THREADS))
    if engine == "floor":
        import duckdb

        sql = FLOOR.format(lines=lines, cutoff=SNAPSHOT.cutoff)
        with duckdb.connect(config={"threads": THREADS}) as connection:
            frame: pd.DataFrame = connection.execute(sql).df()
        return frame
    return ENGINES[engine](lines, SNAPSHOT, THREADS)


def compare_columns(lines: Path) -> dict[str, float]:
    """Return each peer's largest difference from ours, relative where the value is above 1.

    Raises
    ------
    InputError
        If a peer makes other customers or columns, or a value that differs.
    """
    ours = make_features("ours", lines)
    names = [name for grain in GRAINS if grain.table == "order_lines" for name in grain.definitions]
    names = [name for name in names if ours[name].notna().any()]
    days = ours["n_order_days"].to_numpy()
    largest = {}
    for engine in ENGINES:
        theirs = make_features(engine, lines).sort_values("customer_id", ignore_index=True)
        if list(theirs["customer_id"]) != list(ours["customer_id"]):
            raise InputError(f"{engine} knows other customers than ours", "mend the peer")
        worst = 0.0
        for name in names:
            left = ours[name].to_numpy(np.float64)
            right = theirs[name].to_numpy(dtype=np.float64, na_value=np.nan)
            apart = np.abs(left - right) / np.maximum(1, np.abs(left))
            allowed = TOLERANCE * (1 + days if name.startswith("decayed_net") else 1)
            if (np.isnan(left) != np.isnan(right)).any() or not np.nanmax(apart - allowed) <= 0:
                raise InputError(f"{engine} has other values of {name} than ours", "mend the peer")
            worst = max(worst, float(np.nanmax(apart)))
        largest[engine] = worst
    return largest


def cost_of(engine: str, lines: Path) -> dict[str, float]:
    """Make the features in a fresh process and return what it took."""
    command = [sys.executable, "-m", "benchmarks.features", "--one", engine, str(lines)]
    environment = os.environ | {"POLARS_MAX_THREADS": str(THREADS)}
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    told: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return told


def run_one(engine: str, lines: Path) -> dict[str, float]:
    """Make the features here and return CPU seconds and peak RSS.

    Every engine makes those of a tiny log first, so that importing is not counted as work.
    """
    with tempfile.TemporaryDirectory(prefix="tierwise-") as folder:
        tiny = Path(folder) / "order_lines" / "part.parquet"
        write_order_log(tiny, N_TINY, SEED)
        make_features(engine, tiny)
    before = _cpu_seconds()
    n_customers = len(make_features(engine, lines))
    after = _cpu_seconds()
    return {
        "cpu_s": after - before,
        "process_cpu_s": after,
        "rss_mb": _peak_mb(),
        "n_customers": n_customers,
    }


def _peak_mb() -> float:
    """Return the peak RSS since this program began (ru_maxrss would count the parent's, too)."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(told.split("VmHWM:")[1].split()[0]) / 1024


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def figures_of(n_lines: int, folder: Path) -> dict[str, Any]:
    """Time every engine on a log of `n_lines` lines; ratios to ours' goals beside."""
    lines = folder / "order_lines" / "part.parquet"
    write_order_log(lines, n_lines, SEED)
    engines = ["ours", *ENGINES, "floor"]
    runs: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for i in range(N_ROUNDS):
        print(f"[{i + 1}/{N_ROUNDS}] {n_lines:,} lines", file=sys.stderr, flush=True)
        for engine in engines:
            runs[engine].append(cost_of(engine, lines))
    figures: dict[str, Any] = {
        engine: {key: round(statistics.median(run[key] for run in told), 3) for key in told[0]}
        for engine, told in runs.items()
    }
    ratios = {
        f"ours_over_{other}": round(
            statistics.median(
                ours["cpu_s"] / theirs["cpu_s"]
                for ours, theirs in zip(runs["ours"], runs[other], strict=True)
            ),
            3,
        )
        for other in engines[1:]
    }
    return figures | ratios


def main(arguments: list[str]) -> int:
    """Run the benchmark, or with ``--one ENGINE FILE`` one engine once."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(run_one(arguments[1], Path(arguments[2]))))
        return 0
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="tierwise-") as folder:
        small = Path(folder) / "small" / "order_lines" / "part.parquet"
        write_order_log(small, N_COMPARED, SEED)
        figures["largest_difference"] = compare_columns(small)
        print(f"equal columns: {figures['largest_difference']}", file=sys.stderr)
        for n_lines in N_LINES:
            figures[str(n_lines)] = figures_of(n_lines, Path(folder) / str(n_lines))
    for name, told in figures[str(N_LINES[0])].items():
        print(f"  {name:20} {told}")
    write_benchmark("features", figures, SEED, DEFAULT_STATE)
    return 0


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
