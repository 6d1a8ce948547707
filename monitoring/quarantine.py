"""Which days are under quarantine after a look: broken ones come in, mended ones go out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from features.config import MonitoringSettings
from features.tables import Tables
from monitoring.look import read_days
from monitoring.order_faults import LEAST_DAYS, find_order_faults
from training.acts.quarantine import Window, read_quarantine, write_quarantine
from training.reference import Reference

LACKING = {"volume", "half_day", "empty", "tiny"}


def renew_quarantine(
    told: Mapping[str, Any],
    tables: Tables,
    state: Path,
    reference: Reference | None,
    settings: MonitoringSettings,
    happened_column: str | None,
) -> tuple[Window, ...]:
    """Write and return the windows under quarantine once a day has been looked at.

    The days of a verdict that calls the data broken come in. A window goes out when its day is
    looked at again and is not broken any more, when newer tables hold no fault on its days and the
    newest look finds none either, or, where lines were only missing, once the incident is closed.

    Parameters
    ----------
    told : mapping
        The verdict.
    tables : Tables
        That were looked at.
    state : Path
        The state folder.
    reference : Reference or None
        Of the release, for the days of order lines.
    settings : MonitoringSettings
        Limits.
    happened_column : str, optional
        The raw files' column of the time.
    """
    day = date.fromisoformat(told["as_of"])
    before = read_quarantine(state)
    kept = [each for each in before if each.source != tables.source or each.before != day]
    if told["quarantine"]:
        first = day - timedelta(days=int(told["n_new_days"]))
        why = told["reasons"][-1] if told["reasons"] else "broken data"
        kept.append(Window(first, day, tables.source, tables.digest, why, _is_lacking(told)))
    else:
        is_closed = all(each["cause"] != "data" for each in told["memory"]["incidents"])
        kept = [
            each
            for each in kept
            if each.source != tables.source
            or (
                not (each.is_lacking and is_closed)
                and (
                    each.data == tables.digest
                    or _is_broken(each, tables, reference, settings, happened_column)
                )
            )
        ]
    if tuple(kept) != before:
        write_quarantine(state, kept)
    return read_quarantine(state)


def _is_lacking(told: Mapping[str, Any]) -> bool:
    """Return whether nothing is wrong with the lines that are there: some are only missing."""
    kinds = {one.partition(" ")[0] for one in told["reasons"] if "(limit" in one}  # no notes
    is_more = any(
        each["kind"] == "volume" and each["value"] > each["limit"]
        for each in told["order_findings"]
    )
    return kinds <= LACKING and not is_more


def _is_broken(
    window: Window,
    tables: Tables,
    reference: Reference | None,
    settings: MonitoringSettings,
    happened_column: str | None,
) -> bool:
    """Return whether days of order lines still have a fault; without a reference nobody can tell."""
    if reference is None or reference.orders is None:
        return True
    n_days = (window.before - window.first).days
    days = read_days(tables, window.before, n_days, happened_column)
    return any(
        find_order_faults(days.slice(0, end), reference.orders, settings)
        for end in range(max(len(days) - n_days, LEAST_DAYS) + 1, len(days) + 1)
    )
