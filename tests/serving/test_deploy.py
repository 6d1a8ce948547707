"""deploy/: the real nginx in front of a guarded service, and what systemd would run."""

from __future__ import annotations

import configparser
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serving.guard import build_hosts
from tests.serving.conftest import Shop, features_of
from tests.serving.test_guard import House

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = "tiers.example"
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def make_certificate(folder: Path) -> None:
    """Write a certificate that nobody but this test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Front:
    """nginx with a guarded service behind it."""

    def __init__(self, port: int, house: House, folder: Path) -> None:
        self.port = port
        self.house = house
        self.folder = folder
        self.context = ssl.create_default_context(cafile=str(folder / "tls.pem"))

    def connect(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        return self.context.wrap_socket(raw, server_hostname=NAME)

    def ask(
        self, method: str, path: str, body: Any = None, host: str = NAME
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect()
        key = self.house.keys["application"]
        headers = {
            "Host": host, "Authorization": f"Bearer {key}", "Content-Type": "application/json",
        }  # fmt: skip
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        told = answer.status, answer.read(), answer.headers
        connection.close()
        return told


@pytest.fixture(scope="module")
def front(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    if NGINX is None:
        pytest.skip("no nginx; run: apt install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    house = House(shop, folder / "state", max_body_bytes=1_000_000)
    assert house.guard.door is not None
    object.__setattr__(house.guard.door, "hosts", build_hosts("127.0.0.1", (NAME,)))
    behind, port = free_port(), free_port()
    server = uvicorn.Server(
        uvicorn.Config(house.guard, port=behind, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    make_certificate(folder)
    text = (DEPLOY / "nginx.conf").read_text()
    for word, value in {
        "CERTIFICATE_KEY": str(folder / "tls.key"), "CERTIFICATE": str(folder / "tls.pem"),
        "SERVER_NAME": NAME, "BACKEND": f"127.0.0.1:{behind}", "8443": f"127.0.0.1:{port}",
        "worker_processes auto": "worker_processes 1",
    }.items():  # fmt: skip
        text = "\n".join(
            line if line.lstrip().startswith("#") else line.replace(word, value)
            for line in text.splitlines()
        )
    (folder / "nginx.conf").write_text(text + "\n")
    command = [NGINX, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    made = Front(port, house, folder)
    try:
        wait_until_open(made, process)
        yield made
    finally:
        process.terminate()
        process.wait(10)
        server.should_exit = True
        thread.join(10)


def wait_until_open(front: Front, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + 15
    while True:
        try:
            if front.ask("GET", "/readyz")[0] == 200:
                return
        except OSError:
            assert process.poll() is None
            assert monotonic() < deadline
        sleep(0.05)


def test_an_answer_comes_through_with_its_headers(front: Front):
    status, body, headers = front.ask("GET", "/v1/customers/a%2Fb%20100%25/tier")
    assert (status, json.loads(body)["customer_id"]) == (200, "a/b 100%")
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers or headers["server"] == "nginx"
    status, body, _ = front.ask("POST", "/v1/tier", {"features": features_of("00123")})
    assert (status, json.loads(body)["tier"]) == (200, "gold")


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/schema.json", "/docs.json"])
def test_only_the_api_is_reachable_from_outside(front: Front, path: str):
    status, body, _ = front.ask("GET", path)
    assert (status, json.loads(body)["error"]["code"]) == (404, "no_such_path")


def test_a_body_that_is_too_long_ends_at_the_front(front: Front):
    n_lines = len(front.house.log.lines)
    assert front.ask("POST", "/v1/tier", {"x": "y" * 1_200_000})[0] == 413
    assert len(front.house.log.lines) == n_lines


def test_another_host_gets_no_answer(front: Front):
    with pytest.raises(http.client.RemoteDisconnected, match="without response"):
        front.ask("GET", "/v1/scheme", host="evil.example")


def test_the_log_of_the_front_holds_no_path(front: Front):
    front.ask("GET", "/v1/customers/secret-person/tier")
    text = (front.folder / "access.log").read_text()
    assert "secret-person" not in text
    assert {"time", "method", "status"} <= set(json.loads(text.splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [b"GET /v1/scheme HTTP/1.1\r\nHost: tiers.example\r\nX-A: b",
     b"POST /v1/tier HTTP/1.1\r\nHost: tiers.example\r\nContent-Length: 100\r\n\r\n{"],
    ids=["headers", "body"],
)  # fmt: skip
def test_a_slow_client_is_closed_and_the_service_never_hears_of_it(front: Front, begun: bytes):
    n_lines = len(front.house.log.lines)
    with front.connect() as connection:
        connection.sendall(begun)
        start = monotonic()
        answer = connection.recv(1000)
        assert monotonic() - start < 10
    assert answer == b"" or b" 408 " in answer
    assert len(front.house.log.lines) == n_lines


@pytest.mark.parametrize("unit", sorted(path.name for path in DEPLOY.glob("tierwise*")))
def test_units_can_be_read_and_run_commands_that_exist(unit: str):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / unit)
    assert "Unit" in parser
    if unit.endswith(".service"):
        words = parser["Service"]["ExecStart"].split()
        assert words[1] == "-m"
        assert words[2] in {"serving", "training", "monitoring"}
        assert parser["Service"]["NoNewPrivileges"] == "true"
