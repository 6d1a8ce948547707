"""The whole way once: the commands a user would type, run one after the other (`make demo`).

Raw data becomes tables, features, models, tiers and a release; the service answers over HTTP for
one customer; then everything that was started is stopped. The exit code is that of the first
command that failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent
SIMULATED = Path("datasets/simulated_shop.toml")
DEFAULT_STATE = Path("state")
COMPILED = ROOT / "state" / "pycache"
LOOPBACK = "127.0.0.1"
READY_SECONDS = 120.0
STOP_SECONDS = 30.0
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

Step = tuple[str, Callable[[], None]]
"""What it is called, and what it does."""


class StepFailedError(Exception):
    """A step ended with another code than 0; the demo ends with that code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def play(steps: Sequence[Step]) -> str:
    """Run the steps in order, print ``[3/7] title`` before and the seconds after each.

    Returns
    -------
    str
        One line a step with its seconds, then their sum.
    """
    rows: list[tuple[float, str]] = []
    for number, (title, run) in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {title}", flush=True)
        start = time.monotonic()
        run()
        rows.append((time.monotonic() - start, title))
        print(f"[{number}/{len(steps)}] {rows[-1][0]:.1f} s", flush=True)
    rows.append((sum(seconds for seconds, _ in rows), "together"))
    return "\n".join(f"  {seconds:7.1f} s  {title}" for seconds, title in rows)


def start_python(arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Print and start ``python ARGUMENTS`` at the root, out of reach of the terminal's Ctrl-C.

    In a session of its own it gets exactly one signal, from `stop`, instead of one from the
    terminal and one from here.
    """
    print(f"$ python {shlex.join(arguments)}", flush=True)
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(os.environ),
        start_new_session=True,
        **options,
    )


def environment(told: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of what is started: compiled modules are kept in any case.

    Where Python may not leave them beside their source they are kept below ``state``; compiling
    pandas and the others anew takes longer than most of the steps themselves.
    """
    if not told.get("PYTHONDONTWRITEBYTECODE"):
        return dict(told)
    kept = {name: value for name, value in told.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(COMPILED), **kept}


def stop(process: subprocess.Popen[bytes], with_signal: signal.Signals) -> int:
    """Ask `process` to end, wait, and kill its whole session if it does not; return its code."""
    if process.poll() is None:
        process.send_signal(with_signal)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def run_python(*arguments: str) -> None:
    """Run ``python ARGUMENTS`` to its end.

    Raises
    ------
    StepFailedError
        If it ends with another code than 0 (128 + n for signal n).
    """
    process = start_python(arguments)
    try:
        code = process.wait()
    finally:
        stop(process, signal.SIGINT)
    if code:
        code = 128 - code if code < 0 else code
        raise StepFailedError(code, f"python {shlex.join(arguments)} ended with {code}")


def find_free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def get(url: str, timeout_seconds: float = 10.0, key: str | None = None) -> bytes:
    """Return the body of ``GET url``, past any proxy that the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with opener.open(
        urllib.request.Request(url, headers=headers), timeout=timeout_seconds
    ) as answer:
        body: bytes = answer.read()
        return body


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until `url` answers 200.

    Raises
    ------
    StepFailedError
        If the process ends, or `READY_SECONDS` pass, before that; with the end of its log.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            get(url, timeout_seconds=2.0)
            return
        except OSError:  # refused, reset, or an HTTP status: not ready yet
            time.sleep(0.2)
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
    raise StepFailedError(process.poll() or 1, f"the service is not ready; {log} ends with\n{tail}")


@contextmanager
def serving(state: Path, port: int, settings: Path | None = None) -> Iterator[str]:
    """Run the service on loopback; the value is its base URL, and it is stopped in any case."""
    with_settings = () if settings is None else ("--config", str(settings))
    log = state / "logs" / "demo_serving.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    base = f"http://{LOOPBACK}:{port}"
    with log.open("wb") as sink:
        process = start_python(
            ["-m", "serving", "--state", str(state), "--port", str(port), *with_settings],
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_ready(process, f"{base}/readyz", log)
            yield base
        finally:
            code = stop(process, signal.SIGTERM)
            print(f"service stopped (exit code {code})", flush=True)


def read_one_customer(state: Path) -> str:
    """Return a customer of the highest tier but one from the newest list of scores.

    Raises
    ------
    StepFailedError
        If there is no list, or nobody in it has a tier.
    """
    import pyarrow.parquet as pq  # after the steps: the demo itself starts at once

    lists = sorted((state / "scores").rglob("*.parquet"), key=lambda path: path.stat().st_mtime)
    if lists:
        table = pq.read_table(lists[-1], columns=["customer_id", "tier", "expected_value"])
        rows = [row for row in table.to_pylist() if row["tier"]]
        rows.sort(key=lambda row: (-row["expected_value"], row["customer_id"]))
        if rows:
            below_top = (row for row in rows if row["tier"] != rows[0]["tier"])
            return str(next(below_top, rows[0])["customer_id"])
    raise StepFailedError(EXIT_BAD_INPUT, f"nobody with a tier in {state}/scores")


@contextmanager
def demo_key(state: Path) -> Iterator[str]:
    """Make an API key for the demo, and revoke it at the end.

    Raises
    ------
    StepFailedError
        If there is none to be had.
    """
    keys = ("-m", "serving", "keys")
    in_state = ("--state", str(state))
    made = start_python([*keys, "add", *in_state, "--name", "demo"], stdout=subprocess.PIPE)
    key = made.communicate()[0].decode().strip()
    if made.returncode:
        raise StepFailedError(made.returncode, "no API key could be made")
    try:
        yield key
    finally:
        key_id = hashlib.sha256(key.encode()).hexdigest()[:8]
        run_python(*keys, "revoke", key_id, *in_state)


def ask_for_tier(base: str, customer_id: str, key: str | None = None) -> dict[str, Any]:
    """Ask the service for one customer, as curl would.

    Raises
    ------
    StepFailedError
        If the answer is not 200.
    """
    url = f"{base}/v1/customers/{quote(customer_id, safe='')}/tier"
    header = "" if key is None else f"-H 'Authorization: Bearer {key}' "
    print(f"$ curl {header}{url}", flush=True)
    try:
        answer: dict[str, Any] = json.loads(get(url, key=key))
    except urllib.error.HTTPError as cause:
        raise StepFailedError(1, f"{url} answered {cause.code}: {cause.read()!r}") from cause
    return answer


def serve_one_answer(state: Path) -> None:
    """Start the service, ask it for one customer over HTTP, print the answer, stop it."""
    with demo_key(state) as key, serving(state, find_free_port()) as base:
        answer = ask_for_tier(base, read_one_customer(state), key)
        print(json.dumps(answer, indent=2, ensure_ascii=False), flush=True)


def find_simulated_folder(source: Path) -> Path | None:
    """Return the folder that the TOML of the simulated shop reads, or None of another source."""
    try:
        told = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # ingestion says what is wrong with it
    if told.get("name") != "simulated_shop":
        return None
    folder = (source.parent / str(told["root"])).resolve()
    return folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder


def has_sentiment(source: Path, state: Path) -> bool:
    """Tell whether the source has reviews and there is a model to score them with."""
    try:
        told = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    has_reviews = any(file.get("table") == "reviews" for file in told.get("files", ()))
    return has_reviews and (state / "sentiment" / "base" / "manifest.json").is_file()


def build_steps(source: Path, state: Path, customers: int | None) -> list[Step]:
    """Return the steps of the demo on one source; the simulated shop is simulated first."""
    in_state = () if state == DEFAULT_STATE else ("--state", str(state))
    read = ("--source", str(source))
    run = partial(partial, run_python, "-m")
    steps: list[Step] = [
        ("ingest: raw files to validated tables", run("features", "ingest", *in_state, *read)),
        ("train: features, models, baselines, tiers", run("training", "train", *in_state, *read)),
        ("promote the release", run("training", "promote", *in_state, "--replace-source")),
        ("score every customer", run("training", "score", *in_state)),
        ("serve the release, ask for one customer", partial(serve_one_answer, state)),
        ("the tiers", run("training", "tiers", *in_state)),
    ]
    if has_sentiment(source, state):
        steps.insert(
            1, ("score what customers wrote", run("features", "sentiment", *in_state, *read))
        )
    folder = find_simulated_folder(source)
    if folder is not None:
        size = () if customers is None else ("--customers", str(customers))
        simulate = run("datasets.simulated_shop", "--out", str(folder), *size)
        steps.insert(0, ("simulate a shop", simulate))
    return steps


def end_on_sigterm(number: int, frame: FrameType | None) -> NoReturn:
    """Turn SIGTERM into an exit, so that what was started is stopped."""
    sys.exit(128 + number)


def run_to_end(steps: Sequence[Step]) -> int:
    """Play the steps and return the demo's exit code, also after Ctrl-C or SIGTERM (143)."""
    signal.signal(signal.SIGTERM, end_on_sigterm)
    try:
        print(f"\n{play(steps)}")
    except StepFailedError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("demo: interrupted; what it had started is stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def main(arguments: Sequence[str]) -> int:
    """Read the arguments, play the demo, say where to look next, and return its exit code."""
    parser = argparse.ArgumentParser(prog="demo.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--source", type=Path, default=SIMULATED, help="a TOML of datasets/")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="folder for all results")
    parser.add_argument("--customers", type=int, help="how many the simulated shop has")
    given = parser.parse_args(arguments)
    code = run_to_end(build_steps(given.source, given.state, given.customers))
    if code == 0:
        print(
            f"\npictures         {given.state}/reports\n"
            f"list for a CRM   {given.state}/scores\n"
            "MLflow           make ui      (until Ctrl-C)\n"
            "the service      make serve   (until Ctrl-C)"
        )
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
