"""What goes wrong in the simulated shop: each incident has a kind, a date, a size and a length.

Two families. The first changes what customers do: `changed_season`, `satisfaction_slump`,
`slow_decay`, `new_channel`. The second changes only what is written down: `price_unit_slip`,
`upload_nulls`, `upload_duplicates`, `upload_half_day`. Nothing before the date changes in either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import InputError, did_you_mean

Kind = Literal[
    "price_unit_slip",
    "new_channel",
    "changed_season",
    "satisfaction_slump",
    "slow_decay",
    "upload_nulls",
    "upload_duplicates",
    "upload_half_day",
]
KINDS: tuple[str, ...] = get_args(Kind)
_SHARES = {"new_channel", "slow_decay", "upload_nulls", "upload_duplicates", "upload_half_day"}


@dataclass(frozen=True)
class Incident:
    """Something that goes wrong on a date.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    day : date
        First day it is in force.
    size : float
        price_unit_slip: factor of all amounts, such as 100; new_channel: share of orders placed
        by live stream; changed_season: days by which the festivals move; satisfaction_slump:
        shift of the log-odds of a worse experience; slow_decay: share of purchase gaps and order
        values that no longer follow the customer's own habit, reached linearly over `days`;
        upload_*: share of that day's rows that are emptied, doubled or missing.
    days : int
        For how many days (slow_decay: until the full size, which then stays).

    Raises
    ------
    InputError
        If the kind is unknown, the length is not positive or a share is outside (0, 1].
    """

    kind: Kind
    day: date
    size: float
    days: int = 36_500

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"unknown incident {self.kind!r}; {did_you_mean(str(self.kind), KINDS)}",
                "use one of the known kinds",
            )
        if self.days < 1:
            raise InputError(
                f"incident {self.kind} lasts {self.days} days; expected 1 or more",
                "give a positive number of days",
            )
        if self.kind in _SHARES and not 0 < self.size <= 1:
            raise InputError(
                f"incident {self.kind} has size {self.size:g}; expected a share in (0, 1]",
                "give the size as a share, such as 0.3",
            )
        if self.kind == "price_unit_slip" and self.size <= 0:
            raise InputError(
                f"incident {self.kind} has size {self.size:g}; expected a factor above 0",
                "give the size as a factor, such as 100",
            )

    def in_force(self, start: date, n_days: int) -> NDArray[np.bool_]:
        """Return, for each of the `n_days` days from `start`, whether the incident is in force."""
        day = np.arange(n_days) - (self.day - start).days
        return np.asarray((day >= 0) & (day < self.days))


def read_incident(text: str) -> Incident:
    """Read ``KIND:DATE:SIZE`` or ``KIND:DATE:SIZE:DAYS``.

    Raises
    ------
    InputError
        If the text has another form.

    Examples
    --------
    >>> read_incident("price_unit_slip:2024-03-01:100:3").days
    3
    """
    parts = text.split(":")
    try:
        kind, day, size, *rest = parts
        length = int(rest[0]) if rest else 36_500
        if len(rest) > 1:
            raise ValueError("too many parts")
        return Incident(kind, date.fromisoformat(day), float(size), length)  # type: ignore[arg-type]
    except ValueError as cause:
        raise InputError(
            f"incident {text!r}; expected KIND:DATE:SIZE or KIND:DATE:SIZE:DAYS",
            "write it like price_unit_slip:2024-03-01:100:3",
        ) from cause


MONEY = ("unit_price", "discount", "amount", "unit_cost")


def spoil_records(
    lines: pd.DataFrame, uniform: NDArray[np.float64], start: date, incidents: tuple[Incident, ...]
) -> pd.DataFrame:
    """Return the order lines as they were written down, with the faults of recording in them.

    Parameters
    ----------
    lines : DataFrame
        Order lines as they happened, in order of `happened_at` (datetime64).
    uniform : array
        One uniform number a line: which rows are hit.
    start : date
        First day of the shop.
    incidents : tuple of Incident
        Those that change behaviour are passed over.
    """
    day = (lines["happened_at"].to_numpy("datetime64[D]") - np.datetime64(start)).astype(np.int64)
    result, hit = lines.copy(), uniform
    for incident in incidents:
        begin = (incident.day - start).days
        inside = (day >= begin) & (day < begin + incident.days)
        struck = inside & (hit < incident.size)
        if incident.kind == "price_unit_slip":
            for name in MONEY:
                result.loc[inside, name] = (result.loc[inside, name] * incident.size).round(2)
        elif incident.kind == "upload_nulls":
            result.loc[struck, ["amount", "unit_price", "discount"]] = np.nan
        elif incident.kind == "upload_duplicates":
            copies = 1 + struck.astype(np.int64)
            result, day, hit = result.loc[result.index.repeat(copies)], *_repeat(copies, day, hit)
            result = result.reset_index(drop=True)
        elif incident.kind == "upload_half_day":
            seconds = result["happened_at"].to_numpy("datetime64[s]").astype(np.int64) % 86_400
            kept = ~(inside & (seconds >= (1 - incident.size) * 86_400))
            result, day, hit = result.loc[kept].reset_index(drop=True), day[kept], hit[kept]
    return result


def _repeat(
    copies: NDArray[np.int64], day: NDArray[np.int64], hit: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return both arrays with each element repeated as often as told."""
    return np.repeat(day, copies), np.repeat(hit, copies)
