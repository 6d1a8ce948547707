"""The real server over HTTP, and the bento: slow, for they start processes."""

from __future__ import annotations

import ast
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from features.errors import ConfigError, ReleaseError
from serving.__main__ import check_address, main
from serving.access_log import AccessLine
from serving.keys import KEYS, add_key
from tests.serving.conftest import CUSTOMERS, Shop, features_of
from training.artifact import point_to

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
STOP_SECONDS = 30


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def announce(port: int, path: str, n_bytes: int, key: str) -> int:
    """Return the status of a POST whose body is announced and not sent.

    A body that is too long is refused before it is read, and the connection is closed; a client
    that is still sending may then lose the answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("POST", path)
        connection.putheader("Authorization", f"Bearer {key}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(n_bytes))
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def ask(port: int, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    content = None if body is None else json.dumps(body)
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    is_json = answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(text) if is_json else text.decode()


@contextmanager
def started(arguments: list[str], folder: Path, log: Path, **variables: str) -> Iterator[int]:
    """Run a server in a process of its own on a free port, and stop it by its id."""
    port = find_free_port()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments, "--port", str(port)],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = monotonic() + START_SECONDS
        while not is_ready(port):
            assert process.poll() is None, log.read_text()
            assert monotonic() < deadline, log.read_text()
            sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)


def is_ready(port: int) -> bool:
    try:
        return ask(port, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def read_first_key(log: Path) -> str:
    """Wait for the greeting, which follows the first answer of readyz, and return its key."""
    deadline = monotonic() + START_SECONDS
    while not (found := set(re.findall(r"tw_[\w-]+", log.read_text()))):
        assert monotonic() < deadline, log.read_text()
        sleep(0.1)
    (key,) = found
    return key


@pytest.mark.slow
def test_the_server_answers_over_http_as_the_release_does_offline(shop: Shop, tmp_path: Path):
    log = tmp_path / "log"
    state = Path(shutil.copytree(shop.state, tmp_path / "state"))
    with started(["serving", "--state", str(state)], ROOT, log) as port:
        key = read_first_key(log)
        ops = add_key(state / KEYS, "prometheus", "ops", datetime(2026, 1, 1, tzinfo=UTC))
        scores = shop.release.score(CUSTOMERS[list(shop.release.columns)].to_numpy())
        status, answer = ask(port, "GET", "/v1/customers/00123/tier", key=key)
        assert (status, answer["tier"]) == (200, "gold")
        assert answer["expected_value"] == scores.expected_value[0]
        assert answer["p_churn"] == scores.p_churn[0]
        assert ask(port, "POST", "/v1/tier", {"features": features_of("00123")}, key) == (
            200,
            answer | {"customer_id": None},
        )
        assert ask(port, "POST", "/v1/tiers", [{"customer_id": "x"}], key)[1][0]["status"] == (
            "unknown_customer"
        )
        assert ask(port, "GET", "/v1/customers/a%2Fb%20100%25/tier", key=key)[1]["tier"] == "silver"
        assert ask(port, "GET", "/v1/customers/%FF/tier", key=key)[0] == 422
        assert announce(port, "/v1/tier", 1_100_000, key) == 413
        assert ask(port, "PUT", "/v1/scheme", key=key)[0] == 405
        assert ask(port, "GET", "/v1/scheme")[0] == 401
        sleep(1.2)  # the workers look at the table of keys once a second
        status, text = ask(port, "GET", "/metrics", key=ops)
        assert 'tierwise_answers_total{status="ok",tier="gold"}' in text
    text = log.read_text()
    assert f"http://127.0.0.1:{port}/v1/customers/CUSTOMER_ID/tier" in text
    assert "00123" not in text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert {line["status"] for line in lines} == {200, 401, 405, 413, 422}
    assert all(set(line) <= set(AccessLine.__struct_fields__) for line in lines)
    assert not is_ready(port)
    segments = sorted((state / "predictions").rglob("*.parquet"))
    logged = pq.read_table(segments).to_pylist()
    assert [row["tier"] for row in logged] == ["gold", "gold", None, "silver"]


@pytest.mark.slow
def test_a_damaged_release_ends_the_server_with_the_reason(shop: Shop, tmp_path: Path):
    folder = tmp_path / "releases" / shop.release.digest
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    point_to(tmp_path / "releases", shop.release.digest)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "serving",
            "--state",
            str(tmp_path),
            "--port",
            str(find_free_port()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2].startswith("error: ")
    assert done.stderr.splitlines()[-1].startswith("  do: ")


@pytest.mark.slow
def test_a_bento_is_built_and_answers(shop: Shop, tmp_path: Path):
    home = {"BENTOML_HOME": str(tmp_path / "home"), "BENTOML_DO_NOT_TRACK": "True"}
    (tmp_path / "home").mkdir()
    subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--output", "tag"],
        cwd=ROOT,
        env={**os.environ, **home},
        check=True,
        capture_output=True,
    )
    (bento,) = [path.parent for path in (tmp_path / "home" / "bentos").rglob("bento.yaml")]
    assert "libgomp1" in (bento / "env" / "docker" / "Dockerfile").read_text()
    arguments = ["bentoml", "serve", str(bento), "--host", "127.0.0.1"]
    variables = {"TIERWISE_STATE": str(shop.state), **home}
    with started(arguments, tmp_path, tmp_path / "log", **variables) as port:
        key = add_key(shop.state / KEYS, "bento", "application", datetime(2026, 1, 1, tzinfo=UTC))
        sleep(1.2)
        status, answer = ask(port, "GET", "/v1/customers/00123/tier", key=key)
        assert (status, answer["tier"]) == (200, "gold")


def imported_files(path: Path) -> set[Path]:
    """The project's files that a module imports, at its top or later."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = [ROOT / name.replace(".", "/") for name in names]
    found = {path.with_suffix(".py") for path in paths} | {path / "__init__.py" for path in paths}
    return {file for file in found if file.is_file()}


def test_the_bento_holds_what_serving_imports_and_nothing_else():
    bentofile = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))
    included = {path for pattern in bentofile["include"] for path in ROOT.glob(pattern)}
    needed = set((ROOT / "serving").glob("*.py"))
    new = needed
    while new:
        new = set().union(*map(imported_files, new)) - needed
        needed = needed | new
    needed |= {path.parent / "__init__.py" for path in needed}
    assert {path for path in included if path.suffix == ".py"} == needed


def test_nothing_promoted_ends_the_command(tmp_path: Path):
    with pytest.raises(ReleaseError, match=r"no promoted release in .*; expected the file"):
        main(["--state", str(tmp_path)])


def test_a_port_that_is_taken_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}"):
            check_address("127.0.0.1", port)


@pytest.mark.parametrize("host", ["localhost", "", "127.0.0.1:80"])
def test_a_host_that_is_no_address_is_named(host: str):
    with pytest.raises(ConfigError, match=r"serving\.host is .*; expected an IP address"):
        check_address(host, 3000)
