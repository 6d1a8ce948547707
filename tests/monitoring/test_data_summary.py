"""Evidently's summary of a sample: the same lines each time, nobody's id, no markup."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.tables import ORDER_LINES, Tables

pytestmark = pytest.mark.slow  # importing evidently alone takes seconds
N = 60


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    days = [date(2024, 1, 1 + i % 28) for i in range(N)]
    lines = {
        "customer_id": [f"secret-{i}" for i in range(N)],
        "order_id": [f"order-{i}" for i in range(N)],
        "occurred_at": pa.array([0] * N, pa.timestamp("us", "UTC")),
        "day": days,
        "known_day": days,
        "amount": [float(i) for i in range(N)],
        "is_return": [False] * N,
        "channel": ["</script><script>alert(1)</script>"] * N,
    }
    columns = [
        pa.array(lines[f.name], f.type) if f.name in lines else pa.nulls(N, f.type)
        for f in ORDER_LINES
    ]
    folder = tmp_path / "tables" / "shop"
    (folder / "order_lines").mkdir(parents=True)
    table = pa.Table.from_arrays(columns, schema=ORDER_LINES)
    pq.write_table(table, folder / "order_lines" / "a.parquet")
    return Tables(folder, "shop", "CNY", days[0], date(2024, 2, 1), "")


def test_a_sample_is_the_same_each_time_and_bears_no_ids(tables: Tables) -> None:
    from monitoring.report import read_sample

    frame = read_sample(tables, 20)
    assert len(frame) == 20
    assert frame.equals(read_sample(tables, 20))
    assert not {"customer_id", "order_id", "product_id"} & set(frame.columns)
    assert set(frame["amount"]) <= set(map(float, range(N)))
    assert not frame["channel"].str.contains("[<>]").any()


def test_the_summary_holds_neither_ids_nor_markup(tables: Tables, tmp_path: Path) -> None:
    from monitoring.report import write_data_summary

    path = tmp_path / "reports" / "summary.html"
    write_data_summary(tables, path)
    page = path.read_text(encoding="utf-8")
    assert "secret-" not in page
    assert "<script>alert" not in page
    assert "amount" in page
