"""A trained release through HTTP: each customer's answer is the offline score, bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from starlette.testclient import TestClient

from features.online import OnlineStore
from serving.application import Application, Limits
from serving.current import load_current
from serving.metrics import Metrics
from training.models.booster import BoosterError, OneRow, TextBooster
from training.models.one_row import row_predicts_of
from training.models.tree_table import TreeTable, UnsupportedTreesError
from training.release import load_release
from training.scores import STORED_SCORES, STORED_STANDING, Scores
from training.spread import RUNGS

N_SINGLE = 40


@pytest.fixture(scope="module")
def scores(small_world: Any) -> Scores:
    release = load_release(small_world.release_folder)
    return release.score(small_world.features[list(release.columns)].to_numpy(np.float64))


@pytest.fixture(scope="module")
def trained_client(small_world: Any) -> TestClient:
    application = Application(Metrics())
    application.serve(load_current(small_world.state), Limits(100_000, 100_000_000))
    return TestClient(application)


def check_answer(answer: dict[str, Any], scores: Scores, place: int) -> None:
    if scores.tier[place] < 0:
        assert answer["status"] == "insufficient_data"
        assert answer["expected_value"] is None
        return
    assert answer["status"] == "ok"
    assert answer["expected_value"] == scores.expected_value[place]
    assert answer["p_churn"] == scores.p_churn[place]
    assert answer["value_at_risk"] == scores.value_at_risk[place]
    assert answer["expected_value_low90"] == scores.expected_value_low90[place]
    assert answer["expected_value_high90"] == scores.expected_value_high90[place]
    assert answer["tier_probability"] == scores.tier_probability[place]
    assert answer["borderline"] == bool(scores.borderline[place])
    assert answer["rung"] == RUNGS[scores.rung[place]]


def test_one_customer_over_http_is_the_offline_score_bit_for_bit(
    small_world: Any, scores: Scores, trained_client: TestClient
):
    ids = small_world.features["customer_id"]
    for place in np.linspace(0, len(ids) - 1, N_SINGLE).astype(int):
        answer = trained_client.get(f"/v1/customers/{quote(ids.iloc[place], safe='')}/tier")
        check_answer(answer.json(), scores, place)


def test_all_customers_in_one_batch_are_their_offline_scores(
    small_world: Any, scores: Scores, trained_client: TestClient
):
    batch = [{"customer_id": customer_id} for customer_id in small_world.features["customer_id"]]
    answers = trained_client.post("/v1/tiers", json=batch).json()
    assert len(answers) == len(batch)
    for place, answer in enumerate(answers):
        check_answer(answer, scores, place)


def test_one_vector_over_http_is_the_offline_score_bit_for_bit(
    small_world: Any, scores: Scores, trained_client: TestClient
):
    names = [feature["name"] for feature in trained_client.get("/v1/scheme").json()["features"]]
    rows = small_world.features[names].to_numpy(np.float64)
    for place in np.linspace(0, len(rows) - 1, N_SINGLE).astype(int):
        features = {
            name: None if np.isnan(value) else value
            for name, value in zip(names, rows[place].tolist(), strict=True)
        }
        body = json.dumps({"features": features})
        headers = {"content-type": "application/json"}
        answer = trained_client.post("/v1/tier", content=body, headers=headers)
        check_answer(answer.json(), scores, place)


def test_the_quick_form_of_a_row_is_in_use_and_is_the_array_form_bit_for_bit(small_world: Any):
    release = load_release(small_world.release_folder)
    rows = small_world.features[list(release.columns)].to_numpy(np.float64)
    scorer = release.row_scorer()
    assert scorer.is_quick
    for factor in (1.0, 0.01, 40.0, 0.0, -1.0, 1e200, np.nan, np.inf):
        with np.errstate(all="ignore"):
            chosen = rows[:: 1 if factor == 1.0 else 40] * factor
            scores = release.score(chosen)
        for place, row in enumerate(chosen):
            alone = scorer.score(row)
            for name in STORED_SCORES:
                assert repr(float(getattr(alone, name))) == repr(
                    float(getattr(scores, name)[place])
                )


def test_every_column_that_is_missing_alone_scores_as_the_array_form(small_world: Any):
    release = load_release(small_world.release_folder)
    rows = small_world.features[list(release.columns)].to_numpy(np.float64)
    scorer = release.row_scorer()
    holed = np.repeat(rows[len(rows) // 2][np.newaxis], len(release.columns), axis=0)
    np.fill_diagonal(holed, np.nan)
    with np.errstate(all="ignore"):
        scores = release.score(holed)
    for place, row in enumerate(holed):
        assert repr(scorer.score(row).expected_value) == repr(float(scores.expected_value[place]))


def test_a_quick_form_that_disagrees_on_a_golden_row_is_not_used(small_world: Any):
    release = load_release(small_world.release_folder)
    assert not replace(release, golden_rows=np.empty((0, 0))).row_scorer().is_quick
    steeper = replace(release.model.mixture, mean=release.model.mixture.mean * (1 + 1e-15))
    quick = next(row_predicts_of(replace(release.model, mixture=steeper)))
    scorer = release.row_scorer()
    scorer._quick = quick
    assert not scorer._agrees(release.golden_rows)


def test_a_text_is_scored_as_lightgbm_s_own_wrapper_does(small_world: Any):
    lightgbm = pytest.importorskip("lightgbm")
    model = load_release(small_world.release_folder).model
    rng = np.random.default_rng(0)
    for ensemble in model.members.trees.values():
        for booster in ensemble.boosters:
            values = rng.normal(0, 100, (50, booster.n_columns))
            values[rng.random(values.shape) < 0.1] = np.nan
            own = lightgbm.Booster(model_str=booster.model_to_string())
            expected = own.predict(values, raw_score=True, num_threads=1)
            assert np.array_equal(booster.predict(values, raw_score=True, num_threads=1), expected)
            for one in (OneRow([booster]), TreeTable([booster])):
                for row, score in zip(values, expected, strict=True):
                    one.row[:] = row
                    assert one.predict() == [score]


def test_trees_that_a_table_cannot_hold_are_left_to_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(1)
    values = rng.normal(size=(500, 3))
    made = lightgbm.Dataset(values, values.sum(axis=1))
    settings = {"num_leaves": 31, "verbose": -1, "num_threads": 1}
    booster = TextBooster(lightgbm.train(settings, made, 3).model_to_string())
    with pytest.raises(UnsupportedTreesError, match="a tree that is too large"):
        TreeTable([booster])
    one = OneRow([booster])
    one.row[:] = values[0]
    expected = booster.predict(values[:1], raw_score=True, num_threads=1)
    assert one.predict() == expected.tolist()


def test_an_infinite_value_is_left_to_lightgbm(small_world: Any):
    model = load_release(small_world.release_folder).model
    table = TreeTable(model.members.trees["active"].boosters)
    table.row[:] = np.inf
    with pytest.raises(UnsupportedTreesError, match="an infinite value"):
        table.predict()


def test_a_text_that_is_no_model_is_refused():
    with pytest.raises(BoosterError, match="number of classes"):
        TextBooster("no model")


def test_the_look_up_holds_the_offline_scores_bit_for_bit(small_world: Any, scores: Scores):
    release = load_release(small_world.release_folder)
    store = OnlineStore.open(small_world.state / "online" / release.digest)
    assert store.score_names == (*STORED_SCORES, *STORED_STANDING)
    for place, customer_id in enumerate(small_world.features["customer_id"]):
        read = store.read_scores(customer_id)
        assert read is not None
        told = tuple(float(getattr(scores, name)[place]) for name in STORED_SCORES)
        assert repr(read) == repr((*told, -1.0, 0.0))  # nothing has been published
    assert store.read_scores("nobody") is None


def test_the_tiers_of_the_scheme_rise_without_a_gap(trained_client: TestClient):
    tiers = trained_client.get("/v1/scheme").json()["tiers"]
    assert tiers[0]["boundary_below"] is None
    assert tiers[-1]["boundary_above"] is None
    for lower, upper in pairwise(tiers):
        assert lower["boundary_above"] == upper["boundary_below"]
    assert sum(tier["share"] for tier in tiers) == pytest.approx(1)
