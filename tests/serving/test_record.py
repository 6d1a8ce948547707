"""The prediction log: whole segments or none, bounded, sampled, forgotten in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pyarrow.parquet as pq
import pytest

from serving.predictor import Predictor
from serving.record import LogSettings, PredictionLog, remove_days, write_segment
from serving.schemas import BatchItem, TierRequest
from tests.serving.conftest import CUSTOMERS, Shop, features_of

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
ALL = LogSettings(1.0, 0.05, 1000, 30)


def logged(folder: Path) -> list[dict[str, object]]:
    return [
        row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def test_an_answer_is_kept_with_its_release_and_the_features_that_were_sent(
    shop: Shop, tmp_path: Path
):
    log = PredictionLog(tmp_path, ALL, clock=lambda: AT)
    predictor = Predictor(shop.release, shop.store, log.add)
    predictor.answer_for("中文e\u0301")
    predictor.answer_for("nobody")
    predictor.answer_vector(TierRequest(features=features_of("123")))
    predictor.answer_batch([BatchItem(customer_id="returns"), BatchItem(customer_id="nobody")])
    log.flush()
    assert [path.parent.name for path in tmp_path.rglob("*.parquet")] == ["2026-03-01"]
    known, vector, returns, nobody = logged(tmp_path)
    answer = shop.predictor.answer_for("中文é")
    assert answer is not None
    assert known == {
        "answered_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "release": shop.release.digest[:12],
        "policy": shop.release.policy.id[:12],
        "customer_id": "中文é",
        "status": "ok",
        "tier": "diamond",
        "indicated_tier": "diamond",
        "tier_since": None,
        "risk_level": answer.risk_level,
        "expected_value": answer.expected_value,
        "p_churn": answer.p_churn,
        "value_at_risk": answer.value_at_risk,
        "features": None,
    }
    row = CUSTOMERS.set_index("customer_id").loc["123", list(shop.release.columns)]
    assert np.array_equal(np.array(vector["features"]), row.to_numpy(), equal_nan=True)
    assert vector["customer_id"] is None
    assert (returns["status"], returns["tier"]) == ("insufficient_data", None)
    assert nobody["status"] == "unknown_customer"


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0), (0.25, 25), (0.3, 30), (1.0, 100)])
def test_so_many_are_kept_as_the_settings_say(shop: Shop, tmp_path: Path, share: float, kept: int):
    log = PredictionLog(tmp_path, LogSettings(share, 1, 1000, 30), clock=lambda: AT)
    answer = shop.predictor.answer_for("123")
    assert answer is not None
    for _ in range(100):
        log.add(answer, None)
    log.flush()
    assert abs(len(logged(tmp_path)) - kept) <= 1


def test_a_full_queue_drops_and_counts(shop: Shop, tmp_path: Path):
    log = PredictionLog(tmp_path, LogSettings(1.0, 1, 10, 30), clock=lambda: AT)
    answer = shop.predictor.answer_for("123")
    assert answer is not None
    for _ in range(15):
        log.add(answer, None)
    log.flush()
    assert (log.n_dropped, len(logged(tmp_path))) == (5, 10)


def test_a_disk_that_refuses_costs_the_log_and_nothing_else(shop: Shop, tmp_path: Path):
    (tmp_path / "predictions").write_text("in the way")
    log = PredictionLog(tmp_path, ALL, clock=lambda: AT)
    answer = shop.predictor.answer_for("123")
    assert answer is not None
    log.add(answer, None)
    log.flush()
    assert log.n_failed == 1


def test_days_past_their_retention_and_half_segments_are_removed(shop: Shop, tmp_path: Path):
    days = ["2026-01-29", "2026-01-30", "2026-03-01", "not-a-day"]
    for day in days:
        (tmp_path / "predictions" / day).mkdir(parents=True)
    left = tmp_path / "predictions" / "2026-03-01" / ".120000-999999999-1.parquet.writing"
    mine = left.with_name(f".120000-{os.getpid()}-1.parquet.writing")
    left.touch()
    mine.touch()
    PredictionLog(tmp_path, ALL, clock=lambda: AT).remove_old()
    kept = sorted(path.name for path in (tmp_path / "predictions").iterdir())
    assert kept == ["2026-01-30", "2026-03-01", "not-a-day"]
    assert not left.exists()
    assert mine.exists()


def test_nothing_to_remove_is_no_error(tmp_path: Path):
    remove_days(tmp_path / "nothing", datetime(2026, 1, 1, tzinfo=UTC).date())


def test_the_thread_writes_by_itself_and_what_is_left_at_the_end(shop: Shop, tmp_path: Path):
    log = PredictionLog(tmp_path, LogSettings(1.0, 0.02, 100, 30))
    answer = shop.predictor.answer_for("123")
    assert answer is not None
    log.start()
    log.add(answer, None)
    deadline = monotonic() + 10
    while not logged(tmp_path):
        assert monotonic() < deadline
        sleep(0.02)
    log.add(answer, None)
    log.stop()
    assert len(logged(tmp_path)) == 2


WRITER = """
import sys
import time
from pathlib import Path
from serving.record import LogSettings, PredictionLog
from serving.schemas import TierAnswer
none = dict.fromkeys(("tier", "tier_in_force", "tier_since", "indicated_tier", "tier_label",
                      "expected_value", "p_churn", "value_at_risk", "risk_level", "boundary_below",
                      "boundary_above", "value_to_next_tier", "tier_probability", "borderline",
                      "expected_value_low90", "expected_value_high90"))
answer = TierAnswer(customer_id="a", status="ok", currency="GBP", horizon_days=1, cutoff="2026-01-01",
                    rung="repeat", release="r", lifecycle=None, playbook=[], policy="p", **none)
log = PredictionLog(Path(sys.argv[1]), LogSettings(1.0, 0.001, 100_000, 30))
log.start()
print("ready", flush=True)
while True:
    log.add(answer, None)
    time.sleep(0.0002)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_only_whole_segments(tmp_path: Path):
    for number in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        before, deadline = len(list(tmp_path.rglob("*.parquet"))), monotonic() + 60
        while len(list(tmp_path.rglob("*.parquet"))) <= before and monotonic() < deadline:
            sleep(0.02)
        sleep(0.137 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
    segments = list(tmp_path.rglob("*.parquet"))
    assert segments
    assert all(pq.read_table(path).num_rows > 0 for path in segments)


def test_a_segment_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    with pytest.raises(AttributeError, match="customer_id"):
        write_segment(tmp_path / "a.parquet", [(AT, object(), None)])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []


SEGMENT = """
import sys
from pathlib import Path
from serving.audit import harden_interpreter
from serving.current import load_current
from serving.record import LogSettings, PredictionLog
state, folder = map(Path, sys.argv[1:])
harden_interpreter()
log = PredictionLog(folder, LogSettings(1.0, 60.0, 10, 30))
load_current(state, log.add).answer_for("00123")
log.flush()
print(log.n_failed, "pandas" in sys.modules)
try:
    import pandas
except ImportError as error:
    print(error)
"""


def test_a_worker_writes_its_segments_without_pandas(shop: Shop, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", SEGMENT, str(shop.state), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["0 False", "the service never imports pandas"]
    assert [row["customer_id"] for row in logged(tmp_path)] == ["00123"]
