"""The parts of a re-tier date: its calendar, overrides, claw-back and the causes of moves."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config import AssignmentSettings
from features.errors import InputError
from training.assignment import Override
from training.assignment.attribution import CAUSES, Steps, attribute_moves, summarise_causes
from training.assignment.calendar import (
    is_re_tier_date,
    newest_re_tier_date,
    next_re_tier_date,
)
from training.assignment.claw_back import find_clawed_back
from training.assignment.overrides import read_overrides

TIERS = ("regular", "silver", "gold")
HEADER = "customer_id,tier,expires,reason\n"

# --- calendar --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "on_day", "day", "before", "after"),
    [
        ("month", 1, "2011-12-01", "2011-12-01", "2012-01-01"),
        ("month", 15, "2012-01-14", "2011-12-15", "2012-01-15"),
        ("quarter", 1, "2011-12-31", "2011-10-01", "2012-01-01"),
        ("quarter", 28, "2012-01-05", "2011-10-28", "2012-01-28"),
        ("half_year", 1, "2011-06-30", "2011-01-01", "2011-07-01"),
        ("year", 5, "2011-01-04", "2010-01-05", "2011-01-05"),
    ],
)
def test_the_dates_around_a_day(every: Any, on_day: int, day: str, before: str, after: str):
    settings = AssignmentSettings(every=every, day=on_day)
    told = date.fromisoformat(day)
    assert newest_re_tier_date(told, settings).isoformat() == before
    assert next_re_tier_date(told, settings).isoformat() == after


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.sampled_from(["month", "quarter", "half_year", "year"]),
    st.integers(1, 28),
)
def test_dates_are_of_the_calendar_and_none_lies_between(day: date, every: Any, on_day: int):
    settings = AssignmentSettings(every=every, day=on_day)
    before, after = newest_re_tier_date(day, settings), next_re_tier_date(day, settings)
    assert before <= day < after
    days = [before + timedelta(days=i) for i in range((after - before).days + 1)]
    assert [one for one in days if is_re_tier_date(one, settings)] == [before, after]


# --- overrides -------------------------------------------------------------------------------


def test_whole_overrides_of_a_csv_and_of_a_toml(tmp_path: Path):
    table, toml = tmp_path / "a.csv", tmp_path / "a.toml"
    table.write_text(
        "\ufeff" + HEADER + "00123,gold,2026-12-31,board\ncafe\u0301,silver,2026-01-01,vip\n",
        encoding="utf-8",
    )
    toml.write_text(
        '[[override]]\ncustomer_id = "00123"\ntier = "gold"\nexpires = 2026-12-31\nreason = "board"\n'
        '[[override]]\ncustomer_id = "cafe\u0301"\ntier = "silver"\nexpires = "2026-01-01"\n'
        'reason = "vip"\n',
        encoding="utf-8",
    )
    expected = {
        "00123": Override(2, date(2026, 12, 31), "board"),
        "caf\u00e9": Override(1, date(2026, 1, 1), "vip"),  # as the door gives it
    }
    assert read_overrides(table, TIERS) == read_overrides(toml, TIERS) == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "customer_id,tier,reason\n1,gold,x\n",
            "lacks expires; expected customer_id, tier, expires",
        ),
        ("customer_id,tier,expires,reason,why\n", "unknown column why; known: customer_id"),
        (HEADER + ",gold,2026-12-31,x\n", "line 2 has an empty customer_id"),
        (HEADER + "1,Gold,2026-12-31,x\n", "customer 1 the tier 'Gold'; expected one of regular"),
        (HEADER + "1,gold,2026-02-30,x\n", "line 2 expires on '2026-02-30'; expected a day such"),
        (HEADER + "1,gold,31.12.2026,x\n", "expires on '31.12.2026'; expected a day such"),
        (HEADER + "1,gold,2026-12-31, \n", "customer 1 a tier without a reason"),
        (HEADER + "1,gold,2026-12-31\n", "line 2 has not 4 cells"),
        (HEADER + "1,gold,2026-12-31,x,y\n", "line 2 has not 4 cells"),
        (
            HEADER + "1,gold,2026-12-31,x\n1,silver,2026-12-31,y\n",
            "line 3 gives customer 1 a second",
        ),
        ("", "lacks customer_id, expires, reason, tier"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, match: str):
    path = tmp_path / "overrides.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        read_overrides(path, TIERS)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[[overrides]]\n", r"has the keys overrides; expected \[\[override\]\] alone"),
        ("override = [1]\n", "override 1 is 1; expected a table"),
        ('[[override]]\ncustomer_id = "1"\n', "override 1 lacks expires, reason, tier"),
        (
            '[[override]]\ncustomer_id = "1"\ntier = "gold"\nexpires = 2026\nreason = "x"\n',
            "override 1 expires on 2026; expected a day",
        ),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, match: str):
    path = tmp_path / "overrides.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        read_overrides(path, TIERS)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None):
    path = tmp_path / "overrides.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read .* expected a CSV in UTF-8"):
        read_overrides(path, TIERS)


# --- claw-back -------------------------------------------------------------------------------


def test_who_is_clawed_back(tmp_path: Path, write_tables: Any):
    began, today = date(2024, 7, 1), date(2024, 10, 1)
    lines = [
        ("half", date(2024, 6, 1), 100), ("half", date(2024, 8, 1), -50),
        ("less", date(2024, 6, 1), 100), ("less", date(2024, 8, 1), -49.99),
        ("before", date(2024, 6, 1), 100), ("before", date(2024, 6, 30), -90),
        ("after", date(2024, 6, 1), 100), ("after", date(2024, 10, 1), -100),
        ("late", date(2024, 6, 1), 100), ("late", date(2024, 8, 1), -100, date(2024, 10, 2)),
        ("long_ago", date(2023, 1, 1), 100), ("long_ago", date(2024, 8, 1), -100),
        ("paid_since", date(2024, 6, 1), 100), ("paid_since", date(2024, 8, 1), 500),
        ("paid_since", date(2024, 8, 2), -60), ("no_tier", date(2024, 6, 1), 1),
        ("no_tier", date(2024, 8, 1), -1),
    ]  # fmt: skip
    tables = write_tables(tmp_path / "tables", lines, date(2025, 1, 1))
    since = {one: began for one, *_ in lines if one != "no_tier"}
    assert find_clawed_back(tables, since, today, 180, 0.5) == {"half", "paid_since"}
    assert find_clawed_back(tables, since, today, 720, 1.0) == {"long_ago"}
    assert find_clawed_back(tables, {}, today, 180, 0.5) == set()


# --- causes ----------------------------------------------------------------------------------

places = st.lists(st.integers(0, 4), min_size=7, max_size=7)


@given(st.lists(places, max_size=20))
def test_the_causes_add_up_to_every_move(rows: list[list[int]]):
    table = np.array(rows, np.int64).reshape(-1, 7).T
    before, then, behaviour, model, calibration, now, after = table
    whole = attribute_moves(before, Steps(then, behaviour, model, calibration, now), after)
    untold = attribute_moves(before, Steps(then, None, None, None, now), after)
    for moved in (whole, untold):
        assert tuple(moved) == CAUSES
        assert sum(moved.values()).tolist() == (after - before).tolist()
    assert not whole["untold"].any()
    assert not any(untold[cause].any() for cause in CAUSES[:4])


def test_causes_are_summed_up_and_down():
    moved = {"model": np.array([2, -1, 0, 1]), "rule": np.array([0, 0, 0, 0])}
    assert summarise_causes(moved) == {
        "model": {"n_moves": 3, "levels_up": 3, "levels_down": 1},
        "rule": {"n_moves": 0, "levels_up": 0, "levels_down": 0},
    }


def test_steps_of_other_customers_are_refused():
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(InputError, match="1 customers before, 2 after; expected the same"):
        attribute_moves(one, Steps(one, None, None, None, one), two)
