"""One line of JSON a request, of the fields below and no others: no id, no path, no address.

The line is a struct, so nothing else can get into it. Lines are gathered for a moment and written by
a thread, in one write each time; a kill loses the last `FLUSH_SECONDS` at most.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque

import msgspec

FLUSH_SECONDS = 0.25
MOST_WAITING = 100_000
STDOUT = 1


class AccessLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is written of a request.

    Attributes
    ----------
    time : float
        Seconds since 1970 at its end.
    route : str
        The template, never the path.
    method, status
        As asked and answered; another method than the usual ones is ``other``.
    ms : float
        Milliseconds from the first byte to the last.
    key : str
        Id of the API key, not the key.
    release : str
        First digits of the release that answered.
    code : str
        The stable word of a refusal.
    """

    time: float
    route: str
    method: str
    status: int
    ms: float
    key: str = ""
    release: str = ""
    code: str = ""


_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Writes access lines to a file descriptor.

    Parameters
    ----------
    descriptor : int
        Where to; the standard output unless told otherwise.
    """

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def add(self, line: AccessLine) -> None:
        """Take a line; never waits."""
        if self._thread is not None:
            self._waiting.append(_encode(line))

    def stop(self) -> None:
        """Write what is left and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopped.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._waiting.popleft())
        if lines:
            text = memoryview(b"\n".join(lines) + b"\n")
            with contextlib.suppress(
                OSError
            ):  # nobody reads: an answer is worth more than its line
                while text:
                    text = text[os.write(self._descriptor, text) :]
