"""What has been published since, and what the next date would do, as facts of the report. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from training.assignment.attribution import CAUSES
from training.assignment.history import Published
from training.assignment.propose import Proposal
from training.tier_report.facts import MigrationFacts, MoveFacts, NextMovesFacts, TierReport

MOST_MOVES = 25


def with_assignments(
    report: TierReport, newest: Published | None, proposal: Proposal | None
) -> TierReport:
    """Return the report with the moves of the last published date and of the next one.

    Parameters
    ----------
    report : TierReport
        As training left it.
    newest : Published or None
        The last published assignment; the first one of all moves nobody.
    proposal : Proposal or None
        A dry run of a later date.
    """
    if newest is not None and newest.summary["previous_day"] is not None:
        report = replace(report, migration=migration_of(newest))
    if proposal is not None:
        report = replace(report, next_moves=next_moves_of(proposal))
    return report


def migration_of(published: Published) -> MigrationFacts:
    """Return who went where on a published date, moves counted by their main cause."""
    ids = [row["id"] for row in published.scheme]
    tiers = published.tiers[["previous_tier", "tier"]]
    known = tiers[tiers["previous_tier"].notna()]
    old = [one for one in known["previous_tier"].unique() if one not in ids]
    ids = sorted(old) + ids  # tiers that are no more stand at the bottom
    place = {one: k for k, one in enumerate(ids)}
    counts = np.zeros((len(ids), len(ids)), np.int64)
    before, after = (known[name].map(place).to_numpy(np.int64) for name in known.columns)
    np.add.at(counts, (before, after), 1)
    return MigrationFacts(
        kind="published",
        day_then=str(published.summary["previous_day"]),
        day_now=published.day.isoformat(),
        ids=tuple(ids),
        counts=tuple(tuple(row) for row in counts.tolist()),
        n_new=int(tiers["previous_tier"].isna().sum()),
        causes=dict(Counter(main_causes(published.moves))),
    )


def main_causes(moves: pd.DataFrame) -> list[str]:
    """Return for each move the cause that went furthest its way, the first of equals.

    Examples
    --------
    >>> columns = {"levels": [1, -1]} | {cause: [0, 0] for cause in CAUSES}
    >>> main_causes(pd.DataFrame(columns | {"model": [2, 0], "rule": [-1, -1]}))
    ['model', 'rule']
    """
    way = np.sign(moves["levels"].to_numpy(np.int64))[:, np.newaxis]
    parts = moves[list(CAUSES)].to_numpy(np.int64) * way
    return [CAUSES[k] for k in np.argmax(parts, axis=1).tolist()] if len(moves) else []


def next_moves_of(proposal: Proposal) -> NextMovesFacts:
    """Return who would move on a date that has not been published, the most valuable listed."""
    moves = proposal.moves.assign(why=main_causes(proposal.moves))
    listed = moves.sort_values(
        ["expected_value", "customer_id"], ascending=[False, True], kind="stable"
    ).head(MOST_MOVES)
    columns = ["customer_id", "from_tier", "to_tier", "expected_value", "why"]
    return NextMovesFacts(
        day=proposal.day.isoformat(),
        n_up=int((moves["levels"] > 0).sum()),
        n_down=int((moves["levels"] < 0).sum()),
        rows=tuple(
            MoveFacts(str(customer), str(early), str(late), float(value), str(why))
            for customer, early, late, value, why in listed[columns].itertuples(index=False)
        ),
    )
