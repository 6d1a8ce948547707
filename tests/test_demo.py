"""The demo's own machinery: exit codes, and that nothing it starts outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import demo

ROOT = Path(__file__).resolve().parents[1]


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_compiled_modules_are_kept_where_python_may_not_leave_them_beside_their_source():
    assert demo.environment({"A": "1"}) == {"A": "1"}
    told = {"A": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    assert demo.environment(told) == {"A": "1", "PYTHONPYCACHEPREFIX": str(demo.COMPILED)}
    elsewhere = {**told, "PYTHONPYCACHEPREFIX": "/elsewhere"}
    assert demo.environment(elsewhere)["PYTHONPYCACHEPREFIX"] == "/elsewhere"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import sys; sys.exit(2)", 2),
        ("import sys; sys.exit(75)", 75),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
    ],
)
def test_a_failing_command_gives_its_own_exit_code(script: str, code: int):
    with pytest.raises(demo.StepFailedError, match=f"ended with {code}") as caught:
        demo.run_python("-c", script)
    assert caught.value.code == code


def test_steps_are_numbered_and_end_with_their_sum(capsys: pytest.CaptureFixture[str]):
    done: list[str] = []
    summary = demo.play([("one", lambda: done.append("1")), ("two", lambda: done.append("2"))])
    assert done == ["1", "2"]
    printed = capsys.readouterr().out
    assert "[1/2] one" in printed
    assert "[2/2] two" in printed
    assert [line.split("s  ")[1] for line in summary.splitlines()] == ["one", "two", "together"]


def test_steps_after_a_failing_one_are_not_played():
    def fail() -> None:
        raise demo.StepFailedError(20, "no skill")

    done: list[str] = []
    with pytest.raises(demo.StepFailedError, match="no skill"):
        demo.play([("one", fail), ("two", lambda: done.append("2"))])
    assert done == []


def test_only_the_simulated_shop_is_simulated(tmp_path: Path):
    titles = [title for title, _ in demo.build_steps(demo.SIMULATED, tmp_path, None)]
    others = [title for title, _ in demo.build_steps(Path("datasets/cdnow.toml"), Path("s"), None)]
    assert titles == ["simulate a shop", *others]


def test_reviews_are_scored_where_there_are_some_and_a_model(tmp_path: Path):
    model = tmp_path / "sentiment" / "base" / "manifest.json"
    model.parent.mkdir(parents=True)
    model.touch()
    titles = [title for title, _ in demo.build_steps(demo.SIMULATED, tmp_path, None)]
    assert titles[1:4] == [
        "ingest: raw files to validated tables",
        "score what customers wrote",
        "train: features, models, baselines, tiers",
    ]
    others = [title for title, _ in demo.build_steps(Path("datasets/cdnow.toml"), tmp_path, None)]
    assert "score what customers wrote" not in others


@pytest.mark.parametrize(
    ("name", "root", "folder"),
    [
        ("simulated_shop", "raw", "{here}/raw"),
        ("simulated_shop", str(ROOT / "state" / "simulated"), "state/simulated"),
        ("cdnow", "raw", "None"),
    ],
)
def test_the_shop_is_written_where_its_description_reads_it(
    tmp_path: Path, name: str, root: str, folder: str
):
    source = tmp_path / "shop.toml"
    source.write_text(f'name = "{name}"\nroot = "{root}"\n', encoding="utf-8")
    assert str(demo.find_simulated_folder(source)) == folder.format(here=tmp_path)


def test_an_unknown_source_ends_the_demo_with_the_code_for_bad_input(tmp_path: Path):
    answer = subprocess.run(
        [sys.executable, "demo.py", "--source", "datasets/no_such.toml", "--state", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in {2, 78}
    assert "[1/6] ingest" in answer.stdout
    assert "[2/6]" not in answer.stdout
    assert "no_such.toml" in answer.stderr
    assert "Traceback" not in answer.stderr


def write_scores(state: Path, rows: list[dict[str, object]]) -> None:
    (state / "scores").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), state / "scores" / "shop.parquet")


def test_the_customer_asked_for_is_the_best_below_the_top_tier(tmp_path: Path):
    write_scores(
        tmp_path,
        [
            {"customer_id": "001", "tier": "diamond", "expected_value": 90.0},
            {"customer_id": "002", "tier": "gold", "expected_value": 40.0},
            {"customer_id": "003", "tier": "gold", "expected_value": 50.0},
            {"customer_id": "004", "tier": None, "expected_value": None},
        ],
    )
    assert demo.read_one_customer(tmp_path) == "003"


def test_scores_without_a_tier_end_the_demo(tmp_path: Path):
    with pytest.raises(demo.StepFailedError, match="nobody with a tier"):
        demo.read_one_customer(tmp_path)


def test_a_service_that_dies_at_start_shows_the_end_of_its_log(tmp_path: Path):
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = demo.start_python(
            ["-c", "import sys; print('port taken'); sys.exit(78)"], stdout=sink
        )
    process.wait()
    with pytest.raises(demo.StepFailedError, match="port taken") as caught:
        demo.wait_until_ready(process, "http://127.0.0.1:9/readyz", log)
    assert caught.value.code == 78


class Shop(BaseHTTPRequestHandler):
    """Knows one customer, whose id needs quoting."""

    def do_GET(self) -> None:
        known = self.path == "/v1/customers/a%2Fb%20c/tier"
        body = json.dumps({"customer_id": "a/b c", "tier": "gold"}).encode()
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(body if known else b'{"error":"unknown customer"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def shop():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_customer_is_asked_for_by_a_quoted_id(shop: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # never asked for loopback
    assert demo.ask_for_tier(shop, "a/b c") == {"customer_id": "a/b c", "tier": "gold"}


def test_an_answer_that_is_not_200_ends_the_demo(shop: str):
    with pytest.raises(demo.StepFailedError, match="answered 404"):
        demo.ask_for_tier(shop, "nobody")


def test_a_process_that_ignores_signals_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "STOP_SECONDS", 0.2)
    process = demo.start_python(
        ["-c", "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(60)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    assert demo.stop(process, signal.SIGTERM) == -signal.SIGKILL
    process.stdout.close()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupting_the_demo_stops_what_it_started(
    tmp_path: Path, sent: signal.Signals, code: int
):
    """A demo of one endless step, in a process of its own; the step writes down its id."""
    mark = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(60)"
    script = (
        "import sys, demo\n"
        f"sys.exit(demo.run_to_end([('sleep', lambda: demo.run_python('-c', {child!r}))]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    deadline = time.monotonic() + 20
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    assert process.wait(20) == code
    assert not is_running(int(mark.read_text()))


@pytest.mark.slow
def test_the_whole_demo_ends_with_zero_and_answers(tmp_path: Path):
    """On a small shop in folders of its own, so that nobody's state is touched."""
    source = tmp_path / "shop.toml"
    told = demo.SIMULATED.read_text(encoding="utf-8")
    source.write_text(told.replace("../state/simulated", "raw"), encoding="utf-8")
    options = ["--source", str(source), "--state", str(tmp_path / "state"), "--customers", "3000"]
    answer = subprocess.run(
        [sys.executable, "demo.py", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    start = answer.stdout.index("\n{\n") + 1
    told_by_http, _ = json.JSONDecoder().raw_decode(answer.stdout[start:])
    assert told_by_http["status"] == "ok"
    assert told_by_http["tier"] in {"regular", "silver", "gold", "diamond"}
    assert "service stopped (exit code 0)" in answer.stdout
