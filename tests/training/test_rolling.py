"""The rolling-origin backtest: which moments, resumed from what is kept, and what it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import Config, TrainingSettings
from features.errors import InputError
from features.progress import Progress
from training.rolling import run as rolling
from training.rolling.jobs import read_horizons
from training.rolling.judged import Judged, read_judged, write_judged
from training.rolling.plan import plan_rolling
from training.rolling.record import record_backtest, write_backtest
from training.rolling.report import backtest_page, pool_differences
from training.rolling.run import backtest_key, path_of, run_rolling

START, END = date(2009, 12, 1), date(2011, 12, 10)
DEFAULT = TrainingSettings()


def figures(lead: float, error: float = 0.01) -> dict[str, float]:
    return {
        "value": lead,
        "standard_error": error,
        "lower95": lead - 2 * error,
        "upper95": lead + 2 * error,
    }


def judged(day: int, lead: float, horizon: int = 90, **more: Any) -> Judged:
    metrics = {
        "blend": {"ngini": 0.8, "level_bias": 1.0, "auc_active": 0.8},
        "recency": {"ngini": 0.8 - lead, "level_bias": 1.1, "auc_active": 0.7},
    }
    return Judged(
        date(2011, 1, day), horizon, 1000, 0.4, False, metrics, {"recency": figures(lead)}, 0.01,
        **more,
    )  # fmt: skip


# --- which moments ---------------------------------------------------------------------------


def test_the_newest_matured_cutoffs_of_online_retail_ii_are_judged():
    plan = plan_rolling(START, END, [180], 5, None, DEFAULT)
    assert [s.cutoff for s in plan.snapshots] == [
        date(2011, 6, 13), date(2011, 4, 29), date(2011, 3, 15), date(2011, 1, 29),
        date(2010, 12, 15),
    ]  # fmt: skip
    assert plan.left_out == ()


def test_moments_that_the_history_does_not_carry_are_left_out_with_the_reason():
    plan = plan_rolling(START, END, [365, 90], 3, None, DEFAULT)
    assert [(s.horizon_days, s.cutoff) for s in plan.snapshots] == [
        (90, date(2011, 9, 11)), (90, date(2011, 8, 12)), (90, date(2011, 7, 13)),
        (365, date(2010, 12, 10)),
    ]  # fmt: skip
    (told,) = plan.left_out
    assert told == "2010-09-10, 365 days: 283 days of history before it; expected at least 365"


def test_every_moment_has_matured_and_no_two_are_closer_than_the_step():
    plan = plan_rolling(START, END, [60, 120], 9, 20, DEFAULT)
    for horizon in (60, 120):
        cutoffs = [s.cutoff for s in plan.snapshots if s.horizon_days == horizon]
        assert cutoffs[0] == END - timedelta(days=horizon)
        assert {(a - b).days for a, b in pairwise(cutoffs)} == {20}


def test_data_that_carries_nothing_is_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"carries no cutoff of 180 days .* 120 days of history"):
        plan_rolling(date(2011, 2, 13), END, [180], 5, None, DEFAULT)


@pytest.mark.parametrize(
    ("horizons", "n", "step"), [([180], 0, None), ([3], 5, None), ([90], 5, 0)]
)
def test_numbers_out_of_bounds_are_refused(horizons: list[int], n: int, step: int | None):
    with pytest.raises(InputError, match="1 cutoff or more, horizons of 7 days or more"):
        plan_rolling(START, END, horizons, n, step, DEFAULT)


def test_horizons_are_whole_numbers():
    with pytest.raises(InputError, match='--horizons is "90;180"'):
        read_horizons("90;180")


# --- what is kept ----------------------------------------------------------------------------


def test_what_was_judged_comes_back_with_its_gaps(tmp_path: Path):
    path = tmp_path / "moment.json"
    told = judged(3, 0.02)
    assert told.metrics is not None
    told.metrics["recency"]["auc_active"] = float("nan")
    write_judged(told, path)
    again = read_judged(path)
    assert again is not None
    assert again.metrics is not None
    assert np.isnan(again.metrics["recency"].pop("auc_active"))
    told.metrics["recency"].pop("auc_active")
    assert again == told


@pytest.mark.parametrize("text", ["", "{", '{"cutoff": "2011-01-01"}', "[]"])
def test_a_damaged_file_is_judged_again(tmp_path: Path, text: str):
    path = tmp_path / "moment.json"
    path.write_text(text)
    assert read_judged(path) is None
    assert read_judged(tmp_path / "none.json") is None


SMALL = Config(
    training=TrainingSettings(horizon_days=60, n_cutoffs=1, n_rounds=10, minimum_customers=20)
)


@pytest.fixture
def shop(tmp_path: Path, write_tables: Any) -> Any:
    """120 customers who buy at rates of their own."""
    rng = np.random.default_rng(5)
    lines = []
    for i in range(120):
        gap = rng.uniform(8, 120)
        for n in np.arange(rng.uniform(0, gap), 500, gap):
            lines.append((f"c{i}", date(2022, 1, 1) + timedelta(days=int(n)), 5 + i % 9))
    return write_tables(tmp_path / "tables", lines, date(2023, 5, 16))


def test_finished_moments_are_not_judged_again(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan = plan_rolling(
        shop.history_start, shop.data_complete_before, [60], 2, None, SMALL.training
    )
    out = StringIO()
    tell = Progress(lambda: 0.0, out=out)
    first = run_rolling(shop, plan.snapshots[:1], SMALL, tmp_path, 1, tell)
    folder = tmp_path / "backtests" / "hand_made" / backtest_key(shop, SMALL)[:16]
    kept = path_of(plan.snapshots[0], folder)
    before = kept.stat().st_mtime_ns
    both = run_rolling(shop, plan.snapshots, SMALL, tmp_path, 1, tell)
    assert "1 of 2 moments to judge" in out.getvalue()
    assert kept.stat().st_mtime_ns == before
    assert both[0] == first[0]
    assert both[0].metrics is not None
    assert both[0].metrics["blend"]["ngini"] > 0.2
    assert [each.cutoff for each in both] == [s.cutoff for s in plan.snapshots]


def test_other_settings_are_another_backtest(shop: Any):
    other = SMALL.model_copy(update={"training": SMALL.training.model_copy(update={"seed": 1})})
    assert backtest_key(shop, SMALL) != backtest_key(shop, other)
    assert backtest_key(replace(shop, digest="e"), SMALL) != backtest_key(shop, SMALL)


@pytest.mark.slow
def test_two_processes_give_the_figures_of_one(shop: Any, tmp_path: Path):
    plan = plan_rolling(
        shop.history_start, shop.data_complete_before, [60], 2, None, SMALL.training
    )
    quiet = Progress(lambda: 0.0, out=StringIO())
    one = run_rolling(shop, plan.snapshots, SMALL, tmp_path / "one", 1, quiet)
    two = run_rolling(shop, plan.snapshots, SMALL, tmp_path / "two", 2, quiet)
    assert one == two


def test_an_interruption_leaves_what_was_done(shop: Any, tmp_path: Path):
    plan = plan_rolling(
        shop.history_start, shop.data_complete_before, [60], 2, None, SMALL.training
    )

    class Interrupting(Progress):
        def __call__(self, line: str, weight: float = 1.0) -> None:
            if line.startswith("judged"):
                raise KeyboardInterrupt

    tell = Interrupting(lambda: 0.0)
    with pytest.raises(KeyboardInterrupt):
        run_rolling(shop, plan.snapshots, SMALL, tmp_path, 1, tell)
    (kept,) = (tmp_path / rolling.BACKTESTS / "hand_made").rglob("*.json")
    assert json.loads(kept.read_text())["cutoff"] == plan.snapshots[0].cutoff.isoformat()


# --- what it tells ---------------------------------------------------------------------------


def test_leads_are_averaged_and_counted():
    pooled = pool_differences([judged(1, 0.05), judged(2, 0.01), judged(3, -0.03)], "recency")
    assert pooled.value == pytest.approx(0.01)
    assert pooled.standard_error == pytest.approx(0.01)
    assert (pooled.n_better, pooled.n_surely_better, pooled.n_surely_worse, pooled.n) == (
        2,
        1,
        1,
        3,
    )


def test_the_page_tells_models_cutoffs_and_what_is_missing():
    nothing = Judged(date(2010, 1, 1), 90, no_skill="nobody bought again")
    page = backtest_page("shop", [judged(1, 0.05), judged(2, 0.01), nothing], ["2010: too short"])
    assert "| blend | 0.800 |" in page
    assert "| recency | 0.770 |" in page
    assert "+0.030 +-0.010 | 2 of 2 (surely 1) |" in page
    assert "2010-01-01 90 d: nothing could be learned: nobody bought again" in page
    assert "- 2010: too short" in page


def test_a_backtest_is_one_parent_run_with_a_nested_run_a_moment(mlflow_state: Path):
    from mlflow import MlflowClient

    from training.registry import Registry

    registry = Registry(mlflow_state)
    moments = [judged(1, 0.05), judged(2, 0.01), judged(1, 0.02, horizon=180)]
    folder = write_backtest("shop", moments, [], mlflow_state / "reports" / "b")
    assert (folder / "backtest.png").stat().st_size > 10_000
    parent = record_backtest("shop", moments, Config(), registry, folder)
    client = MlflowClient(registry.uri, registry.uri)
    found = client.search_runs([client.get_run(parent).info.experiment_id])
    children = [r for r in found if r.data.tags.get("mlflow.parentRunId") == parent]
    assert len(children) == 3
    assert {r.info.run_name for r in children} == {
        "2011-01-01 90 d",
        "2011-01-02 90 d",
        "2011-01-01 180 d",
    }
    assert client.get_run(parent).data.metrics["ngini_lead.90d.recency"] == pytest.approx(0.03)
    assert {f.path for f in client.list_artifacts(parent, "report")} == {
        "report/backtest.md", "report/backtest.png",
    }  # fmt: skip
