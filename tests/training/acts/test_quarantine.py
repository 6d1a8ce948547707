"""Days under quarantine: no act learns from them unless a human says so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from training.acts.order import Order
from training.acts.quarantine import (
    FILE,
    LIFTED,
    Window,
    learn_before,
    lift_window,
    read_quarantine,
    write_quarantine,
)

AT = datetime(2024, 6, 1, tzinfo=UTC)
END = date(2024, 6, 1)
BROKEN = Window(date(2024, 5, 20), date(2024, 5, 27), "hand_made", "d" * 64, "unit_slip of a day")


@pytest.fixture
def tables(tmp_path: Path, write_tables: Any) -> Any:
    return write_tables(tmp_path / "tables", [("a", date(2024, 1, 1), 5.0)], END)


def order(as_of: date | None = None, despite: str = "") -> Order:
    return Order("retrain", AT, as_of=as_of, despite_quarantine=despite)


def test_what_is_written_is_read_and_nothing_is_nothing(tmp_path: Path):
    assert read_quarantine(tmp_path) == ()
    write_quarantine(tmp_path, [BROKEN])
    assert read_quarantine(tmp_path) == (BROKEN,)


def test_acts_learn_up_to_the_first_day_under_quarantine(tmp_path: Path, tables: Any):
    assert learn_before(tmp_path, tables, order()) == END
    write_quarantine(tmp_path, [BROKEN])
    assert learn_before(tmp_path, tables, order()) == BROKEN.first
    assert learn_before(tmp_path, tables, order(date(2024, 3, 1))) == date(2024, 3, 1)
    assert learn_before(tmp_path, tables, order(despite="looked at by hand")) == END


def test_a_day_behind_the_quarantine_is_refused_not_moved(tmp_path: Path, tables: Any):
    write_quarantine(tmp_path, [BROKEN])
    with pytest.raises(InputError, match="from 2024-05-20 on are under quarantine"):
        learn_before(tmp_path, tables, order(date(2024, 5, 30)))


def test_the_quarantine_of_another_source_does_not_count(tmp_path: Path, tables: Any):
    other = Window(BROKEN.first, BROKEN.before, "another", BROKEN.data, BROKEN.why)
    write_quarantine(tmp_path, [other])
    assert learn_before(tmp_path, tables, order()) == END


@pytest.mark.parametrize("day", [date(2023, 1, 1), date(2024, 7, 1)])
def test_a_day_outside_the_data_is_bad_use(tmp_path: Path, tables: Any, day: date):
    with pytest.raises(InputError, match="lies outside the data"):
        learn_before(tmp_path, tables, order(day))


def test_a_list_that_nobody_here_wrote_is_refused(tmp_path: Path):
    (tmp_path / FILE).write_text('[{"first": "yesterday"}]', encoding="utf-8")
    with pytest.raises(InputError, match="is no list of windows"):
        read_quarantine(tmp_path)


def test_a_window_is_lifted_by_hand_with_a_reason_that_is_kept(tmp_path: Path, tables: Any):
    write_quarantine(tmp_path, [BROKEN])
    with pytest.raises(InputError, match="expected a reason, and one of: 2024-05-27"):
        lift_window(tmp_path, BROKEN.before, " ")
    assert lift_window(tmp_path, BROKEN.before, "the shop was closed") == BROKEN
    assert learn_before(tmp_path, tables, order()) == END
    assert "the shop was closed" in (tmp_path / LIFTED).read_text(encoding="utf-8")
    with pytest.raises(InputError, match="one of: none"):
        lift_window(tmp_path, BROKEN.before, "again")
