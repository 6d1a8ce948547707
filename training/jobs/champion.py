"""Who is served: promote, rollback."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import read_config
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, InputError
from features.tables import read_tables
from training.artifact import RELEASES
from training.jobs.commands import JOBS
from training.jobs.source import check_contract
from training.promote import Standing, decide_promotion

if TYPE_CHECKING:
    from training.gate import Ruling
    from training.registry import Version


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
        check_contract(arguments.source)
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


def _standing(version: Version) -> Standing:
    return Standing(version.digest, version.tags["source"], float(version.tags["ngini"]))


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
