"""Where a release comes from: digests of data, configuration and code, and the versions in use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from features.config import Config
from features.sentiment.scores import scores_lineage
from features.tables import Tables

ROOMS = ("features", "training")
LIBRARIES = ("numpy", "scipy", "lightgbm", "scikit-learn", "duckdb", "pandas")


def describe_lineage(
    data_digest: str, config: Config, sentiment: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return what makes a release: equal inputs, configuration and code give equal lineage.

    Parameters
    ----------
    data_digest : str
        Of the validated tables.
    config : Config
        The settings; of them, those of features and training count.
    sentiment : mapping
        Digests of the scores of reviews, as `features.sentiment.scores.scores_lineage`.
    """
    settings = config.training.model_dump_json() + config.features.model_dump_json()
    return {
        "data": data_digest,
        "sentiment": {name: dict(digests) for name, digests in sentiment.items()},
        "configuration": hashlib.sha256(settings.encode()).hexdigest(),
        "code": code_digest(Path(__file__).parent.parent),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def lineage_of(tables: Tables, cutoff: date, config: Config) -> dict[str, Any]:
    """Return the lineage of what is learned from a source's tables and scores for a cutoff.

    Raises
    ------
    InputError
        If a table of scores cannot be read.
    """
    scores = scores_lineage(tables, cutoff, enabled=config.features.sentiment.enabled)
    return describe_lineage(tables.digest, config, scores)


def code_digest(root: Path) -> str:
    """Return the sha256 over the Python files that make a release, in order of their names."""
    total = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
