"""The real parts as the drill runs them: commands in processes of their own, each with its cost."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo import StepFailedError, start_python, stop

SETTINGS_OF_THE_DRILL = {
    "horizon_days": "60",
    "n_cutoffs": "4",
    "n_rounds": "100",
    "log_seconds": "1.0",
    "log_retention_days": "36500",  # the log is filed under the days of the script
}
"""Keys of config.toml that are other in the drill: it has one year, and ten minutes."""


@dataclass(frozen=True)
class Cost:
    """What a piece of work took, in seconds of the clock and of the processor."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall_seconds + other.wall_seconds, self.cpu_seconds + other.cpu_seconds)


class Clock:
    """Adds up the cost of what is run within `timed`."""

    def __init__(self) -> None:
        self.cost = Cost()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what runs inside, also in processes that were started and have ended."""
        wall, cpu = time.monotonic(), _cpu_seconds()
        try:
            yield
        finally:
            self.cost = self.cost + Cost(time.monotonic() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    told = os.times()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told.user + told.system + children.ru_utime + children.ru_stime


def run_part(arguments: Sequence[str], log: Path, may_end_with: Sequence[int] = (0,)) -> int:
    """Run ``python ARGUMENTS`` to its end, its output added to a log, and return its exit code.

    Raises
    ------
    StepFailedError
        If it ends with another code than it may; with the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = start_python(arguments, stdout=sink, stderr=subprocess.STDOUT)
        try:
            code = process.wait()
        finally:
            stop(process, signal.SIGINT)
    if code not in may_end_with:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise StepFailedError(
            128 - code if code < 0 else code,
            f"python {' '.join(arguments)} ended with {code}; {log} ends with\n{tail}",
        )
    return code


def write_settings(source: Path, target: Path) -> None:
    """Write the settings of the drill: those of a file, with the drill's own numbers.

    Raises
    ------
    ValueError
        If one of its keys is not there exactly once.
    """
    text = source.read_text(encoding="utf-8")
    for key, value in SETTINGS_OF_THE_DRILL.items():
        text, n_found = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text)
        if n_found != 1:
            raise ValueError(f"{key} stands {n_found} times in {source}; expected once")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
