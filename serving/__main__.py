"""`python -m serving`: start the service on loopback, say when it is ready, stop with Ctrl-C."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.cli import build_parser, exit_with
from features.config import ServingSettings, read_config
from features.errors import ConfigError, ReleaseError, TierwiseError
from serving.current import read_current

READY_SECONDS = 90
POLL_SECONDS = 0.2


@dataclass
class Watch:
    """A thread that waits for the service, announces it, or stops it with the reason."""

    host: str
    port: int
    error: TierwiseError | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Wait until the service answers; then print how to ask it, or stop the process."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.stopped.wait(POLL_SECONDS) and self.error is None:
            status, _ = _get(self.host, self.port, "/readyz")
            if status == http.client.OK:
                print(_greeting(self.host, self.port), flush=True)
                return
            if status is not None:
                self.error = _reason(self.host, self.port)
            elif time.monotonic() > deadline:
                self.error = TierwiseError(
                    f"the service gave no answer within {READY_SECONDS} s; expected it to be ready",
                    "look at the lines above for what its worker said",
                )
        if self.error is not None:
            os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str]) -> int:
    """Serve the promoted release until stopped; return 0."""
    parser = build_parser("python -m serving", __doc__)
    parser.add_argument("--port", type=int, help="instead of serving.port of the settings")
    options = parser.parse_args(arguments)
    settings = read_config(options.config).serving
    read_current(options.state)
    port = settings.port if options.port is None else options.port
    check_address(settings.host, port)
    with tempfile.TemporaryDirectory(prefix="tierwise-") as home:
        serve(settings, port, options.state, options.config, home)
    return 0


def serve(settings: ServingSettings, port: int, state: Path, config: Path, home: str) -> None:
    """Run BentoML's server in this process, its workers beside it, until a signal ends it.

    Raises
    ------
    TierwiseError
        If the service cannot become ready; its worker's reason.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("BENTOML_HOME", home)
    os.environ["TIERWISE_STATE"] = str(state.resolve())
    os.environ["TIERWISE_CONFIG"] = str(config.resolve())
    from serving.service import TierService

    service: Any = TierService
    service.config["workers"] = settings.workers
    watch = Watch(settings.host, port)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        service.serve_http(host=settings.host, port=port)
    finally:
        watch.stopped.set()
        thread.join()
    if watch.error is not None:
        raise watch.error


def check_address(host: str, port: int) -> None:
    """Raise if the host is not an IP address of this machine or the port is taken.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    try:
        version = ipaddress.ip_address(host).version
    except ValueError as cause:
        raise ConfigError(
            f"serving.host is {host!r}; expected an IP address",
            "use 127.0.0.1 for this machine only, 0.0.0.0 for every interface",
        ) from cause
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as cause:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {cause}; expected a free port",
                "stop what uses it, or change serving.port or --port",
            ) from cause


def _get(host: str, port: int, path: str) -> tuple[int | None, bytes]:
    """Return status and body of a GET, or (None, b"") if nothing answers yet."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(reachable, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()


def _reason(host: str, port: int) -> TierwiseError:
    """Return why a service that answers is not ready, in its worker's words."""
    _, body = _get(host, port, "/v1/scheme")
    try:
        error = json.loads(body)["error"]
        return ReleaseError(error["found"], error["do"])
    except (ValueError, KeyError, TypeError):
        return ReleaseError(
            "the service is not ready and does not say why; expected a loaded release",
            "look at the lines above",
        )


def _greeting(host: str, port: int) -> str:
    """Return the lines that say where the service is and how to ask it."""
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return (
        f"\nready at {base}   (Ctrl-C stops it)\n"
        f"  curl {base}/v1/customers/CUSTOMER_ID/tier\n"
        f"  curl {base}/v1/scheme\n"
        f"  the API: {base}/openapi.json"
    )


if __name__ == "__main__":
    exit_with(main)
