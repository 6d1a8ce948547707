"""What an act is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from features.config import Config
from features.durable import hold_lock
from features.progress import Progress
from features.tables import Tables
from training.journal import read_journal
from training.promotion import LOCK, close_journal

if TYPE_CHECKING:
    from training.registry import Registry

Kind = Literal["recalibrate", "recut", "retrain"]
Status = Literal["done", "refused"]
BY_HAND = "asked for by hand"


@dataclass(frozen=True)
class Order:
    """One act that is asked for.

    Attributes
    ----------
    act : str
        ``recalibrate``, ``recut`` or ``retrain``.
    at : datetime
        Of the journal's rows, with a time zone.
    why : str
        For the journal.
    as_of : date or None
        The first day that is not learned from; by default the end of the complete data, or the
        first day under quarantine.
    incident : str
        Id of the incident that asks; an incident's act is done once. Empty by hand.
    despite_quarantine : str
        Why days under quarantine are learned from all the same; empty where they are not.
    """

    act: Kind
    at: datetime
    why: str = BY_HAND
    as_of: date | None = None
    incident: str = ""
    despite_quarantine: str = ""


@dataclass(frozen=True)
class Acted:
    """What came of an order.

    Attributes
    ----------
    act : str
        As ordered.
    status : str
        ``done`` once the release is served, ``refused`` where the gate or the data speak against
        it; the champion stays then.
    release, previous : str
        Digest of the release that was made (empty where none was), and of what was served before.
    reasons : tuple of str
        For people.
    figures : dict of str to float
        What was measured.
    is_new : bool
        False where an earlier run had done it.
    """

    act: Kind
    status: Status
    release: str
    previous: str
    reasons: tuple[str, ...]
    figures: dict[str, float] = field(default_factory=dict)
    is_new: bool = True


@dataclass(frozen=True)
class Shop:
    """What an act works on.

    Attributes
    ----------
    tables : Tables
        Validated tables of the champion's source.
    config : Config
        The settings.
    state : Path
        The state folder.
    registry : Registry
        Where the release is registered.
    tell : Progress
        Is told each step.
    """

    tables: Tables
    config: Config
    state: Path
    registry: Registry
    tell: Progress


def find_acted(state: Path, order: Order) -> Acted | None:
    """Return what an earlier run made of an incident's order; None where it is still to be done.

    What a kill left open in the journal is closed first, by what is served.
    """
    if not order.incident:
        return None
    with hold_lock(state / LOCK):
        close_journal(state, order.at)
    for entry in reversed(read_journal(state)):
        if entry.act in ("promote", "refuse") and reason_of(order) in entry.why:
            status: Status = "done" if entry.act == "promote" else "refused"
            return Acted(
                order.act,
                status,
                entry.release,
                entry.previous,
                entry.why,
                entry.figures,
                is_new=False,
            )
    return None


def reason_of(order: Order) -> str:
    """Return the journal's line that names the act and who asked for it."""
    if order.incident:
        return f"{order.act}, incident {order.incident}: {order.why}"
    return f"{order.act}: {order.why}"
