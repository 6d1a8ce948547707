"""What jobs ask of a source before they work on it."""

from __future__ import annotations

import sys
from pathlib import Path

from features.config import Config
from features.contract.source import is_contract_source
from features.errors import InputError
from features.tables import Tables


def check_contract(source: Path) -> None:
    """Refuse a source of orders where only one of customers under contract is meant."""
    if not is_contract_source(source):
        raise InputError(
            f"{source} is a source of orders; expected --source of customers under contract only, "
            "as there is one champion for orders and it knows its source",
            "leave --source out",
        )


def tell_of_sentiment(tables: Tables, config: Config) -> None:
    """Say on stderr where reviews are there that features do not hear of."""
    from features.sentiment.scores import describe_scores

    told = describe_scores(tables, enabled=config.features.sentiment.enabled)
    if told:
        print(f"note: {told}", file=sys.stderr)
