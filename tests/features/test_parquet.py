"""Parquet from outside is read by a process of its own, which may die; this one may not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.ingestion import parquet_file

ORDERS = pa.table(
    {
        "who": pa.array(["1", "2", "3"]).dictionary_encode(),
        "date": ["2024-01-05", "2024-01-06 18:30", "2024-01-07"],
        "amount": [10.0, -2.5, None],
    }
)


@pytest.fixture
def parquet(shop):
    shop.describe(more='format = "parquet"', paths="orders*.parquet")
    return shop


def test_types_of_parquet_come_through_the_other_process(parquet) -> None:
    parquet.put("orders.parquet", ORDERS)
    account = parquet.ingest()
    assert [(row["customer_id"], row["amount"]) for row in parquet.rows()] == [
        ("1", 10.0),
        ("2", -2.5),
    ]
    assert account.files[0].quarantined == {"missing_amount": 1}
    assert account.files[0].records == 3


def test_a_cut_or_flipped_file_is_refused_and_leaves_no_process(parquet) -> None:
    whole = parquet.put("orders.parquet", ORDERS).read_bytes()
    for data in (whole[:-1], whole[: len(whole) // 2], whole[:4] + bytes(200) + whole[204:]):
        parquet.put("orders.parquet", data)
        with pytest.raises(InputError, match=r"truncated or damaged Parquet|more than 2,048 MB"):
            parquet.ingest()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    told = children.read_text().split() if children.exists() else []
    names = [Path(f"/proc/{child}/cmdline").read_text() for child in told]
    assert not [name for name in names if "parquet_child" in name]


def test_a_reader_that_is_killed_is_a_refusal(parquet, monkeypatch, tmp_path) -> None:
    child = tmp_path / "child.py"
    child.write_text("import os\nos.kill(os.getpid(), 11)\n")
    monkeypatch.setattr(parquet_file, "CHILD", child)
    parquet.put("orders.parquet", ORDERS)
    with pytest.raises(InputError, match="its reader ended with -11"):
        parquet.ingest()


def test_a_bomb_is_refused_by_its_memory(parquet) -> None:
    zeros = pa.table(
        {
            "who": pa.array(["x" * 900_000] * 400).dictionary_encode(),
            "date": ["2024-01-05"] * 400,
            "amount": np.ones(400),
        }
    )
    path = parquet.put("orders.parquet", zeros)
    assert path.stat().st_size < 200_000
    begun = time.process_time()
    with pytest.raises(InputError, match="needs more than 512 MB to read"):
        parquet.ingest(parquet_memory_mb=512)
    assert time.process_time() - begun < 5


def test_parts_whose_types_differ_are_refused(parquet) -> None:
    parquet.put("orders-1.parquet", ORDERS)
    parquet.put("orders-2.parquet", ORDERS.set_column(2, "amount", pa.array(["1", "2", "3"])))
    with pytest.raises(
        InputError, match=r'orders-2\.parquet: the column "amount" is text; in orders-1.* number'
    ):
        parquet.ingest()


def test_a_column_without_any_value_agrees_with_every_type(parquet) -> None:
    parquet.put("orders-1.parquet", ORDERS)
    parquet.put("orders-2.parquet", ORDERS.set_column(2, "amount", pa.nulls(3)))
    assert parquet.ingest().files[1].quarantined == {"missing_amount": 3}


def test_a_partitioned_folder_brings_the_columns_of_its_names(shop) -> None:
    columns = {"customer_id": "who", "occurred_at": "day", "amount": "amount", "channel": "shop"}
    shop.describe(more='format = "parquet"', paths="orders", columns=columns)
    for shop_name, day in (("A", "2024-01-05"), ("B", "2024-01-06")):
        part = pa.table({"who": ["1"], "amount": [1.0]})
        shop.put(f"orders/shop={shop_name}/day={day}/part-0.parquet", part)
    shop.ingest()
    told = sorted((row["channel"], row["day"].isoformat()) for row in shop.rows())
    assert told == [("A", "2024-01-05"), ("B", "2024-01-06")]
    shop.put(
        "orders/shop=C/day=2024-01-07/part-0.parquet", ORDERS.append_column("shop", [["x"] * 3])
    )
    with pytest.raises(InputError, match='"shop" stands both in the file and in the name'):
        shop.ingest()


def test_the_reader_needs_nothing_of_the_house(tmp_path) -> None:
    pq.write_table(ORDERS, tmp_path / "a.parquet")
    command = [sys.executable, "-I", str(parquet_file.CHILD), "a.parquet", "512", "20"]
    done = subprocess.run(command, cwd=tmp_path, input=b"", capture_output=True, check=True)
    assert b'"n_rows": 3' in done.stdout
