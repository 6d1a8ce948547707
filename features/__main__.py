"""``python -m features COMMAND``: raw files to validated tables to features."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from features.cli import Commands, exit_with
from features.config import Config, read_config
from features.contract.source import check_has_reviews, is_contract_source
from features.errors import EXIT_DONE
from features.ingestion.source import read_source
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import read_tables

JOBS = Commands("python -m features")


@JOBS.add("ingest")
def run_ingest(arguments: Sequence[str]) -> int:
    """Read a source's files into validated tables and account for every record."""
    parser = JOBS.parser("ingest")
    parser.add_argument(
        "--source", type=Path, required=True, help="the source's TOML, such as datasets/NAME.toml"
    )
    given = parser.parse_args(arguments)
    config = read_config(given.config)
    if is_contract_source(given.source):
        return _ingest_contract(given.source, given.state, config)
    from features.ingestion.account_text import account_text
    from features.ingestion.ingest import ingest

    account = ingest(given.source, given.state, config.features.ingestion, config.lang)
    print(account_text(account, config.lang))
    print(f"tables: {given.state / 'tables' / account.source}  digest: {account.digest}")
    return EXIT_DONE


def _ingest_contract(source: Path, state: Path, config: Config) -> int:
    from features.contract.ingest import ingest_contract

    account = ingest_contract(source, state, config.features.ingestion, config.lang)
    print(account.text(config.lang))
    print(f"tables: {state / 'tables' / account.source}  digest: {account.digest}")
    return EXIT_DONE


@JOBS.add("report")
def run_report(arguments: Sequence[str]) -> int:
    """Write what came in, what was set aside and why, as one HTML file."""
    parser = JOBS.parser("report")
    parser.add_argument("--source", type=Path, required=True, help="the source's TOML")
    given = parser.parse_args(arguments)
    from features.ingestion.report import write_report

    config = read_config(given.config)
    tables = read_tables(given.state / "tables" / read_source(given.source).name)
    print(write_report(tables, given.state, config.lang))
    return EXIT_DONE


@JOBS.add("sentiment")
def run_sentiment(arguments: Sequence[str]) -> int:
    """Score the reviews that have no score yet; features see them from then on."""
    parser = JOBS.parser("sentiment")
    parser.add_argument("--source", type=Path, required=True, help="the source's TOML")
    given = parser.parse_args(arguments)
    check_has_reviews(given.source)
    from features.sentiment.job import score_source

    config = read_config(given.config)
    tables = read_tables(given.state / "tables" / read_source(given.source).name)
    done = score_source(tables, given.state, config.features.sentiment, Progress(time.monotonic))
    told = ", ".join(f"{language} {count:,}" for language, count in done.languages.items())
    print(f"{done.n_reviews:,} reviews with a text ({told}), {done.n_texts:,} distinct")
    print(f"{done.n_new:,} newly put through a model; heads: {', '.join(done.heads)}")
    return EXIT_DONE


@JOBS.add("settings")
def run_settings(arguments: Sequence[str]) -> int:
    """Print each key of config.toml with its default, its bounds and its meaning."""
    JOBS.parser("settings").parse_args(arguments)
    from features.settings import list_settings, settings_text

    print(settings_text(list_settings()))
    return EXIT_DONE


@JOBS.add("build")
def run_build(arguments: Sequence[str]) -> int:
    """Compute the feature table of one cutoff from the validated tables."""
    parser = JOBS.parser("build")
    parser.add_argument("--source", type=Path, required=True, help="the source's TOML")
    parser.add_argument("--cutoff", type=date.fromisoformat, help="default: end of the data")
    given = parser.parse_args(arguments)
    from features.store import read_or_build_features

    config = read_config(given.config)
    tables = read_tables(given.state / "tables" / read_source(given.source).name)
    cutoff = given.cutoff or tables.data_complete_before
    snapshot = Snapshot(cutoff, config.training.horizon_days, tables.history_start)
    frame = read_or_build_features(tables, snapshot, config.features, given.state)
    print(f"{len(frame)} customers, {len(frame.columns) - 1} features at {cutoff}")
    return EXIT_DONE


if __name__ == "__main__":
    exit_with(JOBS.run)
