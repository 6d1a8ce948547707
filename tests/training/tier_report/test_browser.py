"""The page in a real Chromium: nothing is asked for, nothing runs over, no letter is tiny."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from training.tier_report.facts import TierReport
from training.tier_report.files import write_tier_report

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
START_SECONDS = 60.0
SMALLEST_LETTERS = 11.0  # px, as seen
MEASURE = """
const small = [], wide = [];
for (const one of document.querySelectorAll('main *')) {
  const box = one.getBoundingClientRect();
  if (!box.width || getComputedStyle(one).visibility === 'hidden') continue;
  const own = [...one.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const svg = one.ownerSVGElement;
  const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  const size = parseFloat(getComputedStyle(one).fontSize) * scale;
  if (own && size < arguments[0]) small.push([one.tagName, one.textContent.trim(), size]);
  if (box.right > innerWidth + 1 && !one.closest('.scroll')) wide.push([one.tagName, box.right]);
}
return {scroll: document.documentElement.scrollWidth, inner: innerWidth, small, wide};
"""


class Browser:
    """A Chromium behind its driver, told over loopback."""

    def __init__(self, port: int, profile: Path) -> None:
        self._base = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._call("GET", "/status")
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL"}}
        started = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{started['sessionId']}"

    def open(self, page: Path, width: int) -> list[str]:
        """Show a page on a screen of a width; return what was asked for beside it."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self._tell("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=screen)
        self._tell("/se/log", type="performance")  # what came before
        self._tell("/url", url=page.as_uri())
        asked = []
        for entry in self._tell("/se/log", type="performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return [url for url in asked if url != page.as_uri() and not url.startswith("data:")]

    def measure(self) -> dict[str, Any]:
        """Return widths, letters that are too small, and what stands out on the right."""
        return self._tell("/execute/sync", script=MEASURE, args=[SMALLEST_LETTERS])

    def close(self) -> None:
        self._call("DELETE", self._session)

    def _tell(self, path: str, **body: Any) -> Any:
        return self._call("POST", self._session + path, body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._base + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            return json.loads(answer.read())["value"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    driver = shutil.which("chromedriver")
    if driver is None or not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no Chromium with its driver; apt-get install chromium chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        shown = Browser(port, tmp_path_factory.mktemp("profile"))
        yield shown
        shown.close()
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_fits_its_screen_and_asks_for_nothing(
    browser: Browser, report: TierReport, tmp_path: Path, lang: str, width: int
):
    write_tier_report(report, tmp_path)
    assert browser.open(tmp_path / f"tiers_{lang}.html", width) == []
    seen = browser.measure()
    assert seen["inner"] == width  # a page that runs over widens a phone's view of it
    assert seen["scroll"] <= width
    assert seen["wide"] == []
    assert seen["small"] == []


@pytest.mark.slow
def test_a_page_that_asks_and_runs_over_would_be_seen(browser: Browser, tmp_path: Path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width, "
        "minimum-scale=1'><main><img src='http://127.0.0.1:9/x.png'>"
        "<p style='width:900px;font-size:6px'>small</p></main>"
    )
    assert browser.open(page, 390) == ["http://127.0.0.1:9/x.png"]
    seen = browser.measure()
    assert seen["scroll"] > 390
    assert seen["wide"]
    assert [row[:2] for row in seen["small"]] == [["P", "small"]]
