"""The dashboard draws the numbers that were decided on, each once, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.monitoring_scenarios import AS_OF, Scenario, play
from features.config import MonitoringSettings
from monitoring.report.numbers import list_numbers
from monitoring.verdicts import verdict_to_json, write_gauges

SETTINGS = MonitoringSettings()


def told_of(**row: Any) -> dict[str, Any]:
    return verdict_to_json(play(Scenario("a row", "none", row), SETTINGS), "r" * 64, "d" * 64)


def test_every_number_that_can_trigger_is_listed_once_with_its_value():
    told = told_of(performance=[{}])
    numbers = list_numbers(told)
    assert max(Counter(each.name for each in numbers).values()) == 1
    named = {each.name: each.value for each in numbers}
    drift = told["drift"]
    for column in drift["columns"]:
        assert named[f"missing {column['name']}"] == column["null_share"]
        if column["is_critical"]:
            assert named[f"psi {column['name']}"] == column["psi"]
            assert named[f"limit {column['name']}"] == column["limit"]
    assert named["psi of all columns"] == drift["aggregate"]
    assert named["psi expected_value"] == drift["scores"][0]["psi"]
    assert named["share gold"] == drift["tier_shares"]["gold"]
    figures = told["performances"][0]["figures"]
    assert {f"{name} matured" for name in figures} <= set(named)
    assert named["level_bias matured"] == figures["level_bias"]


def test_gauges_and_dashboard_tell_the_same(tmp_path: Path):
    told = told_of()
    text = write_gauges(told, tmp_path).read_text(encoding="utf-8")
    aggregate = next(each for each in list_numbers(told) if each.name == "psi of all columns")
    assert f"tierwise_monitoring_psi_aggregate {aggregate.value:.10g}" in text


@pytest.mark.parametrize(
    "row", [{"rows": 0}, {"rows": 50}, {"reference": "none"}, {"drop": ["net_spend"]}]
)
def test_a_verdict_without_a_measurement_has_its_decision_all_the_same(row: dict[str, Any]):
    names = {each.name for each in list_numbers(told_of(**row))}
    assert {"act decided", "incidents open", "faults of order days"} <= names
    assert "psi of all columns" not in names


@pytest.mark.slow
def test_verdicts_are_drawn_once_and_keep_their_numbers(tmp_path: Path):
    from evidently.ui.workspace import Workspace

    from monitoring.report.dashboard import DRAWN, draw_verdicts, write_drift_page

    verdicts = []
    for number in range(2):
        told = told_of(seed=number, performance=[{}])
        told["as_of"] = (AS_OF + timedelta(days=7 * number)).isoformat()
        verdicts.append(told)
    lines: list[str] = []
    path = draw_verdicts(verdicts[:1], tmp_path, lines.append)
    assert draw_verdicts(verdicts, tmp_path, lines.append) == path
    assert len(lines) == 2  # the first was drawn already
    drawn = json.loads((path / DRAWN).read_text(encoding="utf-8"))
    workspace = Workspace(str(path))
    runs = workspace.list_runs(drawn["project"])
    assert len(runs) == 2
    panels = {f"{each.tab}/{each.panel}" for each in list_numbers(verdicts[0])}
    assert set(drawn["panels"]) == panels
    shown = {
        result.metric_value_location.metric.params["column"]: result.value
        for result in workspace.get_run(drawn["project"], runs[0]).metric_results.values()
    }
    assert any(shown == {each.name: each.value for each in list_numbers(told)} for told in verdicts)
    rows = np.random.default_rng(0).normal(size=(300, 2))
    rows[:, 1] = np.nan
    page = write_drift_page(rows, rows, ("known", "unknown"), tmp_path / "drift.html")
    assert "known" in page.read_text(encoding="utf-8")
    assert date.fromisoformat(verdicts[1]["as_of"]) == AS_OF + timedelta(days=7)
