"""The dashboard's picture: Evidently's own page on loopback, taken by chromium where there is one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import LOOPBACK, find_free_port, get, stop

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
READY_SECONDS = 60.0
PICTURE_SECONDS = 60.0
SETTLE_MILLISECONDS = 15_000


def find_browser() -> str | None:
    """Return the path of a chromium, None where there is none."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def dashboard(workspace: Path, log: Path) -> Iterator[str]:
    """Serve a workspace on loopback; the value is the address of its project.

    Raises
    ------
    OSError
        If it does not answer in time.
    """
    port = find_free_port()
    evidently = Path(sys.executable).with_name("evidently")
    arguments = ["ui", "--workspace", str(workspace), "--host", LOOPBACK, "--port", str(port)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(evidently), *arguments],
            stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            _wait(f"http://{LOOPBACK}:{port}/api/version", process)
            project = json.loads((workspace / "drawn.json").read_text(encoding="utf-8"))["project"]
            yield f"http://{LOOPBACK}:{port}/projects/{project}"
        finally:
            stop(process, signal.SIGTERM)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            get(url, timeout_seconds=2.0)
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def take_picture(browser: str, url: str, path: Path, width: int = 1400, height: int = 2210) -> bool:
    """Write what a browser without a network shows of a page; return whether it did.

    Parameters
    ----------
    browser : str
        Path of a chromium.
    url : str
        Of loopback, or of a file.
    path : Path
        A PNG.
    width, height : int
        Pixels.
    """
    with tempfile.TemporaryDirectory(prefix="tierwise-browser-") as home:
        process = subprocess.Popen(
            [
                browser, *QUIET, f"--user-data-dir={home}", f"--window-size={width},{height}",
                f"--virtual-time-budget={SETTLE_MILLISECONDS}", f"--screenshot={path}", url,
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(PICTURE_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        finally:
            stop(process, signal.SIGTERM)
    return path.is_file()
