"""A steady trickle of real requests: what was answered, by which release, and what was not.

Nothing is sent again: a request that failed is a failure.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

PER_SECOND = 12.0
TIMEOUT_SECONDS = 10.0
BATCH_EVERY = 10


@dataclass(frozen=True)
class Tally:
    """Requests up to a moment.

    Attributes
    ----------
    answered, failed : int
        With status 200; with another one, or not at all.
    slowest_seconds : float
        Of any answer.
    releases : tuple of str
        That answered, in the order they first did.
    """

    answered: int = 0
    failed: int = 0
    slowest_seconds: float = 0.0
    releases: tuple[str, ...] = ()


class Traffic:
    """Asks a service for tiers, one after the other at an even pace, from a thread.

    Parameters
    ----------
    base : str
        Of the service, such as ``http://127.0.0.1:3000``.
    key : str
        An API key of the role application.
    customer_ids : sequence of str
        Whom to ask for, in turn.
    """

    def __init__(self, base: str, key: str, customer_ids: Sequence[str]) -> None:
        self._address = urlsplit(base).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._ids = list(customer_ids)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._answered = self._failed = 0
        self._slowest = 0.0
        self._releases: dict[str, float] = {}
        self.failures: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> Tally:
        """Ask no more, and return the whole tally."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(2 * TIMEOUT_SECONDS)
        return self.tally()

    def tally(self) -> Tally:
        """Return what came so far."""
        with self._lock:
            return Tally(self._answered, self._failed, self._slowest, tuple(self._releases))

    def first_answered_at(self, release: str) -> float | None:
        """Return the clock (`time.monotonic`) of the first answer by a release."""
        with self._lock:
            return next((at for r, at in self._releases.items() if release.startswith(r)), None)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_SECONDS)
        number, due = 0, time.monotonic()
        while not self._stopped.is_set():
            number, due = number + 1, due + 1 / PER_SECOND
            begun = time.monotonic()
            try:
                release = self._ask(connection, number)
            except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                connection.close()
                with self._lock:
                    self._failed += 1
                    self.failures[f"{type(error).__name__}: {error}"[:120]] += 1
            else:
                now = time.monotonic()
                with self._lock:
                    self._answered += 1
                    self._slowest = max(self._slowest, now - begun)
                    self._releases.setdefault(release, now)
            self._stopped.wait(max(due - time.monotonic(), 0))
            due = max(due, time.monotonic() - 1)  # what could not be asked in time is not made up
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> str:
        """Ask for one customer, every tenth time for several; return the release that answered."""
        place = number % len(self._ids)
        if number % BATCH_EVERY:
            path = f"/v1/customers/{quote(self._ids[place], safe='')}/tier"
            connection.request("GET", path, headers=self._headers)
        else:
            asked = [{"customer_id": each} for each in self._ids[place : place + 5]]
            connection.request("POST", "/v1/tiers", json.dumps(asked), self._headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            raise ValueError(f"status {answer.status}: {text[:80]!r}")
        told = json.loads(text)
        rows = told if isinstance(told, list) else [told]
        (release,) = {row["release"] for row in rows}
        return str(release)
