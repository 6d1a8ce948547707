"""The look-up store: what was written comes back bit for bit, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import InputError
from features.online import OnlineStore, online_key, write_online

COLUMNS = ("net_spend", "mean_gap_days", "tenure_days")
FEATURES = pd.DataFrame(
    {
        "customer_id": ["00123", "123", "客户-7", "cafe\u0301"],
        "net_spend": [0.1 + 0.2, -0.0, 5e-324, 1e300],
        "tenure_days": [1.0, 2.0, 3.0, 4.0],
        "mean_gap_days": [np.nan, 1 / 3, np.inf, 0.0],
    }
)


@pytest.fixture
def store(tmp_path: Path) -> OnlineStore:
    write_online(tmp_path / "online" / "one", COLUMNS, FEATURES, {"release": "abc", "n": 4})
    return OnlineStore.open(tmp_path / "online" / "one")


def test_reads_every_row_bit_for_bit_in_the_order_asked_for(store: OnlineStore) -> None:
    rows = FEATURES[list(COLUMNS)].to_numpy()
    for customer_id, row in zip(FEATURES["customer_id"], rows, strict=True):
        found = store.read(customer_id)
        assert found is not None
        assert (found.dtype, found.tobytes()) == (np.float64, row.tobytes())


def test_tells_its_columns_and_meta(store: OnlineStore) -> None:
    assert store.columns == COLUMNS
    assert store.meta == {"release": "abc", "n": 4}


@pytest.mark.parametrize(
    "customer_id", ["", "0123", "columns", "meta", "00123 ", "\ud800", "x" * 9]
)
def test_an_unknown_customer_is_none(store: OnlineStore, customer_id: str) -> None:
    assert store.read(customer_id) is None


def test_leading_zeros_make_two_people(store: OnlineStore) -> None:
    one, other = store.read("00123"), store.read("123")
    assert one is not None
    assert other is not None
    assert (one[2], other[2]) == (1.0, 2.0)


def test_the_two_spellings_of_an_accent_are_one_person(store: OnlineStore) -> None:
    found = store.read("caf\u00e9")
    assert found is not None
    assert found[2] == 4.0


def test_a_row_stays_valid_and_writable_after_closing(store: OnlineStore) -> None:
    found = store.read("123")
    store.close()
    assert found is not None
    found[0] = 7.0
    assert found[2] == 2.0


def test_replacing_a_store_leaves_its_readers_alone(store: OnlineStore, tmp_path: Path) -> None:
    folder = tmp_path / "online" / "one"
    write_online(folder, COLUMNS, FEATURES.assign(tenure_days=9.0), {"release": "def"})
    newer = OnlineStore.open(folder)
    before, after = store.read("123"), newer.read("123")
    assert before is not None
    assert after is not None
    assert (before[2], store.meta["release"]) == (2.0, "abc")
    assert (after[2], newer.meta["release"]) == (9.0, "def")
    assert [entry.name for entry in folder.parent.iterdir()] == ["one"]


def test_can_be_open_twice_and_one_reader_closing_leaves_the_other(
    store: OnlineStore, tmp_path: Path
) -> None:
    other = OnlineStore.open(tmp_path / "online" / "one")
    store.close()
    assert other.read("123") is not None


def test_ten_thousand_customers_are_all_found(tmp_path: Path) -> None:
    ids = [f"{number:05d}" for number in range(10_000)]
    values = np.random.default_rng(0).normal(size=(10_000, 2))
    features = pd.DataFrame({"customer_id": ids, "x": values[:, 0], "y": values[:, 1]})
    write_online(tmp_path / "many", ("x", "y"), features, {})
    store = OnlineStore.open(tmp_path / "many")
    rows = [store.read(customer_id) for customer_id in ids]
    assert b"".join(row.tobytes() for row in rows if row is not None) == values.tobytes()


def test_refuses_two_rows_of_one_customer_and_leaves_nothing(tmp_path: Path) -> None:
    twice = FEATURES.assign(customer_id=["a", "b", "caf\u00e9", "cafe\u0301"])
    with pytest.raises(
        InputError, match="1 customers of the feature table have an id that another"
    ):
        write_online(tmp_path / "online" / "one", COLUMNS, twice, {})
    assert not (tmp_path / "online").exists()


def test_a_failed_write_leaves_the_store_before_it(store: OnlineStore, tmp_path: Path) -> None:
    folder = tmp_path / "online" / "one"
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_online(folder, COLUMNS, FEATURES, {"bad": {1, 2}})
    assert [entry.name for entry in folder.parent.iterdir()] == ["one"]
    assert OnlineStore.open(folder).meta["release"] == "abc"


def test_refuses_a_folder_without_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no look-up store in .*; expected an LMDB"):
        OnlineStore.open(tmp_path / "nothing")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_refuses_a_store_that_was_cut_short(tmp_path: Path, share: float) -> None:
    features = pd.DataFrame({"customer_id": [str(n) for n in range(500)], "x": np.arange(500.0)})
    write_online(tmp_path / "cut", ("x",), features, {})
    data = tmp_path / "cut" / "data.mdb"
    whole = data.read_bytes()
    data.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"look-up store in .*cut"):
        OnlineStore.open(tmp_path / "cut")


def test_keys_do_not_tell_the_id() -> None:
    assert len(online_key("00123")) == 16
    assert online_key("00123") != online_key("123")
