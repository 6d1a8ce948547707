"""A trained release through HTTP: each customer's answer is the offline score, bit for bit."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from starlette.testclient import TestClient

from serving.application import Application, Limits
from serving.current import load_current
from serving.metrics import Metrics
from training.release import Scores, load_release

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


def test_the_tiers_of_the_scheme_rise_without_a_gap(trained_client: TestClient):
    tiers = trained_client.get("/v1/scheme").json()["tiers"]
    assert tiers[0]["boundary_below"] is None
    assert tiers[-1]["boundary_above"] is None
    for lower, upper in pairwise(tiers):
        assert lower["boundary_above"] == upper["boundary_below"]
    assert sum(tier["share"] for tier in tiers) == pytest.approx(1)
