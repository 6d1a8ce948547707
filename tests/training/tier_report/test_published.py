"""Published assignments and the next date, as the report tells them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from training.assignment.attribution import CAUSES
from training.assignment.history import Published
from training.assignment.propose import Proposal
from training.tier_report.facts import MoveFacts, TierReport
from training.tier_report.published import with_assignments

SCHEME = [{"id": "low", "zh": "低", "en": "Low"}, {"id": "high", "zh": "高", "en": "High"}]
TIERS = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d", "e"],
        "tier": ["high", "low", "low", "low", "high"],
        "previous_tier": ["low", "low", "high", None, "gone"],
    }
)


def moves(*rows: tuple[Any, ...]) -> pd.DataFrame:
    columns = ["customer_id", "from_tier", "to_tier", "levels", "expected_value", *CAUSES]
    return pd.DataFrame([(*row, *[0] * (len(columns) - len(row))) for row in rows], columns=columns)


MOVES = moves(
    ("a", "low", "high", 1, 90.0, 0, 2, -1),
    ("c", "high", "low", -1, 5.0, -1),
)


def published(previous: str | None) -> Published:
    summary = {"scheme": SCHEME, "previous_day": previous}
    return Published(date(2024, 4, 1), "d", TIERS, MOVES, summary)


def test_a_published_date_takes_the_place_of_the_backtest(report: TierReport):
    told = with_assignments(report, published("2024-01-01"), None).migration
    assert told is not None
    assert (told.kind, told.day_then, told.day_now) == ("published", "2024-01-01", "2024-04-01")
    # a tier that is no more stands below those of today
    assert told.ids == ("gone", "low", "high")
    assert told.counts == ((0, 0, 1), (0, 1, 1), (0, 1, 0))
    assert told.n_new == 1
    assert told.causes == {"model": 1, "behaviour": 1}


def test_the_first_published_date_moved_nobody_so_the_backtest_stays(report: TierReport):
    assert with_assignments(report, published(None), None) == report
    assert with_assignments(report, None, None) == report


def test_the_next_date_lists_the_most_valuable_first(report: TierReport):
    proposal = Proposal("shop", date(2024, 7, 1), TIERS, MOVES, {})
    told = with_assignments(report, None, proposal).next_moves
    assert told is not None
    assert (told.day, told.n_up, told.n_down) == ("2024-07-01", 1, 1)
    assert told.rows == (
        MoveFacts("a", "low", "high", 90.0, "model"),
        MoveFacts("c", "high", "low", 5.0, "behaviour"),
    )


def test_a_date_on_which_nobody_moves_lists_nobody(report: TierReport):
    proposal = Proposal("shop", date(2024, 7, 1), TIERS, moves(), {})
    told = with_assignments(report, None, proposal).next_moves
    assert told is not None
    assert (told.n_up, told.n_down, told.rows) == (0, 0, ())
