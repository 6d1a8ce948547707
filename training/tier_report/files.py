"""The files of a tier report: its facts, and a page in each language."""

from __future__ import annotations

import json
import os
from pathlib import Path

from features.errors import InputError
from training.artifact import json_bytes
from training.tier_report.facts import TierReport, report_from
from training.tier_report.page import tier_page
from training.tier_report.words import LANGS

FACTS = "tiers.json"


def write_tier_report(report: TierReport, folder: Path) -> None:
    """Write the facts and the page in both languages."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / FACTS, json_bytes(report.to_json()))
    for lang in LANGS:
        write_page(report, folder, lang)


def write_page(report: TierReport, folder: Path, lang: str) -> Path:
    """Write the page in a language to ``tiers_LANG.html`` and return its path."""
    path = folder / f"tiers_{lang}.html"
    _write(path, tier_page(report, lang).encode("utf-8"))
    return path


def read_tier_report(folder: Path) -> TierReport:
    """Read the facts that training left.

    Raises
    ------
    InputError
        If there are none, or they are damaged.
    """
    path = folder / FACTS
    try:
        return report_from(json.loads(path.read_bytes()))
    except FileNotFoundError as cause:
        raise InputError(
            f"no {path}; expected the facts that training left of the release",
            "train again: python -m training train --source datasets/SOURCE.toml",
        ) from cause
    except (OSError, ValueError, LookupError, TypeError) as cause:
        raise InputError(
            f"{path} cannot be read ({type(cause).__name__}: {cause}); expected a tier report",
            "train again: python -m training train --source datasets/SOURCE.toml",
        ) from cause


def _write(path: Path, content: bytes) -> None:
    """Write beside, then put in place in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
