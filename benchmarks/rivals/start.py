"""Every way to serve, started in a process of its own, and what its processes take."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.load import HOST
from benchmarks.serving_world import ROOT, World
from features.errors import InputError

READY_SECONDS = 120
UVICORN = ("-m", "uvicorn", "--no-access-log", "--log-level", "warning", "--port")


@dataclass(frozen=True)
class Server:
    """A server that runs: where, and the process whose tree's time is counted."""

    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Return the processor time of the process and all its children."""
        total = 0.0
        for each in [self.process, *self.process.children(recursive=True)]:
            times = each.cpu_times()
            total += times.user + times.system
        return total


def command_of(name: str, state: Path, config: Path, port: int) -> list[str]:
    """Return the command that starts a server."""
    return {
        "raw_asgi": [*UVICORN, str(port), "benchmarks.rivals.asgi:app"],
        "fastapi": [*UVICORN, str(port), "benchmarks.rivals.fast_api:app"],
        "bentoml_default": _bento("benchmarks.rivals.bento:Tiers", port),
        "hello": _bento("benchmarks.rivals.hello:Hello", port),
        "ours": [
            "-m", "serving", "--state", str(state), "--config", str(config), "--port", str(port),
        ],
    }[name]  # fmt: skip


def _bento(service: str, port: int) -> list[str]:
    return ["-m", "bentoml", "serve", service, "--host", HOST, "--port", str(port)]


@contextmanager
def started(name: str, world: World, config: Path, log: Path) -> Iterator[Server]:
    """Run a server in a process of its own until the block ends."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    variables = {**os.environ, "TIERWISE_STATE": str(world.state), "BENTOML_DO_NOT_TRACK": "True"}
    variables["BENTOML_HOME"] = str(log.parent / "bentoml")
    Path(variables["BENTOML_HOME"]).mkdir(parents=True, exist_ok=True)
    with (log / f"{name}.log").open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, *command_of(name, world.state, config, port)],
            cwd=ROOT, env=variables, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            _wait_until_open(process, port, name)
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_open(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status < 500 or name == "raw_asgi":
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise InputError(f"{name} is not ready; expected it to answer", "look at its log")
