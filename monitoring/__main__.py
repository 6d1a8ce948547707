"""``python -m monitoring COMMAND``: what the data, the models and the service look like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from features.cli import Commands, exit_with
from features.config import read_config
from features.errors import EXIT_DONE
from features.ingestion.source import read_source
from features.tables import read_tables

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


if __name__ == "__main__":
    exit_with(JOBS.run)
