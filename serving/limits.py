"""How much is let in: limits, wrong keys by address, and deadlines of bodies on their way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass
from time import perf_counter

from serving import refusals

MINUTE_SECONDS = 60.0
LOOK_SECONDS = 0.25
MOST_ADDRESSES = 10_000


@dataclass(frozen=True)
class DoorLimits:
    """How much is let in.

    Attributes
    ----------
    max_body_bytes : int
        Longest body.
    body_seconds : float
        Time in which a body must be there.
    max_bodies : int
        Bodies that may be on their way at once.
    max_concurrency : int
        Requests that may wait for the processor at once; more get 503.
    bad_keys_a_minute : int
        Wrong keys of one address that get 401; more get 429.
    """

    max_body_bytes: int
    body_seconds: float
    max_bodies: int
    max_concurrency: int
    bad_keys_a_minute: int


class BadKeys:
    """Counts wrong keys by address over a minute."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._counts: dict[str, int] = {}

    def count(self, address: str, now: float) -> int:
        """Count one more and return how many this minute has seen of the address."""
        if now - self._since >= MINUTE_SECONDS or len(self._counts) > MOST_ADDRESSES:
            self._since, self._counts = now, {}
        self._counts[address] = found = self._counts.get(address, 0) + 1
        return found

    def seconds_left(self, now: float) -> int:
        """Return the whole seconds until counting begins again, at least 1."""
        return max(1, int(self._since + MINUTE_SECONDS - now) + 1)


class Deadlines:
    """Bodies on their way, each with a deadline; one timer looks after all of them.

    A timer for each body costs more than reading it, for nearly every body is there at once.
    """

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._is_looking = False

    def __len__(self) -> int:
        return len(self._due)

    async def within(self, reading: Coroutine[object, object, bytes], seconds: float) -> bytes:
        """Return what is read.

        Raises
        ------
        Refused
            408 if it takes longer than `seconds`.
        """
        task = asyncio.current_task()
        assert task is not None
        self._due[task] = perf_counter() + seconds
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        try:
            return await reading
        except asyncio.CancelledError as cause:
            if task not in self._late:
                raise
            self._late.discard(task)
            task.uncancel()
            raise refusals.body_too_slow(seconds) from cause
        finally:
            del self._due[task]

    def _look(self) -> None:
        now = perf_counter()
        for task, due in self._due.items():
            if due < now and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._is_looking = bool(self._due)
        if self._is_looking:
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
