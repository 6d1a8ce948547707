"""What the service counts: requests by route template, answers by tier, misses, the release.

The label is the route's template, never the path: a path holds a customer's id, which would be
one series a customer and personal data in ``/metrics``. With several workers prometheus_client
keeps its values in files of ``PROMETHEUS_MULTIPROC_DIR`` (BentoML sets it); a scrape of any
worker then adds up all of them. Writing there costs some microseconds a number, so what happens
with every request is tallied in plain numbers first, and settled once a second and at a scrape.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from serving.schemas import TierAnswer

CONTENT_TYPE = CONTENT_TYPE_LATEST
MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
LATENCY_EDGES_SECONDS = (
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
)  # fmt: skip
KNOWN_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


@dataclass
class Latencies:
    """Seconds of requests, by the edge that they do not exceed; the last place is above all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_EDGES_SECONDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Take one more."""
        self.counts[bisect_left(LATENCY_EDGES_SECONDS, seconds)] += 1
        self.seconds += seconds


class TalliedHistogram(Histogram):
    """A histogram that takes many observations at once, counted by bucket already."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add the counts of each bucket and the sum of what was observed."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


class Metrics:
    """Counters of one process, exposed for all processes of the service.

    Requests and answers are counted in the thread of the event loop, and settled there.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._release_id: str | None = None
        self._requests = Counter(
            "tierwise_requests",
            "Requests answered, by route template, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._seconds = TalliedHistogram(
            "tierwise_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=LATENCY_EDGES_SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "tierwise_answers",
            "Customers answered, by status (ok, insufficient_data, unknown_customer) and tier.",
            ["status", "tier"],
            registry=self._registry,
        )
        self._release = Gauge(
            "tierwise_release_loaded",
            "1 for a release that a live worker answers with.",
            ["release"],
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._refused_releases = Counter(
            "tierwise_refused_releases",
            "Releases that a worker did not take up; the one before goes on answering.",
            registry=self._registry,
        )
        self._requests_since: Tally[tuple[str, str, int]] = Tally()
        self._seconds_since: dict[str, Latencies] = {}
        self._answers_since: Tally[tuple[str, str | None]] = Tally()

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template."""
        self._requests_since[route, method, status] += 1
        latencies = self._seconds_since.get(route)
        if latencies is None:
            latencies = self._seconds_since[route] = Latencies()
        latencies.add(seconds)

    def count_answers(self, answers: Iterable[TierAnswer]) -> None:
        """Count customers answered by status and tier."""
        for answer in answers:
            self._answers_since[answer.status, answer.tier] += 1

    def count_store_miss(self) -> None:
        """Count a single look-up of a customer that the store does not know."""
        self._answers_since["unknown_customer", None] += 1

    def settle(self) -> None:
        """Put what was tallied where a scrape of any process finds it."""
        for (route, method, status), n in self._requests_since.items():
            known_method = method if method in KNOWN_METHODS else "other"
            self._requests.labels(route, known_method, str(status)).inc(n)
        for route, latencies in self._seconds_since.items():
            self._seconds.labels(route).add(latencies.counts, latencies.seconds)
        for (answered, tier), n in self._answers_since.items():
            self._answers.labels(answered, tier or "none").inc(n)
        self._requests_since.clear()
        self._seconds_since.clear()
        self._answers_since.clear()

    def count_refused_release(self) -> None:
        """Count a release that was not taken up."""
        self._refused_releases.inc()

    def set_release(self, release_id: str) -> None:
        """Say which release this process answers with, and no other any more."""
        if self._release_id is not None:
            self._release.labels(self._release_id).set(0)
        self._release.labels(release_id).set(1)
        self._release_id = release_id

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format, of all processes if there are several."""
        self.settle()
        if os.environ.get(MULTIPROCESS_DIRECTORY):
            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self._registry)


def forget_process(process_id: int) -> None:
    """Drop the gauges of a worker that ends, in multi-process mode."""
    if os.environ.get(MULTIPROCESS_DIRECTORY):
        mark_process_dead(process_id)  # type: ignore[no-untyped-call]
