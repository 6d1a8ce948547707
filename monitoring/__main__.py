"""``python -m monitoring COMMAND``: what the data, the models and the service look like."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.cli import Commands, exit_with
from features.config import read_config
from features.errors import EXIT_DONE
from features.ingestion.source import Source, read_source
from features.progress import Progress
from features.tables import read_tables

if TYPE_CHECKING:
    from monitoring.act import Acting
    from training.registry import Registry

JOBS = Commands("python -m monitoring")


@JOBS.add("data-report")
def run_data_report(arguments: Sequence[str]) -> int:
    """Write the data report of a source, with Evidently's summary of a sample beside it."""
    parser = JOBS.parser("data-report")
    parser.add_argument("--source", type=Path, required=True, help="the source's TOML")
    given = parser.parse_args(arguments)
    from features.ingestion.report import summary_path, write_report
    from monitoring.report import write_data_summary

    config = read_config(given.config)
    tables = read_tables(given.state / "tables" / read_source(given.source).name)
    summary = summary_path(given.state, tables.source)
    write_data_summary(tables, summary)
    print(write_report(tables, given.state, config.lang))
    print(summary)
    return EXIT_DONE


@JOBS.add("run")
def run_watch(arguments: Sequence[str]) -> int:
    """Look at drift, order days and matured cohorts, decide, and act; exit 0, 10 or 20."""
    parser = JOBS.parser("run")
    parser.add_argument("--source", type=Path, required=True, help="the source's TOML")
    parser.add_argument("--as-of", type=date.fromisoformat, help="default: end of the data")
    parser.add_argument(
        "--act",
        action=argparse.BooleanOptionalAction,
        help="carry out what is decided; default: monitoring.act of the settings",
    )
    parser.add_argument(
        "--now",
        type=datetime.fromisoformat,
        help="moment of the journal's rows, with its time zone; default: the clock",
    )
    given = parser.parse_args(arguments)
    from monitoring.run import run_monitoring

    config, source = read_config(given.config), read_source(given.source)
    tables = read_tables(given.state / "tables" / source.name)
    tell = Progress(time.monotonic)
    acting = None
    if config.monitoring.act if given.act is None else given.act:
        acting = _acting(given.now or datetime.now(UTC), tell)
    outcome = run_monitoring(
        tables, config, given.state, given.as_of, happened_column(source), tell, acting
    )
    told = outcome.told
    print(f"{told['as_of']} release {told['release'][:12]}: {told['act']}")
    for reason in told["reasons"]:
        print(f"  {reason}")
    for acted in outcome.acted:
        print(f"{acted['act']} of {acted['incident']}: {acted['status']}")
        for reason in acted["reasons"]:
            print(f"  {reason}")
    return outcome.exit_code


def _acting(now: datetime, tell: Progress) -> Acting:
    """Return what it takes to act; MLflow is imported once an act begins."""
    from monitoring.act import Acting

    def open_registry(state: Path) -> Registry:
        from training.registry import Registry

        return Registry(state)

    return Acting(open_registry, now, tell)


@JOBS.add("lift")
def run_lift(arguments: Sequence[str]) -> int:
    """Take a window out of quarantine by hand, so that it is learned from; the reason is kept."""
    parser = JOBS.parser("lift")
    parser.add_argument(
        "--before", type=date.fromisoformat, required=True, help="day after the window's last"
    )
    parser.add_argument("--why", required=True, help="why it may be learned from")
    given = parser.parse_args(arguments)
    from training.acts.quarantine import lift_window

    window = lift_window(given.state, given.before, given.why)
    print(f"days {window.first} to {window.before} are out of quarantine: {given.why}")
    return EXIT_DONE


@JOBS.add("dashboard")
def run_dashboard(arguments: Sequence[str]) -> int:
    """Draw what was decided: an Evidently workspace, and pages of the newest window."""
    parser = JOBS.parser("dashboard")
    parser.add_argument("--source", type=Path, required=True, help="the source's TOML")
    given = parser.parse_args(arguments)
    from monitoring.draw import draw

    config, source = read_config(given.config), read_source(given.source)
    tables = read_tables(given.state / "tables" / source.name)
    workspace, pages = draw(tables, config, given.state, Progress(time.monotonic))
    for path in (workspace, *pages):
        print(path)
    return EXIT_DONE


def happened_column(source: Source) -> str | None:
    """Return the raw order lines' column of the time."""
    for files in source.files:
        if files.table == "order_lines":
            names = files.columns.get("occurred_at", ())
            return names[0] if names else None
    return None


if __name__ == "__main__":
    exit_with(JOBS.run)
