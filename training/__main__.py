"""The jobs of training: ``python -m training JOB``, such as train, promote, score or assign.

Libraries that take seconds to import are imported by the job that needs them.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.cli import Commands, exit_with
from features.config import Config, check_settings, read_config
from features.contract.source import is_contract_source
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, ConfigError, InputError
from features.ingestion.source import read_source
from features.progress import Progress
from features.tables import Tables, read_tables
from training.artifact import RELEASES, current_release
from training.promote import Standing, decide_promotion

if TYPE_CHECKING:
    from training.gate import Ruling
    from training.registry import Version

JOBS = Commands("python -m training")


@JOBS.add("train")
def run_train(given: Sequence[str]) -> int:
    """Learn a release from the validated tables and register it."""
    parser = JOBS.parser("train")
    parser.add_argument("--source", type=Path, required=True, help="TOML of the data source")
    parser.add_argument("--cutoff", type=date.fromisoformat, help="default: end of the data")
    parser.add_argument("--horizon-days", type=int, help="default: that of the settings")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    if arguments.horizon_days is not None:
        values = config.model_dump()
        values["training"]["horizon_days"] = arguments.horizon_days
        try:
            config = check_settings(Config, values, Path("--horizon-days"))
        except ConfigError as cause:
            raise InputError(cause.found, "give a --horizon-days within its bounds") from cause
    if is_contract_source(arguments.source):
        return _train_contract(arguments, config)
    tables = read_tables(arguments.state / "tables" / read_source(arguments.source).name)
    from training.card import knowledge_points, read_facts
    from training.cohort import CohortSource
    from training.record import REPORTS, record_training
    from training.registry import Registry
    from training.report import tier_table
    from training.run import train

    _tell_of_sentiment(tables, config)
    source = CohortSource(tables, arguments.state, config.features)
    result = train(source, config, arguments.cutoff, arguments.state, Progress(time.monotonic))
    version = record_training(
        result, config, Registry(arguments.state), arguments.state, datetime.now(UTC).date()
    )
    print(tier_table(result.release, config.lang))
    facts = read_facts(arguments.state / REPORTS / result.release.digest[:12])
    print("\n".join(knowledge_points(facts, config.lang)))
    print(f"release {result.release.digest[:12]} is version {version.number}")
    return EXIT_DONE


def _train_contract(arguments: Namespace, config: Config) -> int:
    if arguments.cutoff is not None or arguments.horizon_days is not None:
        raise InputError(
            f"{arguments.source} tells of customers under contract, whose label has its own "
            "horizon; expected neither --cutoff nor --horizon-days",
            "leave them out",
        )
    from training.contract.jobs import run_contract_training

    return run_contract_training(arguments.source, arguments.state, config)


def _check_contract(source: Path) -> None:
    """Refuse a source of orders where only one of customers under contract is meant."""
    if not is_contract_source(source):
        raise InputError(
            f"{source} is a source of orders; expected --source of customers under contract only, "
            "as there is one champion for orders and it knows its source",
            "leave --source out",
        )


def _tell_of_sentiment(tables: Tables, config: Config) -> None:
    """Say on stderr where reviews are there that features do not hear of."""
    from features.sentiment.scores import describe_scores

    told = describe_scores(tables, enabled=config.features.sentiment.enabled)
    if told:
        print(f"note: {told}", file=sys.stderr)


def _standing(version: Version) -> Standing:
    return Standing(version.digest, version.tags["source"], float(version.tags["ngini"]))


@JOBS.add("promote")
def run_promote(given: Sequence[str]) -> int:
    """Judge a version against the champion and move the alias if it may."""
    parser = JOBS.parser("promote")
    parser.add_argument("--version", help="version to judge; default: the newest")
    parser.add_argument(
        "--replace-source", action="store_true", help="replace a champion of another source"
    )
    parser.add_argument("--source", type=Path, help="TOML of customers under contract")
    parser.add_argument(
        "--accept-unfair", metavar="REASON", help="promote a release unfair to a group, and say why"
    )
    parser.add_argument("--anyway", metavar="WHY", help="promote what the gate refuses; journaled")
    arguments = parser.parse_args(given)
    if arguments.accept_unfair is not None and not arguments.accept_unfair.strip():
        raise InputError("--accept-unfair is empty; expected a reason", "say why it is accepted")
    if arguments.source is not None:
        _check_contract(arguments.source)
        from training.contract.jobs import run_contract_promotion

        return run_contract_promotion(arguments.source, arguments.state, arguments.version)
    from training.promotion import Note, promote_version, refuse_version
    from training.registry import Registry
    from training.release import load_release

    registry = Registry(arguments.state)
    versions = {version.number: version for version in registry.versions()}
    challenger = versions.get(arguments.version or next(iter(versions), ""))
    if challenger is None:
        asked = f"version {arguments.version}" if arguments.version else "version"
        raise InputError(
            f"no {asked} is registered; expected a trained release"
            + (f", such as {', '.join(versions)}" if versions else ""),
            "run: python -m training train --source datasets/SOURCE.toml",
        )
    champion = registry.champion()
    release = load_release(arguments.state / RELEASES / challenger.digest)
    breaches = tuple(release.lineage.get("fairness", {}).get("breaches", ()))
    ruling = _try(challenger, champion, arguments)
    decision = decide_promotion(
        replace(_standing(challenger), breaches=breaches),
        _standing(champion) if champion else None,
        replace_source=arguments.replace_source,
        accept_unfair=arguments.accept_unfair,
        ruling=ruling,
    )
    why, figures = decision.reasons, ruling.figures if ruling else {}
    is_promoted = decision.promote
    is_fair = not breaches or arguments.accept_unfair is not None
    if arguments.anyway and is_fair and not is_promoted:
        is_promoted, why = True, (f"by hand: {arguments.anyway}", *why)
    verdict = "promoted" if is_promoted else "not promoted"
    print(f"version {challenger.number} {verdict}: {'; '.join(why)}")
    note = Note(datetime.now(UTC), why, figures)
    if not is_promoted:
        refuse_version(arguments.state, challenger, note)
        return EXIT_WANTS_HUMAN
    if breaches and arguments.accept_unfair is not None:
        registry.tag(challenger, "accepted_unfair", arguments.accept_unfair)
    promote_version(arguments.state, registry, challenger, note)
    return EXIT_DONE


def _try(challenger: Version, champion: Version | None, arguments: Namespace) -> Ruling | None:
    """Hold a version against the champion on one cohort, where there is such a trial."""
    if (
        champion is None
        or champion.digest == challenger.digest
        or champion.tags["source"] != challenger.tags["source"]
    ):
        return None
    from training.promotion import UNSEEN_BY_NEITHER, judge_release
    from training.release import load_release

    releases = arguments.state / RELEASES
    tables = read_tables(arguments.state / "tables" / challenger.tags["source"])
    ruling = judge_release(
        load_release(releases / challenger.digest),
        load_release(releases / champion.digest),
        tables,
        read_config(arguments.config),
        arguments.state,
    )
    if ruling is None:
        print(f"no trial: {UNSEEN_BY_NEITHER}; the two backtests are compared")
    return ruling


@JOBS.add("backtest")
def run_backtest_job(given: Sequence[str]) -> int:
    """Judge every model at several cutoffs and horizons against what then happened."""
    parser = JOBS.parser("backtest")
    parser.add_argument("--source", type=Path, required=True, help="TOML of the data source")
    parser.add_argument("--cutoffs", type=int, default=5, help="cutoffs of each horizon, at most")
    parser.add_argument("--horizons", default="90,180,365", help="days predicted, with commas")
    parser.add_argument("--step-days", type=int, help="between cutoffs; default: horizon / 4")
    parser.add_argument("--jobs", type=int, default=2, help="cutoffs judged at a time")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    tables = read_tables(arguments.state / "tables" / read_source(arguments.source).name)
    from training.rolling.jobs import Asked, read_horizons, run_rolling_job

    asked = Asked(
        read_horizons(arguments.horizons), arguments.cutoffs, arguments.step_days, arguments.jobs
    )
    return run_rolling_job(tables, config, arguments.state, asked)


@JOBS.add("rollback")
def run_rollback(given: Sequence[str]) -> int:
    """Serve the release that was served before the last promotion; needs no registry."""
    parser = JOBS.parser("rollback")
    parser.add_argument("--why", default="asked for", help="for the journal")
    arguments = parser.parse_args(given)
    from training.promotion import Note, roll_back_release

    digest = roll_back_release(arguments.state, Note(datetime.now(UTC), (arguments.why,), {}))
    print(f"release {digest[:12]} is served again; the service follows within seconds")
    if (arguments.state / "mlflow.db").is_file():
        from training.registry import move_champion

        print(move_champion(arguments.state, digest))
    return EXIT_DONE


@JOBS.add("score")
def run_score(given: Sequence[str]) -> int:
    """Score every customer with the champion; write the lists and the look-up."""
    parser = JOBS.parser("score")
    parser.add_argument("--source", type=Path, help="TOML of customers under contract")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    if arguments.source is not None:
        _check_contract(arguments.source)
        from training.contract.jobs import run_contract_scoring

        return run_contract_scoring(arguments.source, arguments.state, config)
    from training.release import load_current
    from training.score import score_everybody

    release = load_current(arguments.state / RELEASES)
    tables = read_tables(arguments.state / "tables" / release.source)
    _tell_of_sentiment(tables, config)
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


@JOBS.add("replay")
def run_replay(given: Sequence[str]) -> int:
    """Give the answers of a segment of the prediction log again; tell those whose bits differ."""
    parser = JOBS.parser("replay")
    parser.add_argument("--segment", type=Path, required=True, help="Parquet of state/predictions")
    parser.add_argument("--row", type=int, help="one row alone, from 0; default: every row")
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    import json

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


@JOBS.add("tiers")
def run_tiers(given: Sequence[str]) -> int:
    """Print the tier table of the champion."""
    arguments = JOBS.parser("tiers").parse_args(given)
    config = read_config(arguments.config)
    from training.release import load_current
    from training.report import tier_table

    print(tier_table(load_current(arguments.state / RELEASES), config.lang))
    return EXIT_DONE


@JOBS.add("sentiment-base")
def run_sentiment_base(given: Sequence[str]) -> int:
    """Fetch, convert and export the model that reviews are scored with; at once if it is there."""
    arguments = JOBS.parser("sentiment-base").parse_args(given)
    config = read_config(arguments.config)
    from features.sentiment.rooms import base_folder
    from training.sentiment.base import build_base

    made = build_base(arguments.state, config.features.sentiment, Progress(time.monotonic))
    measured = ", ".join(f"{name} {value:.4f}" for name, value in made.notes.items())
    print(f"{made.name} in {base_folder(arguments.state)}: {measured}")
    return EXIT_DONE


@JOBS.add("sentiment-head")
def run_sentiment_head(given: Sequence[str]) -> int:
    """Learn a head from the stars of a shop's own reviews that were known before a day."""
    parser = JOBS.parser("sentiment-head")
    parser.add_argument("--source", type=Path, required=True, help="TOML of the data source")
    parser.add_argument(
        "--known-before",
        type=date.fromisoformat,
        help="day from which the head is used; default: the oldest cutoff that training looks at",
    )
    arguments = parser.parse_args(given)
    config = read_config(arguments.config)
    tables = read_tables(arguments.state / "tables" / read_source(arguments.source).name)
    from training.registry import Registry
    from training.sentiment.own import EVERY_LANGUAGE, learn_own_head, oldest_cutoff
    from training.sentiment.record import record_head

    day = arguments.known_before or oldest_cutoff(tables, config.training)
    workers, seed = config.features.sentiment.workers, config.training.seed
    own = learn_own_head(tables, arguments.state, day, workers, seed, Progress(time.monotonic))
    record_head(own, tables.source, Registry(arguments.state))
    for name, measured in own.measured.items():
        told = measured[EVERY_LANGUAGE]
        print(f"  {name:12} AUC {told['auc']:.4f}  macro-F1 {told['macro_f1']:.4f}")
    print(f"{own.folder}: from {own.n_verdicts:,} verdicts before {day}")
    print(f"score with it: python -m features sentiment --source {arguments.source}")
    return EXIT_DONE


@JOBS.add("sentiment-default-head")
def run_sentiment_default_head(given: Sequence[str]) -> int:
    """Make the head that comes with the house again (needs TIERWISE_DATA)."""
    parser = JOBS.parser("sentiment-default-head")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    arguments = parser.parse_args(given)
    from features.sentiment.head import DEFAULT_HEAD, write_default_head
    from training.sentiment.default import build_default_head

    head, card = build_default_head(arguments.state, arguments.data, Progress(time.monotonic))
    write_default_head(DEFAULT_HEAD, head, card)
    print(f"wrote {DEFAULT_HEAD}: {card['auc_of_held_out_sentences_en']} on held-out sentences")
    return EXIT_DONE


if __name__ == "__main__":
    exit_with(JOBS.run)
