"""Every bad file and row of docs/bad-input.md with its outcome; the table and this list agree."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import TierwiseError

DOCUMENT = Path("docs/bad-input.md")
HEADER = "who,date,amount\n"
GOOD = "g,2024-01-05,1\n"
COLUMNS = {"customer_id": "who", "occurred_at": "date", "amount": "amount"}
TABLE = pa.table({"who": ["1", "2"], "date": ["2024-01-05"] * 2, "amount": [1.0, 2.0]})
PEOPLE = """
[[files]]
table = "customers"
paths = ["people.csv"]
columns = { customer_id = "who", signed_up_at = "since" }
"""
REVIEWS = """
[[files]]
table = "reviews"
paths = ["reviews.csv"]
columns = { customer_id = "who", occurred_at = "date", stars = "stars", text = "text" }
"""
MARGIN = {"head": 'value = "margin"', "columns": {**COLUMNS, "margin": "margin"}}
CURRENCY = {**COLUMNS, "currency": "money"}
ORDER = {**COLUMNS, "order_id": "no"}
LOOKUP = """
[[files.lookup]]
path = "names.txt"
key = "card"
columns = { who = "person" }
"""


@dataclass(frozen=True)
class Case:
    """One line of the table: what is bad, what becomes of it, and under which name.

    `accepted` is the number of order lines that are left where the file is not refused.
    """

    name: str
    outcome: str
    answer: str
    orders: str | bytes | pa.Table = HEADER + GOOD
    accepted: int = 1
    n: int = 1
    describe: dict[str, Any] = field(default_factory=dict)
    more_files: dict[str, str | bytes | pa.Table] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Path], None] | None = None


def row(*rows: str, header: str = HEADER) -> str:
    return header + GOOD + "".join(f"{one}\n" for one in rows)


def zipped(depth: int) -> bytes:
    data = bytes(1_000_000)
    for _ in range(depth):
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("orders.csv", data)
        data = sink.getvalue()
    return data


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def flipped() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink, write_page_checksum=True)
    data = bytearray(sink.getvalue())
    data[data.index(b"2024-01-05")] ^= 1
    return bytes(data)


def link_out(folder: Path) -> None:
    (folder / "orders.csv").unlink()
    (folder.parent / "outside.csv").write_text(HEADER + GOOD)
    (folder / "orders.csv").symlink_to(folder.parent / "outside.csv")


PARQUET = {"more": 'format = "parquet"'}
BOMB = pa.table(
    {
        "who": pa.array(["x" * 900_000] * 400).dictionary_encode(),
        "date": ["2024-01-05"] * 400,
        "amount": [1.0] * 400,
    }
)
CHINESE = "who,date,amount\n张三丰,2024-01-05,1\n李四光,2024-01-06,1\n"
MIXED = (
    HEADER.encode()
    + "张三,2024-01-05,1\n李四,2024-01-05,1\n".encode()
    + "王五,2024-01-05,1\n".encode("gb18030")
)
FILES = [
    Case("a byte order mark of UTF-8", "normalised", "", (HEADER + GOOD).encode("utf-8-sig")),
    Case("GB18030, declared", "normalised", "", CHINESE.encode("gb18030"), 2,
         describe={"more": 'encoding = "gb18030"'}),
    Case("GB18030, not declared", "refused", "wrong_encoding", CHINESE.encode("gb18030")),
    Case("UTF-8 where GB18030 is declared", "refused", "is_utf8", row("张三李四,2024-01-05,1"),
         describe={"more": 'encoding = "gb18030"'}),
    Case("UTF-16", "refused", "is_utf16", (HEADER + GOOD).encode("utf-16")),
    Case("a few rows in another encoding", "quarantined", "undecodable", MIXED, 2),
    Case("another delimiter than declared", "refused", "wrong_delimiter", "who;date;amount\n1;2;3\n"),
    Case("a quote that is never closed", "refused", "open_quote", row('"2,2024-01-05,1')),
    Case("an extra field in the first row", "quarantined", "wrong_field_count",
         HEADER + "1,2024-01-05,1,9\n" + GOOD),
    Case("a row with too few fields", "quarantined", "wrong_field_count", row("1")),
    Case("no row with the fields of the header", "refused", "no_row_fits", HEADER + "1\n2\n"),
    Case("a column twice", "refused", "two_columns_of_one_name", "who,date,amount,date\n1,2,3,4\n"),
    Case("a missing column", "refused", "no_column", "who,date\n1,2024-01-05\n"),
    Case("a column nobody asked for", "accepted", "", "note,who,date,amount\nx," + GOOD),
    Case("columns in another order", "accepted", "", "amount,date,who\n1,2024-01-05,g\n"),
    Case("the file of another table", "refused", "no_column", "id,stars,text\nr1,5,fine\n"),
    Case("a NUL character", "quarantined", "nul_character", row("a\0b,2024-01-05,1")),
    Case("an empty file", "refused", "empty_file", b""),
    Case("nothing but a header", "refused", "nothing_accepted", HEADER),
    Case("a missing file", "refused", "no_such_file", describe={"paths": "nothing.csv"}),
    Case("a file that is too large", "refused", "file_too_large",
         row("1,2024-01-05," + "0" * 1_100_000), limits={"largest_file_mb": 1}),
    Case("too many rows", "refused", "too_many_rows", row("1,2024-01-05,1"), limits={"most_rows": 1}),
    Case("too many columns", "refused", "too_many_columns", limits={"most_columns": 2}),
    Case("a cell that is too long", "refused", "cell_too_long", row("1,2024-01-05," + "0" * 101),
         limits={"longest_cell": 100}),
    Case("a gzip archive", "refused", "is_archive", gzip.compress(bytes(10_000_000))),
    Case("an archive within archives, or a workbook", "refused", "is_archive", zipped(3)),
    Case("Parquet that unpacks into endless memory", "refused", "parquet_too_hungry", BOMB,
         describe=PARQUET, limits={"parquet_memory_mb": 512}),
    Case("a path that climbs out of the root", "refused", "wrong_key",
         describe={"paths": "../orders.csv"}),
    Case("a link that leads out of the root", "refused", "leads_out", prepare=link_out),
    Case("truncated Parquet", "refused", "damaged_parquet", parquet_bytes(TABLE)[:-9],
         describe=PARQUET),
    Case("Parquet whose checksums do not hold", "refused", "damaged_parquet", flipped(), describe=PARQUET),
    Case("text where Parquet is declared", "refused", "is_not_parquet", describe=PARQUET),
    Case("Parquet where text is declared", "refused", "is_parquet", TABLE),
    Case("parts whose types differ", "refused", "type_drift", TABLE, describe=PARQUET,
         more_files={"orders2.csv": TABLE.set_column(2, "amount", pa.array(["1", "2"]))}),
    Case("the same file twice", "skipped", "", more_files={"orders2.csv": HEADER + GOOD}),
    Case("a date format that fits no row", "refused", "no_row_dated", HEADER + "1,05/01/2024,1\n"),
]  # fmt: skip
ROWS = [
    Case("no customer id", "quarantined", "missing_customer_id", row(",2024-01-05,1")),
    Case("a blank customer id", "quarantined", "missing_customer_id", row("\u3000,2024-01-05,1")),
    Case("NA, null or None as an id", "quarantined", "suspicious_customer_id",
         row("NA,2024-01-05,1")),
    Case("leading zeros in an id", "accepted", "", row("007,2024-01-05,1", "7,2024-01-05,1"), 3),
    Case("an id in scientific notation", "quarantined", "suspicious_customer_id",
         row("1.2E+15,2024-01-05,1")),
    Case("an id of more than 256 characters", "quarantined", "suspicious_customer_id",
         row(f"{'7' * 257},2024-01-05,1")),
    Case("an id that no look-up knows", "quarantined", "missing_customer_id",
         "card,date,amount\nc1,2024-01-05,1\nc2,2024-01-05,1\n",
         describe={"tail": LOOKUP}, more_files={"names.txt": "card,person\nc1,g\n"}),
    Case("no amount", "quarantined", "missing_amount", row("1,2024-01-05,")),
    Case("a word for an amount", "quarantined", "not_a_number", row("1,2024-01-05,ten")),
    Case("NaN or infinity", "quarantined", "not_finite", row("1,2024-01-05,inf")),
    Case("1e999", "quarantined", "not_finite", row("1,2024-01-05,1e999")),
    Case("1,234.50, thousands not declared", "quarantined", "ambiguous_number",
         row('1,2024-01-05,"1,234.50"')),
    Case("1,234.50, thousands declared", "normalised", "", row('1,2024-01-05,"1,234.50"'), 2,
         describe={"more": 'thousands = ","'}),
    Case("full-width digits", "normalised", "full_width_numbers", row("1,2024-01-05,１２"), 2),
    Case("a return with an earlier sale", "accepted", "linked_returns",
         "who,date,amount,no\ng,2024-01-05,1,A\ng,2024-01-06,-1,A\n", 2,
         describe={"columns": ORDER}),
    Case("a return without one", "accepted", "unlinked_returns", row("1,2024-01-06,-1"), 2),
    Case("the same by the rule unlinked_returns", "quarantined", "unlinked_return",
         row("1,2024-01-06,-1"),
         describe={"head": '[rules]\nunlinked_returns = "quarantine"'}),
    Case("a price of zero, by a rule of your own", "dropped", "free", row("1,2024-01-06,0"),
         describe={"tail": '\n[[files.drop]]\nrule = "free"\ncolumn = "amount"\nat_most = 0\n'}),
    Case("another currency without a rate", "quarantined", "currency_without_rate",
         "who,date,amount,money\n1,2024-01-05,1,CNY\n1,2024-01-05,1,USD\n",
         describe={"columns": CURRENCY}),
    Case("another currency with a rate", "normalised", "converted_currency",
         "who,date,amount,money\n1,2024-01-05,1,CNY\n1,2024-01-05,1,USD\n", 2,
         describe={"columns": CURRENCY, "head": '[[rates]]\ncurrency = "USD"\nrate = 7.2'}),
    Case("a file whose amounts are a hundredfold", "alarm", "unit_slip",
         HEADER + "".join(f"{i},2024-01-05,10\n" for i in range(30)), 60,
         more_files={"orders2.csv": HEADER + "".join(f"{i},2024-02-05,1000\n" for i in range(30))}),
    Case("a date in the future", "quarantined", "future_date", row("1,2024-07-01,1")),
    Case("a date before data_starts_on", "quarantined", "date_too_early", row("1,1900-01-01,1")),
    Case("03/04/2024 among other dates", "quarantined", "ambiguous_date", row("1,03/04/2024,1")),
    Case("a date that no calendar has", "quarantined", "unparseable_date", row("1,2024-02-30,1")),
    Case("no date", "quarantined", "missing_date", row("1,,1")),
    Case("a local time that the clocks show twice", "normalised", "local_time_shown_twice",
         row("1,2023-10-29 01:30,1"), 2, describe={"more": 'times_in = "Europe/London"'}),
    Case("a local time that the clocks skip", "normalised", "local_time_skipped",
         row("1,2024-03-31 01:30,1"), 2, describe={"more": 'times_in = "Europe/London"'}),
    Case("a time with its offset, +08:00", "accepted", "", row("1,2024-03-31T01:30:00+08:00,1"), 2),
    Case("milliseconds among seconds", "quarantined", "mixed_time_units",
         HEADER + "1,1704412800,1\n1,1704412800000,1\n",
         describe={"more": 'date_format = "unix_seconds"'}),
    Case("seconds among milliseconds", "quarantined", "mixed_time_units",
         HEADER + "1,1704412800000,1\n1,1704412800,1\n",
         describe={"more": 'date_format = "unix_milliseconds"'}),
    Case("an order before the sign-up", "quarantined", "order_before_signup", row("1,2024-01-05,1"),
         describe={"tail": PEOPLE}, more_files={"people.csv": "who,since\n1,2024-02-01\n"}),
    Case("the same by the rule orders_before_signup", "accepted", "orders_before_signup",
         row("1,2024-01-05,1"), 2, describe={"tail": PEOPLE, "head": '[rules]\norders_before_signup = "keep"'},
         more_files={"people.csv": "who,since\n1,2024-02-01\n"}),
    Case("a row that equals an earlier one", "accepted", "exact_duplicates", row("g,2024-01-05,1"), 2),
    Case('the same with duplicates = "drop"', "dropped", "exact_duplicates",
         row("g,2024-01-05,1"), describe={"more": 'duplicates = "drop"'}),
    Case("one order id of two customers", "quarantined", "conflicting_order_id",
         "who,date,amount,no\n1,2024-01-05,1,A\n2,2024-01-06,1,A\n2,2024-01-06,1,B\n", 1, 2,
         describe={"columns": ORDER}),
    Case("a customer whom the table customers lacks", "accepted", "unknown_customers",
         row("1,2024-01-05,1"), 2, describe={"tail": PEOPLE},
         more_files={"people.csv": "who,since\ng,\n"}),
    Case("the same by the rule unknown_customers", "quarantined", "unknown_customer",
         row("1,2024-01-05,1"),
         describe={"tail": PEOPLE, "head": '[rules]\nunknown_customers = "quarantine"'},
         more_files={"people.csv": "who,since\ng,\n"}),
    Case("a customer given twice", "quarantined", "duplicate_customer", describe={"tail": PEOPLE},
         more_files={"people.csv": "who,since\ng,\ng,2020-01-01\n"}),
    Case("a review of nobody who ordered", "accepted", "orphan_reviews", describe={"tail": REVIEWS},
         more_files={"reviews.csv": "who,date,stars,text\n9,2024-01-05,5,fine\n"}),
    Case("an empty, emoji, HTML, right-to-left or 100 kB review", "accepted", "",
         describe={"tail": REVIEWS},
         more_files={"reviews.csv": "who,date,stars,text\n" + "".join(
             f"g,2024-01-05,5,{text}\n"
             for text in ("", "🙂👍🏽", "<script>alert(1)</script>", "مرحبا \u202egnp", "好" * 100_000))}),
    Case("a cell that is a formula", "accepted", "", row("=1+1,2024-01-05,1"), 2),
    Case("stars outside 1 to 5", "quarantined", "rating_out_of_range", describe={"tail": REVIEWS},
         more_files={"reviews.csv": "who,date,stars,text\ng,2024-01-05,6,x\n"}),
    Case("a person on the list of the erased", "dropped", "erased", row("1,2024-01-05,1"),
         describe={"head": '[left_out]\nerased = "gone.txt"'}, more_files={"gone.txt": "1\n"}),
    Case("a person on the list of the objecting", "dropped", "objecting", row("1,2024-01-05,bad"),
         describe={"head": '[left_out]\nobjecting = "no.txt"'}, more_files={"no.txt": "1\n"}),
    Case("no margin where the margin is the value", "quarantined", "missing_margin",
         "who,date,amount,margin\n1,2024-01-05,1,\ng,2024-01-05,1,0.5\n", describe=MARGIN),
]  # fmt: skip
CASES = {case.name: case for case in [*FILES, *ROWS]}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_gets_what_the_table_says(shop, name: str) -> None:
    case = CASES[name]
    shop.describe(**{"paths": "orders*.csv", **case.describe})
    shop.put("orders.csv", case.orders)
    for file, content in case.more_files.items():
        shop.put(file, content)
    if case.prepare is not None:
        case.prepare(shop.folder)
    if case.outcome == "refused":
        with pytest.raises(TierwiseError, match=r".") as refusal:
            shop.ingest(**case.limits)
        assert refusal.value.name == case.answer
        assert refusal.value.exit_code in {2, 78}
        assert not shop.tables.exists()
        return
    account = shop.ingest(**case.limits)
    for file in account.files:
        file.check_conservation()
    assert len(shop.rows()) == case.accepted
    quarantined = {code: n for file in account.files for code, n in file.quarantined.items() if n}
    dropped = {rule: n for file in account.files for rule, n in file.dropped.items() if n}
    notes = {note for file in account.files for note, n in file.notes.items() if n}
    assert len(shop.aside()) == sum(quarantined.values())
    expected = {case.answer: case.n}
    assert quarantined == (expected if case.outcome == "quarantined" else {})
    assert dropped == (expected if case.outcome == "dropped" else {})
    assert [alarm.what for alarm in account.alarms] == (
        [case.answer] if case.outcome == "alarm" else []
    )
    assert len(account.skipped) == (1 if case.outcome == "skipped" else 0)
    if case.outcome in {"accepted", "normalised"} and case.answer:
        assert case.answer in notes


def test_the_table_in_the_docs_is_this_list() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"\| (.+?) \| (\w+) \| (?:`(\w+)`)? ?\|", line) for line in lines]
    told = [(m[1], m[2], m[3] or "") for m in found if m and m[1] != "case"]
    assert told == [(case.name, case.outcome, case.answer) for case in CASES.values()]
