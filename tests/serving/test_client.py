"""The client against the OpenAPI document and against a guarded service."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

import tierwise_client
from serving.openapi import build_openapi
from tests.serving.conftest import Shop
from tierwise_client import Client, TierwiseError

DOCUMENT = build_openapi()
ROWS = ("TierAnswer", "Scheme", "SchemeTier", "FeatureName")


@pytest.mark.parametrize("name", ROWS)
def test_the_client_has_the_fields_of_the_document(name: str):
    schema = DOCUMENT["components"]["schemas"][name]
    known = {field.name: field for field in dataclasses.fields(getattr(tierwise_client, name))}
    assert set(known) == set(schema["properties"])
    required = {n for n, field in known.items() if field.default is dataclasses.MISSING}
    assert required == set(schema["required"])


def test_the_client_asks_every_operation_for_applications():
    asked = {"getCustomerTier", "postTier", "postTiers", "getScheme"}
    operations = {
        operation["operationId"]
        for found in DOCUMENT["paths"].values()
        for operation in found.values()
    }
    assert operations - asked == {"getOpenapi", "getMetrics"}


class Script(BaseHTTPRequestHandler):
    """Answers what the test laid out, in turn, and keeps what was asked."""

    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, Any, dict[str, str]]]
    asked: list[tuple[str, str, bytes, str | None]]

    def do_GET(self) -> None:
        self.reply()

    def do_POST(self) -> None:
        self.reply()

    def reply(self) -> None:
        length = int(self.headers.get("content-length", 0))
        key = self.headers.get("authorization")
        self.asked.append((self.command, self.path, self.rfile.read(length), key))
        status, body, headers = self.answers.pop(0)
        if status == 0:
            self.close_connection = True
            return
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[Client, type[Script]]]:
    script = type("ThisScript", (Script,), {"answers": [], "asked": []})
    served = HTTPServer(("127.0.0.1", 0), script)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with Client(f"http://127.0.0.1:{served.server_port}", "tw_x") as client:
        yield client, script
    served.shutdown()
    thread.join()
    served.server_close()


ANSWER = DOCUMENT["paths"]["/v1/customers/{customer_id}/tier"]["get"]["responses"]["200"][
    "content"
]["application/json"]["examples"]["ok"]["value"]
BUSY = {"error": {"code": "no_room", "found": "f", "expected": "e", "do": "d"}}


def test_a_customer_is_asked_for_by_a_quoted_id(server: tuple[Client, type[Script]]):
    client, script = server
    script.answers.append((200, {**ANSWER, "new_field": 1}, {}))
    answer = client.tier_of("a/b 100%")
    assert answer == tierwise_client.TierAnswer(**ANSWER)
    assert script.asked == [("GET", "/v1/customers/a%2Fb%20100%25/tier", b"", "Bearer tw_x")]


def test_no_room_is_asked_again_after_the_time_told(server: tuple[Client, type[Script]]):
    client, script = server
    script.answers += [(503, BUSY, {"retry-after": "0"}), (429, BUSY, {"retry-after": "0"})]
    script.answers.append((200, ANSWER, {}))
    assert client.tier_for({"n_order_days": 1.0}, "00123").tier == "gold"
    assert len(script.asked) == 3
    script.answers += [(503, BUSY, {"retry-after": "0"})] * 3
    with pytest.raises(TierwiseError, match="503 no_room: f; expected e; d"):
        client.scheme()


def test_a_broken_connection_is_made_again(server: tuple[Client, type[Script]]):
    client, script = server
    script.answers += [(200, ANSWER, {}), (0, b"", {}), (200, [ANSWER], {})]
    client.tier_of("00123")
    assert client.tiers_of(["00123"])[0].tier == "gold"


def test_an_unknown_customer_is_none_and_other_errors_are_raised(
    server: tuple[Client, type[Script]],
):
    client, script = server
    script.answers.append((404, {"error": {**BUSY["error"], "code": "unknown_customer"}}, {}))
    assert client.tier_of("nobody") is None
    script.answers.append((404, {"error": {**BUSY["error"], "code": "no_such_path"}}, {}))
    with pytest.raises(TierwiseError, match="404 no_such_path"):
        client.tier_of("nobody")
    script.answers.append((502, b"<html>", {}))
    with pytest.raises(TierwiseError, match="502 unknown: an answer that is not the service's"):
        client.tier_of("nobody")


def test_a_batch_takes_ids_and_vectors(server: tuple[Client, type[Script]], shop: Shop):
    client, script = server
    script.answers.append((200, [ANSWER, ANSWER], {}))
    client.tiers_of(["00123", {"net_spend": 1.0}])
    assert json.loads(script.asked[0][2]) == [
        {"customer_id": "00123"}, {"features": {"net_spend": 1.0}},
    ]  # fmt: skip


@pytest.mark.parametrize("base", ["127.0.0.1:3000", "ftp://x", "http://"])
def test_a_base_that_is_no_url_is_refused(base: str):
    with pytest.raises(ValueError, match="is no base URL; expected"):
        Client(base, "tw_x")
