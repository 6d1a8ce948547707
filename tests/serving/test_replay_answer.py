"""What the service logged is given again from its ids, bit for bit, after all else has moved on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import FeatureSettings
from features.errors import EXIT_DONE, EXIT_WANTS_HUMAN, InputError
from serving.current import load_current
from serving.predictor import Predictor
from serving.record import LogSettings, PredictionLog
from serving.schemas import BatchItem, TierRequest
from tests.serving.conftest import CUSTOMERS, Shop, features_of
from training.artifact import RELEASES, point_to
from training.assignment.history import Published, digest_of, write_published
from training.assignment.in_force import TiersInForce
from training.jobs import JOBS
from training.policy import LevelCorrection, at_level
from training.release import rewrite_release
from training.replay_answer import ANSWERED, find_release, kept_rows, replay_answer
from training.score import write_lookup

KEPT = partial(kept_rows, settings=FeatureSettings())
EVERYTHING = LogSettings(1.0, 1, 1000, 30)


def logged_by(predictor_state: Path, ask: Any) -> Path:
    """Ask a predictor of the promoted release, and return the segment it logged."""
    log = PredictionLog(predictor_state, EVERYTHING, clock=lambda: 1.3e9)
    ask(load_current(predictor_state, log.add))
    log.flush()
    return max((predictor_state / "predictions").rglob("*.parquet"))


@pytest.fixture
def state(shop: Shop, tmp_path: Path) -> Path:
    copied = tmp_path / "state"
    shutil.copytree(shop.state, copied)
    write_lookup(shop.release, CUSTOMERS, copied / "online")
    return copied


def ask_everything(predictor: Predictor) -> None:
    for customer_id in CUSTOMERS["customer_id"]:
        predictor.answer_for(customer_id)
    predictor.answer_vector(TierRequest(features=features_of("00123")))
    predictor.answer_vector(TierRequest(customer_id="x", features=features_of("returns")))
    predictor.answer_batch([BatchItem(customer_id="nobody"), BatchItem(customer_id="123")])


def test_every_logged_answer_comes_out_again_after_the_policy_was_replaced(
    state: Path, shop: Shop, capsys: pytest.CaptureFixture[str]
):
    segment = logged_by(state, ask_everything)
    policy = at_level(shop.release.policy, LevelCorrection(3.0, 1.0), "a hot summer")
    newer = rewrite_release(state / RELEASES / shop.release.digest, policy, state / RELEASES)
    point_to(state / RELEASES, newer.digest)
    given = ["replay", "--state", str(state), "--segment", str(segment)]
    assert JOBS.run(given) == EXIT_DONE
    assert capsys.readouterr().out == "9 of 9 answers come out as they were, bit for bit\n"
    # under the new policy they would not
    write_lookup(newer, CUSTOMERS, state / "online")
    rows = pq.read_table(segment).to_pylist()
    again = replay_answer(rows[0], newer, state, KEPT(state))
    assert set(again.differences) >= {"release", "policy", "expected_value", "p_churn"}


def test_the_tier_that_was_in_force_is_told_by_the_history(state: Path, shop: Shop):
    days = [date(2011, 1, 1), date(2011, 4, 1)]
    scheme = [{"id": tier.id, **tier.label} for tier in shop.release.tiers]
    for day, tier in zip(days, ("gold", "silver"), strict=True):
        tiers = pd.DataFrame(
            {
                "customer_id": ["00123"], "tier": [tier], "since": [day], "previous_tier": [None],
                "indicated_tier": ["gold"], "expected_value": [1.0], "reason": ["value"],
            }
        )  # fmt: skip
        moves, summary = tiers.head(0)[["customer_id"]], {"scheme": scheme, "release": "r"}
        published = Published(day, digest_of(tiers, moves, summary), tiers, moves, summary)
        write_published(state, shop.release.source, published)
        if day == days[0]:
            in_force = TiersInForce(tuple(scheme), {"00123": 2}, {"00123": day})
            write_lookup(shop.release, CUSTOMERS, state / "online", in_force)
            segment = logged_by(state, lambda predictor: predictor.answer_for("00123"))
    (row,) = pq.read_table(segment).to_pylist()
    assert (row["tier"], row["tier_since"], row["indicated_tier"]) == ("gold", "2011-01-01", "gold")
    again = replay_answer(row, shop.release, state, KEPT(state))
    assert again.differences == ()
    later = replay_answer({**row, "tier_since": "2011-04-01"}, shop.release, state,
                          KEPT(state))  # fmt: skip
    assert (later.again["tier"], later.differences) == ("silver", ("tier",))


def test_an_answer_that_was_changed_is_told_and_wants_a_human(
    state: Path, capsys: pytest.CaptureFixture[str]
):
    segment = logged_by(state, lambda predictor: predictor.answer_for("00123"))
    table = pq.read_table(segment)
    place = table.column_names.index("expected_value")
    pq.write_table(table.set_column(place, "expected_value", pa.array([412.6])), segment)
    given = ["replay", "--state", str(state), "--segment", str(segment), "--row", "0"]
    assert JOBS.run(given) == EXIT_WANTS_HUMAN
    told = capsys.readouterr().out
    assert "row 0: expected_value 412.6 is now 412.5" in told
    assert "0 of 1 answers" in told


def test_what_cannot_be_replayed_is_told(state: Path, shop: Shop, tmp_path: Path):
    segment = logged_by(state, lambda predictor: predictor.answer_for("00123"))
    given = ["replay", "--state", str(state), "--segment"]
    with pytest.raises(InputError, match=r"cannot be read .* expected a segment"):
        JOBS.run([*given, str(tmp_path / "none.parquet")])
    with pytest.raises(InputError, match=r"has 1 rows of .* with a row 7"):
        JOBS.run([*given, str(segment), "--row", "7"])
    with pytest.raises(InputError, match=r"0 releases of .* begin with 'ffff'; expected one"):
        find_release(state, "ffff")
    nothing = {"release": "r", "status": "ok", "features": None, "customer_id": None}
    with pytest.raises(InputError, match="neither features nor a customer"):
        replay_answer(nothing, shop.release, state, KEPT(state))


def test_without_its_look_up_features_are_built_again_from_the_same_tables(small_world: Any):
    release = small_world.result.release
    aside = small_world.state / "online" / f"{release.digest}.aside"
    folder = small_world.state / "online" / release.digest
    predictor = load_current(small_world.state)
    customer = small_world.features["customer_id"].iloc[5]
    answer = predictor.answer_for(customer)
    assert answer is not None
    row = {"customer_id": customer, "features": None} | {
        name: getattr(answer, name) for name in ANSWERED
    }
    rows = kept_rows(small_world.state, small_world.config.features)
    folder.rename(aside)
    try:
        assert replay_answer(row, release, small_world.state, rows).differences == ()
        other = replace(release, lineage={"data": "other"}, digest="0" * 64)
        with pytest.raises(InputError, match=r"has no look-up, and the tables .* have changed"):
            replay_answer(row, other, small_world.state, rows)
    finally:
        aside.rename(folder)
