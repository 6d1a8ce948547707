"""A new day's files are read; those that were read before are taken over, unless something moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.ingestion import one_file

MONDAY = "who,date,amount\n1,2024-01-01,10\n2,2024-01-01,20\n"
TUESDAY = "who,date,amount\n1,2024-01-02,30\nNA,2024-01-02,40\n"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the raw files that were opened for parsing."""
    names: list[str] = []
    real = one_file.open_raw

    def open_and_tell(path, *rest):
        names.append(path.name)
        return real(path, *rest)

    monkeypatch.setattr(one_file, "open_raw", open_and_tell)
    return names


def test_a_new_days_file_is_read_and_the_old_ones_are_not_opened(shop, opened) -> None:
    shop.put("orders-1.csv", MONDAY)
    shop.describe(end="2024-01-02")
    shop.ingest()
    shop.put("orders-2.csv", TUESDAY)
    shop.describe(end="2024-01-03")
    account = shop.ingest()
    assert opened == ["orders-1.csv", "orders-2.csv"]
    assert account.n_reused == 1
    assert [(f.file, f.records, f.accepted) for f in account.files] == [
        ("orders-1.csv", 2, 2),
        ("orders-2.csv", 2, 1),
    ]
    assert sorted(shop.column("amount")) == [10, 20, 30]
    assert shop.aside() == [("orders-2.csv", 3, "suspicious_customer_id", "who")]


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_day_by_day_or_all_at_once_the_result_is_the_same_to_the_byte(shop, tmp_path) -> None:
    people = """
[[files]]
table = "customers"
paths = ["people*.txt"]
columns = { customer_id = "who", signed_up_at = "since" }
"""
    shop.describe(tail=people)
    shop.put("people-1.txt", "who,since\n1,2023-01-01\n2,2024-01-02\n")
    for number, content in enumerate((MONDAY, TUESDAY, MONDAY.replace("10", "11")), 1):
        shop.put(f"orders-{number}.csv", content)
        account = shop.ingest()
    shop.put("people-0.txt", "who,since\n1,2023-05-05\n")
    account = shop.ingest()
    assert account.n_reused == 4
    assert {code for _, _, code, _ in shop.aside()} == {
        "duplicate_customer", "order_before_signup", "suspicious_customer_id",
    }  # fmt: skip
    day_by_day = bytes_of(shop.tables)
    shop.state = tmp_path / "elsewhere"
    shop.tables = shop.state / "tables" / "shop"
    assert shop.ingest().n_reused == 0
    assert bytes_of(shop.tables) == day_by_day


def test_a_row_that_was_in_the_future_is_read_again_once_its_day_is_complete(shop, opened) -> None:
    shop.put("orders-1.csv", MONDAY + "3,2024-01-02,5\n")
    shop.describe(end="2024-01-02")
    assert shop.ingest().files[0].quarantined == {"future_date": 1}
    shop.describe(end="2024-01-03")
    assert shop.ingest().files[0].accepted == 3
    assert opened == ["orders-1.csv", "orders-1.csv"]


@pytest.mark.parametrize(
    "change",
    [
        {"more": 'decimal = ","'},
        {"end": "2024-06-30"},
        {"head": "data_starts_on = 2023-01-01"},
        {"tail": '\n[[files.drop]]\nrule = "x"\ncolumn = "who"\nequals = ["1"]\n'},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_source_reads_everything_again(shop, opened, change) -> None:
    shop.put("orders-1.csv", MONDAY)
    shop.ingest()
    shop.describe(**change)
    shop.ingest()
    assert opened == ["orders-1.csv"] * 2


def test_rules_across_files_are_looked_at_again_without_reading(shop, opened) -> None:
    columns = {"customer_id": "who", "occurred_at": "date", "amount": "amount", "order_id": "no"}
    shop.describe(columns=columns)
    shop.put("orders-1.csv", "who,date,amount,no\n1,2024-01-01,10,A\n2,2024-01-01,20,B\n")
    assert shop.ingest().files[0].accepted == 2
    shop.put("orders-2.csv", "who,date,amount,no\n9,2024-01-02,30,A\n8,2024-01-02,30,C\n")
    account = shop.ingest()
    assert [(f.accepted, f.quarantined) for f in account.files] == [
        (1, {"conflicting_order_id": 1}),
        (1, {"conflicting_order_id": 1}),
    ]
    assert shop.aside() == [
        ("orders-1.csv", 2, "conflicting_order_id", "no"),
        ("orders-2.csv", 2, "conflicting_order_id", "no"),
    ]
    (shop.folder / "orders-2.csv").unlink()
    account = shop.ingest()
    assert [(f.accepted, f.quarantined) for f in account.files] == [(2, {})]
    assert shop.column("order_id") == ["A", "B"]
    assert shop.aside() == []
    assert opened == ["orders-1.csv", "orders-2.csv"]


def test_a_part_that_was_damaged_on_disk_is_made_again(shop, opened) -> None:
    shop.put("orders-1.csv", MONDAY)
    digest = shop.ingest().digest
    (part,) = (shop.tables / "order_lines").glob("*.parquet")
    data = bytearray(part.read_bytes())
    data[40] ^= 1
    part.write_bytes(data)
    assert shop.ingest().digest == digest
    assert opened == ["orders-1.csv"] * 2


def test_a_record_of_another_version_is_left_alone(shop, opened) -> None:
    shop.put("orders-1.csv", MONDAY)
    shop.ingest()
    record = shop.tables / "kept" / "parts.json"
    for text in ("{", "[1]", json.dumps([{"key": 1}])):
        record.write_text(text)
        assert shop.ingest().n_reused == 0
    assert len(opened) == 4


def test_the_same_bytes_in_two_folders_of_a_partition_are_two_files(shop) -> None:
    columns = {"customer_id": "who", "occurred_at": "date", "amount": "amount", "channel": "shop"}
    shop.describe(columns=columns, paths="days")
    for name in ("Paris", "Z%C3%BCrich", "__HIVE_DEFAULT_PARTITION__"):
        shop.put(f"days/shop={name}/a.csv", MONDAY)
    shop.put("days/shop=Paris/b.csv", MONDAY)
    account = shop.ingest()
    assert sorted({str(row["channel"]) for row in shop.rows()}) == ["None", "Paris", "Zürich"]
    assert [(s.file, s.same_as) for s in account.skipped] == [
        ("days/shop=Paris/b.csv", "days/shop=Paris/a.csv")
    ]
    assert shop.ingest().n_reused == 3
    assert len(shop.rows()) == 6
