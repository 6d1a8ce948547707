"""The real job on a simulated shop, killed again and again: the same table, and no text anywhere."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.ingestion.ingest import ingest
from features.sentiment.encoder import read_manifest
from features.sentiment.job import CHUNK
from features.sentiment.rooms import base_folder, scores_folder, vectors_file
from features.sentiment.text import clean_text
from features.sentiment.vectors import open_vectors
from features.tables import read_tables

ROOT = Path(__file__).resolve().parents[2]
N_CUSTOMERS = 2_600
WORKERS_KILLED = (1, 2)
"""Processes of each run that is killed; the run that is not has one."""
MOST_CHUNKS_BEFORE_THE_END = 5
"""That a slow machine may have kept by the time the second kill arrives."""
NEWLY = re.compile(r"([\d,]+) newly put through a model")
LEAST_TEXT = 12
"""Letters from which a text found in a log cannot be there by chance."""

pytestmark = pytest.mark.slow


def run_job(toml: Path, state: Path, config: Path) -> subprocess.Popen[str]:
    """Start the job as a user would, in a session of its own."""
    given = ["--source", str(toml), "--state", str(state), "--config", str(config)]
    return subprocess.Popen(
        [sys.executable, "-m", "features", "sentiment", *given],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def write_config(path: Path, workers: int) -> Path:
    told = (ROOT / "config.toml").read_text(encoding="utf-8")
    assert "\nworkers = 2 " in told
    path.write_text(told.replace("\nworkers = 2 ", f"\nworkers = {workers} "), encoding="utf-8")
    return path


def count_kept(state: Path, model: str) -> int:
    if not vectors_file(state).is_file():
        return 0
    with open_vectors(vectors_file(state), model) as store:
        return store.count()


def kill_after_next_chunk(running: subprocess.Popen[str], state: Path, model: str) -> str:
    """Kill the job, not its children, as soon as one more chunk is kept; return what it told."""
    before = count_kept(state, model)
    while running.poll() is None and count_kept(state, model) == before:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    told, _ = running.communicate(timeout=60)  # at the end only if its children are gone too
    assert running.returncode == -signal.SIGKILL
    return told


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_job_killed_twice_gives_the_same_table_byte_for_byte_and_tells_no_text(
    tmp_path: Path, make_shop
):
    base = base_folder(ROOT / "state")
    if not (base / "manifest.json").is_file():
        pytest.skip("no state/sentiment/base: run make sentiment-base")
    toml, whole, killed = make_shop(tmp_path, N_CUSTOMERS), tmp_path / "state", tmp_path / "killed"
    ingest(toml, whole)
    base_folder(whole).mkdir(parents=True)
    for name in ("manifest.json", "model.onnx", "tokenizer.json"):
        os.link(base / name, base_folder(whole) / name)
    shutil.copytree(whole, killed, copy_function=os.link)
    with_workers = {n: write_config(tmp_path / f"config{n}.toml", n) for n in (1, 2)}
    straight, _ = run_job(toml, whole, with_workers[1]).communicate()
    model = read_manifest(base).digest
    n_texts = count_kept(whole, model)
    assert n_texts > MOST_CHUNKS_BEFORE_THE_END * CHUNK
    seen = straight
    for kill, workers in enumerate(WORKERS_KILLED, start=1):
        running = run_job(toml, killed, with_workers[workers])
        seen += kill_after_next_chunk(running, killed, model)
        assert count_kept(killed, model) % CHUNK == 0
        assert count_kept(killed, model) >= kill * CHUNK
        assert not scores_folder(killed, "simulated_shop").exists()
    kept = count_kept(killed, model)
    last, _ = run_job(toml, killed, with_workers[2]).communicate()
    found = NEWLY.search(last)
    assert found is not None, last
    assert int(found[1].replace(",", "")) == n_texts - kept  # nothing is scored twice
    scores = files_of(scores_folder(whole, "simulated_shop"))
    assert list(scores) == ["default.parquet"]
    assert files_of(scores_folder(killed, "simulated_shop")) == scores

    logs = seen + last
    parts = read_tables(whole / "tables" / "simulated_shop").parts("reviews")
    texts = [t for part in parts for t in pq.read_table(part)["text"].to_pylist() if t]
    long = [text for text in texts if len(clean_text(text)) >= LEAST_TEXT]
    assert len(long) > n_texts / 2
    assert not [text for text in long if text in logs or clean_text(text) in logs]
