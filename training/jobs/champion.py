"""Who is served: promote, rollback."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import read_config
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, InputError
from training.jobs.commands import JOBS
from training.jobs.source import check_contract

if TYPE_CHECKING:
    from training.registry import Registry, Version


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
    return _promote(arguments)


def _promote(arguments: Namespace) -> int:
    """Judge the version that is asked for, and promote or refuse it."""
    from training.candidate import judge_version
    from training.promotion import UNSEEN_BY_NEITHER, Note, promote_version, refuse_version
    from training.registry import Registry

    registry = Registry(arguments.state)
    challenger = _asked(registry, arguments.version)
    accepted: str | None = arguments.accept_unfair
    judged = judge_version(
        challenger,
        registry.champion(),
        read_config(arguments.config),
        arguments.state,
        replace_source=arguments.replace_source,
        accept_unfair=accepted,
    )
    if judged.has_champion and judged.ruling is None:
        print(f"no trial: {UNSEEN_BY_NEITHER}; the two backtests are compared")
    why, is_promoted = judged.decision.reasons, judged.decision.promote
    is_fair = not judged.breaches or accepted is not None
    if arguments.anyway and is_fair and not is_promoted:
        is_promoted, why = True, (f"by hand: {arguments.anyway}", *why)
    verdict = "promoted" if is_promoted else "not promoted"
    print(f"version {challenger.number} {verdict}: {'; '.join(why)}")
    note = Note(datetime.now(UTC), why, judged.figures)
    if not is_promoted:
        refuse_version(arguments.state, challenger, note)
        return EXIT_WANTS_HUMAN
    if judged.breaches and accepted is not None:
        registry.tag(challenger, "accepted_unfair", accepted)
    promote_version(arguments.state, registry, challenger, note)
    return EXIT_DONE


def _asked(registry: Registry, number: str | None) -> Version:
    """Return the version of a number, or the newest."""
    versions = {version.number: version for version in registry.versions()}
    found = versions.get(number or next(iter(versions), ""))
    if found is not None:
        return found
    asked = f"version {number}" if number else "version"
    raise InputError(
        f"no {asked} is registered; expected a trained release"
        + (f", such as {', '.join(versions)}" if versions else ""),
        "run: python -m training train --source datasets/SOURCE.toml",
    )


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
