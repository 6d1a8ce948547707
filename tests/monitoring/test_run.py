"""The job: written once, locked, told by exit code, gauges and webhook; on a small shop."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.config import Config, MonitoringSettings
from features.durable import hold_lock
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, InputError, LockedError
from monitoring.alert import send_alert
from monitoring.run import Outcome, run_monitoring
from monitoring.verdicts import FOLDER, GAUGES, VERDICTS, read_memory
from training.artifact import MANIFEST, json_bytes

CONFIG = Config()


@pytest.fixture
def shop(small_world: Any, tmp_path: Path) -> Any:
    """The small shop with a state folder of its own; its tables and features are only read."""
    state = tmp_path / "state"
    for name in ("releases", "features"):
        shutil.copytree(small_world.state / name, state / name)
    return small_world, state


def run(shop: Any, config: Config = CONFIG, as_of: date | None = None) -> Outcome:
    world, state = shop
    return run_monitoring(world.tables, config, state, as_of, "happened_at", lambda line: None)


def test_a_quiet_day_is_written_once_and_exits_with_0(shop: Any):
    first = run(shop)
    assert (first.is_new, first.exit_code, first.told["act"]) == (True, EXIT_DONE, "none")
    assert first.told["drift"]["status"] == "steady"
    assert first.told["drift"]["n_rows"] == len(shop[0].features)
    again = run(shop)
    assert (again.is_new, again.exit_code) == (False, EXIT_DONE)
    assert again.told == first.told
    assert len(list((shop[1] / FOLDER / VERDICTS).iterdir())) == 1


def test_two_state_folders_get_the_same_verdict_to_the_last_byte(shop: Any, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(shop[1], other)
    run(shop)
    run((shop[0], other))
    one, two = (next((each / FOLDER / VERDICTS).iterdir()) for each in (shop[1], other))
    assert one.read_bytes() == two.read_bytes()


def test_of_two_runs_at_once_one_runs(shop: Any):
    with hold_lock(shop[1] / FOLDER / ".lock"), pytest.raises(LockedError, match="another run"):
        run(shop)


def test_gauges_hold_every_number_that_can_trigger(shop: Any):
    told = run(shop).told
    text = (shop[1] / FOLDER / GAUGES).read_text(encoding="utf-8")
    for column in told["drift"]["columns"]:
        value = f'tierwise_monitoring_psi{{column="{column["name"]}"}} {column["psi"]:.10g}'
        assert value in text
    assert 'tierwise_monitoring_act{act="none"} 1' in text
    assert f"tierwise_monitoring_release_age_days {told['release_age_days']}" in text
    assert f"tierwise_monitoring_psi_aggregate {told['drift']['aggregate']:.10g}" in text


def test_a_day_outside_the_data_is_bad_use(shop: Any):
    with pytest.raises(InputError, match="is not between the release's cutoff"):
        run(shop, as_of=shop[0].tables.data_complete_before + timedelta(days=1))


@pytest.fixture
def without_reference(shop: Any) -> Any:
    """The small shop, served by a release that was made without a reference."""
    releases = shop[1] / "releases"
    folder = releases / (releases / "current").read_text().strip()
    (folder / "reference.json").unlink()
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"]["reference.json"]
    content = json_bytes(manifest)
    (folder / MANIFEST).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    folder.rename(releases / digest)
    (releases / "current").write_text(digest)
    return shop


def test_a_release_without_a_reference_wants_a_human_once(without_reference: Any):
    outcome = run(without_reference)
    assert (outcome.told["act"], outcome.exit_code) == ("escalate", EXIT_WANTS_HUMAN)
    memory, day = read_memory(without_reference[1], date(2090, 1, 1))
    assert day == without_reference[0].tables.data_complete_before
    incident = memory.of("reference")
    assert incident is not None
    assert incident.is_escalated


class Listener(http.server.BaseHTTPRequestHandler):
    got: list[Any]
    answer = 200

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        type(self).got.append(json.loads(self.rfile.read(length)))
        self.send_response(type(self).answer)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[tuple[str, type[Listener]]]:
    kind = type("One", (Listener,), {"got": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", kind
        server.shutdown()
        thread.join()


def test_a_quiet_day_is_not_told(shop: Any, listener: Any):
    address, kind = listener
    run(shop, Config(monitoring=MonitoringSettings(webhook=address)))
    assert kind.got == []


def test_an_act_is_told_to_the_webhook_once(without_reference: Any, listener: Any):
    address, kind = listener
    config = Config(monitoring=MonitoringSettings(webhook=address))
    outcome = run(without_reference, config)
    assert not run(without_reference, config).is_new
    assert [each["act"] for each in kind.got] == ["escalate"]
    assert kind.got[0]["reasons"] == outcome.told["reasons"]
    assert kind.got[0]["runbook"] == "docs/runbook.md#act-escalate"


def test_an_alert_that_nobody_takes_is_an_error(listener: Any):
    address, kind = listener
    told = dict.fromkeys(("as_of", "release", "act", "cause", "reasons", "quarantine"), "x")
    kind.answer = 500
    with pytest.raises(InputError, match=r"the alert could not be sent to 127\.0\.0\.1"):
        send_alert(address, told)
    with pytest.raises(InputError, match="expected an address of http or https"):
        send_alert("file:///etc/hostname", told)
