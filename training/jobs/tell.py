"""Tell of a release: card, report, tiers, replay."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from features.config import read_config
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN
from features.tables import read_tables
from training.artifact import RELEASES, current_release
from training.jobs.commands import JOBS


@JOBS.add("card")
def run_card(given: Sequence[str]) -> int:
    """Print the model card of a release as of today, and write its pages with its age."""
    parser = JOBS.parser("card")
    parser.add_argument("--today", type=date.fromisoformat, help="day of reading; default: today")
    parser.add_argument("--release", help="digest or its first digits; default: what is served")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    from training.card import as_markdown, card_sections, read_facts, write_cards
    from training.record import REPORTS

    digest = arguments.release or current_release(arguments.state / RELEASES).name
    folder = arguments.state / REPORTS / digest[:12]
    facts = read_facts(folder)
    today = arguments.today or datetime.now(UTC).date()
    print(as_markdown(card_sections(facts, config.lang, today)), end="")
    for path in write_cards(facts, folder, today):
        print(f"wrote {path}", file=sys.stderr)
    return EXIT_DONE


@JOBS.add("report")
def run_report(given: Sequence[str]) -> int:
    """Write the tier report of the champion again, with what has been published since."""
    parser = JOBS.parser("report")
    parser.add_argument("--lang", choices=("en", "zh"), help="default: that of the settings")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    from training.assignment.history import read_newest
    from training.assignment.run import Job, default_day, propose_day
    from training.release import load_current
    from training.tier_report.files import read_tier_report, write_page
    from training.tier_report.published import with_assignments

    release = load_current(arguments.state / RELEASES)
    folder = arguments.state / "reports" / release.digest[:12]
    report = read_tier_report(folder)
    newest = read_newest(arguments.state, release.source)
    proposal = None
    if newest is not None:
        tables = read_tables(arguments.state / "tables" / release.source)
        job = Job(release, tables, config, arguments.state)
        day = default_day(job)
        proposal = propose_day(job, day) if day > newest.day else None
    report = with_assignments(report, newest, proposal)
    print(f"wrote {write_page(report, folder, arguments.lang or config.lang)}")
    return EXIT_DONE


@JOBS.add("tiers")
def run_tiers(given: Sequence[str]) -> int:
    """Print the tier table of the champion."""
    arguments = JOBS.parser("tiers").parse_args(given)
    config = read_config(arguments.config)
    from training.release import load_current
    from training.report import tier_table

    print(tier_table(load_current(arguments.state / RELEASES), config.lang))
    return EXIT_DONE


@JOBS.add("replay")
def run_replay(given: Sequence[str]) -> int:
    """Give the answers of a segment of the prediction log again; tell those whose bits differ."""
    parser = JOBS.parser("replay")
    parser.add_argument("--segment", type=Path, required=True, help="Parquet of state/predictions")
    parser.add_argument("--row", type=int, help="one row alone, from 0; default: every row")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    from training.replay_answer import find_release, kept_rows, read_segment, replay_answer

    logged = read_segment(arguments.segment, arguments.row)
    rows, releases = kept_rows(arguments.state, config.features), {}
    n_different = 0
    for number, row in logged:
        name = str(row["release"])
        if name not in releases:
            releases[name] = find_release(arguments.state, name)
        replayed = replay_answer(row, releases[name], arguments.state, rows)
        if arguments.row is not None:
            print(json.dumps(replayed.again, ensure_ascii=False))
        if replayed.differences:
            n_different += 1
            told = (
                f"{k} {replayed.logged[k]!r} is now {replayed.again[k]!r}"
                for k in replayed.differences
            )
            print(f"row {number}: {'; '.join(told)}")
    print(
        f"{len(logged) - n_different} of {len(logged)} answers come out as they were, bit for bit"
    )
    return EXIT_WANTS_HUMAN if n_different else EXIT_DONE
