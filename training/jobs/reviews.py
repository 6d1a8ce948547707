"""What reads the tone of reviews: sentiment-base, sentiment-head, sentiment-default-head."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from features.config import read_config
from features.contract.source import check_has_reviews
from features.errors import EXIT_DONE
from features.ingestion.source import read_source
from features.progress import Progress
from features.tables import read_tables
from training.jobs.commands import JOBS


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
    check_has_reviews(arguments.source)
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
