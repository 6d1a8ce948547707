"""``python -m serving``: start the service on loopback, say when it is ready, stop with Ctrl-C.

``python -m serving keys add | list | revoke`` keeps the table of API keys.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.cli import build_parser, exit_with
from features.config import ServingSettings, read_config
from features.errors import EXIT_DONE, ConfigError, ReleaseError, TierwiseError
from serving.current import load_current, read_current
from serving.keys import KEYS, add_key, read_keys, revoke_key
from serving.policy import ROLES

READY_SECONDS = 90
POLL_SECONDS = 0.2


@dataclass
class Watch:
    """A thread that waits for the service, announces it, or stops it with the reason."""

    host: str
    port: int
    state: Path
    new_key: str | None = None
    error: TierwiseError | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Wait until the service answers; then print how to ask it, or stop the process."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.stopped.wait(POLL_SECONDS) and self.error is None:
            status = _ask(self.host, self.port, "/readyz")
            if status == http.client.OK:
                print(_greeting(self.host, self.port, self.new_key), flush=True)
                return
            if status is not None:
                self.error = _reason(self.state)
            elif time.monotonic() > deadline:
                self.error = TierwiseError(
                    f"the service gave no answer within {READY_SECONDS} s; expected it to be ready",
                    "look at the lines above for what its worker said",
                )
        if self.error is not None:
            os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str]) -> int:
    """Serve the promoted release until stopped, or keep the table of keys; return 0."""
    if arguments[:1] == ["keys"]:
        return run_keys(arguments[1:])
    parser = build_parser("python -m serving", __doc__)
    parser.add_argument("--port", type=int, help="instead of serving.port of the settings")
    options = parser.parse_args(arguments)
    settings = read_config(options.config).serving
    read_current(options.state)
    port = settings.port if options.port is None else options.port
    check_address(settings.host, port)
    table = options.state / KEYS
    new_key = None if read_keys(table) else add_key(table, "first", "application", _now())
    watch = Watch(settings.host, port, options.state, new_key)
    with tempfile.TemporaryDirectory(prefix="tierwise-") as home:
        serve(settings, watch, options.config, home)
    return EXIT_DONE


def run_keys(arguments: Sequence[str]) -> int:
    """Add, list or revoke API keys; return 0."""
    parser = build_parser("python -m serving keys", "The table of API keys.")
    parser.add_argument("act", choices=["add", "list", "revoke"])
    parser.add_argument("id", nargs="?", help="of the key to revoke")
    parser.add_argument("--role", default="application", choices=list(ROLES), help="of a new key")
    parser.add_argument("--name", default="client", help="whose key it is: a client, not a person")
    options = parser.parse_args(arguments)
    table = options.state / KEYS
    if options.act == "add":
        print(add_key(table, options.name, options.role, _now()))
    elif options.act == "revoke":
        if options.id is None:
            parser.error("revoke needs the id of a key")
        row = revoke_key(table, options.id)
        print(f"revoked {row.id} ({row.role}, {row.name}); workers refuse it within 5 s")
    else:
        for row in read_keys(table):
            print(f"{row.id}  {row.role:12} {row.created}  {row.name}")
    return EXIT_DONE


def _now() -> datetime:
    return datetime.now(UTC)


def serve(settings: ServingSettings, watch: Watch, config: Path, home: str) -> None:
    """Run BentoML's server in this process, its workers beside it, until a signal ends it.

    Raises
    ------
    TierwiseError
        If the service cannot become ready; its worker's reason.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("BENTOML_HOME", home)
    os.environ["TIERWISE_STATE"] = str(watch.state.resolve())
    os.environ["TIERWISE_CONFIG"] = str(config.resolve())
    from serving.service import TierService

    service: Any = TierService
    service.config["workers"] = settings.workers
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        service.serve_http(host=watch.host, port=watch.port)
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


def _ask(host: str, port: int, path: str) -> int | None:
    """Return the status of a GET, or None if nothing answers yet."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(reachable, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _reason(state: Path) -> TierwiseError:
    """Return why a service that answers is not ready."""
    try:
        load_current(state)
    except TierwiseError as error:
        return error
    return ReleaseError(
        "the service is not ready and does not say why; expected a loaded release",
        "look at the lines above",
    )


def _greeting(host: str, port: int, new_key: str | None) -> str:
    """Return the lines that say where the service is and how to ask it."""
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    told = (
        "a key is needed; make one: python -m serving keys add --role application"
        if new_key is None
        else "the first key, shown this once:"
    )
    header = f"-H 'Authorization: Bearer {new_key or 'KEY'}'"
    return (
        f"\nready at {base}   (Ctrl-C stops it)\n{told}\n"
        f"  curl {header} {base}/v1/customers/CUSTOMER_ID/tier\n"
        f"  curl {header} {base}/v1/scheme\n"
        f"  curl {header} {base}/openapi.json"
    )


if __name__ == "__main__":
    exit_with(main)
