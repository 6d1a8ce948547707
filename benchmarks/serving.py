"""How much of a processor an answer takes, and how long it makes one wait: ``make bench-serving``.

The same release behind a raw ASGI application, FastAPI, BentoML as it comes, and our service with
guard, metrics, access log and prediction log on; all on loopback, one worker each, measured in turn so
that a busy machine is busy for all of them. Needs wrk.
"""

from __future__ import annotations

import http.client
import json
import math
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.load import HOST, http_request, run_fixed_rate, run_wrk
from benchmarks.record import write_benchmark
from benchmarks.rivals.start import Server, started
from benchmarks.serving_world import SEED, World, build_world
from features.cli import build_parser, exit_with
from features.errors import InputError
from features.progress import Progress

N_BODIES = 200
RATE = 300.0
ROUNDS = 5
SECONDS = 2
RATE_SECONDS = 5.0
RIVALS = ("raw_asgi", "fastapi", "bentoml_default", "ours")


def measure(server: Server, requests: Sequence[bytes], n: int, name: str) -> tuple[float, float]:
    """Return requests a second and CPU microseconds a request at n connections."""
    before = server.cpu_seconds()
    got = run_wrk(server.port, requests, n, SECONDS)
    if got.n_errors or not got.n_requests:
        raise InputError(f"{name}: {got.n_errors} errors; expected answers", "look at its log")
    return (
        got.n_requests / got.seconds,
        (server.cpu_seconds() - before) / got.n_requests * 1e6,
    )


def _median(pairs: Sequence[tuple[float, float]], place: int) -> float:
    return statistics.median(pair[place] for pair in pairs)


def measure_single(
    servers: dict[str, Server], requests: Sequence[bytes], tell: Progress
) -> dict[str, Any]:
    """Return each server's figures for one vector a request, and the ratios."""
    seen: dict[str, dict[int, list[tuple[float, float]]]] = {
        name: {1: [], 16: [], 64: []} for name in RIVALS
    }
    for turn in range(ROUNDS):
        tell(f"one vector a request, round {turn + 1} of {ROUNDS}")
        for n in (1, 16, 64) if turn < 2 else (16,):
            for name in RIVALS:
                seen[name][n].append(measure(servers[name], requests, n, name))
    figures: dict[str, Any] = {
        name: {f"rps_{n}": _median(pairs, 0) for n, pairs in found.items()}
        | {"cpu_us": _median(found[16], 1)}
        for name, found in seen.items()
    }
    for name in ("raw_asgi", "fastapi", "bentoml_default"):
        ratios = [
            theirs[1] / ours[1]
            for theirs, ours in zip(seen[name][16], seen["ours"][16], strict=True)
        ]
        figures[f"ours_over_{name}"] = statistics.median(ratios)
    return figures


def measure_fixed_rate(
    servers: dict[str, Server], requests: Sequence[bytes], tell: Progress
) -> dict[str, Any]:
    """Return latencies at `RATE` requests a second: medians over rounds, taken in turn."""
    seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in RIVALS}
    for turn in range(ROUNDS):
        tell(f"{RATE:g} requests a second, round {turn + 1} of {ROUNDS}")
        for name in RIVALS:
            ms, n_bad = run_fixed_rate(servers[name].port, requests, RATE, RATE_SECONDS)
            if n_bad:
                raise InputError(f"{name}: {n_bad} errors; expected answers", "look at its log")
            p50, p99 = np.quantile(ms, [0.5, 0.99]).tolist()
            seen[name].append((p50, p99, float(ms.max())))
    figures: dict[str, Any] = {
        name: dict(
            zip(("p50_ms", "p99_ms", "max_ms"), map(statistics.median, zip(*found, strict=True)),
                strict=True)
        )
        for name, found in seen.items()
    }  # fmt: skip
    ours = figures["ours"]
    figures["p99_ours_over_fastapi"] = ours["p99_ms"] / figures["fastapi"]["p99_ms"]
    figures["max_ours_over_raw_asgi"] = ours["max_ms"] / figures["raw_asgi"]["max_ms"]
    return figures


def compare_cpu(
    pair: Sequence[tuple[Server, Sequence[bytes], str]], n: int, tell: Progress, what: str
) -> tuple[float, float, float]:
    """Return the CPU microseconds of two servers, and the median ratio of first to second."""
    rounds = []
    for turn in range(ROUNDS):
        tell(f"{what}, round {turn + 1} of {ROUNDS}")
        rounds.append([measure(server, asked, n, name)[1] for server, asked, name in pair])
    firsts, seconds = zip(*rounds, strict=True)
    ratio = statistics.median(first / second for first, second in rounds)
    return statistics.median(firsts), statistics.median(seconds), ratio


def compare_offline(server: Server, world: World) -> dict[str, float]:
    """Return the largest difference of online answers from offline scores, both ways of asking."""
    rows = world.features[list(world.release.columns)].to_numpy(np.float64)
    scores = world.release.score(rows)
    vectors = world.vectors(len(rows))
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    headers = {"Authorization": f"Bearer {world.key}", "Content-Type": "application/json"}
    largest = 0.0
    for place, customer_id in enumerate(world.features["customer_id"]):
        offline = [scores.expected_value[place], scores.p_churn[place], scores.value_at_risk[place]]
        for method, path, body in (
            ("GET", f"/v1/customers/{quote(customer_id, safe='')}/tier", None),
            ("POST", "/v1/tier", json.dumps({"features": vectors[place]})),
        ):
            connection.request(method, path, body, headers)
            answer = json.loads(connection.getresponse().read())
            if answer["status"] == "ok":
                online = [answer[k] for k in ("expected_value", "p_churn", "value_at_risk")]
                largest = max(largest, *(abs(a - b) for a, b in zip(online, offline, strict=True)))
            elif scores.tier[place] >= 0:
                largest = math.inf
    connection.close()
    return {"n_customers": len(rows), "max_abs_difference": largest}


def run(world: World, config: Path, log: Path, tell: Progress) -> dict[str, Any]:
    """Start every server, measure them in turn, and return the tree of figures."""
    vectors = [json.dumps({"features": each}).encode() for each in world.vectors(N_BODIES)]
    single = [http_request("POST", "/v1/tier", body, world.key) for body in vectors]
    batch_body = json.dumps([{"features": each} for each in world.vectors(100)]).encode()
    batch = [http_request("POST", "/v1/tiers", batch_body, world.key)]
    ids = world.features["customer_id"].tolist()[:: max(1, len(world.features) // N_BODIES)]
    look_ups = [
        http_request("GET", f"/v1/customers/{quote(each, safe='')}/tier", key=world.key)
        for each in ids
    ]
    hello = [http_request("GET", "/")]
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        servers = {}
        for name in (*RIVALS, "hello"):
            tell(f"start {name}")
            servers[name] = stack.enter_context(started(name, world, config, log))
        ours, raw = servers["ours"], servers["raw_asgi"]
        figures["offline_online"] = compare_offline(ours, world)
        figures["single"] = measure_single(servers, single, tell)
        figures["fixed_rate"] = measure_fixed_rate(servers, single, tell)
        mine, theirs, ratio = compare_cpu(
            [(ours, batch, "ours"), (raw, batch, "raw")], 4, tell, "batches of 100"
        )
        figures["batch100"] = {
            "ours_cpu_us": mine, "raw_asgi_cpu_us": theirs, "cpu_ours_over_raw_asgi": ratio,
        }  # fmt: skip
        mine, theirs, ratio = compare_cpu(
            [(ours, look_ups, "ours"), (servers["hello"], hello, "hello")], 16, tell, "look-ups"
        )
        figures["lookup"] = {
            "ours_cpu_us": mine, "hello_cpu_us": theirs, "cpu_ours_over_hello_same_stack": ratio,
        }  # fmt: skip
    return figures


def main(arguments: Sequence[str]) -> int:
    """Measure and write ``state/bench/serving.json``; return 0."""
    options = build_parser("python -m benchmarks.serving", __doc__).parse_args(arguments)
    tell = Progress(time.monotonic)
    tell("a shop, its release and its look-up")
    log = options.state / "bench" / "serving_logs"
    log.mkdir(parents=True, exist_ok=True)
    world = build_world(options.state / "bench" / "serving_state")
    figures = run(world, options.config.resolve(), log.resolve(), tell)
    write_benchmark("serving", figures, SEED, options.state)
    return 0


if __name__ == "__main__":
    exit_with(main)
