"""The OpenAPI 3.1 document of the service, built from the structs that read and write bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.schemas import (
    MAX_ID_LENGTH,
    BatchItem,
    ErrorBody,
    FeatureName,
    Scheme,
    TierAnswer,
    TierRequest,
)

VERSION = "1.0.0"
_REF = "#/components/schemas/{name}"
_STRUCTS = (TierAnswer, TierRequest, BatchItem, Scheme, FeatureName, ErrorBody)

ANSWER: dict[str, Any] = {
    "customer_id": "00123",
    "status": "ok",
    "tier": "gold",
    "tier_in_force": "gold",
    "tier_since": "2011-04-01",
    "indicated_tier": "gold",
    "tier_label": {"zh": "黄金", "en": "Gold"},
    "tier_probability": 0.34,
    "borderline": False,
    "expected_value": 412.5,
    "expected_value_low90": 0.0,
    "expected_value_high90": 1290.0,
    "rung": "repeat",
    "currency": "GBP",
    "p_churn": 0.21,
    "horizon_days": 180,
    "value_at_risk": 110.2,
    "risk_level": "low",
    "lifecycle": "active",
    "playbook": ["personal_recommendation"],
    "boundary_below": 230.0,
    "boundary_above": 900.0,
    "value_to_next_tier": 487.5,
    "cutoff": "2011-06-13",
    "release": "3f9c0a1be2d4",
    "policy": "a71d03c98e55",
}
_NO_TIER: dict[str, Any] = {
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
    "p_churn": None,
    "value_at_risk": None,
    "risk_level": None,
    "lifecycle": None,
    "playbook": [],
    "boundary_below": None,
    "boundary_above": None,
    "value_to_next_tier": None,
}
INSUFFICIENT: dict[str, Any] = {
    **ANSWER,
    **_NO_TIER,
    "status": "insufficient_data",
    "reason": "no order with a value above 0",
}
UNKNOWN: dict[str, Any] = {
    **ANSWER,
    **_NO_TIER,
    "customer_id": "nobody",
    "status": "unknown_customer",
    "reason": "no customer of this id had an order before the cutoff",
}
VECTOR: dict[str, Any] = {
    "customer_id": "00123",
    "features": {"n_order_days": 7, "net_spend": 812.4, "mean_gap_days": None},
}
BATCH: list[dict[str, Any]] = [{"customer_id": "00123"}, VECTOR, {"customer_id": "nobody"}]
SCHEME: dict[str, Any] = {
    "release": "3f9c0a1be2d4",
    "model": "hurdle",
    "source": "online_retail_II",
    "currency": "GBP",
    "horizon_days": 180,
    "cutoff": "2011-06-13",
    "tiers": [
        {
            "tier": "regular",
            "tier_label": {"zh": "普通", "en": "Regular"},
            "boundary_below": None,
            "boundary_above": 230.0,
            "share": 0.9,
            "realised_mean": 60.1,
            "revenue_share": 0.4,
        },
        {
            "tier": "gold",
            "tier_label": {"zh": "黄金", "en": "Gold"},
            "boundary_below": 230.0,
            "boundary_above": None,
            "share": 0.1,
            "realised_mean": 402.9,
            "revenue_share": 0.6,
        },
    ],
    "playbook": [
        {
            "id": "personal_recommendation",
            "zh": "个性化推荐：按其常买的品类推荐新品",
            "en": "Personal recommendation: what is new among the things they buy",
        }
    ],
    "features": [
        {
            "name": "n_order_days",
            "unit": "days",
            "meaning": "Days with an accepted order line.",
            "required": True,
        }
    ],
}

_ERRORS: dict[int, str] = {
    400: "The body is not JSON in UTF-8, or says a key twice.",
    401: "No living API key was sent.",
    403: "The key's role may not ask this, or the Host is not one the service goes by.",
    404: "No such customer.",
    405: "Another method was expected; the allow header names it.",
    408: "The body was not there in time.",
    413: "The body or the batch is too large.",
    415: "The body is not application/json, or is compressed.",
    422: "A field is missing, unknown, of the wrong type or out of range; it is named.",
    429: "Too many wrong keys; retry-after says when to come again.",
    500: "A fault of the service.",
    503: "No room, or no release or look-up store is loaded; retry-after says when to come again.",
}
_ANY_ROUTE = (401, 403, 405, 429, 500, 503)
_ANY_BODY = (400, 408, 413, 415, 422)
_ERROR_EXAMPLE: dict[str, Any] = {
    "error": {
        "code": "unknown_feature",
        "found": 'an unknown feature "net_spent"',
        "expected": "features of GET /v1/scheme",
        "do": 'did you mean "net_spend"?',
        "field": "features.net_spent",
    }
}


def build_openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document: every route, with units, descriptions and examples."""
    _, components = msgspec.json.schema_components(_STRUCTS, ref_template=_REF)
    components["BatchItem"]["anyOf"] = [{"required": ["customer_id"]}, {"required": ["features"]}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tierwise",
            "version": VERSION,
            "summary": "The tier of a customer, and what it rests on.",
            "description": (
                "Amounts are in the answer's currency, p_churn and shares are between 0 and 1, "
                "dates are ISO 8601. Every answer names the release that gave it."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/customers/{customer_id}/tier": {"get": _customer_operation()},
            "/v1/tier": {"post": _vector_operation()},
            "/v1/tiers": {"post": _batch_operation()},
            "/v1/scheme": {"get": _scheme_operation()},
            "/openapi.json": {"get": _document_operation()},
            "/metrics": {"get": _metrics_operation()},
        },
        "security": [{"apiKey": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key; its role decides which routes it may ask.",
                }
            },
        },
    }


def _customer_operation() -> dict[str, Any]:
    identifier = {
        "name": "customer_id",
        "in": "path",
        "required": True,
        "description": "The customer's id, percent-encoded once (a slash is %2F).",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
        "example": "00123",
    }
    examples = {"ok": ANSWER, "insufficient_data": INSUFFICIENT}
    return {
        "operationId": "getCustomerTier",
        "summary": "Tier of one known customer.",
        "description": "Features are those of the release's cutoff, from the look-up store.",
        "parameters": [identifier],
        "responses": _responses(_json(_ref("TierAnswer"), examples), 404, 422),
    }


def _vector_operation() -> dict[str, Any]:
    return {
        "operationId": "postTier",
        "summary": "Tier of one feature vector.",
        "description": "For a customer whose features the caller has computed.",
        "requestBody": _body(_ref("TierRequest"), VECTOR),
        "responses": _responses(_json(_ref("TierAnswer"), {"ok": ANSWER}), *_ANY_BODY),
    }


def _batch_operation() -> dict[str, Any]:
    answers = {"type": "array", "minItems": 1, "items": _ref("TierAnswer")}
    return {
        "operationId": "postTiers",
        "summary": "Tiers of a batch of customers.",
        "description": (
            "Each item is an id to look up or a feature vector; the answers are in the same order. "
            "An unknown id is an answer with status unknown_customer, not an error."
        ),
        "requestBody": _body({"type": "array", "minItems": 1, "items": _ref("BatchItem")}, BATCH),
        "responses": _responses(_json(answers, {"both": [ANSWER, ANSWER, UNKNOWN]}), *_ANY_BODY),
    }


def _scheme_operation() -> dict[str, Any]:
    return {
        "operationId": "getScheme",
        "summary": "The tiers in force.",
        "description": "Boundaries, shares and labels, and the feature names that POST bodies take.",
        "responses": _responses(_json(_ref("Scheme"), {"two tiers": SCHEME})),
    }


def _document_operation() -> dict[str, Any]:
    return {
        "operationId": "getOpenapi",
        "summary": "This document.",
        "responses": _responses(_json({"type": "object"}, {})),
    }


def _metrics_operation() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "getMetrics",
        "summary": "Counters in Prometheus' text format; routes are templates, never paths.",
        "responses": _responses(text),
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}


def _json(schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON body of the schema, with its examples by name."""
    named = {"examples": {name: {"value": value} for name, value in examples.items()}}
    return {"application/json": {"schema": schema, **(named if examples else {})}}


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"required": True, "content": _json(schema, {"example": example})}


def _responses(content: dict[str, Any], *errors: int) -> dict[str, Any]:
    """Return a 200 with the content, and the errors that the route can answer."""
    found: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    for status in sorted({*errors, *_ANY_ROUTE}):
        found[str(status)] = {
            "description": _ERRORS[status],
            "content": _json(_ref("ErrorBody"), {"error": _ERROR_EXAMPLE}),
        }
    return found
