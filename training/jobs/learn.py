"""Learn a release, and judge every model at many moments: train, backtest."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from features.config import Config, check_settings, read_config
from features.contract.source import is_contract_source
from features.errors import EXIT_DONE, ConfigError, InputError
from features.ingestion.source import read_source
from features.progress import Progress
from features.tables import read_tables
from training.jobs.commands import JOBS
from training.jobs.source import tell_of_sentiment


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
    from training.learn.kept import keep_boosters
    from training.record import REPORTS, record_training
    from training.registry import Registry
    from training.report import tier_table
    from training.run import train

    tell_of_sentiment(tables, config)
    source = CohortSource(tables, arguments.state, config.features)
    with keep_boosters(arguments.state / "boosters"):  # one that was killed goes on
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
