"""A newcomer's file, four columns with Chinese headers from a Chinese Excel, by the how-to alone."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.ingestion.ingest import ingest
from features.tables import read_tables

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to-own-data.md"
EXAMPLE = ROOT / "datasets" / "example.toml"
HEADER = "客户编号,下单日期,订单号,实付金额\r\n"


def describe(folder: Path, with_files: bool = True) -> Path:
    """Do what the how-to says: copy the example, change what differs, paste its block for Excel."""
    head, _, files = EXAMPLE.read_text(encoding="utf-8").partition("[[files]]")
    for old, new in (
        ('"example"', '"my_shop"'),
        ('"EUR"', '"CNY"'),
        ("Europe/Berlin", "Asia/Shanghai"),
        ("2025-01-01", "2024-06-01"),
    ):
        assert old in head
        head = head.replace(old, new)
    blocks = re.findall(r"```toml\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [one for one in blocks if "gb18030" in one]
    path = folder / "my-shop.toml"
    path.write_text(head + (block if with_files else "[[files]]" + files), encoding="utf-8")
    return path


def write_orders(path: Path, n_customers: int) -> int:
    """Write orders of customers who come, go on and stop; return their number."""
    draw = random.Random(7)
    rows: list[tuple[date, str, float]] = []
    for number in range(n_customers):
        rate, mean = draw.gammavariate(1.2, 1 / 60), draw.lognormvariate(4, 0.6)
        at = draw.uniform(0, 400)
        end = min(at + draw.expovariate(1 / 500), 880)
        while at < end:
            day = date(2022, 1, 1) + timedelta(days=int(at))
            rows.append((day, f"客户{number:05d}", mean * draw.lognormvariate(0, 0.3)))
            at += draw.expovariate(rate) + 1
    lines = [
        f"{who},{day.year}年{day.month:02d}月{day.day:02d}日,A{i:06d},{amount:.2f}\r\n"
        for i, (day, who, amount) in enumerate(sorted(rows))
    ]
    path.write_bytes((HEADER + "".join(lines)).encode("gb18030"))
    return len(rows)


def test_the_block_of_the_how_to_reads_the_file(tmp_path: Path) -> None:
    rows = "客户00001,2024年03月31日,A1,39.90\r\n客户00001,2024年4月2日,A1,-39.90\r\n"
    (tmp_path / "订单.csv").write_bytes((HEADER + rows).encode("gb18030"))
    ingest(describe(tmp_path), tmp_path / "state")
    (part,) = read_tables(tmp_path / "state" / "tables" / "my_shop").parts("order_lines")
    told = pq.read_table(part, columns=["customer_id", "order_id", "day", "amount"]).to_pylist()
    assert [tuple(row.values()) for row in told] == [
        ("客户00001", "A1", date(2024, 3, 31), 39.9),
        ("客户00001", "A1", date(2024, 4, 2), -39.9),
    ]


def test_what_a_newcomer_forgets_is_said_one_thing_after_the_other(tmp_path: Path) -> None:
    write_orders(tmp_path / "orders.csv", 5)
    toml = describe(tmp_path, with_files=False)

    def change(old: str, new: str) -> None:
        text = toml.read_text(encoding="utf-8")
        assert old in text
        toml.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(InputError, match='write encoding = "gb18030"'):
        ingest(toml, tmp_path / "state")
    change('encoding = "utf-8"', 'encoding = "gb18030"')
    with pytest.raises(InputError, match='no column "customer"; known: 下单日期, 实付金额'):
        ingest(toml, tmp_path / "state")
    for old, new in (
        ("customer", "客户编号"),
        ("date", "下单日期"),
        ("order", "订单号"),
        ("amount", "实付金额"),
    ):
        change(f'= "{old}"', f'= "{new}"')
    with pytest.raises(InputError, match='such as date_format = "%Y年%m月%d日"'):
        ingest(toml, tmp_path / "state")
    change('date_format = "iso"', 'date_format = "%Y年%m月%d日"')
    assert ingest(toml, tmp_path / "state").files[0].accepted > 5


@pytest.mark.slow
def test_from_the_file_to_a_tier_for_every_customer(tmp_path: Path) -> None:
    n_rows = write_orders(tmp_path / "订单.csv", 500)
    toml, state = str(describe(tmp_path)), tmp_path / "state"
    for job in (  # what `make demo DATA=...` runs before it serves
        ["features", "ingest", "--source", toml],
        ["training", "train", "--source", toml],
        ["training", "promote", "--replace-source"],
        ["training", "score"],
    ):
        command = [sys.executable, "-m", *job, "--state", str(state)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
    account = json.loads((state / "tables" / "my_shop" / "ingest.json").read_text("utf-8"))
    assert account["records"] == account["accepted"] == n_rows
    (scores,) = (state / "scores").glob("my_shop_*.parquet")
    told = pq.read_table(scores, columns=["customer_id", "tier"]).to_pydict()
    # how many tiers a small shop can carry is learned; the lower ones are always there
    given = {tier for tier in told["tier"] if tier}
    assert {"regular", "silver"} <= given <= {"regular", "silver", "gold", "diamond"}
    assert all(re.fullmatch(r"客户\d{5}", one) for one in told["customer_id"])
