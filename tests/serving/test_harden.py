"""Reliability and security of the running service, in the size that CI runs; docs/reliability.md.

TIERWISE_HARDEN=full runs the full size. The numbers R1 to R18 and S1 to S6 are those of that page.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from benchmarks.load import http_request, run_wrk
from features.errors import ReleaseError
from serving.check import check_in_child
from serving.current import read_current
from serving.keys import KEYS, add_key
from serving.openapi import build_openapi
from tests.serving.conftest import CUSTOMERS, Shop, features_of
from tests.serving.test_guard import House
from tests.serving.test_server import find_free_port
from training.artifact import point_to, read_files, write_files
from training.models.formulas import COLUMNS
from training.release import load_release, write_release

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("TIERWISE_HARDEN") == "full"
START_SECONDS = 120
IDS = ("00123", "123", "%E4%B8%AD%E6%96%87%C3%A9")


def tell(*words: object) -> None:
    """Show a figure of docs/reliability.md (pytest -s)."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


class Service:
    """``python -m serving`` on a copy of the hand-made shop, with a key."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.state = Path(shutil.copytree(shop.state, folder / "state"))
        self.key = add_key(
            self.state / KEYS, "harden", "application", datetime(2026, 1, 1, tzinfo=UTC)
        )
        self.port = find_free_port()
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it, wait until it is ready, and return the seconds that took."""
        begun = monotonic()
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving", "--state", str(self.state), "--port", str(self.port)],
                cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
        while self.get("/readyz") != 200:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert monotonic() - begun < START_SECONDS, self.log.read_text()[-2000:]
            sleep(0.1)
        return monotonic() - begun

    def stop(self) -> float:
        """Send SIGTERM, wait for the end, and return the seconds that took."""
        assert self.process is not None
        begun = monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)
        return monotonic() - begun

    def get(self, path: str) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def n_logged(self) -> int:
        """Return how many look-ups stand in the access log."""
        return self.log.read_text().count('"/v1/customers/{customer_id}/tier"')

    def tree(self) -> list[psutil.Process]:
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Return the processor time that its processes have taken."""
        return sum(sum(each.cpu_times()[:2]) for each in self.tree())

    def look_ups(self) -> list[bytes]:
        return [http_request("GET", f"/v1/customers/{i}/tier", key=self.key) for i in IDS]


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(shop, tmp_path_factory.mktemp("harden"))
    made.start()
    yield made
    assert made.stop() < 30


class Asker(threading.Thread):
    """Asks over and over on kept connections, until told to stop; keeps every answer's gist."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self.service = service
        self.ended = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.releases: Counter[tuple[str, str]] = Counter()
        self.n_lost = 0
        self.n_unconnected = 0

    def run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self.ended.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(
                        "127.0.0.1", self.service.port, timeout=20
                    )
                    connection.connect()
            except OSError:
                self.n_unconnected += 1
                connection = None
                sleep(0.01)
                continue
            try:
                headers = {"Authorization": f"Bearer {self.service.key}"}
                connection.request("GET", "/v1/customers/00123/tier", headers=headers)
                answer = connection.getresponse()
                told = json.loads(answer.read())
                self.statuses[answer.status] += 1
                if answer.status == 200:
                    self.releases[told["release"], told["currency"]] += 1
                if answer.headers.get("connection") == "close":
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException, ValueError):
                self.n_lost += 1
                connection = None


def test_r1_hot_swaps_lose_no_request_and_mix_no_releases(shop: Shop, service: Service):
    releases = service.state / "releases"
    rows = CUSTOMERS[list(COLUMNS)].to_numpy(np.float64)
    first = shop.release
    second = write_release(replace(first, currency="EUR", digest=""), rows, releases)
    broken = write_release(replace(first, currency="USD", digest=""), rows, releases)
    for digest in (second.digest, broken.digest):
        shutil.copytree(service.state / "online" / first.digest, service.state / "online" / digest)
    damaged = releases / broken.digest / "release.json"
    damaged.write_text(damaged.read_text().replace("USD", "XXX"))
    askers = [Asker(service) for _ in range(2)]
    for asker in askers:
        asker.start()
    n_swaps, n_requests = (200, 100_000) if FULL else (40, 10_000)
    for number, good in zip(range(n_swaps), itertools.cycle((second, first)), strict=False):
        if number % 10 == 9:
            point_to(releases, broken.digest)
            sleep(1.0)
        point_to(releases, good.digest)
        wait_for_release(service, good.digest[:12])
    while sum(sum(asker.statuses.values()) for asker in askers) < n_requests:
        sleep(0.1)
    for asker in askers:
        asker.ended.set()
        asker.join()
    assert {status for asker in askers for status in asker.statuses} == {200}
    assert sum(asker.n_lost for asker in askers) == 0
    seen = set().union(*(asker.releases for asker in askers))
    assert seen == {(first.digest[:12], "GBP"), (second.digest[:12], "EUR")}
    point_to(releases, first.digest)
    wait_for_release(service, first.digest[:12])


def wait_for_release(service: Service, release_id: str) -> None:
    """Wait until the service answers with a release; 5 s is what a swap may take."""
    begun = monotonic()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        connection.request("GET", "/v1/scheme", headers={"Authorization": f"Bearer {service.key}"})
        told = json.loads(connection.getresponse().read())
        connection.close()
        if told["release"] == release_id:
            return
        assert monotonic() - begun < (5 if FULL else 20)
        sleep(0.05)


def test_r2_and_r3_a_stop_answers_what_was_accepted_and_a_kill_is_got_over(
    shop: Shop, tmp_path: Path, record_property: Any
):
    service = Service(shop, tmp_path)
    starts = [service.start()]
    for _ in range(5):
        asker = Asker(service)
        n_before = service.n_logged()
        asker.start()
        sleep(0.5)
        readiness: list[int | None] = []
        not_ready = threading.Thread(target=watch_readiness, args=(service, readiness))
        not_ready.start()
        assert service.stop() < 30
        not_ready.join()
        asker.ended.set()
        asker.join()
        assert readiness == [503]
        assert set(asker.statuses) == {200}
        # What the process read, it answered. A connection that the kernel took after the worker had
        # stopped to accept was never read: a balancer, or our client, asks elsewhere.
        assert asker.statuses[200] == service.n_logged() - n_before
        assert asker.n_lost <= 3
        starts.append(service.start())
        for process in service.tree()[:1]:
            process.kill()
        assert service.process is not None
        service.process.wait()
        starts.append(service.start())
    service.stop()
    record_property("seconds_to_ready", starts)
    tell("seconds to ready:", [round(each, 1) for each in starts])
    if FULL:
        assert max(starts) < 10


def watch_readiness(service: Service, seen: list[int | None]) -> None:
    """Keep the first status of readyz that is not 200."""
    while (status := service.get("/readyz")) == 200:
        sleep(0.05)
    seen.append(status)


def test_r9_twice_the_load_is_turned_away_in_order(service: Service, record_property: Any):
    seconds = 4 if FULL else 2
    best = {64: 0.0, 512: 0.0}
    n_refused = 0
    for connections in (64, 512) * 3:  # what else the machine does only ever takes away
        before = service.cpu_seconds()
        got = run_wrk(service.port, service.look_ups(), connections, seconds)
        good = (got.n_requests - got.n_errors) / (service.cpu_seconds() - before)
        best[connections] = max(best[connections], good)
        n_refused += got.n_errors
        assert connections == 512 or got.n_errors == 0
    share = best[512] / best[64]
    record_property("goodput_share", share)
    tell(f"goodput at twice the load: {share:.2f} of the peak, {n_refused} turned away")
    assert share > 0.7  # wrk asks again at once, which no client does that reads Retry-After
    after = run_wrk(service.port, service.look_ups(), 16, 2)
    assert after.n_errors == 0


def test_r10_half_open_connections_and_slow_bodies_harm_nobody(service: Service):
    held = []
    for number in range(550):
        connection = socket.create_connection(("127.0.0.1", service.port), timeout=10)
        connection.sendall(b"GET /v1/scheme HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        if number % 11 == 0:
            connection.sendall(
                f"Authorization: Bearer {service.key}\r\nContent-Type: application/json\r\n".encode()
            )
        held.append(connection)
    slow = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", service.port), timeout=10)
        whole = http_request("POST", "/v1/tier", b"{" + b" " * 1000, service.key)
        connection.sendall(whole[:-900])
        slow.append(connection)
    got = run_wrk(service.port, service.look_ups(), 8, 30 if FULL else 8)
    assert got.n_requests > 1000
    assert got.n_errors <= got.n_requests / 1000
    answers = [connection.recv(100) for connection in slow]
    assert all(b" 408 " in answer for answer in answers)
    for connection in (*held, *slow):
        connection.close()


def test_r11_a_soak_leaves_memory_descriptors_and_threads_flat(service: Service):
    run_wrk(service.port, service.look_ups(), 8, 3)
    sleep(6)
    before = gauge(service)
    n_done = 0
    while n_done < (200_000 if FULL else 20_000):
        n_done += run_wrk(service.port, service.look_ups(), 8, 3).n_requests
    sleep(6)
    after = gauge(service)
    assert after["rss"] <= before["rss"] * 1.05
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["threads"] <= before["threads"]


def gauge(service: Service) -> dict[str, float]:
    tree = service.tree()
    return {
        "rss": float(sum(process.memory_info().rss for process in tree)),
        "descriptors": sum(process.num_fds() for process in tree),
        "threads": sum(process.num_threads() for process in tree),
    }


DOCUMENT = build_openapi()
NAMES = [*COLUMNS, "x", ""]
VALUES = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
FEATURES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=9)
VECTOR = st.fixed_dictionaries(
    {}, optional={"features": FEATURES | VALUES, "customer_id": VALUES, "z": VALUES}
)
GOOD = st.sampled_from(
    [{"features": features_of(customer_id)} for customer_id in CUSTOMERS["customer_id"]]
)
BODIES = st.one_of(
    GOOD, VECTOR, st.lists(VECTOR | GOOD, max_size=7), VALUES, st.binary(max_size=40)
)
PATHS = st.sampled_from([*DOCUMENT["paths"], "/v1/customers/{customer_id}/tier"])


def test_r12_any_request_gets_a_documented_status(shop: Shop, tmp_path: Path):
    house = House(shop, tmp_path)

    @settings(
        max_examples=20_000 if FULL else 2_000, deadline=None,
        suppress_health_check=list(HealthCheck), database=None,
    )  # fmt: skip
    @given(
        path=PATHS,
        method=st.sampled_from(["get", "post", "put", "delete"]),
        customer_id=st.sampled_from([*CUSTOMERS["customer_id"], "nobody", "%FF", "", "a/b"]),
        body=BODIES,
        role=st.sampled_from(["application", "application", "engineer", "ops"]),
    )
    def ask(path: str, method: str, customer_id: str, body: Any, role: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = path.replace("{customer_id}", customer_id)
        headers = {"content-type": "application/json"}
        answer = house.ask(role, method.upper(), raw, content=content, headers=headers)
        documented = DOCUMENT["paths"][path].get(method)
        if documented is None or "/b/" in raw:
            assert answer.status_code in {404, 405}
            return
        assert str(answer.status_code) in documented["responses"]
        assert answer.status_code < 500
        if answer.status_code == 200 and path == "/v1/tier":
            assert isinstance(body, dict)
            assert set(body) <= {"features", "customer_id"}

    ask()


def raw_cases() -> list[bytes]:
    """A hundred and twenty ways to write HTTP wrongly; each whole as far as it goes."""
    host = b"Host: 127.0.0.1\r\n"
    starts = [
        b"", b"\r\n", b"\0", b"GET", b"GET /", b"GET / HTTP/9.9", b"GET  / HTTP/1.1", b"get / http/1.1",
        b"GET / HTTP/1.1 x", b"GET /\x00 HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET http://evil/ HTTP/1.1",
        b"GET // HTTP/1.1", b"GET /%00 HTTP/1.1", b"GET /../../etc/passwd HTTP/1.1", b"GET * HTTP/1.1",
        b"CONNECT a:1 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"PRI * HTTP/2.0", b"POST /v1/tier HTTP/1.1",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x", b"{}",
        b"TRACE / HTTP/1.1", b"GET /v1/scheme HTTP/1.0", b"GET /v1/scheme HTTP/0.9", b"A" * 2000,
        b"GET /v1/customers/%2e%2e%2f/tier HTTP/1.1", b"POST /metrics HTTP/1.1",
    ]  # fmt: skip
    headers = [
        b"Content-Length: -1\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 0x5\r\n", b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding : chunked\r\n",
        b"X: " + b"a" * 70_000 + b"\r\n", b"X\r\n", b": x\r\n", b"X: a\r\n b\r\n", b"X: \x00\r\n",
        b"X: a\rb\r\n", b"X: a\n\n", b"\xff\xfe: x\r\n", b"Host: evil\r\n", b"Upgrade: h2c\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"Expect: 100-continue\r\n",
        b"Expect: 200-ok\r\n", b"Authorization: \r\n", b"Authorization: Bearer \xff\r\n",
        b"X: x\r\n" * 500,
    ]  # fmt: skip
    bodies = [
        b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"fffffffffffffffff\r\n", b"5;x=y\r\nhel",
        b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ]  # fmt: skip
    end = b"\r\n"
    cases = [start + end + host + end for start in starts]
    for method in (b"GET /v1/scheme", b"POST /v1/tier"):
        cases += [method + b" HTTP/1.1\r\n" + host + header + end for header in headers]
    chunked = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    cases += [b"POST /v1/tier HTTP/1.1\r\n" + host + chunked + body for body in bodies]
    cases += [
        start + end + header + end for start in (starts[12], starts[19]) for header in headers[:18]
    ]
    return cases


def test_r13_no_raw_bytes_get_a_5xx_or_hang(service: Service):
    cases = raw_cases()
    assert len(cases) >= 120
    statuses: Counter[str] = Counter()
    for case in cases:
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            answer = b""
            try:
                connection.sendall(case)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    answer += part
            except (ConnectionResetError, BrokenPipeError):
                pass
        status = answer[9:12].decode() if answer.startswith(b"HTTP/") else "closed"
        assert status == "closed" or 400 <= int(status) < 500 or status == "100", (
            case[:100],
            answer[:200],
        )
        assert b"HTTP/1.1 2" not in answer
        statuses[status] += 1
    assert service.get("/readyz") == 200
    tell(dict(statuses))


def mutate(files: dict[str, bytes], rng: random.Random) -> dict[str, bytes]:
    """Return the files of a release with one thing wrong."""
    made = dict(files)
    name = rng.choice(sorted(made))
    content = bytearray(made[name])
    place = rng.randrange(len(content))
    act = rng.randrange(5)
    if act == 0:
        content[place] ^= 1 << rng.randrange(8)
    elif act == 1:
        del content[place:]
    elif act == 2:
        content[place:place] = rng.randbytes(20)
    elif act == 3:
        del made[name]
        return made
    else:
        made[f"trees/{rng.randrange(100)}.txt"] = rng.randbytes(50)
        return made
    made[name] = bytes(content)
    return made


def test_r6_corrupt_artifacts_are_refused_before_they_are_parsed(shop: Shop, tmp_path: Path):
    folder = shop.state / "releases" / shop.release.digest
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    rng = random.Random(0)
    for number in range(1000 if FULL else 200):
        broken = tmp_path / str(number) / shop.release.digest
        for name, content in mutate(files, rng).items():
            (broken / name).parent.mkdir(parents=True, exist_ok=True)
            (broken / name).write_bytes(content)
        with pytest.raises(ReleaseError, match="expected"):
            read_files(broken)
        shutil.rmtree(broken.parent)


def test_r6_damaged_trees_are_refused_and_a_parser_that_dies_of_them_is_a_child(
    small_world: Any, tmp_path: Path
):
    state = Path(shutil.copytree(small_world.state, tmp_path / "state"))
    releases = state / "releases"
    digest, files = read_files(small_world.release_folder)
    trees = sorted(name for name in files if name.startswith("trees/"))
    rng = random.Random(1)
    n_of_child = 0
    for _ in range(30 if FULL else 6):
        broken = dict(files)
        name = rng.choice(trees)
        content = bytearray(broken[name])
        place = rng.randrange(500, len(content) - 500)
        content[place : place + 40] = rng.choice([b"", b"9" * 40, rng.randbytes(40)])
        broken[name] = bytes(content)
        # As it lies there: another size or sha256 than the manifest's, so nothing parses it.
        (releases / digest / name).write_bytes(broken[name])
        with pytest.raises(ReleaseError, match=r"trees/.* has (been changed|\d+ bytes)"):
            read_files(releases / digest)
        (releases / digest / name).write_bytes(files[name])
        # With a manifest of its own: nobody has signed for it.
        forged = write_files(broken, releases)
        (releases / "current").write_text(forged + "\n")
        with pytest.raises(ReleaseError, match="the last signed pointer"):
            read_current(state)
        # Even signed it is parsed in a child first, which alone may die of it. What moves no golden
        # row (a count, a parameter) passes there.
        try:
            check_in_child(releases / forged)
        except ReleaseError as refused:
            n_of_child += "expected" in refused.found
    assert n_of_child > 0


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def payloads(canary: Path) -> list[bytes]:
    touch = f"touch {canary}"
    code = f"import os; os.system({touch!r})"
    return [
        *(pickle.dumps(Touch(canary), protocol) for protocol in (0, 2, 4, 5)),
        code.encode(), f"!!python/object/apply:os.system [{touch!r}]".encode(),
        json.dumps({"py/reduce": [{"py/type": "os.system"}, [touch]]}).encode(),
        json.dumps({"__reduce__": ["os.system", [touch]], "model": {"kind": code}}).encode(),
        f"#!/bin/sh\n{touch}\n".encode(), b"\x93NUMPY\x01\x00" + pickle.dumps(Touch(canary)),
        b"PK\x03\x04" + code.encode(), f"tree\n{code}\n".encode(),
    ]  # fmt: skip


def test_s1_no_payload_in_any_slot_of_an_artifact_runs(shop: Shop, tmp_path: Path):
    canary = tmp_path / "canary"
    _, files = read_files(shop.state / "releases" / shop.release.digest)
    for number, payload in enumerate(payloads(canary)):
        for slot in (*files, "trees/active_0.txt", "more.pkl"):
            releases = tmp_path / f"{number}" / slot.replace("/", "_")
            digest = write_files({**files, slot: payload}, releases)  # a manifest that fits
            if slot in files:
                with pytest.raises(ReleaseError, match="expected"):
                    load_release(releases / digest)
            else:
                with contextlib.suppress(ReleaseError):
                    load_release(releases / digest)  # nobody reads what the model does not name
    assert len(payloads(canary)) == 12
    assert not canary.exists()


def test_s6_only_the_port_that_is_documented_and_only_on_loopback(service: Service):
    listening = {
        (each.laddr.ip, each.laddr.port)
        for process in service.tree()
        for each in process.net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert ("127.0.0.1", service.port) in listening
    assert {ip for ip, _ in listening} == {"127.0.0.1"}


def test_s5_the_service_calls_nobody(service: Service):
    away = [
        each
        for process in service.tree()
        for each in process.net_connections(kind="inet")
        if each.raddr and each.raddr.ip not in {"127.0.0.1", "::1"}
    ]
    assert away == []


def test_r18_nothing_of_the_registry_is_there_and_nothing_is_missed(service: Service):
    assert not (service.state / "mlflow.db").exists()
    assert service.get("/v1/scheme") == 200


def test_the_guarded_client_sees_what_the_house_sees(shop: Shop, tmp_path: Path):
    house = House(shop, tmp_path)
    assert isinstance(house.client, TestClient)
    assert house.ask("application", "GET", "/v1/customers/00123/tier").status_code == 200
