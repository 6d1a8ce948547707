"""From the raw files of a shop to the list of its customers, with the commands a user types."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.store import read_or_build_features
from training.release import load_current, load_release
from training.score import build_scores

ROOT = Path(__file__).resolve().parents[2]
DIGEST = re.compile("[0-9a-f]{64}")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **quiet},
        text=True,
        capture_output=True,
        timeout=300,
    )


def run_well(*arguments: str) -> str:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def release_digests(state: Path) -> set[str]:
    return {path.name for path in (state / "releases").iterdir() if DIGEST.fullmatch(path.name)}


# --- every day: the small shop, already taken the whole way -----------------------------------


def test_the_release_of_the_small_shop_is_served_and_its_tiers_are_in_order(small_world: Any):
    release = load_current(small_world.state / "releases")
    assert release.digest == load_release(small_world.release_folder).digest
    # a shop of 1,200 customers is too small to certify a diamond tier, and the release says so
    assert [tier.id for tier in release.tiers] == ["regular", "silver", "gold"]
    assert "diamond" in str(release.lineage["tiers"]["merges"])
    for lower, upper in pairwise(release.tiers):
        assert lower.boundary_below < upper.boundary_below


def test_realised_means_of_the_small_shop_rise_from_tier_to_tier(small_world: Any):
    told = [tier for tier in small_world.result.release.tiers if tier.n_customers]
    means = [tier.realised_mean for tier in told]
    assert means == sorted(means)
    assert means[-1] > 3 * means[0]
    assert sum(tier.revenue_share for tier in told) == pytest.approx(1.0)


# --- slow: every command, in processes of their own -------------------------------------------


@pytest.mark.slow
def test_the_whole_way_from_raw_files_to_the_list_of_customers(tmp_path: Path, make_shop: Any):
    source = make_shop(tmp_path, 1500)
    state = tmp_path / "state"
    where = ("--state", str(state))

    early = run("training", "promote", *where)
    assert early.returncode == 2
    assert "error: no version is registered" in early.stderr
    assert len(early.stderr.strip().splitlines()) == 2

    run_well("features", "ingest", "--source", str(source), *where)
    account = json.loads((state / "tables" / "simulated_shop" / "ingest.json").read_text())
    trained = run_well("training", "train", "--source", str(source), *where)
    (digest,) = release_digests(state)
    assert f"release {digest[:12]} is version 1" in trained

    before_promotion = run("training", "score", *where)
    assert before_promotion.returncode == 2
    assert "nothing is promoted" in before_promotion.stderr

    promoted = run_well("training", "promote", *where)
    assert "version 1 promoted: there is no champion yet" in promoted
    assert (state / "releases" / "current").read_text() == f"{digest}\n"

    scored = run_well("training", "score", *where)
    assert str(state / "online" / digest) in scored
    release = load_current(state / "releases")
    check_scores(state, release, account["digest"])
    means = [tier.realised_mean for tier in release.tiers]
    assert means == sorted(means)

    # Training again on the same data makes neither another release nor another version.
    again = run_well("training", "train", "--source", str(source), *where)
    assert f"release {digest[:12]} is version 1" in again
    assert release_digests(state) == {digest}
    assert "it is the champion already" in run_well("training", "promote", *where)

    # Nor does another machine's folder: the same files elsewhere give the same digest.
    elsewhere = tmp_path / "elsewhere"
    other = ("--state", str(elsewhere))
    run_well("features", "ingest", "--source", str(source), *other)
    run_well("training", "train", "--source", str(source), *other)
    assert release_digests(elsewhere) == {digest}

    outside = run("training", "train", "--source", str(source), "--cutoff", "2031-01-01", *where)
    assert outside.returncode == 2
    assert "the cutoff 2031-01-01 lies outside the data" in outside.stderr
    longer = run("training", "train", "--source", str(source), "--horizon-days", "5000", *where)
    assert longer.returncode == 2
    assert "training.horizon_days is 5000" in longer.stderr


def check_scores(state: Path, release: Any, data_digest: str) -> None:
    from features.config import FeatureSettings
    from features.tables import read_tables

    assert release.lineage["data"] == data_digest
    tables = read_tables(state / "tables" / "simulated_shop")
    features = read_or_build_features(tables, release.feature_snapshot(), FeatureSettings(), state)
    (parquet,) = (state / "scores").glob("*.parquet")
    scores = pd.read_parquet(parquet)
    expected = build_scores(release, features)
    pd.testing.assert_frame_equal(scores, expected, check_exact=True)
    (table,) = (state / "scores").glob("*.csv")
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["Customer"] for row in rows} == set(scores["customer_id"])
    values = [float(row["Expected value"]) for row in rows if row["Expected value"]]
    assert values == sorted(values, reverse=True)
