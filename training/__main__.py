"""The jobs of training: ``python -m training train | promote | rollback | score | tiers``.

Libraries that take seconds to import are imported by the job that needs them.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from features.cli import Commands, exit_with
from features.config import Config, check_settings, read_config
from features.contract.source import is_contract_source
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, ConfigError, InputError
from features.ingestion.source import read_source
from features.progress import Progress
from features.tables import read_tables
from training.artifact import RELEASES, point_to, roll_back
from training.promote import Standing, decide_promotion

if TYPE_CHECKING:
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
    from training.cohort import CohortSource
    from training.record import record_training
    from training.registry import Registry
    from training.report import tier_table
    from training.run import train

    source = CohortSource(tables, arguments.state, config.features)
    result = train(source, config, arguments.cutoff, arguments.state, Progress(time.monotonic))
    version = record_training(result, config, Registry(arguments.state), arguments.state)
    print(tier_table(result.release, config.lang))
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
    arguments = parser.parse_args(given)
    if arguments.accept_unfair is not None and not arguments.accept_unfair.strip():
        raise InputError("--accept-unfair is empty; expected a reason", "say why it is accepted")
    if arguments.source is not None:
        _check_contract(arguments.source)
        from training.contract.jobs import run_contract_promotion

        return run_contract_promotion(arguments.source, arguments.state, arguments.version)
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
    decision = decide_promotion(
        replace(_standing(challenger), breaches=breaches),
        _standing(champion) if champion else None,
        replace_source=arguments.replace_source,
        accept_unfair=arguments.accept_unfair,
    )
    verdict = "promoted" if decision.promote else "not promoted"
    print(f"version {challenger.number} {verdict}: {'; '.join(decision.reasons)}")
    if not decision.promote:
        return EXIT_WANTS_HUMAN
    if breaches and arguments.accept_unfair is not None:
        registry.tag(challenger, "accepted_unfair", arguments.accept_unfair)
    registry.set_champion(challenger)
    point_to(arguments.state / RELEASES, challenger.digest)
    return EXIT_DONE


@JOBS.add("rollback")
def run_rollback(given: Sequence[str]) -> int:
    """Serve the release that was served before the last promotion; needs no registry."""
    arguments = JOBS.parser("rollback").parse_args(given)
    digest = roll_back(arguments.state / RELEASES)
    print(f"release {digest[:12]} is served again; the service follows within seconds")
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
    from features.store import read_or_build_features
    from training.release import load_current
    from training.score import build_scores, write_lookup, write_scores

    release = load_current(arguments.state / RELEASES)
    tables = read_tables(arguments.state / "tables" / release.source)
    features = read_or_build_features(
        tables, release.feature_snapshot(), config.features, arguments.state
    )
    scores = build_scores(release, features)
    for path in write_scores(scores, release, arguments.state / "scores", config.lang):
        print(f"wrote {path}")
    print(f"wrote {write_lookup(release, features, arguments.state / 'online')}")
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


if __name__ == "__main__":
    exit_with(JOBS.run)
