"""What monitoring decides, by hand: recalibrate, recut, retrain; and what is kept: prune."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import read_config
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, InputError
from features.ingestion.source import read_source
from features.progress import Progress
from features.tables import read_tables
from training.jobs.commands import JOBS

if TYPE_CHECKING:
    from training.acts.order import Acted, Kind, Order, Shop


@JOBS.add("recalibrate")
def run_recalibrate(given: Sequence[str]) -> int:
    """Learn the champion's level again on the newest matured cohort, and promote it if it helps."""
    from training.acts.recalibrate import recalibrate

    return _run("recalibrate", recalibrate, given)


@JOBS.add("recut")
def run_recut(given: Sequence[str]) -> int:
    """Cut the champion's boundaries again at the agreed shares of today's customers."""
    from training.acts.recut import recut

    return _run("recut", recut, given)


@JOBS.add("retrain")
def run_retrain(given: Sequence[str]) -> int:
    """Train a challenger at the newest moment; gate and logged requests decide whether it serves."""
    from training.acts.retrain import retrain

    return _run("retrain", retrain, given)


def _run(act: Kind, work: Callable[[Shop, Order], Acted], given: Sequence[str]) -> int:
    from training.acts.order import BY_HAND, Order

    arguments = _read(act, given)
    order = Order(
        act,
        datetime.now(UTC),
        arguments.why or BY_HAND,
        arguments.as_of,
        arguments.incident,
        arguments.despite_quarantine,
    )
    acted = work(_open(arguments), order)
    release = acted.release[:12]
    told = "is served" if acted.status == "done" else "is not promoted; the champion stays"
    print(f"{act}: release {release} {told}" + ("" if acted.is_new else " (done before)"))
    for reason in acted.reasons:
        print(f"  {reason}")
    return EXIT_DONE if acted.status == "done" else EXIT_WANTS_HUMAN


def _read(act: str, given: Sequence[str]) -> Namespace:
    parser = JOBS.parser(act)
    parser.add_argument("--source", type=Path, required=True, help="TOML of the champion's source")
    parser.add_argument(
        "--as-of",
        type=date.fromisoformat,
        help="first day not learned from; default: end of the data, or the quarantine",
    )
    parser.add_argument("--why", default="", help="for the journal")
    parser.add_argument("--incident", default="", help="id of an incident, whose act is done once")
    parser.add_argument(
        "--despite-quarantine", default="", metavar="WHY", help="learn from days under quarantine"
    )
    return parser.parse_args(given)


def _open(arguments: Namespace) -> Shop:
    from training.acts.order import Shop
    from training.artifact import RELEASES
    from training.registry import Registry
    from training.release import load_current

    source = read_source(arguments.source).name
    champion = load_current(arguments.state / RELEASES)
    if champion.source != source:
        raise InputError(
            f"the champion was learned on {champion.source}; expected {source}",
            f"give --source datasets/{champion.source}.toml",
        )
    return Shop(
        read_tables(arguments.state / "tables" / source),
        read_config(arguments.config),
        arguments.state,
        Registry(arguments.state),
        Progress(time.monotonic),
    )


@JOBS.add("prune")
def run_prune(given: Sequence[str]) -> int:
    """Remove old releases, look-ups, features, runs and logs by the rules of the settings."""
    parser = JOBS.parser("prune")
    parser.add_argument("--dry-run", action="store_true", help="tell what would go")
    parser.add_argument("--now", help="moment that ages are counted from; default: the clock")
    arguments = parser.parse_args(given)
    from training.prune.plan import parse_now
    from training.prune.run import prune

    registry = None
    if (arguments.state / "mlflow.db").is_file():
        from training.registry import Registry

        registry = Registry(arguments.state)
    now = parse_now(arguments.now) if arguments.now else datetime.now(UTC)
    config = read_config(arguments.config)
    plan, n_failed = prune(arguments.state, config, now, registry, dry_run=arguments.dry_run)
    for digest, why in plan.kept.items():
        print(f"keeps release {digest[:12]}: {why}")
    for each in plan.removals:
        verb = "would remove" if arguments.dry_run else "removed"
        path = each.path.relative_to(arguments.state)
        print(f"{verb} {path} ({each.size_bytes / 1e6:.1f} MB): {each.why}")
    told = "would go" if arguments.dry_run else "went"
    print(f"{plan.size_bytes / 1e6:.1f} MB and {n_failed} failed runs {told}")
    return EXIT_DONE
