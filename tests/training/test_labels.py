"""The outcome window by hand: [2024-03-01, 2024-03-11), learned at 2024-03-21."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.config import FeatureSettings
from features.errors import InputError
from features.snapshot import Snapshot
from training.cohort import CohortSource
from training.labels import build_labels

COHORT = Snapshot(date(2024, 3, 1), 10, date(2024, 1, 1))
KNOWN_BEFORE = date(2024, 3, 21)


def march(day: int) -> date:
    return date(2024, 3, day)


@pytest.fixture
def label(tmp_path: Path, write_tables: Any) -> Any:
    """Return the labels that order lines give."""

    def build(lines: list[Any], ids: list[str], known_before: date = KNOWN_BEFORE) -> pd.Series:
        first = ("everybody", date(2024, 1, 1), 1.0)
        tables = write_tables(tmp_path / "tables", [first, *lines], date(2024, 4, 1))
        return build_labels(tables, COHORT, ids, known_before)

    return build


def test_whole_labels_of_a_small_world(label: Any):
    lines = [
        ("edges", date(2024, 2, 29), 1.0),  # the day before the cutoff: not an outcome
        ("edges", march(1), 10.0),  # the day of the cutoff counts
        ("edges", march(10), 100.0),  # the last day counts
        ("edges", march(11), 1000.0),  # the end of the window does not
        ("late", march(5), 50.0, march(20)),  # known a day before the moment of learning
        ("late", march(5), -20.0, march(21)),  # known at that moment: not yet
        ("returns", march(2), 30.0),
        ("returns", march(4), -45.5),
        ("before", date(2024, 2, 1), 99.0),
        ("stranger", march(3), 7.0),  # not in the cohort
    ]
    ids = ["returns", "edges", "before", "late", "unknown"]
    expected = pd.Series(
        [-15.5, 110.0, 0.0, 50.0, 0.0],
        index=pd.Index(ids, name="customer_id"),
        name="net_value",
    )
    pd.testing.assert_series_equal(label(lines, ids), expected)


def test_a_window_without_any_line_is_zero_for_everybody(label: Any):
    assert label([], ["a", "b"]).tolist() == [0.0, 0.0]


def test_ids_that_look_like_one_number_stay_two_people(label: Any):
    lines = [("00123", march(2), 1.0), ("123", march(2), 2.0)]
    assert label(lines, ["123", "00123"]).tolist() == [2.0, 1.0]


def test_the_order_of_rows_changes_no_bit(tmp_path: Path, write_tables: Any):
    amounts = [0.1, 0.2, 0.3, 1e9, -1e9, 0.07, 1e-3]
    lines = [("everybody", date(2024, 1, 1), 1.0), *(("a", march(2), v) for v in amounts)]
    found = [
        build_labels(
            write_tables(tmp_path / name, order, date(2024, 4, 1)), COHORT, ["a"], KNOWN_BEFORE
        )["a"]
        for name, order in (("as_given", lines), ("reversed", lines[::-1]))
    ]
    assert found == [0.671, 0.671]


def test_outcomes_not_over_at_the_moment_of_learning_are_refused(label: Any):
    message = "outcomes of 2024-03-01 end on 2024-03-11; expected them to end by 2024-03-10"
    with pytest.raises(InputError, match=message):
        label([], ["a"], known_before=march(10))


def test_outcomes_over_on_the_very_day_of_learning_are_used(label: Any):
    assert label([("a", march(10), 5.0)], ["a"], known_before=march(11)).tolist() == [5.0]


def test_outcomes_beyond_the_complete_data_are_refused(tmp_path: Path, write_tables: Any):
    tables = write_tables(tmp_path, [("a", date(2024, 1, 1), 1.0)], march(10))
    with pytest.raises(InputError, match="expected them to end by 2024-03-10"):
        build_labels(tables, COHORT, ["a"], date(2030, 1, 1))


def test_a_cohort_floors_refunds_but_keeps_the_signed_value(tmp_path: Path, write_tables: Any):
    lines = [
        *((c, date(2024, 1, 1), 10.0) for c in "abc"),
        ("a", march(2), -5.0),
        ("b", march(2), 20.0),
    ]
    tables = write_tables(tmp_path / "tables", lines, date(2024, 4, 1))
    source = CohortSource(tables, tmp_path, FeatureSettings())
    cohort = source.cohort(COHORT)
    with pytest.raises(ValueError, match="the outcomes of 2024-03-01 have not matured"):
        _ = cohort.value
    labelled = source.labelled(cohort, KNOWN_BEFORE)
    assert labelled.customer_ids == ("a", "b", "c")
    assert labelled.net_value.tolist() == [-5.0, 20.0, 0.0]
    assert labelled.value.tolist() == [0.0, 20.0, 0.0]
    assert labelled.active.tolist() == [False, True, False]
