"""R5: a disk without room, at each thing that is written. Nothing half-written ever counts.

The limit is that of the process on the size of a file: what goes beyond it is refused by the system in
the middle of the writing, as by a full disk. `make test-slow` plays ten cases, `make harden` each of
them at limits from no byte at all to all but one.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.config import Config
from features.disk import find_disk_fault
from features.durable import write_durably
from features.errors import ReleaseError, TierwiseError
from features.ingestion.ingest import ingest
from features.online import OnlineStore
from features.snapshot import Snapshot
from features.store import read_or_build_features
from features.tables import read_tables
from monitoring.run import run_monitoring
from serving.predictor import Predictor
from serving.record import LogSettings, PredictionLog
from training.artifact import RELEASES, current_release, point_to
from training.journal import append_entry, read_journal
from training.release import load_release, write_release
from training.score import build_scores, write_lookup, write_scores

ROOT = Path(__file__).resolve().parents[2]
IS_FULL = os.environ.get("TIERWISE_HARDEN") == "full"
SHARES = (0.0, 0.001, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99, 0.999) if IS_FULL else (0.4,)
AT = datetime(2025, 1, 1, 12, tzinfo=UTC)
DIGEST = "[0-9a-f]" * 64
pytestmark = pytest.mark.slow


@contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass(frozen=True)
class Place:
    """The small shop in a state folder of its own, and a raw source that can be read again."""

    state: Path
    toml: Path
    world: Any

    @property
    def tables(self) -> Any:
        return read_tables(self.state / "tables" / "simulated_shop")


@pytest.fixture
def place(small_world: Any, tmp_path: Path) -> Place:
    base = small_world.state.parent
    for name in ("state", "datasets"):
        shutil.copytree(base / name, tmp_path / name)
    path = tmp_path / "state" / "simulated" / "order_lines.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join([header, *lines[:-1]]) + "\n", encoding="utf-8"
    )  # so it is read again
    return Place(tmp_path / "state", tmp_path / "datasets" / "simulated_shop.toml", small_world)


def do_ingest(place: Place) -> None:
    ingest(place.toml, place.state)


def do_features(place: Place) -> None:
    release = place.world.result.release
    day = release.cutoff - timedelta(days=11)
    snapshot = Snapshot(day, release.feature_horizon_days, release.history_start)
    read_or_build_features(place.tables, snapshot, Config().features, place.state)


def do_release(place: Place) -> None:
    release = replace(place.world.result.release, minimum_orders=2)
    rows = place.world.features[list(release.columns)].to_numpy(float)[:20]
    write_release(release, rows, place.state / RELEASES)


def do_promote(place: Place) -> None:
    point_to(place.state / RELEASES, place.world.result.release.digest)


def do_journal(place: Place) -> None:
    append_entry(place.state, AT, "ops", "promote", "r" * 64, "", ("a reason " * 40,), {})


def do_lookup(place: Place) -> None:
    write_lookup(place.world.result.release, place.world.features, place.state / "online")


def do_scores(place: Place) -> None:
    release = place.world.result.release
    scores = build_scores(release, place.world.features)
    write_scores(scores, release, place.state / "scores", "zh")


def do_monitor(place: Place) -> None:
    run_monitoring(place.tables, Config(), place.state, None, "happened_at", lambda line: None)


def do_gauges(place: Place) -> None:
    write_durably(place.state / "monitoring.prom", b"tierwise_monitoring_rows 1\n" * 400)


def do_log(place: Place) -> None:
    release = place.world.result.release
    log = PredictionLog(place.state, LogSettings(1.0, 1.0, 5000, 30), clock=AT.timestamp)
    predictor = Predictor(
        release, OnlineStore.open(place.state / "online" / release.digest), log.add
    )
    for customer_id in place.world.features["customer_id"][:400]:
        predictor.answer_for(customer_id)
    log.flush()
    if log.n_failed:  # it goes on and counts what it could not keep
        assert log.n_failed == 400
        raise OSError(27, "File too large", "predictions")


WORK: dict[str, tuple[Callable[[Place], None], int]] = {
    "ingest": (do_ingest, 150_000),
    "features": (do_features, 400_000),
    "release": (do_release, 120_000),
    "promote": (do_promote, 900),
    "journal": (do_journal, 600),
    "lookup": (do_lookup, 400_000),
    "scores": (do_scores, 100_000),
    "monitor": (do_monitor, 40_000),
    "gauges": (do_gauges, 10_000),
    "log": (do_log, 20_000),
}
"""What is done, and about how many bytes its largest file has."""


def check_whole(state: Path) -> None:
    """Read everything that counts: whatever has a name of its own is whole."""
    assert load_release(current_release(state / RELEASES)).digest
    read_journal(state)
    for path in state.rglob("*"):
        if any(part.startswith(".") for part in path.relative_to(state).parts) or path.is_dir():
            continue
        if path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    for folder in (state / RELEASES).glob(DIGEST):
        load_release(folder)
    for folder in (state / "online").glob(DIGEST):
        OnlineStore.open(folder).close()
    read_tables(state / "tables" / "simulated_shop")


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", WORK)
def test_without_room_nothing_is_corrupt_the_error_is_clear_and_the_next_run_works(
    place: Place, name: str, share: float
):
    work, n_bytes = WORK[name]
    for path in (place.state / "pointers.jsonl", place.state / "journal.jsonl"):
        n_bytes += path.stat().st_size if name in ("promote", "journal") and path.exists() else 0
    fault: BaseException | None = None
    with room_for(int(share * n_bytes)):
        try:
            work(place)
        except Exception as error:
            fault = error
    assert fault is not None or share > 0.4
    if fault is not None:
        clear = fault if isinstance(fault, TierwiseError) else find_disk_fault(fault)
        assert clear is not None, repr(fault)
        assert not isinstance(clear, ReleaseError)
        assert "; expected" in clear.found
    check_whole(place.state)
    work(place)
    check_whole(place.state)


def test_a_command_without_room_ends_in_two_lines_and_works_the_next_time(place: Place):
    release = place.world.result.release
    command = [sys.executable, "-m", "training", "score", "--state", str(place.state)]

    def run(**options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, **options
        )

    limit = (30_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    full = run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert full.returncode == 2
    found, do = full.stderr.splitlines()[-2:]
    assert found.startswith("error: ")
    assert do.startswith("  do: ")
    assert "Traceback" not in full.stderr
    check_whole(place.state)
    assert run().returncode == 0
    assert (place.state / "scores" / f"simulated_shop_{release.cutoff}.parquet").is_file()
