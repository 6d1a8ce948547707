"""Progress of long work on stderr: what is being done, since when, and how long it will take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO


class Progress:
    """Tell steps as they begin, with the time left once the first has been timed.

    Parameters
    ----------
    clock : callable
        Returns seconds, such as ``time.monotonic``.
    expected : float
        Sum of the weights of all steps to come; 0 where it is not known, then no time is told.
    out : text stream
        Where to, stderr by default.

    Examples
    --------
    >>> now = iter([0.0, 0.0, 2.0])
    >>> progress = Progress(lambda: next(now), expected=4, out=sys.stdout)
    >>> progress("read")  # doctest: +NORMALIZE_WHITESPACE
    0 s  read
    >>> progress("fit", weight=3)  # doctest: +NORMALIZE_WHITESPACE
    2 s  fit (about 6 s left)
    """

    def __init__(
        self, clock: Callable[[], float], expected: float = 0.0, out: TextIO | None = None
    ) -> None:
        self._clock = clock
        self._start = self._since = clock()
        self._expected = expected
        self._done = 0.0
        self._running = 0.0
        self._out = out

    def expect(self, weight: float) -> None:
        """Add to the work that is known to come."""
        self._expected += weight

    def begin(self, expected: float) -> None:
        """Begin work of another kind, whose weights have nothing to do with those before."""
        self._since = self._clock()
        self._expected, self._done, self._running = expected, 0.0, 0.0

    def __call__(self, line: str, weight: float = 1.0) -> None:
        """Begin a step that takes about `weight` times as long as a step of weight 1."""
        now = self._clock()
        elapsed = now - self._start
        self._done += self._running
        self._running = weight
        left = ""
        if self._done and self._expected > self._done:
            seconds = (now - self._since) / self._done * (self._expected - self._done)
            left = f" (about {seconds:.0f} s left)"
        print(f"  {elapsed:5.0f} s  {line}{left}", file=self._out or sys.stderr, flush=True)
