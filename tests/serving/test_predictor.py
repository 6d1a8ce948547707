"""The predictor against the release it wraps: the same numbers, alone and among others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from features.errors import ReleaseError
from features.online import OnlineStore, write_online
from serving.predictor import Predictor
from serving.refusals import Refused
from serving.schemas import BatchItem, TierRequest
from tests.serving.conftest import CUSTOMERS, Shop, features_of

ITEMS = st.lists(
    st.sampled_from([*CUSTOMERS["customer_id"], "nobody"]).flatmap(
        lambda customer_id: st.sampled_from(
            [BatchItem(customer_id=customer_id)]
            if customer_id == "nobody"
            else [
                BatchItem(customer_id=customer_id),
                BatchItem(customer_id=customer_id, features=features_of(customer_id)),
            ]
        )
    ),
    min_size=1,
    max_size=8,
)


@given(items=ITEMS)
def test_a_batch_is_its_items_asked_one_by_one(shop: Shop, items: list[BatchItem]):
    predictor = shop.predictor
    batch = predictor.answer_batch(items)
    for item, answer in zip(items, batch, strict=True):
        assert isinstance(item.customer_id, str)
        if isinstance(item.features, dict):
            alone = predictor.answer_vector(
                TierRequest(customer_id=item.customer_id, features=item.features)
            )
        else:
            alone = predictor.answer_for(item.customer_id)
        if alone is None:
            assert answer.status == "unknown_customer"
        else:
            assert answer == alone


def test_values_are_those_of_the_release_bit_for_bit(shop: Shop):
    columns = list(shop.release.columns)
    scores = shop.release.score(CUSTOMERS[columns].to_numpy())
    for place, customer_id in enumerate(CUSTOMERS["customer_id"]):
        answer = shop.predictor.answer_for(customer_id)
        assert answer is not None
        if answer.status == "ok":
            assert answer.reason is UNSET
            assert answer.expected_value == scores.expected_value[place]
            assert answer.p_churn == scores.p_churn[place]
            assert answer.value_at_risk == scores.value_at_risk[place]


def test_a_store_may_hold_more_columns_in_another_order(shop: Shop, tmp_path: Path):
    columns = ["more", *reversed(shop.release.columns)]
    write_online(tmp_path / "store", columns, CUSTOMERS.assign(more=1.0), {})
    predictor = Predictor(shop.release, OnlineStore.open(tmp_path / "store"))
    for customer_id in CUSTOMERS["customer_id"]:
        assert predictor.answer_for(customer_id) == shop.predictor.answer_for(customer_id)


def test_a_store_that_lacks_a_column_is_refused(shop: Shop, tmp_path: Path):
    write_online(tmp_path / "store", shop.release.columns[1:], CUSTOMERS, {})
    with pytest.raises(ReleaseError, match="the look-up store lacks n_order_days; expected every"):
        Predictor(shop.release, OnlineStore.open(tmp_path / "store"))


def test_a_store_of_another_release_is_refused(shop: Shop, tmp_path: Path):
    write_online(tmp_path / "store", shop.release.columns, CUSTOMERS, {"release": "f" * 64})
    with pytest.raises(ReleaseError, match="was made for release ffffffffffff; expected"):
        Predictor(shop.release, OnlineStore.open(tmp_path / "store"))


def test_a_stored_customer_whose_score_is_not_a_number_gets_no_tier(shop: Shop, tmp_path: Path):
    broken = CUSTOMERS.assign(tenure_days=np.nan)
    write_online(tmp_path / "store", shop.release.columns, broken, {})
    answer = Predictor(shop.release, OnlineStore.open(tmp_path / "store")).answer_for("00123")
    assert answer is not None
    assert (answer.status, answer.tier, answer.expected_value) == ("insufficient_data", None, None)


def test_a_vector_with_an_order_before_the_first_order_is_refused(shop: Shop):
    features = features_of("00123") | {"n_order_days": 0.0, "tenure_days": 0.0}
    with pytest.raises(Refused, match="422 bad_field") as caught:
        shop.predictor.answer_vector(TierRequest(features=features | {"net_spend": -1e308 * 10}))
    assert caught.value.detail.field == "features"


def test_one_predictor_never_changes(shop: Shop):
    assert dataclasses.is_dataclass(shop.release)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        shop.release.currency = "EUR"  # type: ignore[misc]
