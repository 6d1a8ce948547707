"""What the service counts: requests by route template, answers by tier, misses, the release.

The label is the route's template, never the path: a path holds a customer's id, which would be
one series a customer and personal data in ``/metrics``. With several workers prometheus_client
keeps its values in files of ``PROMETHEUS_MULTIPROC_DIR`` (BentoML sets it); a scrape of any
worker then adds up all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

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


class Metrics:
    """Counters of one process, exposed for all processes of the service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._release_id: str | None = None
        self._requests = Counter(
            "tierwise_requests",
            "Requests answered, by route template, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
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
        self._children: dict[tuple[str, str, int], Counter] = {}
        self._latencies: dict[str, Histogram] = {}
        self._answer_children: dict[tuple[str, str | None], Counter] = {}

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template."""
        counter = self._children.get((route, method, status))
        if counter is None:
            known_method = method if method in KNOWN_METHODS else "other"
            counter = self._requests.labels(route, known_method, str(status))
            if known_method == method:
                self._children[route, method, status] = counter
        counter.inc()
        latency = self._latencies.get(route)
        if latency is None:
            latency = self._latencies[route] = self._seconds.labels(route)
        latency.observe(seconds)

    def count_answers(self, answers: Iterable[TierAnswer]) -> None:
        """Count customers answered by status and tier."""
        for answer in answers:
            self._answer_counter(answer.status, answer.tier).inc()

    def count_store_miss(self) -> None:
        """Count a single look-up of a customer that the store does not know."""
        self._answer_counter("unknown_customer", None).inc()

    def _answer_counter(self, status: str, tier: str | None) -> Counter:
        counter = self._answer_children.get((status, tier))
        if counter is None:
            counter = self._answers.labels(status, tier or "none")
            self._answer_children[status, tier] = counter
        return counter

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
        if os.environ.get(MULTIPROCESS_DIRECTORY):
            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self._registry)


def forget_process(process_id: int) -> None:
    """Drop the gauges of a worker that ends, in multi-process mode."""
    if os.environ.get(MULTIPROCESS_DIRECTORY):
        mark_process_dead(process_id)  # type: ignore[no-untyped-call]
