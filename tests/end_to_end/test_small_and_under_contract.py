"""A shop of 250 customers, a table of customers under contract, and a run through MLflow."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.release import load_release

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def run_well(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env={**os.environ, **QUIET, **environment},
        text=True,
        capture_output=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_250_customers_go_the_whole_way_through_mlflow(tmp_path: Path, make_shop: Any):
    source, state = make_shop(tmp_path, 250), tmp_path / "state"
    run_well(
        sys.executable, "-m", "features", "ingest", "--source", str(source), "--state", str(state)
    )
    run_well(
        sys.executable, "-m", "mlflow", "run", ".", "-e", "train", "--env-manager", "local",
        "-P", f"source={source}", "-P", f"state={state}",
        MLFLOW_TRACKING_URI=f"sqlite:///{state / 'mlflow.db'}",
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    (folder,) = (path for path in (state / "releases").iterdir() if len(path.name) == 64)
    release = load_release(folder)
    assert release.tiers
    assert sum(tier.share for tier in release.tiers) == pytest.approx(1.0)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{state / 'mlflow.db'}")
    runs = [
        run
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id])
    ]
    (parent,) = (run for run in runs if run.data.tags.get("release") == release.digest)
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.data.tags["model"] for run in children} >= {"blend", "past_spend_rate"}


@pytest.mark.slow
def test_customers_under_contract_go_the_whole_way(tmp_path: Path):
    rng = np.random.default_rng(0)
    with (tmp_path / "club.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["member", "left", "months", "plan", "sex"])
        for i in range(400):
            months, plan = int(rng.integers(1, 60)), rng.choice(["month", "year"])
            p = 1 / (1 + np.exp(0.06 * (months - 20) - 1.5 * (plan == "month")))
            left = "" if i < 5 else "y" if rng.random() < p else "n"
            rows.writerow([f"m{i:04d}", left, months, plan, rng.choice(["f", "m"])])
    toml = tmp_path / "club.toml"
    toml.write_text(
        'kind = "contract"\nname = "club"\n[table]\npath = "club.csv"\ncustomer_id = "member"\n'
        'label = "left"\nchurned = ["y"]\nstayed = ["n"]\nnumbers = ["months"]\n'
        'categories = ["plan"]\naudit_only = ["sex"]\n',
        encoding="utf-8",
    )
    where = ("--source", str(toml), "--state", str(tmp_path / "state"))
    python = (sys.executable, "-m")
    run_well(*python, "features", "ingest", *where)
    trained = run_well(*python, "training", "train", *where)
    assert "is version 1 of churn_club" in trained
    assert "the HTTP service does not answer for customers under contract" in trained
    assert "version 1 promoted" in run_well(*python, "training", "promote", *where)
    run_well(*python, "training", "score", *where)
    with (tmp_path / "state" / "scores" / "club.csv").open(encoding="utf-8-sig") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 400
    assert {row["Customer"] for row in listed if not row["Known"]} == {
        f"m{i:04d}" for i in range(5)
    }
    likely = [row["Known"] for row in listed[:80] if row["Known"]]
    unlikely = [row["Known"] for row in listed[-80:] if row["Known"]]
    assert likely.count("left") > 2 * unlikely.count("left")
