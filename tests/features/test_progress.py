"""The time left is told from the work that is going on."""

from __future__ import annotations

from io import StringIO

from features.progress import Progress


def test_work_of_another_kind_is_estimated_by_its_own_weights():
    now = iter([0.0, 100.0, 100.0, 110.0])
    out = StringIO()
    tell = Progress(lambda: next(now), expected=1_000_000, out=out)
    tell.begin(4)
    tell("batch 0 of 4")
    tell("batch 1 of 4")
    assert out.getvalue().splitlines() == [
        "    100 s  batch 0 of 4",
        "    110 s  batch 1 of 4 (about 30 s left)",
    ]
