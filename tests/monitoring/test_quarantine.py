"""Broken days come under quarantine and go out of it: looked at again, or mended by newer tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.config import MonitoringSettings
from monitoring.quarantine import renew_quarantine
from training.acts.quarantine import read_quarantine
from training.artifact import read_files
from training.reference import FILE, Reference, reference_from

SETTINGS = MonitoringSettings()


@pytest.fixture(scope="module")
def reference(small_world: Any) -> Reference:
    return reference_from(read_files(small_world.release_folder)[1][FILE])


def told(
    day: date, *, broken: bool, n_new_days: int = 3, kind: str = "unit_slip", is_open: bool = False
) -> dict[str, Any]:
    fault = ["what broken data says besides is not believed", f"{kind} of a day: 100 (limit 8)"]
    reasons = fault if broken else ["nothing is beyond its limit"]
    return {
        "as_of": day.isoformat(),
        "quarantine": broken,
        "n_new_days": n_new_days,
        "reasons": reasons,
        "order_findings": [],
        "memory": {"incidents": [{"cause": "data"}] if is_open else []},
    }


def test_the_days_of_a_broken_window_come_in_and_go_out_when_they_are_mended(
    small_world: Any, reference: Reference, tmp_path: Path
):
    tables, day = small_world.tables, small_world.tables.data_complete_before

    def renew(row: dict[str, Any], given: Any = tables) -> list[tuple[date, date]]:
        windows = renew_quarantine(row, given, tmp_path, reference, SETTINGS, "happened_at")
        assert windows == read_quarantine(tmp_path)
        return [(each.first, each.before) for each in windows]

    window = (day - timedelta(days=5), day - timedelta(days=2))
    assert renew(told(window[1], broken=True)) == [window]
    assert renew(told(window[1], broken=True)) == [window]
    assert read_quarantine(tmp_path)[0].why == "unit_slip of a day: 100 (limit 8)"
    assert renew(told(day, broken=False)) == [window]  # the same tables: still there
    newer = replace(tables, digest="f" * 64)
    assert renew(told(day, broken=True, n_new_days=2), newer) == [
        window,
        (day - timedelta(days=2), day),
    ]
    assert renew(told(day, broken=False), replace(tables, digest="e" * 64)) == []


def test_a_day_that_is_looked_at_again_and_is_whole_goes_out(small_world: Any, tmp_path: Path):
    tables, day = small_world.tables, small_world.tables.data_complete_before
    renew_quarantine(told(day, broken=True), tables, tmp_path, None, SETTINGS, None)
    assert len(read_quarantine(tmp_path)) == 1
    renew_quarantine(told(day, broken=False), tables, tmp_path, None, SETTINGS, None)
    assert read_quarantine(tmp_path) == ()


def test_without_a_reference_nobody_can_tell_that_days_are_mended(small_world: Any, tmp_path: Path):
    tables, day = small_world.tables, small_world.tables.data_complete_before
    renew_quarantine(
        told(day - timedelta(days=9), broken=True), tables, tmp_path, None, SETTINGS, None
    )
    newer = replace(tables, digest="e" * 64)
    renew_quarantine(told(day, broken=False), newer, tmp_path, None, SETTINGS, None)
    assert len(read_quarantine(tmp_path)) == 1


@pytest.mark.parametrize(
    ("kind", "is_open", "n_left"),
    [("volume", True, 1), ("volume", False, 0), ("unit_slip", False, 1)],
)
def test_what_is_only_missing_goes_out_with_its_incident_and_what_is_wrong_stays(
    small_world: Any, tmp_path: Path, kind: str, is_open: bool, n_left: int
):
    tables, day = small_world.tables, small_world.tables.data_complete_before
    broken = told(day - timedelta(days=9), broken=True, kind=kind)
    renew_quarantine(broken, tables, tmp_path, None, SETTINGS, None)
    quiet = told(day, broken=False, is_open=is_open)
    assert len(renew_quarantine(quiet, tables, tmp_path, None, SETTINGS, None)) == n_left
