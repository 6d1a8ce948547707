"""Children that die at a named point, and children that begin at the same moment."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import mlflow  # noqa: F401  (once, in the server that children are forked from)
import numpy as np

from features.config import Config
from features.errors import TierwiseError
from features.progress import Progress
from features.tables import read_tables
from training.acts.order import Order, Shop
from training.acts.recalibrate import recalibrate
from training.acts.retrain import retrain
from training.promotion import Note, promote_version
from training.registry import Registry

KILLED = -signal.SIGKILL
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.acts.kills"])


def kill_after(place: str, nth: int) -> None:
    """Let this process die once a function, module:name or module:Class.name, has returned n times."""
    module, _, name = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, last = name.split(".")
    for each in parents:
        owner = getattr(owner, each)
    original, calls = getattr(owner, last), [0]

    def dying(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        calls[0] += 1
        if calls[0] == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, last, dying)


def shop_of(state: Path, config: Config) -> Shop:
    tables = read_tables(next((state / "tables").iterdir()))
    return Shop(tables, config, state, Registry(state), Progress(lambda: 0.0))


def do_act(state: Path, config: Config, order: Order) -> None:
    work = {"recalibrate": recalibrate, "retrain": retrain}[order.act]
    work(shop_of(state, config), order)


def do_promote(state: Path, digest: str, note: Note) -> None:
    registry = Registry(state)
    version = next(each for each in registry.versions() if each.digest == digest)
    promote_version(state, registry, version, note)


def _child(
    work: Callable[..., None], args: tuple[Any, ...], place: str, nth: int, gate: Any
) -> None:
    if place:
        kill_after(place, nth)
    if gate is not None:
        gate.wait()
    try:
        work(*args)
    except TierwiseError as error:
        os._exit(error.exit_code)


def in_child(work: Callable[..., None], *args: Any, place: str = "", nth: int = 1) -> int:
    """Run in a child that may die at a place; return its exit code, minus the signal if killed."""
    child = CHILDREN.Process(target=_child, args=(work, args, place, nth, None))
    child.start()
    child.join()
    return int(child.exitcode or 0)


class RandomKills:
    """Runs work in children and kills them at random moments of the time it takes at most.

    Attributes
    ----------
    n : int
        How many were killed; the others had ended before their moment came.
    """

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        self.n = 0
        self._rng, self._seconds = rng, seconds

    def strike(self, work: Callable[..., None], *args: Any) -> None:
        """Run work in one child, and kill it if it is still there at its moment."""
        child = CHILDREN.Process(target=_child, args=(work, args, "", 1, None))
        begun = monotonic()
        child.start()
        child.join(self._rng.uniform(0, self._seconds))
        child.kill()  # does nothing to one that has ended
        child.join()
        if child.exitcode == KILLED:
            self.n += 1
        else:
            assert child.exitcode == 0
            self._seconds = min(self._seconds, monotonic() - begun)


def at_once(n: int, work: Callable[..., None], *args: Any) -> list[int]:
    """Run in n children that begin at the same moment; return their exit codes, sorted."""
    gate = CHILDREN.Barrier(n)
    children = [CHILDREN.Process(target=_child, args=(work, args, "", 1, gate)) for _ in range(n)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return sorted(int(child.exitcode or 0) for child in children)
