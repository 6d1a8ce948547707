"""The drill's own machinery: what belongs to which incident, what is counted, what is refused."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pandas as pd
import pytest

from datasets.simulated_shop.incidents import KINDS, Incident
from datasets.simulated_shop.parameters import Parameters
from drills.parts import SETTINGS_OF_THE_DRILL, Cost, write_settings
from drills.play import Drill, Look, Played
from drills.script import END, MADE_AT, STEP_DAYS, YEAR, Seen, attribute, plan_looks
from drills.shop import ShopOfTheDrill
from drills.told import draw_timeline, holds, summarise, timeline_lines
from drills.traffic import Tally, Traffic
from features.config import read_config
from features.errors import InputError
from monitoring.finding import KINDS as FINDINGS
from monitoring.verdicts import ACTS

ROOT = Path(__file__).resolve().parents[2]
UNSEEN = [Seen(each) for each in YEAR]


def told(as_of: date, act: str, *reasons: str) -> dict[str, Any]:
    return {"as_of": as_of.isoformat(), "act": act, "reasons": list(reasons)}


def test_the_script_has_every_incident_the_shop_knows_and_each_can_show_itself():
    assert sorted(each.incident.kind for each in YEAR) == sorted(KINDS)
    for each in YEAR:
        assert each.act in ACTS
        assert set(each.kinds) <= set(FINDINGS)
        assert MADE_AT < each.incident.day < END


def test_between_two_broken_uploads_are_two_quiet_looks_and_more_than_a_cooldown():
    looks = plan_looks(YEAR, MADE_AT, END)
    faults = [each.incident for each in YEAR if each.is_fault]
    for one, other in pairwise(sorted(faults, key=lambda each: each.day)):
        seen = one.day + timedelta(days=one.days)
        assert len([day for day in looks if seen < day <= other.day]) >= 2
        assert (other.day - seen).days > read_config(ROOT / "config.toml").monitoring.cooldown_days
    assert all((b - a).days <= STEP_DAYS for a, b in pairwise([MADE_AT, *looks]))


def test_a_verdict_belongs_to_the_incident_under_way_that_can_show_itself_so():
    slip = next(i for i, each in enumerate(YEAR) if each.incident.kind == "price_unit_slip")
    day = YEAR[slip].incident.day + timedelta(days=3)
    seen, belongs = attribute(
        UNSEEN, told(day, "quarantine_and_alarm", "a note", "unit_slip of amount: 98 (limit 8)")
    )
    assert belongs
    assert (seen[slip].days, seen[slip].is_right) == (3, True)
    assert seen[slip].why == "unit_slip of amount: 98 (limit 8)"
    assert [each for i, each in enumerate(seen) if i != slip] == [
        each for i, each in enumerate(UNSEEN) if i != slip
    ]
    again, belongs = attribute(seen, told(day, "escalate", "unit_slip of amount: 98 (limit 8)"))
    assert (again, belongs) == (seen, False)


@pytest.mark.parametrize(
    ("day", "act", "reason", "belongs"),
    [
        (date(2024, 1, 20), "retrain", "rank of ngini: 0.5 (limit 0.6)", False),
        (date(2024, 1, 20), "none", "nothing is beyond its limit", True),
        (date(2024, 12, 31), "recut", "tier_shares of gold: 0.2 (limit 0.1)", False),
    ],
)
def test_what_is_not_of_the_script_is_told_as_such(day: date, act: str, reason: str, belongs: bool):
    assert attribute(UNSEEN, told(day, act, reason)) == (UNSEEN, belongs)


def test_another_act_than_the_right_one_is_wrong():
    day = YEAR[1].incident.day + timedelta(days=7)
    seen, _ = attribute(UNSEEN, told(day, "retrain", "new_kind of channel 'x': 0.2 (limit 0.05)"))
    assert (seen[1].act, seen[1].is_right) == ("retrain", False)


def test_a_refusal_tells_who_refused_what_goes_on_and_for_what():
    place = next(i for i, each in enumerate(YEAR) if each.act == "retrain")
    day = YEAR[place].incident.day + timedelta(days=35)
    reasons = ["retrain, incident x: rank", "its level is 1.54", "it is not surely ahead"]
    acted = {"status": "refused", "release": "b" * 64, "previous": "d" * 64, "reasons": reasons}
    verdict = {**told(day, "retrain", "rank of ngini: 0.5 (limit 0.7)"), "acted": acted}
    seen, _ = attribute(UNSEEN, verdict)
    assert seen[place].outcome == "the gate refused bbbbbbbb; dddddddd goes on"
    lines = timeline_lines(Played(seen))
    (below,) = [lines[i + 1] for i, line in enumerate(lines) if "the gate refused" in line]
    assert below.strip() == "for its level is 1.54; it is not surely ahead"


def test_the_settings_of_the_drill_are_those_of_the_file_but_for_its_own(tmp_path: Path):
    write_settings(ROOT / "config.toml", tmp_path / "config.toml")
    ours = tomllib.loads((tmp_path / "config.toml").read_text(encoding="utf-8"))
    theirs = tomllib.loads((ROOT / "config.toml").read_text(encoding="utf-8"))
    changed = {
        key
        for section in ("training", "serving", "monitoring", "features")
        for key in theirs[section]
        if ours[section][key] != theirs[section][key]
    }
    assert changed == set(SETTINGS_OF_THE_DRILL)
    assert read_config(tmp_path / "config.toml").training.horizon_days == 60


def test_a_folder_with_other_files_is_not_taken_over(tmp_path: Path):
    (tmp_path / "mlflow.db").write_text("mine")
    drill = Drill(tmp_path, YEAR, date(2022, 1, 1), MADE_AT, END, 100)
    with pytest.raises(InputError, match="expected an empty folder or an earlier drill"):
        drill.prepare()
    assert (tmp_path / "mlflow.db").read_text() == "mine"


def test_a_broken_upload_is_replaced_by_the_right_one(tmp_path: Path):
    day = date(2024, 2, 1)
    parameters = Parameters(60, date(2023, 6, 1), date(2024, 3, 1))
    slip = Incident("price_unit_slip", day, 100, 28)
    shop = ShopOfTheDrill(tmp_path, parameters, (slip,), 3)
    path = tmp_path / "raw" / "order_lines" / f"{day}.csv"
    amounts = []
    for is_wrong in (True, False):
        shop.upload(day, date(2024, 2, 29), is_wrong=is_wrong)
        amounts.append(pd.read_csv(path)["amount"])
    pd.testing.assert_series_equal(amounts[0], amounts[1] * 100)
    assert "data_complete_before = 2024-02-29" in shop.toml.read_text(encoding="utf-8")


@contextmanager
def service(statuses: list[int]) -> Iterator[str]:
    """A service that answers with these statuses in turn, then always with the last."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            body = json.dumps({"release": "abc", "code": "no_room"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_each_request_that_is_not_answered_is_a_failure():
    with service([200, 503, 200, 500, 200]) as base:
        traffic = Traffic(base, "key", ["00000001", "00000002"])
        traffic.start()
        deadline = monotonic() + 10
        while traffic.tally().answered < 4 and monotonic() < deadline:
            sleep(0.05)
        tally = traffic.stop()
    assert tally.failed == 2
    assert tally.answered >= 4
    assert tally.releases == ("abc",)
    assert sum(traffic.failures.values()) == 2
    assert traffic.first_answered_at("abcdef") is not None
    assert traffic.first_answered_at("another") is None


def played(is_right: bool = True, failed: int = 0) -> Played:
    seen = [
        replace(each, seen_on=each.planned.incident.day + timedelta(days=3), act=each.planned.act)
        for each in UNSEEN
    ]
    if not is_right:
        seen[-1] = replace(seen[-1], act="none", seen_on=None)
    look = Look(
        date(2024, 7, 8), ("a slump",), "recalibrate", "level of cohort: 1.5 (limit 1.25)",
        "done: abc", True, Cost(12.0, 9.0), 140, failed, 130, 0.8,
    )  # fmt: skip
    return Played(seen, [look], Cost(60.0, 50.0), Tally(140, failed, 0.2, ("a", "b")))


@pytest.mark.parametrize(
    ("is_right", "failed", "is_well"),
    [(True, 0, True), (False, 0, False), (True, 1, False)],
)
def test_it_holds_only_where_every_act_was_right_and_nothing_failed(
    is_right: bool, failed: int, is_well: bool, tmp_path: Path
):
    result = played(is_right, failed)
    assert holds(result) is is_well
    summary = summarise(result)
    assert summary["holds"] is is_well
    assert summary["requests"]["failed_while_promoted"] == failed
    assert json.loads(json.dumps(summary, default=str))["swaps"]["n"] == 1
    text = "\n".join(timeline_lines(result))
    assert ("never" in text) is not is_right
    draw_timeline(result, MADE_AT, END, tmp_path / "year.png")
    assert (tmp_path / "year.png").read_bytes().startswith(b"\x89PNG")
