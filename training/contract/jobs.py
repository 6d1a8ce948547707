"""The jobs of training for customers under contract: train, promote, score."""

from __future__ import annotations

import time
from pathlib import Path

from features.config import Config
from features.contract.source import read_contract_source
from features.contract.table import read_contract_table
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, InputError
from features.progress import Progress
from training.artifact import point_to
from training.contract.record import model_name, record_contract
from training.contract.release import (
    contract_releases,
    load_contract_release,
    load_current_contract,
)
from training.contract.report import (
    build_contract_scores,
    candidate_table,
    risk_table,
    write_contract_scores,
)
from training.contract.run import train_contract
from training.promote import Standing, decide_promotion
from training.registry import Registry, Version


def run_contract_training(source: Path, state: Path, config: Config) -> int:
    """Learn who will leave and register the release; print the candidates and the levels."""
    table = read_contract_table(state / "tables" / read_contract_source(source).name)
    result = train_contract(table, config, state, Progress(time.monotonic))
    version = record_contract(result, config, Registry(state), state)
    print(candidate_table(result))
    print(risk_table(result.release, config.lang))
    print(
        f"release {result.release.digest[:12]} is version {version.number} of "
        f"{model_name(table.source)}"
    )
    print(
        "the HTTP service does not answer for customers under contract; for the list run: "
        f"python -m training promote --source {source}, then python -m training score "
        f"--source {source}"
    )
    return EXIT_DONE


def run_contract_promotion(source: Path, state: Path, asked: str | None) -> int:
    """Judge a version against the champion of its source and move the alias if it may."""
    name = read_contract_source(source).name
    model = model_name(name)
    registry = Registry(state)
    versions = {version.number: version for version in registry.versions(model)}
    challenger = versions.get(asked or next(iter(versions), ""))
    if challenger is None:
        raise InputError(
            f"no {f'version {asked}' if asked else 'version'} of {model} is registered; expected "
            "a trained release",
            f"run: python -m training train --source {source}",
        )
    champion = registry.champion(model)
    decision = decide_promotion(_standing(challenger), _standing(champion) if champion else None)
    verdict = "promoted" if decision.promote else "not promoted"
    print(f"version {challenger.number} {verdict}: {'; '.join(decision.reasons)}")
    if not decision.promote:
        return EXIT_WANTS_HUMAN
    releases = contract_releases(state, name)
    load_contract_release(releases / challenger.digest)
    registry.set_champion(challenger, model)
    point_to(releases, challenger.digest)
    return EXIT_DONE


def _standing(version: Version) -> Standing:
    """Return a version's standing; nGini of a label is 2 AUC - 1."""
    return Standing(version.digest, version.tags["source"], float(version.tags["ngini"]))


def run_contract_scoring(source: Path, state: Path, config: Config) -> int:
    """Score every customer of the table with the champion and write the list."""
    name = read_contract_source(source).name
    release = load_current_contract(state, name)
    table = read_contract_table(state / "tables" / name)
    scores = build_contract_scores(release, table)
    for path in write_contract_scores(scores, release, state / "scores", config.lang):
        print(f"wrote {path}")
    return EXIT_DONE
