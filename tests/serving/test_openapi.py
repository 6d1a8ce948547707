"""The document says what the service does: every route, every body, every example."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from serving import schemas
from serving.application import ROUTES
from serving.openapi import build_openapi
from tests.serving.conftest import features_of

DOCUMENT = build_openapi()
OPERATIONS = [
    (path, method, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def test_every_route_and_method_is_documented_and_no_other():
    documented = {path: {m.upper() for m in found} for path, found in DOCUMENT["paths"].items()}
    assert documented == {path: set(handlers) for path, handlers in ROUTES.items()}


def test_operations_have_ids_of_their_own_and_a_summary():
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"].endswith(".") for _, _, operation in OPERATIONS)


def struct_for(schema: dict[str, Any]) -> Any:
    """The struct (or list of it) that a schema of the document stands for."""
    if schema.get("type") == "array":
        return list[struct_for(schema["items"])]  # type: ignore[misc]
    return getattr(schemas, schema["$ref"].rpartition("/")[2])


def bodies() -> list[Any]:
    found = []
    for path, method, operation in OPERATIONS:
        parts = {"request": operation.get("requestBody", {"content": {}}), **operation["responses"]}
        for part, body in parts.items():
            content = body["content"].get("application/json")
            if content is not None and path != "/openapi.json":
                found.append(pytest.param(content, id=f"{method} {path} {part}"))
    return found


@pytest.mark.parametrize("content", bodies())
def test_examples_are_valid_and_lose_nothing(content: dict[str, Any]):
    struct = struct_for(content["schema"])
    assert content["examples"]
    for example in content["examples"].values():
        read = msgspec.json.decode(msgspec.json.encode(example["value"]), type=struct)
        assert msgspec.json.decode(msgspec.json.encode(read)) == example["value"]


def test_references_lead_somewhere_and_every_schema_is_used():
    text = msgspec.json.encode(DOCUMENT).decode()
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize(
    ("struct", "name"),
    [
        (struct, name)
        for struct, schema in DOCUMENT["components"]["schemas"].items()
        for name in schema["properties"]
    ],
)
def test_every_field_is_described(struct: str, name: str):
    field = DOCUMENT["components"]["schemas"][struct]["properties"][name]
    assert "$ref" in field or field["description"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("expected_value", "the answer's currency"),
        ("expected_value_low90", "the answer's currency"),
        ("expected_value_high90", "the answer's currency"),
        ("value_at_risk", "the answer's currency"),
        ("boundary_below", "the answer's currency"),
        ("boundary_above", "the answer's currency"),
        ("value_to_next_tier", "the answer's currency"),
        ("p_churn", "1"),
        ("tier_probability", "1"),
        ("horizon_days", "days"),
    ],
)
def test_every_number_of_an_answer_has_a_unit(name: str, unit: str):
    field = DOCUMENT["components"]["schemas"]["TierAnswer"]["properties"][name]
    assert field["x-unit"] == unit


def test_the_answer_of_the_document_has_the_keys_of_the_contract_in_order():
    assert list(DOCUMENT["components"]["schemas"]["TierAnswer"]["properties"]) == [
        "customer_id", "status", "reason", "tier", "tier_in_force", "tier_since", "indicated_tier",
        "tier_label", "tier_probability", "borderline", "expected_value", "expected_value_low90",
        "expected_value_high90", "rung", "currency", "p_churn", "horizon_days", "value_at_risk",
        "risk_level", "lifecycle", "playbook", "boundary_below", "boundary_above", "value_to_next_tier", "cutoff", "release",
        "policy",
    ]  # fmt: skip


def test_the_service_serves_this_document(client: TestClient):
    assert client.get("/openapi.json").json() == msgspec.json.decode(msgspec.json.encode(DOCUMENT))


def test_every_answer_has_a_documented_status_and_a_body_of_its_schema(client: TestClient):
    vector = {"features": features_of("00123")}
    asked = [
        ("/v1/customers/{customer_id}/tier", "get", client.get("/v1/customers/00123/tier")),
        ("/v1/customers/{customer_id}/tier", "get", client.get("/v1/customers/returns/tier")),
        ("/v1/customers/{customer_id}/tier", "get", client.get("/v1/customers/nobody/tier")),
        ("/v1/tier", "post", client.post("/v1/tier", json=vector)),
        ("/v1/tier", "post", client.post("/v1/tier", json={})),
        ("/v1/tiers", "post", client.post("/v1/tiers", json=[vector, {"customer_id": "x"}])),
        ("/v1/tiers", "post", client.post("/v1/tiers", json=[])),
        ("/v1/scheme", "get", client.get("/v1/scheme")),
    ]
    for path, method, answer in asked:
        documented = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]
        struct = struct_for(documented["content"]["application/json"]["schema"])
        read = msgspec.json.decode(answer.content, type=struct)
        assert msgspec.json.encode(read) == answer.content
