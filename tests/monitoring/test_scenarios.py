"""The decision table: every planted scenario has its right act."""

from __future__ import annotations

import pytest

from benchmarks.monitoring_scenarios import (
    Scenario,
    build_reference_of_shop,
    build_window,
    play,
    read_scenarios,
)
from features.config import MonitoringSettings
from monitoring.drift import measure_drift

SCENARIOS = read_scenarios()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[each.name for each in SCENARIOS])
def test_the_act_is_right(scenario: Scenario):
    verdict = play(scenario, MonitoringSettings())
    assert verdict.decision.act == scenario.act, verdict.decision.reasons
    assert verdict.decision.reasons


def test_the_table_has_every_act_and_more_than_forty_rows_of_distinct_names():
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS) >= 40
    acts = {"none", "quarantine_and_alarm", "recalibrate", "recut", "retrain", "escalate"}
    assert {each.act for each in SCENARIOS} == acts


@pytest.mark.parametrize("seed", range(20))
def test_one_row_at_ten_times_the_maximum_changes_no_verdict(seed: int):
    settings, reference = MonitoringSettings(), build_reference_of_shop()
    operations = [[], [["shift", "n_order_days", 0.5]], [["shift", "tenure_days", 0.3]]]
    for do in operations:
        plain = measure_drift(build_window({"seed": seed, "do": do}), reference, settings)
        hit = [*do, ["outlier", "*", 10.0]]
        struck = measure_drift(build_window({"seed": seed, "do": hit}), reference, settings)
        assert struck.status == plain.status
        assert [f.kind for f in struck.findings] == [f.kind for f in plain.findings]


def test_broken_windows_are_never_called_drift():
    settings, reference = MonitoringSettings(), build_reference_of_shop()
    told = {
        "empty": {"rows": 0},
        "null": {"do": [["null", "*", 0.9]]},
        "cents": {"do": [["times", "net_spend", 100.0]]},
        "few": {"rows": 40, "do": [["shift", "*", 3.0]]},
    }
    status = {
        name: measure_drift(build_window(each), reference, settings).status
        for name, each in told.items()
    }
    assert status == {
        "empty": "quality_error",
        "null": "quality_error",
        "cents": "quality_error",
        "few": "insufficient",
    }
