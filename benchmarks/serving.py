"""How much of a processor an answer takes, and how long it makes one wait: ``make bench-serving``.

The same release behind a raw ASGI application, FastAPI, BentoML as it comes, and our service with
guard, metrics, access log and prediction log on; all on loopback, one worker each, measured in turn so
that a busy machine is busy for all of them, and started anew some times. Needs wrk.
"""

from __future__ import annotations

import http.client
import json
import math
import statistics
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
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
STARTS = 4
ROUNDS = 3
SECONDS = 2
RATE_SECONDS = 1.0
RATE_TURNS = 4
RIVALS = ("raw_asgi", "fastapi", "bentoml_default", "ours")
CONNECTIONS = (1, 16, 64)
JUDGED = 16

Pair = tuple[float, float]


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


@dataclass(frozen=True)
class Asked:
    """What is sent: one vector, a hundred of them, look-ups, and what hello is asked."""

    single: list[bytes]
    batch: list[bytes]
    look_ups: list[bytes]
    hello: list[bytes]


@dataclass
class Seen:
    """What was measured, over all starts and rounds.

    Attributes
    ----------
    single : dict
        Requests a second and CPU microseconds a request, by server and number of connections.
    latencies : dict
        Delays in ms at the fixed rate, by server and round.
    batch, look_ups : list
        CPU microseconds a request of ours and of the rival, in the same round.
    """

    single: dict[str, dict[int, list[Pair]]] = field(
        default_factory=lambda: {name: {n: [] for n in CONNECTIONS} for name in RIVALS}
    )
    latencies: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {name: [] for name in RIVALS}
    )
    batch: list[Pair] = field(default_factory=list)
    look_ups: list[Pair] = field(default_factory=list)


def play_round(servers: dict[str, Server], asked: Asked, number: int, seen: Seen) -> None:
    """Measure every server once in each way; every second round in the opposite order."""
    names = RIVALS if number % 2 else RIVALS[::-1]
    for n in CONNECTIONS if number == 0 else (JUDGED,):
        for name in names:
            seen.single[name][n].append(measure(servers[name], asked.single, n, name))
    turns = [
        [measure_fixed_rate(servers[name], asked.single, name) for name in names]
        for _ in range(RATE_TURNS)
    ]
    for name, found in zip(names, zip(*turns, strict=True), strict=True):
        seen.latencies[name].append(np.concatenate(found))
    ours = servers["ours"]
    for rival, n, mine, theirs, into in (
        ("raw_asgi", 4, asked.batch, asked.batch, seen.batch),
        ("hello", JUDGED, asked.look_ups, asked.hello, seen.look_ups),
    ):
        into.append(
            (measure(ours, mine, n, "ours")[1], measure(servers[rival], theirs, n, rival)[1])
        )


def measure_fixed_rate(server: Server, requests: Sequence[bytes], name: str) -> np.ndarray:
    """Return the delay of each request in ms at `RATE` requests a second."""
    ms, n_bad = run_fixed_rate(server.port, requests, RATE, RATE_SECONDS)
    if n_bad:
        raise InputError(f"{name}: {n_bad} errors; expected answers", "look at its log")
    return ms


def summarise(seen: Seen) -> dict[str, Any]:
    """Return the tree of figures: medians over all rounds, and of the rounds' ratios."""
    single: dict[str, Any] = {
        name: {f"rps_{n}": _median(pairs, 0) for n, pairs in found.items()}
        | {"cpu_us": _median(found[JUDGED], 1)}
        for name, found in seen.single.items()
    }
    own = [cpu for _, cpu in seen.single["ours"][JUDGED]]
    for name in RIVALS[:-1]:
        theirs = [cpu for _, cpu in seen.single[name][JUDGED]]
        single[f"ours_over_{name}"] = _median_ratio(zip(theirs, own, strict=True))
    fixed: dict[str, Any] = {
        name: summarise_latencies(found) for name, found in seen.latencies.items()
    }
    ours = fixed["ours"]
    fixed["p99_ours_over_fastapi"] = ours["p99_ms"] / fixed["fastapi"]["p99_ms"]
    fixed["max_ours_over_raw_asgi"] = ours["max_ms"] / fixed["raw_asgi"]["max_ms"]
    return {
        "single": single,
        "fixed_rate": fixed,
        "batch100": {
            "ours_cpu_us": _median(seen.batch, 0),
            "raw_asgi_cpu_us": _median(seen.batch, 1),
            "cpu_ours_over_raw_asgi": _median_ratio(seen.batch),
        },
        "lookup": {
            "ours_cpu_us": _median(seen.look_ups, 0),
            "hello_cpu_us": _median(seen.look_ups, 1),
            "cpu_ours_over_hello_same_stack": _median_ratio(seen.look_ups),
        },
    }


def summarise_latencies(rounds: Sequence[np.ndarray]) -> dict[str, float]:
    """Return p50 and p99 in ms of all requests together, and the median round's largest delay."""
    p50, p99 = np.quantile(np.concatenate(rounds), [0.5, 0.99]).tolist()
    return {"p50_ms": p50, "p99_ms": p99, "max_ms": statistics.median(ms.max() for ms in rounds)}


def _median(rows: Sequence[Sequence[float]], place: int) -> float:
    return statistics.median(row[place] for row in rows)


def _median_ratio(pairs: Iterable[Pair]) -> float:
    return statistics.median(first / second for first, second in pairs)


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


def ask(world: World) -> Asked:
    """Return the requests as they go over the wire."""
    vectors = [json.dumps({"features": each}).encode() for each in world.vectors(N_BODIES)]
    hundred = json.dumps([{"features": each} for each in world.vectors(100)]).encode()
    ids = world.features["customer_id"].tolist()[:: max(1, len(world.features) // N_BODIES)]
    paths = [f"/v1/customers/{quote(each, safe='')}/tier" for each in ids]
    return Asked(
        [http_request("POST", "/v1/tier", body, world.key) for body in vectors],
        [http_request("POST", "/v1/tiers", hundred, world.key)],
        [http_request("GET", path, key=world.key) for path in paths],
        [http_request("GET", "/")],
    )


def run(world: World, config: Path, log: Path, tell: Progress) -> dict[str, Any]:
    """Start every server `STARTS` times, measure them in turn, and return the tree of figures.

    One process of the very same code may take a tenth more than the next, as its memory happens to
    lie; so the processes are started anew, and what is told is the median over all of them.
    """
    asked, seen = ask(world), Seen()
    tell.begin(STARTS * (ROUNDS + 1) + 1)
    for start in range(STARTS):
        with ExitStack() as stack:
            tell(f"start {start + 1} of {STARTS} of every server")
            servers = {
                name: stack.enter_context(started(name, world, config, log))
                for name in (*RIVALS, "hello")
            }
            for number in range(ROUNDS):
                tell(f"start {start + 1}, round {number + 1} of {ROUNDS}")
                play_round(servers, asked, number, seen)
            if start == STARTS - 1:
                tell("every customer, online against offline")
                offline = compare_offline(servers["ours"], world)
    return {"offline_online": offline, **summarise(seen)}


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
