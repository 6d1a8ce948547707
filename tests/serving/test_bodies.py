"""Strict JSON: what msgspec reads quickly and what the slow reader finds agree."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bodies import read_batch, read_request
from serving.refusals import Refused

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MAPS = st.dictionaries(NAMES, st.none() | FINITE | st.integers(-(2**53), 2**53), max_size=5)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(features=MAPS, customer_id=IDS, ascii_only=st.booleans())
def test_a_valid_vector_is_read_bit_for_bit(
    features: dict[str, float | None], customer_id: str, ascii_only: bool
):
    written = {"customer_id": customer_id, "features": features}
    read = read_request(json.dumps(written, ensure_ascii=ascii_only).encode())
    assert read.customer_id == customer_id
    assert read.features == features


@given(features=MAPS.filter(bool), position=st.integers(0, 3))
def test_a_key_that_stands_twice_is_always_found(features: dict[str, float | None], position: int):
    name = next(iter(features))
    inside = json.dumps(features)[:-1] + f", {json.dumps(name)}: 1}}"
    items = [json.dumps({"customer_id": "a:b"})] * position + [f'{{"features": {inside}}}']
    body = "[" + ", ".join(items) + "]"
    with pytest.raises(Refused, match="400 duplicate_key"):
        read_batch(body.encode(), 10)


def refusal_of(read: Callable[[bytes], object], body: bytes) -> Refused | None:
    try:
        read(body)
    except Refused as refused:
        return refused
    return None


READERS = (read_request, lambda body: read_batch(body, 10))


@given(
    body=st.binary(max_size=60)
    | st.text(alphabet='{}[]":,.-+0123456789eEatrufnlsNI ').map(str.encode)
)
def test_any_bytes_are_read_or_refused(body: bytes):
    for read in READERS:
        refused = refusal_of(read, body)
        assert refused is None or refused.status in {400, 413, 422}


@given(
    value=st.recursive(
        st.none() | st.booleans() | FINITE | NAMES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["features", "customer_id", "x", "a.b", "[0]"]), inner, max_size=3
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused_as_422(value: object):
    for read in READERS:
        refused = refusal_of(read, json.dumps(value).encode())
        assert refused is None or refused.status == 422
        assert refused is None or refused.detail.field
