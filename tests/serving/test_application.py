"""The HTTP API on a hand-made shop: whole answers, and a table of bad requests."""

from __future__ import annotations

import gzip
import json
import pickle
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.application import ROUTES, Application
from serving.metrics import Metrics
from tests.serving.conftest import CUSTOMERS, LIMITS, Shop, features_of

JSON = {"content-type": "application/json"}
ANSWER_KEYS = [
    "customer_id", "status", "tier", "tier_in_force", "tier_since", "indicated_tier", "tier_label",
    "tier_probability", "borderline", "expected_value", "expected_value_low90",
    "expected_value_high90", "rung", "currency", "p_churn", "horizon_days", "value_at_risk",
    "risk_level", "lifecycle", "playbook",
    "boundary_below", "boundary_above", "value_to_next_tier", "cutoff", "release", "policy",
]  # fmt: skip


def post(client: TestClient, path: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers={**JSON, **headers})


# the shop's gap of 30 days counts for two gaps of the customer's own
LIFECYCLE_OF = {"00123": "active", "123": "dormant", "a/b 100%": "cooling", "中文é": "active"}
PLAYBOOK_OF = {
    "00123": ["personal_recommendation"],
    "123": ["wake_up"],
    "a/b 100%": ["coupon"],
    "中文é": ["vip_line", "personal_recommendation"],
}


def expected_answer(shop: Shop, customer_id: str | None, features_id: str) -> dict[str, Any]:
    """What the release says offline of one customer, in the words of the API."""
    place = CUSTOMERS["customer_id"].tolist().index(features_id)
    scores = shop.release.score(CUSTOMERS[list(shop.release.columns)].to_numpy())
    tier = int(scores.tier[place])
    tiers = shop.release.tiers
    return {
        "customer_id": customer_id,
        "status": "ok",
        "tier": tiers[tier].id,
        "tier_in_force": None,
        "tier_since": None,
        "indicated_tier": tiers[tier].id,
        "tier_label": tiers[tier].label,
        "tier_probability": float(scores.tier_probability[place]),
        "borderline": bool(scores.borderline[place]),
        "expected_value": float(scores.expected_value[place]),
        "expected_value_low90": float(scores.expected_value_low90[place]),
        "expected_value_high90": float(scores.expected_value_high90[place]),
        "rung": ("no_orders", "one_order", "repeat")[scores.rung[place]],
        "currency": "GBP",
        "p_churn": float(scores.p_churn[place]),
        "horizon_days": 180,
        "value_at_risk": float(scores.value_at_risk[place]),
        "risk_level": "high" if scores.p_churn[place] >= 0.3 else "low",
        "lifecycle": LIFECYCLE_OF[features_id],
        "playbook": PLAYBOOK_OF[features_id],
        "boundary_below": tiers[tier].boundary_below if tier else None,
        "boundary_above": tiers[tier + 1].boundary_below if tier < 3 else None,
        "value_to_next_tier": (
            tiers[tier + 1].boundary_below - float(scores.expected_value[place])
            if tier < 3
            else None
        ),
        "cutoff": "2011-06-13",
        "release": shop.release.digest[:12],
        "policy": shop.release.policy.id[:12],
    }


def insufficient_answer(shop: Shop, customer_id: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "status": status,
        "reason": reason,
        "tier": None,
        "tier_in_force": None,
        "tier_since": None,
        "indicated_tier": None,
        "tier_label": None,
        "tier_probability": None,
        "borderline": None,
        "expected_value": None,
        "expected_value_low90": None,
        "expected_value_high90": None,
        "rung": "no_orders",
        "currency": "GBP",
        "p_churn": None,
        "horizon_days": 180,
        "value_at_risk": None,
        "risk_level": None,
        "lifecycle": None,
        "playbook": [],
        "boundary_below": None,
        "boundary_above": None,
        "value_to_next_tier": None,
        "cutoff": "2011-06-13",
        "release": shop.release.digest[:12],
        "policy": shop.release.policy.id[:12],
    }


NO_POSITIVE_DAY = "0 order days with a positive value before 2011-06-13; a tier needs 1"


def test_a_known_customer_is_answered_with_the_keys_of_the_contract_in_order(
    client: TestClient, shop: Shop
):
    answer = client.get("/v1/customers/00123/tier")
    assert answer.status_code == 200
    assert list(answer.json()) == ANSWER_KEYS
    assert answer.json() == expected_answer(shop, "00123", "00123")
    assert answer.json()["expected_value"] == 412.5
    assert answer.json()["tier_label"] == {"zh": "黄金", "en": "Gold"}
    assert (answer.json()["boundary_below"], answer.json()["boundary_above"]) == (230.0, 900.0)
    assert answer.headers["content-type"] == "application/json"


def test_leading_zeros_are_part_of_an_id(client: TestClient):
    assert client.get("/v1/customers/00123/tier").json()["tier"] == "gold"
    assert client.get("/v1/customers/123/tier").json()["tier"] == "regular"
    assert client.get("/v1/customers/0123/tier").status_code == 404


def test_the_ends_of_the_scheme_have_no_boundary_on_one_side(client: TestClient):
    bottom = client.get("/v1/customers/123/tier").json()
    top = client.get("/v1/customers/中文é/tier").json()
    assert (bottom["tier"], bottom["boundary_below"], bottom["boundary_above"]) == (
        "regular", None, 60.0,
    )  # fmt: skip
    assert (top["tier"], top["boundary_below"], top["boundary_above"]) == ("diamond", 900.0, None)


@pytest.mark.parametrize(
    ("path_id", "customer_id"),
    [
        ("a%2Fb%20100%25", "a/b 100%"),
        ("%E4%B8%AD%E6%96%87%C3%A9", "中文é"),
        ("%E4%B8%AD%E6%96%87e%CC%81", "中文e\u0301"),
    ],
    ids=["slash, space and percent", "NFC", "NFD, the same customer at the door"],
)
def test_an_id_in_the_path_is_decoded_once(client: TestClient, path_id: str, customer_id: str):
    answer = client.get(f"/v1/customers/{path_id}/tier")
    assert answer.status_code == 200
    assert answer.json()["customer_id"] == customer_id


def test_an_id_that_was_encoded_twice_is_another_id(client: TestClient):
    answer = client.get("/v1/customers/a%252Fb%2520100%2525/tier")
    assert answer.status_code == 404
    assert answer.json()["error"]["found"] == 'no customer "a%2Fb%20100%25"'


def test_too_little_data_is_an_answer_with_its_reason(client: TestClient, shop: Shop):
    answer = client.get("/v1/customers/returns/tier")
    assert answer.status_code == 200
    assert answer.json() == insufficient_answer(
        shop, "returns", "insufficient_data", NO_POSITIVE_DAY
    )


@pytest.mark.parametrize("customer_id", CUSTOMERS["customer_id"])
def test_a_vector_is_answered_as_the_customer_with_these_features(
    client: TestClient, customer_id: str
):
    looked_up = client.get(
        f"/v1/customers/{customer_id.replace('%', '%25').replace('/', '%2F')}/tier"
    )
    vector = {"customer_id": customer_id, "features": features_of(customer_id)}
    assert looked_up.status_code == 200
    assert post(client, "/v1/tier", vector).json() == looked_up.json()


def test_a_vector_needs_no_id_and_unknown_values_may_be_left_out(client: TestClient, shop: Shop):
    known = {name: value for name, value in features_of("123").items() if value is not None}
    answer = post(
        client,
        "/v1/tier",
        {"features": known},
        **{"content-type": "application/json; charset=UTF-8"},
    )
    assert answer.json() == expected_answer(shop, None, "123")


def test_a_batch_is_answered_in_order_and_an_unknown_customer_does_not_fail_it(
    client: TestClient, shop: Shop
):
    batch = [
        {"customer_id": "中文é"},
        {"customer_id": "nobody"},
        {"features": features_of("00123")},
        {"customer_id": "returns"},
        {"customer_id": "mine", "features": features_of("123")},
    ]
    answer = post(client, "/v1/tiers", batch)
    assert answer.status_code == 200
    assert answer.json() == [
        expected_answer(shop, "中文é", "中文é"),
        insufficient_answer(
            shop, "nobody", "unknown_customer",
            "no customer of this id had an order before the cutoff",
        ),
        expected_answer(shop, None, "00123"),
        insufficient_answer(shop, "returns", "insufficient_data", NO_POSITIVE_DAY),
        expected_answer(shop, "mine", "123"),
    ]  # fmt: skip


def test_a_batch_of_unknown_customers_is_answered(client: TestClient):
    answer = post(client, "/v1/tiers", [{"customer_id": "x"}, {"customer_id": "y"}])
    assert [item["status"] for item in answer.json()] == ["unknown_customer"] * 2


def test_the_scheme_shows_tiers_bottom_to_top_with_their_figures(client: TestClient, shop: Shop):
    scheme = client.get("/v1/scheme").json()
    described, actions = scheme.pop("features"), scheme.pop("playbook")
    assert scheme == {
        "release": shop.release.digest[:12],
        "model": "past_spend_rate",
        "source": "hand_made",
        "currency": "GBP",
        "horizon_days": 180,
        "cutoff": "2011-06-13",
        "tiers": [
            {"tier": "regular", "tier_label": {"zh": "普通", "en": "Regular"}, "boundary_below": None,
             "boundary_above": 60.0, "share": 0.7, "realised_mean": 20.0, "revenue_share": None},
            {"tier": "silver", "tier_label": {"zh": "白银", "en": "Silver"}, "boundary_below": 60.0,
             "boundary_above": 230.0, "share": 0.2, "realised_mean": 120.5, "revenue_share": 0.2},
            {"tier": "gold", "tier_label": {"zh": "黄金", "en": "Gold"}, "boundary_below": 230.0,
             "boundary_above": 900.0, "share": 0.08, "realised_mean": 402.9, "revenue_share": 0.3},
            {"tier": "diamond", "tier_label": {"zh": "钻石", "en": "Diamond"}, "boundary_below": 900.0,
             "boundary_above": None, "share": 0.02, "realised_mean": None, "revenue_share": None},
        ],
    }  # fmt: skip
    assert [feature["name"] for feature in described] == list(shop.release.columns)
    assert {f["name"] for f in described if f["required"]} == set(shop.release.required)
    assert described[0]["unit"] == "days"
    assert [one["id"] for one in actions] == [
        "vip_line", "personal_recommendation", "activation", "coupon", "wake_up", "win_back",
    ]  # fmt: skip
    assert all(set(one) == {"id", "zh", "en"} and one["zh"] and one["en"] for one in actions)


def vector_with(**changes: Any) -> dict[str, Any]:
    return {"features": {**features_of("00123"), **changes}}


def vector_without(name: str) -> dict[str, Any]:
    return {"features": {k: v for k, v in features_of("00123").items() if k != name}}


def raw(text: str) -> bytes:
    """A vector whose net_spend_365d is written as given."""
    return json.dumps(vector_with(net_spend_365d="@")).replace('"@"', text).encode()


BAD_BODIES: list[tuple[str, Any, int, str, str | None]] = [
    # path, body, status, code, field
    ("/v1/tier", b"", 400, "invalid_json", None),
    ("/v1/tier", b"{", 400, "invalid_json", None),
    ("/v1/tier", b'{"features": {"a": 01}}', 400, "invalid_json", None),
    ("/v1/tier", b"{'features': {}}", 400, "invalid_json", None),
    ("/v1/tier", b'{"features": {}} {}', 400, "invalid_json", None),
    ("/v1/tier", b'\xff{"features": {}}', 400, "invalid_json", None),
    ("/v1/tier", b'{"features": {"\xff": 1}}', 400, "invalid_json", None),
    ("/v1/tier", b'\xef\xbb\xbf{"features": {}}', 400, "invalid_json", None),
    ("/v1/tier", b'{"features": {}, "customer_id": "\\ud800"}', 400, "invalid_json", None),
    ("/v1/tier", b'{"\\ud800": 1, "\\ud800": 2}', 400, "duplicate_key", None),
    ("/v1/tier", b'{"\\ud800": NaN}', 422, "bad_field", "?"),
    ("/v1/tier", b'{"features":' + b"[" * 1500, 400, "invalid_json", None),
    ("/v1/tiers", b"[" * 1500, 400, "invalid_json", None),
    ("/v1/tier", b"[" * 900 + b"]" * 900, 422, "bad_field", "$"),
    ("/v1/tier", b'{"customer_id": "a", "features": {}, "features": {}}', 400, "duplicate_key", None),
    ("/v1/tier", raw("1, \"net_spend\": 2"), 400, "duplicate_key", None),
    ("/v1/tiers", b'[{"customer_id": "a", "customer_id": "b"}]', 400, "duplicate_key", None),
    ("/v1/tier", raw("NaN"), 422, "bad_field", "features.net_spend_365d"),
    ("/v1/tier", raw("Infinity"), 422, "bad_field", "features.net_spend_365d"),
    ("/v1/tier", raw("-Infinity"), 422, "bad_field", "features.net_spend_365d"),
    ("/v1/tier", raw("1e999"), 422, "bad_field", "features.net_spend_365d"),
    ("/v1/tier", raw("9" * 400), 422, "bad_field", "features.net_spend_365d"),
    ("/v1/tiers", b'[{"customer_id": "a"}, {"features": {"net_spend": NaN}}]', 422, "bad_field",
     "[1].features.net_spend"),
    ("/v1/tier", [], 422, "bad_field", "$"),
    ("/v1/tier", None, 422, "bad_field", "$"),
    ("/v1/tier", {}, 422, "bad_field", "features"),
    ("/v1/tier", {"features": []}, 422, "bad_field", "features"),
    ("/v1/tier", {"features": None}, 422, "bad_field", "features"),
    ("/v1/tier", {"features": {}, "tier": "gold"}, 422, "unknown_field", "tier"),
    ("/v1/tier", {"features": {}, "customer_id": 7}, 422, "bad_field", "customer_id"),
    ("/v1/tier", {"features": {}, "customer_id": None}, 422, "bad_field", "customer_id"),
    ("/v1/tier", {"features": {}, "customer_id": ""}, 422, "bad_field", "customer_id"),
    ("/v1/tier", {"features": {}, "customer_id": "x" * 257}, 422, "bad_field", "customer_id"),
    ("/v1/tier", {"features": {}}, 422, "missing_feature", "features.n_order_days"),
    ("/v1/tier", vector_without("net_spend"), 422, "missing_feature", "features.net_spend"),
    ("/v1/tier", vector_with(tenure_days=None), 422, "missing_feature", "features.tenure_days"),
    ("/v1/tier", vector_with(net_spent=1), 422, "unknown_feature", "features.net_spent"),
    ("/v1/tier", vector_with(net_spend="412.5"), 422, "bad_field", "features.net_spend"),
    ("/v1/tier", vector_with(net_spend=True), 422, "bad_field", "features.net_spend"),
    ("/v1/tier", vector_with(net_spend={"GBP": 1}), 422, "bad_field", "features.net_spend"),
    ("/v1/tier", vector_with(n_order_days=-1), 422, "bad_field", "features.n_order_days"),
    ("/v1/tier", vector_with(net_spend=1e308), 422, "bad_field", "features"),
    ("/v1/tiers", [], 422, "bad_field", "$"),
    ("/v1/tiers", {}, 422, "bad_field", "$"),
    ("/v1/tiers", [{}], 422, "empty_item", "[0]"),
    ("/v1/tiers", [1], 422, "bad_field", "[0]"),
    ("/v1/tiers", [{"customer_id": "a"}, {"id": "b"}], 422, "unknown_field", "[1].id"),
    ("/v1/tiers", [{"customer_id": "a"}, vector_with(x=1)], 422, "unknown_feature", "[1].features.x"),
    ("/v1/tiers", [{"customer_id": "a"}, vector_with(net_spend="1")], 422, "bad_field",
     "[1].features.net_spend"),
    ("/v1/tiers", [vector_with(net_spend=1e308)], 422, "bad_field", "[0].features"),
    ("/v1/tiers", [{"customer_id": "a"}] * 6, 413, "batch_too_large", None),
    ("/v1/tier", {"features": {}, "customer_id": "x" * 2048}, 413, "body_too_large", None),
    ("/v1/tiers", b" " * 2049, 413, "body_too_large", None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "code", "field"), BAD_BODIES)
def test_a_bad_body_is_refused_with_what_was_found_expected_and_to_do(
    client: TestClient, path: str, body: Any, status: int, code: str, field: str | None
):
    answer = post(client, path, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("field")) == (status, code, field)
    assert list(error)[:4] == ["code", "found", "expected", "do"]
    assert all(error.values())


def test_an_unknown_feature_gets_a_hint(client: TestClient):
    error = post(client, "/v1/tier", vector_with(net_spent=1)).json()["error"]
    assert error == {
        "code": "unknown_feature",
        "found": 'an unknown feature "net_spent"',
        "expected": "features of GET /v1/scheme",
        "do": 'did you mean "net_spend"?',
        "field": "features.net_spent",
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=gb18030"},
        {"content-type": "application/jsonp"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/vnd.apache.arrow.stream"},
        {"content-type": "application/vnd.bentoml+pickle"},
        {"content-encoding": "gzip", "content-type": "application/json"},
        {"content-type": ""},
    ],
)
@pytest.mark.parametrize("path", ["/v1/tier", "/v1/tiers"])
def test_another_content_type_is_415(client: TestClient, path: str, headers: dict[str, str]):
    answer = client.post(path, content=b'{"features": {}}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_content_type")


def test_pickle_and_gzip_bodies_are_not_read_even_as_json(client: TestClient):
    pickled, zipped = pickle.dumps({"features": {}}), gzip.compress(b'{"features": {}}')
    assert [post(client, "/v1/tier", body).status_code for body in (pickled, zipped)] == [400, 400]


def test_a_chunked_body_has_the_same_limit(client: TestClient):
    chunks = iter([b'{"features": {', b" " * LIMITS.max_body_bytes, b"}}"])
    answer = client.post("/v1/tier", content=chunks, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


def test_a_chunked_body_within_the_limit_is_joined(client: TestClient, shop: Shop):
    body = json.dumps({"features": features_of("00123")}).encode()
    answer = client.post("/v1/tier", content=iter([body[:50], body[50:]]), headers=JSON)
    assert answer.json() == expected_answer(shop, None, "00123")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", "nothing at /"),
        ("/v1/tierz", "nothing at /v1/tierz"),
        ("/v1/scheme/", "nothing at /v1/scheme/"),
        ("/v1/customers/tier", "nothing at /v1/customers/tier"),
        ("/v1/customers/a/b/tier", "nothing at /v1/customers/a/b/tier"),
        ("/v1/customers/{customer_id}/tierx", "nothing at /v1/customers/{customer_id}/tierx"),
        ("/docs", "nothing at /docs"),
    ],
)
def test_an_unknown_path_is_404(client: TestClient, path: str, found: str):
    error = client.get(path).json()["error"]
    assert (error["code"], error["found"]) == ("no_such_path", found)


def test_an_unknown_customer_is_404(client: TestClient):
    answer = client.get("/v1/customers/nobody/tier")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "code": "unknown_customer",
            "found": 'no customer "nobody"',
            "expected": "a customer with an order before the release's cutoff",
            "do": "check the id (leading zeros count), or send features to POST /v1/tier",
            "field": "customer_id",
        }
    }


@pytest.mark.parametrize(
    ("path_id", "found"),
    [
        ("", "an id of 0 characters"),
        ("x" * 257, "an id of 257 characters"),
        ("%FF", "bytes that are not UTF-8"),
    ],
    ids=["empty", "too long", "not UTF-8"],
)
def test_an_id_that_cannot_be_is_422(client: TestClient, path_id: str, found: str):
    answer = client.get(f"/v1/customers/{path_id}/tier")
    error = answer.json()["error"]
    assert (answer.status_code, error["field"], error["found"]) == (422, "customer_id", found)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("template", ROUTES)
def test_a_wrong_method_is_405_and_the_right_ones_are_named(
    client: TestClient, template: str, method: str
):
    if method in ROUTES[template]:
        return
    answer = client.request(method, template.replace("{customer_id}", "00123"))
    assert answer.status_code == 405
    assert answer.headers["allow"] == ", ".join(ROUTES[template])


def test_without_a_release_every_answer_is_503_with_the_reason(shop: Shop):
    made = Application(Metrics())
    client = TestClient(made)
    assert not made.is_ready
    made.withhold("no promoted release in state", "train and promote one")
    for answer in (
        client.get("/v1/customers/00123/tier"),
        client.get("/v1/scheme"),
        post(client, "/v1/tier", {"features": {}}),
        post(client, "/v1/tiers", [{"customer_id": "a"}]),
    ):
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["error"]["found"] == "no promoted release in state"
    assert client.get("/openapi.json").status_code == 200
    made.serve(shop.predictor, LIMITS)
    assert made.is_ready
    assert client.get("/v1/customers/00123/tier").status_code == 200


def test_a_fault_of_ours_is_500_and_shows_nothing_of_it(
    shop: Shop, caplog: pytest.LogCaptureFixture
):
    made = Application(Metrics())
    made.serve(shop.predictor, None)  # type: ignore[arg-type]
    answer = post(TestClient(made), "/v1/tier", {"features": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "NoneType" not in answer.text
    assert "POST /v1/tier failed" in caplog.text


def test_an_unread_store_only_stops_look_ups(shop: Shop):
    from serving.predictor import Predictor

    made = Application(Metrics())
    made.serve(Predictor(shop.release, None), LIMITS)
    client = TestClient(made)
    answer = client.get("/v1/customers/00123/tier")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert "python -m training score" in answer.json()["error"]["do"]
    assert post(client, "/v1/tier", vector_with()).status_code == 200
