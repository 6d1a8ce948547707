"""What /metrics shows: templates, never paths, and the sum over all workers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import Histogram
from starlette.testclient import TestClient

from serving.metrics import LATENCY_EDGES_SECONDS, Metrics
from tests.serving.conftest import Shop, features_of

ROOT = Path(__file__).resolve().parents[2]


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_by_route_template_and_answers_by_tier(client: TestClient, shop: Shop):
    client.get("/v1/customers/00123/tier")
    client.get("/v1/customers/123/tier")
    client.get("/v1/customers/secret-person/tier")
    client.get("/v1/nothing/secret-person")
    client.delete("/v1/scheme")
    client.request("SECRET", "/v1/scheme")
    client.post("/v1/tiers", json=[{"features": features_of("returns")}, {"customer_id": "x"}])
    text = client.get("/metrics").text
    found = samples(text)
    template = "/v1/customers/{customer_id}/tier"
    assert {
        name: value for name, value in found.items() if name.startswith("tierwise_requests_total")
    } == {
        f'tierwise_requests_total{{method="GET",route="{template}",status="200"}}': 2,
        f'tierwise_requests_total{{method="GET",route="{template}",status="404"}}': 1,
        'tierwise_requests_total{method="GET",route="(none)",status="404"}': 1,
        'tierwise_requests_total{method="DELETE",route="/v1/scheme",status="405"}': 1,
        'tierwise_requests_total{method="other",route="/v1/scheme",status="405"}': 1,
        'tierwise_requests_total{method="POST",route="/v1/tiers",status="200"}': 1,
    }
    assert {
        name: value for name, value in found.items() if name.startswith("tierwise_answers_total")
    } == {
        'tierwise_answers_total{status="ok",tier="gold"}': 1,
        'tierwise_answers_total{status="ok",tier="regular"}': 1,
        'tierwise_answers_total{status="unknown_customer",tier="none"}': 2,
        'tierwise_answers_total{status="insufficient_data",tier="none"}': 1,
    }
    assert found[f'tierwise_request_seconds_count{{route="{template}"}}'] == 3
    assert found[f'tierwise_release_loaded{{release="{shop.release.digest[:12]}"}}'] == 1
    assert "secret" not in text.lower()


@pytest.mark.parametrize("method", ["GET"])
def test_metrics_are_text_for_prometheus(client: TestClient, method: str):
    answer = client.request(method, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")


WORKER = """
from serving.metrics import Metrics
import json, os, sys
metrics = Metrics()
metrics.set_release(sys.argv[1])
for _ in range(int(sys.argv[2])):
    metrics.count_request("/v1/scheme", "GET", 200, 0.001)
if sys.argv[3:] == ["settle"]:  # and is never scraped
    metrics.settle()
    sys.exit()
print(json.dumps(metrics.exposition().decode()))
"""


def test_latencies_fall_into_the_buckets_that_prometheus_has_for_them():
    metrics = Metrics()
    own = Histogram("own", "", buckets=LATENCY_EDGES_SECONDS, registry=None)
    for seconds in (0.0, 0.0002, 0.00021, 0.3, 5.0, 5.1, 70.0):
        metrics.count_request("/v1/scheme", "GET", 200, seconds)
        own.observe(seconds)
    found = samples(metrics.exposition().decode())
    for sample in next(iter(own.collect())).samples:
        labels = {**sample.labels, "route": "/v1/scheme"}
        told = ",".join(f'{name}="{labels[name]}"' for name in sorted(labels))
        name = sample.name.replace("own", "tierwise_request_seconds")
        if not name.endswith("_created"):
            assert found[f"{name}{{{told}}}"] == sample.value


def test_a_scrape_adds_up_all_processes(tmp_path: Path):
    def run_worker(release: str, n_requests: int, *then: str) -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, "-c", WORKER, release, str(n_requests), *then],
            cwd=ROOT,
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        return {} if then else samples(json.loads(done.stdout))

    name = 'tierwise_requests_total{method="GET",route="/v1/scheme",status="200"}'
    assert run_worker("aaa", 3)[name] == 3
    assert run_worker("bbb", 4)[name] == 7
    run_worker("ccc", 10, "settle")
    assert run_worker("ddd", 1)[name] == 18
