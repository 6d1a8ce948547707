"""The BentoML service: BentoML's server, workers and health checks, our guard before everything.

Thin on purpose. BentoML brings the process that starts workers, livez and readyz, and the container.
Its own metrics, tracing and access log are off, because they label by the raw path (a series a
customer) and cost more than the answer. The guard stands before BentoML's middlewares, not among
them: its timeout would stand outside, hold a timer of every request, and let slow bodies starve the
others.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
from asyncio import get_running_loop
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]

from features.config import ServingSettings, read_config
from features.errors import TierwiseError
from serving.access_log import AccessLog
from serving.application import Application, Limits
from serving.audit import harden_interpreter
from serving.framing import Receive, Scope, Send
from serving.guard import Door, Guard, build_hosts
from serving.keys import KEYS, KeyRing
from serving.limits import DoorLimits
from serving.metrics import Metrics, forget_process
from serving.record import LogSettings, PredictionLog
from serving.swap import ReleaseWatch

STATE_VARIABLE = "TIERWISE_STATE"
CONFIG_VARIABLE = "TIERWISE_CONFIG"
DEFAULT_STATE = Path("state")
DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "config.toml"
LONGEST_SWITCH_SECONDS = 0.0005
SETTLE_SECONDS = 1.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h

logger = logging.getLogger("tierwise.serving")


async def _nobody(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the guard stands before no service yet")


application = Application(Metrics())
guard = Guard(application, _nobody, AccessLog())


@dataclass
class Running:
    """What a worker runs beside its event loop."""

    watch: ReleaseWatch
    log: PredictionLog
    drain_seconds: float

    def stop(self) -> None:
        """End the threads; what waits to be written is written."""
        self.watch.stop()
        self.log.stop()
        guard.log.stop()


def build_door(state: Path, settings: ServingSettings) -> Door:
    """Return what the guard goes by."""
    limits = DoorLimits(
        settings.max_body_bytes,
        settings.body_seconds,
        settings.max_bodies,
        settings.max_concurrency,
        settings.bad_keys_a_minute,
    )
    return Door(KeyRing(state / KEYS), build_hosts(settings.host, settings.allowed_hosts), limits)


def begin(state: Path, config: Path) -> Running | None:
    """Open the door and take up the promoted release, or let the application say why it cannot.

    A worker that died for want of a release would be started again for ever; one that lives,
    is not ready and names the reason can be asked.
    """
    try:
        settings = read_config(config).serving
    except TierwiseError as error:
        logger.error("%s; %s", error.found, error.do)
        application.withhold(error.found, error.do)
        guard.door = None
        return None
    guard.door = build_door(state, settings)
    log = PredictionLog(
        state,
        LogSettings(
            settings.log_sample_share,
            settings.log_seconds,
            settings.log_queue_rows,
            settings.log_retention_days,
        ),
    )
    limits = Limits(settings.max_batch, settings.max_body_bytes)
    watch = ReleaseWatch(application, state, limits, log.add)
    watch.begin()
    log.start()
    return Running(watch, log, settings.drain_seconds)


def settle_collector() -> None:
    """Take what start-up made out of the garbage collector's sight, and let it run seldom.

    A thread that holds the interpreter gives it up soon, so that no answer waits for a log.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    sys.setswitchinterval(LONGEST_SWITCH_SECONDS)


def end_with_parent() -> None:
    """Ask Linux to end this worker at once when its parent dies, even of kill -9.

    A worker that outlived its parent would keep the port, and the next start would fail.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def drain_first(seconds: float) -> None:
    """At SIGTERM and SIGINT say "not ready" first, and end as the server would after `seconds`.

    Until then every request is still answered, each with the word to close its connection, so that a
    balancer has time to look away and no connection is cut with a request on it.
    """
    loop = get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        server_s = signal.getsignal(number)
        if not callable(server_s):
            continue

        def drain(got: int, frame: FrameType | None, end: Any = server_s) -> None:
            if guard.is_draining:
                return
            guard.is_draining = True
            loop.call_soon_threadsafe(loop.call_later, seconds, end, got, frame)

        signal.signal(number, drain)


def settle_metrics() -> None:
    """Settle what was counted, now and every `SETTLE_SECONDS`, so that other workers can tell it."""
    application.metrics.settle()
    get_running_loop().call_later(SETTLE_SECONDS, settle_metrics)


class GuardedService(Service[Any]):  # type: ignore[misc]
    """A service whose application stands behind the guard, BentoML's middlewares included."""

    def to_asgi(self, is_main: bool = True) -> Guard:
        """Return the guard with BentoML's application behind it."""
        guard.bento = super().to_asgi(is_main=is_main)
        return guard


@bentoml.service(
    service_class=GuardedService,
    workers=1,
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(application, path="/")
class TierService:
    """Customer tiers over HTTP; the API is described at /openapi.json."""

    def __init__(self) -> None:
        state = Path(os.environ.get(STATE_VARIABLE, DEFAULT_STATE))
        config = Path(os.environ.get(CONFIG_VARIABLE, DEFAULT_CONFIG))
        self.running = begin(state, config)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def settle(self) -> None:
        """Make a worker of this process; a test's process is left as it is."""
        if bentoml.server_context.worker_index is None:
            return
        guard.log.start()
        end_with_parent()
        harden_interpreter()
        settle_metrics()
        if self.running is not None:
            drain_first(self.running.drain_seconds)
        settle_collector()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def forget(self) -> None:
        """End the threads, settle what was counted and drop this worker's gauges."""
        application.metrics.settle()
        if self.running is not None:
            self.running.stop()
        forget_process(os.getpid())

    async def __is_ready__(self) -> bool:
        """Whether a release is loaded: what /readyz answers."""
        return application.is_ready
