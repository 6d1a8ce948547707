"""The BentoML service: our ASGI application mounted at "/", and BentoML's health checks.

Thin on purpose. BentoML brings the server, its workers, livez and readyz, and the container;
its own metrics, tracing and access log are off, because they label by the raw path (a series a
customer) and cost more than the answer.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from pathlib import Path

import bentoml

from features.config import read_config
from features.errors import TierwiseError
from serving.application import Application, Limits
from serving.current import load_current
from serving.metrics import Metrics, forget_process

STATE_VARIABLE = "TIERWISE_STATE"
CONFIG_VARIABLE = "TIERWISE_CONFIG"
DEFAULT_STATE = Path("state")
DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "config.toml"
TIMEOUT_SECONDS = 5
PR_SET_PDEATHSIG = 1  # linux/prctl.h

application = Application(Metrics())


def load_into(application: Application, state: Path, config: Path) -> None:
    """Load the promoted release into the application, or let it say why it cannot answer.

    A worker that died for want of a release would be started again for ever; one that lives,
    is not ready and names the reason can be asked.
    """
    try:
        settings = read_config(config).serving
        limits = Limits(settings.max_batch, settings.max_body_bytes)
        application.serve(load_current(state), limits)
    except TierwiseError as error:
        application.withhold(error.found, error.do)


def settle_collector() -> None:
    """Take what start-up made out of the garbage collector's sight, and let it run seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)


def end_with_parent() -> None:
    """Ask Linux to stop this worker when its parent dies, even of kill -9.

    A worker that outlived its parent would keep the port, and the next start would fail.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


@bentoml.service(
    workers=1,
    traffic={"timeout": TIMEOUT_SECONDS},
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
        load_into(application, state, config)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def settle(self) -> None:
        """Make a worker of this process; a test's process is left as it is."""
        if bentoml.server_context.worker_index is not None:
            settle_collector()
            end_with_parent()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def forget(self) -> None:
        """Drop this worker's gauges."""
        forget_process(os.getpid())

    async def __is_ready__(self) -> bool:
        """Whether a release is loaded: what /readyz answers."""
        return application.is_ready
