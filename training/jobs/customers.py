"""What the champion says of everybody, and the tiers in force: score, assign, in-force, bonus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from features.config import read_config
from features.errors import EXIT_DONE, InputError
from features.ingestion.source import read_source
from features.tables import read_tables
from training.artifact import RELEASES
from training.jobs.commands import JOBS
from training.jobs.source import check_contract, tell_of_sentiment


@JOBS.add("score")
def run_score(given: Sequence[str]) -> int:
    """Score every customer with the champion; write the lists and the look-up."""
    parser = JOBS.parser("score")
    parser.add_argument("--source", type=Path, help="TOML of customers under contract")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    if arguments.source is not None:
        check_contract(arguments.source)
        from training.contract.jobs import run_contract_scoring

        return run_contract_scoring(arguments.source, arguments.state, config)
    from training.release import load_current
    from training.score import score_everybody

    release = load_current(arguments.state / RELEASES)
    tables = read_tables(arguments.state / "tables" / release.source)
    tell_of_sentiment(tables, config)
    for path in score_everybody(release, tables, config, arguments.state):
        print(f"wrote {path}")
    return EXIT_DONE


@JOBS.add("assign")
def run_assign(given: Sequence[str]) -> int:
    """Assign tiers on a re-tier date: --dry-run shows who would move, --publish makes it so."""
    parser = JOBS.parser("assign")
    parser.add_argument("--source", type=Path, help="TOML of the source; default: the champion's")
    parser.add_argument("--date", type=date.fromisoformat, help="default: the calendar's last")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dry-run", action="store_true", help="show it and publish nothing")
    what.add_argument("--publish", action="store_true", help="publish what the dry run showed")
    parser.add_argument("--digest", help="of the dry run that was looked at, or its beginning")
    parser.add_argument(
        "--off-calendar", metavar="REASON", help="why on a day outside the calendar"
    )
    parser.add_argument("--overrides", type=Path, help="CSV or TOML; default: that of the settings")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    from training.assignment.run import Job, default_day, dry_run, publish, told
    from training.release import load_current
    from training.score import score_everybody

    release = load_current(arguments.state / RELEASES)
    source = read_source(arguments.source).name if arguments.source else release.source
    tables = read_tables(arguments.state / "tables" / source)
    named = config.training.assignment.overrides
    overrides = arguments.overrides or (Path(named) if named else None)
    job = Job(release, tables, config, arguments.state, overrides)
    day = arguments.date or default_day(job)
    if arguments.dry_run:
        proposal, folder = dry_run(job, day)
        print(told(job, proposal))
        print(f"dry run {proposal.digest[:12]}: nothing is published; see {folder / 'moves.csv'}")
        return EXIT_DONE
    proposal, folder = publish(job, day, arguments.off_calendar, arguments.digest)
    print(told(job, proposal))
    print(f"published {proposal.digest[:12]}: {folder}")
    for path in score_everybody(release, tables, config, arguments.state):
        print(f"wrote {path}")
    return EXIT_DONE


@JOBS.add("in-force")
def run_in_force(given: Sequence[str]) -> int:
    """Tell the tier that was in force on a day, of one customer or of all."""
    parser = JOBS.parser("in-force")
    parser.add_argument("--source", type=Path, help="TOML of the source; default: the champion's")
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="ISO 8601")
    parser.add_argument("--customer", help="id; default: how many are in each tier")
    arguments = parser.parse_args(given)
    from training.assignment.history import read_newest, tier_in_force
    from training.release import load_current

    if arguments.source:
        source = read_source(arguments.source).name
    else:
        source = load_current(arguments.state / RELEASES).source
    published = read_newest(arguments.state, source, arguments.day)
    if published is None:
        raise InputError(
            f"no tiers of {source} were in force on {arguments.day}; expected a re-tier date on or "
            "before it",
            "publish one: python -m training assign --dry-run, then --publish",
        )
    if arguments.customer is None:
        print(f"{source} on {arguments.day}, published for {published.day}:")
        for row in reversed(published.scheme):
            print(f"  {row['id']}: {published.summary['members'][row['id']]}")
        return EXIT_DONE
    found = tier_in_force(arguments.state, source, arguments.customer, arguments.day)
    if found is None:
        raise InputError(
            f"customer {arguments.customer} had no tier on {arguments.day}; expected one who was "
            f"known on {published.day}",
            "check the id, with its leading zeros",
        )
    print(f"{found.tier} since {found.since} ({found.reason}; published for {found.published})")
    return EXIT_DONE


@JOBS.add("bonus")
def run_bonus(given: Sequence[str]) -> int:
    """Tell which bonus keeps seats steady enough, from the shop's own past re-tier dates."""
    arguments = JOBS.parser("bonus").parse_args(given)
    config = read_config(arguments.config)
    from training.bonus import bonus_of_past
    from training.release import load_current

    release = load_current(arguments.state / RELEASES)
    tables = read_tables(arguments.state / "tables" / release.source)
    found = bonus_of_past(release, tables, config, arguments.state)
    for bonus, share in found.reversals_share.items():
        print(f"bonus {bonus:g}: {share:.2%} of the customers of the last date undo a move")
    told = "" if found.holds else ", the largest that was tried; the limit of 2 % is not kept"
    print(f"training.assignment.bonus = {found.bonus:g}, from {found.n_dates} dates{told}")
    return EXIT_DONE
