"""Tiers that people gave: a CSV or TOML of who, which tier, until when and why."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from features.config import read_toml
from features.errors import InputError, did_you_mean
from features.identity import door_id
from training.assignment.rules import Override

COLUMNS = ("customer_id", "tier", "expires", "reason")
MEND = "mend that row, or withdraw it"


def read_overrides(path: Path, tiers: Sequence[str]) -> dict[str, Override]:
    """Read the overrides of a file, by customer.

    Parameters
    ----------
    path : Path
        A CSV with the header ``customer_id,tier,expires,reason``, or a TOML with one
        ``[[override]]`` a row and the same keys. `expires` is the first day it no longer holds,
        ISO 8601.
    tiers : sequence of str
        Ids of the scheme, bottom to top.

    Raises
    ------
    InputError
        Naming the first bad row: a missing or unknown column, an empty id or reason, a tier that
        the scheme does not have, a day that is none, a customer given twice.
    """
    rows = _read_toml(path) if path.suffix == ".toml" else _read_csv(path)
    found: dict[str, Override] = {}
    for place, row in rows:
        customer, override = _override(place, row, tiers)
        if customer in found:
            raise InputError(f"{place} gives customer {customer} a second tier; expected one", MEND)
        found[customer] = override
    return found


def _read_csv(path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames or ())
            rows = [(f"{path}, line {reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise InputError(
            f"{path} cannot be read ({cause}); expected a CSV in UTF-8 of {', '.join(COLUMNS)}",
            "mend the file of overrides, or point --overrides at it",
        ) from cause
    for place, row in rows:
        if None in row or None in row.values():
            raise InputError(f"{place} has not {len(COLUMNS)} cells; expected that many", MEND)
    return rows


def _read_toml(path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    told = read_toml(path)
    rows = told.get("override", [])
    if set(told) - {"override"} or not isinstance(rows, list):
        raise InputError(
            f"{path} has the keys {', '.join(sorted(told))}; expected [[override]] alone",
            "give each override a table of its own: [[override]]",
        )
    named = [(f"{path}, override {i}", row) for i, row in enumerate(rows, start=1)]
    for place, row in named:
        if not isinstance(row, dict):
            raise InputError(f"{place} is {row!r}; expected a table", MEND)
        _check_columns(Path(place), row)
    return named


def _check_columns(path: Path, given: Iterable[str]) -> None:
    names = set(given)
    missing, unknown = set(COLUMNS) - names, names - set(COLUMNS)
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(sorted(missing))}; expected {', '.join(COLUMNS)}",
            "add what is missing",
        )
    if unknown:
        first = min(unknown)
        raise InputError(
            f"{path} has an unknown column {first}; {did_you_mean(first, COLUMNS)}",
            "leave it out",
        )


def _override(place: str, row: Mapping[str, Any], tiers: Sequence[str]) -> tuple[str, Override]:
    customer, tier, reason = (str(row[key]) for key in ("customer_id", "tier", "reason"))
    if not customer:
        raise InputError(f"{place} has an empty customer_id; expected an id", MEND)
    if tier not in tiers:
        raise InputError(
            f"{place} gives customer {customer} the tier {tier!r}; expected one of "
            f"{', '.join(tiers)}",
            MEND,
        )
    if not reason.strip():
        raise InputError(
            f"{place} gives customer {customer} a tier without a reason; expected one",
            "say why, for the record",
        )
    return door_id(customer), Override(tiers.index(tier), _day(place, row["expires"]), reason)


def _day(place: str, told: Any) -> date:
    if type(told) is date:
        return told
    try:
        return date.fromisoformat(str(told).strip())
    except ValueError as cause:
        raise InputError(
            f"{place} expires on {told!r}; expected a day such as 2026-12-31", MEND
        ) from cause
