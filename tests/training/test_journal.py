"""The journal: appended to, chained, and whole after a kill."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import InputError
from training.journal import JOURNAL, Entry, append_entry, read_journal

AT = datetime(2024, 5, 1, 8, 30, tzinfo=UTC)


def append(state: Path, release: str, previous: str = "") -> Entry:
    return append_entry(state, AT, "ops", "promote", release, previous, ("ahead",), {"ngini": 0.8})


def test_what_was_appended_is_read_in_order(tmp_path: Path):
    entries = [append(tmp_path, "a"), append(tmp_path, "b", "a"), append(tmp_path, "c", "b")]
    assert read_journal(tmp_path) == entries
    assert [(e.number, e.release, e.previous) for e in entries] == [
        (1, "a", ""),
        (2, "b", "a"),
        (3, "c", "b"),
    ]
    assert entries[0].at == "2024-05-01T08:30:00+00:00"


def test_there_may_be_no_journal_yet(tmp_path: Path):
    assert read_journal(tmp_path) == []


@pytest.mark.parametrize("part", [0.01, 0.5, 0.97])
def test_a_line_that_a_kill_cut_short_never_counted(tmp_path: Path, part: float):
    append(tmp_path, "a")
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: max(int(part * len(whole)), 1)])
    append(tmp_path, "b", "a")
    assert [entry.release for entry in read_journal(tmp_path)] == ["a", "b"]


def test_an_edited_a_dropped_and_a_reordered_row_are_found(tmp_path: Path):
    for release in "abcd":
        append(tmp_path, release)
    path = tmp_path / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    for spoiled in (
        [lines[0].replace(b"ahead", b"asked"), *lines[1:]],
        [lines[0], *lines[2:]],
        [lines[1], lines[0], *lines[2:]],
    ):
        path.write_bytes(b"".join(spoiled))
        with pytest.raises(InputError, match="does not follow the row before it"):
            read_journal(tmp_path)


def test_a_moment_needs_a_time_zone(tmp_path: Path):
    with pytest.raises(InputError, match="has no time zone"):
        append_entry(tmp_path, datetime(2024, 5, 1), "ops", "promote", "a", "", (), {})
