"""What was decided, carried out: one act an incident, once, also after a kill.

The verdict is written before its act begins. A file beside it, ``acts/DAY-RELEASE.json``, says what
came of it; while that is not closed the next run goes on with the act before it looks again. What
was promoted or refused stands in the journal under the incident's id, so an act that was cut short
after that is not done twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.config import Config
from features.durable import write_durably
from features.errors import EXIT_ACTED, EXIT_WANTS_HUMAN, LockedError, TierwiseError
from features.progress import Progress
from features.tables import Tables
from monitoring.verdicts import act_path, is_closed, read_acted
from training.acts.order import Acted, Kind, Order, Shop, find_acted
from training.acts.quarantine import read_quarantine
from training.promotion import served_digest

if TYPE_CHECKING:
    from training.registry import Registry

MOST_TRIES = 3
FAILED = ("refused", "failed")


@dataclass(frozen=True)
class Acting:
    """What it takes to carry out an act.

    Attributes
    ----------
    open_registry : callable
        Opens the registry of a state folder; called once an act begins, for it takes seconds.
    at : datetime
        Of the journal's rows.
    tell : Progress
        Is told each step.
    """

    open_registry: Callable[[Path], Registry]
    at: datetime
    tell: Progress


def incident_of(told: Mapping[str, Any]) -> str:
    """Return the id of the incident of a verdict: its day, its release and its cause."""
    return f"{told['as_of']}-{told['release'][:12]}-{told['cause']}"


def carry_out(
    told: Mapping[str, Any], tables: Tables, config: Config, state: Path, acting: Acting
) -> dict[str, Any]:
    """Carry out the act of a verdict and write down what came of it.

    An error that a human can mend is a refusal. Any other leaves the act open; after three runs
    that ended so it counts as failed, lest it keep monitoring from looking.

    Parameters
    ----------
    told : mapping
        The verdict, as it was written.
    tables : Tables
        Validated tables of the release's source.
    config : Config
        The settings.
    state : Path
        The state folder.
    acting : Acting
        Registry, time and progress.

    Returns
    -------
    dict
        As written to ``acts``: ``status`` is done, refused, failed, or superseded where another
        release is served than the verdict is about.

    Raises
    ------
    LockedError
        If another retraining or promotion is going on; the act stays open.
    """
    path = act_path(state, told)
    n_tries = int((read_acted(state, told) or {}).get("n_tries", 0))
    named = {key: told[key] for key in ("as_of", "act", "cause")} | {"incident": incident_of(told)}
    if n_tries >= MOST_TRIES:
        why = [f"{n_tries} runs of it were cut short"]
        return _write(path, {**named, "status": "failed", "reasons": why, "n_tries": n_tries})
    _write(path, {**named, "status": "begun", "n_tries": n_tries + 1})
    try:
        acted = _work(told, tables, config, state, acting)
        if acted is None:
            why = ["another release is served since; it is looked at by itself"]
            return _write(path, {**named, "status": "superseded", "reasons": why})
    except LockedError:
        _write(path, {**named, "status": "begun", "n_tries": n_tries})
        raise
    except TierwiseError as error:
        reasons = [error.found, error.do]
        return _write(path, {**named, "status": "refused", "reasons": reasons})
    return _write(
        path,
        {
            **named,
            "status": acted.status,
            "release": acted.release,
            "previous": acted.previous,
            "reasons": list(acted.reasons),
            "figures": acted.figures,
        },
    )


def exit_code_of(acted: Mapping[str, Any]) -> int:
    """Return 10 for an act that was done, 20 for one that wants a human."""
    return EXIT_WANTS_HUMAN if acted["status"] in FAILED else EXIT_ACTED


def open_act(newest: Mapping[str, Any] | None, state: Path) -> bool:
    """Return whether the newest verdict has an act that is still to be carried out."""
    if newest is None or newest["act"] not in ACTS:
        return False
    return not is_closed(read_acted(state, newest))


def _work(
    told: Mapping[str, Any], tables: Tables, config: Config, state: Path, acting: Acting
) -> Acted | None:
    """Return what came of the act; None where another release is served than it is about."""
    act: Kind = told["act"]
    order = Order(
        act,
        acting.at,
        "; ".join(told["reasons"]) or told["cause"],
        _learned_before(date.fromisoformat(told["as_of"]), tables, state),
        incident_of(told),
    )
    if served_digest(state) != told["release"]:
        return find_acted(state, order)
    acting.tell(f"{act}: {order.incident}")
    shop = Shop(tables, config, state, acting.open_registry(state), acting.tell)
    return _worker_of(act)(shop, order)


def _worker_of(act: Kind) -> Callable[[Shop, Order], Acted]:
    """Return the job of training that carries out an act; only that one is imported."""
    if act == "retrain":
        from training.acts.retrain import retrain

        return retrain
    if act == "recut":
        from training.acts.recut import recut

        return recut
    from training.acts.recalibrate import recalibrate

    return recalibrate


def _learned_before(day: date, tables: Tables, state: Path) -> date:
    """Return the day of a verdict, or the first day under quarantine before it."""
    first = [each.first for each in read_quarantine(state) if each.source == tables.source]
    return min([day, *first])


def _write(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True)
    write_durably(path, text.encode() + b"\n")
    return told


ACTS = ("recalibrate", "recut", "retrain")
"""Those that a job of training carries out."""
