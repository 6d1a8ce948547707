"""The door: every route, method and role against the policy; every bad request its status and line."""

from __future__ import annotations

import asyncio
import gzip
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.access_log import AccessLine, AccessLog
from serving.application import ROUTES, Application
from serving.framing import Message, Receive, Scope, Send
from serving.guard import Door, Guard, build_hosts
from serving.keys import KEYS, KeyRing, add_key, read_keys, revoke_key
from serving.limits import BadKeys, DoorLimits
from serving.metrics import Metrics
from serving.policy import HEALTH_CHECKS, POLICY, ROLES
from tests.serving.conftest import LIMITS, Shop, features_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "SECRET")
ANY_ID = "secret-person"


class Lines(AccessLog):
    """An access log that keeps its lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[AccessLine] = []

    def add(self, line: AccessLine) -> None:
        self.lines.append(line)


async def bento(scope: Scope, receive: Receive, send: Send) -> None:
    """What stands behind the guard: answers health checks."""
    assert scope["path"] in HEALTH_CHECKS
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"\n"})


class House:
    """A guarded application with a key of each role."""

    def __init__(self, shop: Shop, state: Path, **limits: Any) -> None:
        application = Application(Metrics())
        application.serve(shop.predictor, LIMITS)
        self.table = state / KEYS
        self.keys = {role: add_key(self.table, "test", role, NOW) for role in ROLES}
        self.log = Lines()
        self.guard = Guard(application, bento, self.log)
        told = {
            "max_body_bytes": LIMITS.max_body_bytes, "body_seconds": 0.3, "max_bodies": 4,
            "max_concurrency": 8, "bad_keys_a_minute": 10,
        }  # fmt: skip
        self.guard.door = Door(
            KeyRing(self.table), build_hosts("127.0.0.1", ()), DoorLimits(**{**told, **limits})
        )
        self.client = TestClient(self.guard, base_url="http://127.0.0.1:3000")

    def ask(self, role: str | None, method: str, path: str, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if role is not None:
            headers["authorization"] = f"Bearer {self.keys[role]}"
        return self.client.request(method, path, headers=headers, **options)


@pytest.fixture
def house(shop: Shop, tmp_path: Path) -> House:
    return House(shop, tmp_path)


def path_of(template: str) -> str:
    return template.replace("{customer_id}", "00123")


def body_of(template: str) -> Any:
    vector = {"features": features_of("00123")}
    return {"/v1/tier": vector, "/v1/tiers": [vector]}.get(template)


def test_the_policy_names_every_route_and_no_other():
    assert set(POLICY) == set(ROUTES)
    assert set().union(*POLICY.values()) == set(ROLES)


@pytest.mark.parametrize("template", ROUTES)
def test_every_route_method_and_role_is_answered_as_the_policy_says(house: House, template: str):
    for role in (*ROLES, None):
        for method in METHODS:
            answer = house.ask(role, method, path_of(template), json=body_of(template))
            if role is None:
                assert answer.status_code == 401
            elif method not in ROUTES[template]:
                assert answer.status_code == 405
            elif role in POLICY[template]:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_role")


@pytest.mark.parametrize("path", ["/", "/docs", "/docs.json", "/schema.json", "/v1", "/metrics/"])
def test_what_the_policy_does_not_name_needs_a_key_and_is_not_there(house: House, path: str):
    assert house.ask(None, "GET", path).status_code == 401
    for role in ROLES:
        assert house.ask(role, "GET", path).status_code == 404


@pytest.mark.parametrize("path", sorted(HEALTH_CHECKS))
def test_health_checks_need_no_key_and_have_no_line(house: House, path: str):
    assert house.ask(None, "GET", path).status_code == 200
    assert house.log.lines == []


def test_a_process_that_is_about_to_end_is_not_ready_but_answers(house: House):
    house.guard.is_draining = True
    answer = house.ask(None, "GET", "/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert house.ask(None, "GET", "/livez").status_code == 200
    answer = house.ask("application", "GET", "/v1/scheme")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def attacks(key: str) -> Iterator[str]:
    """Forty ways to send something that is nearly a key."""
    yield from ("", "Bearer", "Bearer ", "bearer", "Basic " + key, "Token " + key, key, f" {key}")
    yield from (f"Bearer  {key}", f"Bearer {key} ", f"Bearer {key},", f"Bearer {key}\t")
    yield from (
        f"Bearer {key[:-1]}",
        f"Bearer {key}A",
        f"Bearer {key.lower()}",
        f"Bearer {key.upper()}",
    )
    yield from (f"Bearer {key.removeprefix('tw_')}", f"Bearer TW_{key[3:]}", f"Bearer {key[::-1]}")
    yield from (f"Bearer {key} {key}", f"Bearer {key};{key}", f"Bearer {key}, Bearer {key}")
    yield from (f"Bearer '{key}'", f'Bearer "{key}"', f"Bearer <{key}>", f"Bearer token={key}")
    yield from (
        "Bearer null",
        "Bearer undefined",
        "Bearer 0",
        "Bearer true",
        "Bearer *",
        "Bearer %",
    )
    yield from ("Bearer " + "a" * 100, "Bearer " + "a" * 10_000, "Bearer tw_" + "A" * 43)
    yield from ("Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoib3BzIn0.", "Bearer ' OR 1=1 --")
    yield from (
        f"Bearer {key[:20]}%00{key[20:]}",
        f"Digest {key}",
        f"Bearer={key}",
        f"Bearer:{key}",
    )


def test_forty_attacks_on_a_key_are_refused_and_too_many_are_429(shop: Shop, tmp_path: Path):
    house = House(shop, tmp_path)
    tried = list(attacks(house.keys["application"]))
    assert len(tried) >= 40
    # An HTTP parser takes blanks off the ends of a header, so these two are the key itself.
    tried = [each for each in tried if each == each.strip()]
    statuses = [
        house.client.get("/v1/scheme", headers={"authorization": each}).status_code
        for each in tried
    ]
    assert statuses[:10] == [401] * 10
    assert set(statuses[10:]) == {429}
    answer = house.client.get("/v1/scheme", headers={"authorization": "Bearer x"})
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert house.ask("application", "GET", "/v1/scheme").status_code == 200


def test_counting_of_bad_keys_begins_again_after_a_minute():
    counts = BadKeys()
    assert [counts.count("a", 10.0 + second) for second in range(3)] == [1, 2, 3]
    assert counts.count("b", 20.0) == 1
    assert counts.seconds_left(30.0) == 41
    assert counts.count("a", 71.0) == 1


def test_two_authorization_headers_are_none(house: House):
    key = house.keys["ops"]
    headers = [("authorization", f"Bearer {key}"), ("authorization", f"Bearer {key}")]
    assert house.client.get("/metrics", headers=headers).status_code == 401


def test_the_digest_of_a_key_is_no_key(house: House):
    row = read_keys(house.table)[0]
    headers = {"authorization": f"Bearer {row.sha256}"}
    assert house.client.get("/v1/scheme", headers=headers).status_code == 401


def test_a_revoked_key_is_refused_by_a_running_guard(house: House):
    assert house.ask("ops", "GET", "/metrics").status_code == 200
    (row,) = [row for row in read_keys(house.table) if row.role == "ops"]
    revoke_key(house.table, row.id)
    assert house.guard.door is not None
    house.guard.door.keys._next_look = 0.0  # a second later
    assert house.ask("ops", "GET", "/metrics").status_code == 401
    assert house.ask("engineer", "GET", "/metrics").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:3000", 200), ("LOCALHOST:1", 200), ("[::1]:3000", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost@evil.example", 403),
        ("", 403), ("127.0.0.1:x", 403), ("0.0.0.0", 403), ("169.254.169.254", 403),
    ],
)  # fmt: skip
def test_only_a_known_host_is_answered(house: House, host: str, status: int):
    for path in ("/v1/scheme", "/readyz"):
        answer = house.ask("ops", "GET", path, headers={"host": host})
        assert answer.status_code == status


def test_two_hosts_are_none(house: House):
    assert send_raw(house.guard, [(b"host", b"localhost"), (b"host", b"localhost")])[0] == 403
    assert send_raw(house.guard, [])[0] == 403


def test_a_host_of_the_settings_is_answered():
    assert b"tiers.example" in build_hosts("127.0.0.1", ("tiers.example",))
    assert b"10.0.0.7" in build_hosts("10.0.0.7", ())
    assert b"[fd00::1]" in build_hosts("fd00::1", ())
    assert b"0.0.0.0" not in build_hosts("0.0.0.0", ())


def send_raw(
    guard: Guard,
    headers: list[tuple[bytes, bytes]],
    body: list[bytes | None] | None = None,
    method: str = "GET",
    path: str = "/v1/scheme",
) -> tuple[int, dict[bytes, bytes]]:
    """Drive the guard below any client: chunks as they come, None for one that never does."""
    sent: list[Message] = []
    chunks = iter(body or [b""])

    async def receive() -> Message:
        chunk = next(chunks, b"")
        if chunk is None:
            await asyncio.sleep(30)
        return {"type": "http.request", "body": chunk, "more_body": body is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "headers": headers, "client": ("127.0.0.1", 9),
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


def test_a_body_that_does_not_come_is_408_and_closes(house: House):
    headers = [
        (b"host", b"localhost"), (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {house.keys['application']}".encode()),
    ]  # fmt: skip
    status, told = send_raw(house.guard, headers, [b"{", None], "POST", "/v1/tier")
    assert (status, told[b"connection"]) == (408, b"close")
    assert house.log.lines[-1].code == "body_too_slow"


def test_slow_bodies_do_not_starve_others_and_are_bounded(shop: Shop, tmp_path: Path):
    house = House(shop, tmp_path, max_bodies=3, body_seconds=0.5)
    bearer = f"Bearer {house.keys['application']}".encode()
    statuses: list[int] = []

    async def ask(method: str, path: str, delay: float) -> None:
        async def receive() -> Message:
            await asyncio.sleep(delay)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        headers = [
            (b"host", b"localhost"), (b"content-type", b"application/json"),
            (b"authorization", bearer),
        ]  # fmt: skip
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(),
            "headers": headers, "client": ("127.0.0.1", 9),
        }  # fmt: skip
        await house.guard(scope, receive, send)

    async def all_at_once() -> None:
        slow = [asyncio.create_task(ask("POST", "/v1/tier", 30)) for _ in range(4)]
        await asyncio.sleep(0.05)
        await ask("GET", "/v1/customers/00123/tier", 0)
        await asyncio.gather(*slow)

    asyncio.run(all_at_once())
    assert statuses == [503, 200, 408, 408, 408]


def test_more_at_once_than_is_taken_on_gets_503_with_retry_after(shop: Shop, tmp_path: Path):
    house = House(shop, tmp_path, max_concurrency=5)
    bearer = f"Bearer {house.keys['application']}".encode()
    answers: list[Message] = []

    async def ask() -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answers.append(message)

        scope = {
            "type": "http", "method": "GET", "path": "/v1/scheme", "raw_path": b"/v1/scheme",
            "headers": [(b"host", b"localhost"), (b"authorization", bearer)],
            "client": ("127.0.0.1", 9),
        }  # fmt: skip
        await house.guard(scope, receive, send)

    async def burst(n: int) -> None:
        await asyncio.gather(*(asyncio.create_task(ask()) for _ in range(n)))

    async def twice() -> None:
        await burst(8)
        await burst(5)

    asyncio.run(twice())
    assert [answer["status"] for answer in answers] == [200] * 5 + [503] * 3 + [200] * 5
    assert (b"retry-after", b"1") in answers[5]["headers"]


BAD = [
    # what, method, path, body, headers, status, code
    ("two megabytes", "POST", "/v1/tier", b" " * 2_000_000, {}, 413, "body_too_large"),
    ("NaN", "POST", "/v1/tier", b'{"features": {"net_spend": NaN}}', {}, 422, "bad_field"),
    ("broken JSON", "POST", "/v1/tier", b"{", {}, 400, "invalid_json"),
    ("depth", "POST", "/v1/tier", b"[" * 2000, {}, 400, "invalid_json"),
    ("key twice", "POST", "/v1/tier", b'{"features":{"a":1,"a":2}}', {}, 400, "duplicate_key"),
    ("pickle", "POST", "/v1/tier", pickle.dumps({"a": 1}), {}, 400, "invalid_json"),
    ("pickle, said so", "POST", "/v1/tier", pickle.dumps({"a": 1}),
     {"content-type": "application/vnd.bentoml+pickle"}, 415, "wrong_content_type"),
    ("gzip", "POST", "/v1/tier", gzip.compress(b"{}"), {"content-encoding": "gzip"}, 415,
     "wrong_content_type"),
    ("multipart", "POST", "/v1/tier", b"--x", {"content-type": "multipart/form-data; boundary=x"},
     415, "wrong_content_type"),
    ("a length of no number", "POST", "/v1/tier", b"", {"content-length": "1e3"}, 400,
     "bad_framing"),
    ("unknown customer", "GET", f"/v1/customers/{ANY_ID}/tier", None, {}, 404, "unknown_customer"),
    ("unknown path", "GET", f"/v1/{ANY_ID}", None, {}, 404, "no_such_path"),
    ("wrong method", "DELETE", f"/v1/customers/{ANY_ID}/tier", None, {}, 405, "wrong_method"),
    ("wrong role", "GET", "/metrics", None, {}, 403, "wrong_role"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [each[1:] for each in BAD], ids=[each[0] for each in BAD],
)  # fmt: skip
def test_a_bad_request_gets_its_status_and_one_line_with_nothing_personal(
    house: House, method: str, path: str, body: Any, headers: dict[str, str], status: int, code: str
):
    given = {"content-type": "application/json", **headers}
    answer = house.ask("application", method, path, content=body, headers=given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    (line,) = house.log.lines
    assert (line.status, line.code) == (status, code)
    (row,) = [row for row in read_keys(house.table) if row.role == "application"]
    assert line.key == row.id
    told = repr(line)
    assert ANY_ID not in told
    assert house.keys["application"] not in told
    assert "127.0.0.1" not in told


def test_chunked_junk_is_refused(house: House):
    chunks = iter([b"5\r\nhello\r\n", b"\xff\xfe", b"0\r\n\r\n"])
    headers = {"content-type": "application/json"}
    answer = house.ask("application", "POST", "/v1/tier", content=chunks, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


def test_every_answer_has_the_headers_of_security(house: House):
    for answer in (
        house.ask("ops", "GET", "/v1/scheme"),
        house.ask(None, "GET", "/v1/scheme"),
        house.ask(None, "GET", "/livez"),
        house.ask("ops", "GET", "/nothing"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_line_names_the_release_and_is_one_line_of_json(house: House, shop: Shop, tmp_path: Path):
    house.ask("application", "GET", "/v1/customers/00123/tier")
    (line,) = house.log.lines
    assert (line.route, line.release) == (
        "/v1/customers/{customer_id}/tier", shop.release.digest[:12],
    )  # fmt: skip
    with (tmp_path / "log").open("wb") as sink:
        log = AccessLog(sink.fileno())
        log.start()
        for _ in range(3):
            log.add(line)
        log.stop()
    written = [json.loads(each) for each in (tmp_path / "log").read_text().splitlines()]
    assert len(written) == 3
    assert set(written[0]) == {"time", "route", "method", "status", "ms", "key", "release"}


def test_without_settings_nothing_is_let_in(shop: Shop):
    application = Application(Metrics())
    application.serve(shop.predictor, LIMITS)
    client = TestClient(Guard(application, bento, Lines()))
    assert client.get("/v1/scheme").status_code == 503
    assert client.get("/readyz").status_code == 200


def test_a_websocket_is_closed(house: House):
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(house.guard({"type": "websocket"}, lambda: asyncio.sleep(0, {}), send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
