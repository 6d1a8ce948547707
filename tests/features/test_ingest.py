from __future__ import annotations

import csv
import errno
import io
import json
import multiprocessing
import unicodedata
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.__main__ import JOBS
from features.durable import hold_lock, replace_folder
from features.errors import ConfigError, InputError, LockedError, TierwiseError
from features.ingestion import ingest as ingest_module
from features.ingestion.account import Account, FileAccount
from features.ingestion.account_text import account_text
from features.ingestion.ingest import ingest
from features.tables import ORDER_LINES, read_tables

TOML = """
name = "shop"
currency = "CNY"
time_zone = "Asia/Shanghai"
data_complete_before = 2024-07-01

[[files]]
table = "order_lines"
paths = ["*.{ending}"]
{more}

[files.columns]
customer_id = "{who}"
occurred_at = "date"
amount = "amount"
"""
CSV = "who,date,amount\n00123,2024-01-05,10\n123,2024-01-05 18:30,-2.5\n"


class World:
    """A folder with a source's TOML and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.toml = folder / "shop.toml"
        self.state = folder / "state"

    def ingest(
        self,
        content: str | bytes | None = CSV,
        more: str = "",
        ending: str = "csv",
        who: str = "who",
        tail: str = "",
    ) -> Account:
        text = TOML.format(more=more, ending=ending, who=who) + tail
        self.toml.write_text(text, encoding="utf-8")
        if content is not None:
            data = content.encode() if isinstance(content, str) else content
            (self.folder / f"orders.{ending}").write_bytes(data)
        return ingest(self.toml, self.state)

    def order_lines(self) -> pd.DataFrame:
        parts = read_tables(self.state / "tables" / "shop").parts("order_lines")
        return pa.concat_tables([pq.read_table(part) for part in parts]).to_pandas()

    def quarantine(self) -> list[tuple[object, ...]]:
        found = sorted((self.state / "tables" / "shop" / "quarantine").glob("*.parquet"))
        rows = [row for part in found for row in pq.read_table(part).to_pylist()]
        return [(row["file"], row["row"], row["code"], row["column"]) for row in rows]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# ---------------------------------------------------------------- what is kept


def test_the_tables_and_the_account_are_what_the_other_rooms_read(world: World) -> None:
    account = world.ingest(CSV + "NA,2024-01-05,1\n7,2024-07-01,1\n")
    tables = read_tables(world.state / "tables" / "shop")
    assert (tables.source, tables.currency) == ("shop", "CNY")
    assert (tables.history_start, tables.data_complete_before) == (
        date(2024, 1, 5),
        date(2024, 7, 1),
    )
    assert tables.digest == account.digest
    (part,) = tables.parts("order_lines")
    assert pq.read_schema(part).equals(ORDER_LINES)
    assert part.stem == account.files[0].sha256
    assert world.order_lines()["customer_id"].tolist() == ["00123", "123"]
    assert world.order_lines()["amount"].tolist() == [10.0, -2.5]
    assert world.quarantine() == [
        ("orders.csv", 4, "suspicious_customer_id", "who"),
        ("orders.csv", 5, "future_date", "date"),
    ]
    told = json.loads((tables.folder / "ingest.json").read_text(encoding="utf-8"))
    assert (told["records"], told["accepted"]) == (4, 2)
    assert told["quarantined"] == {"future_date": 1, "suspicious_customer_id": 1}
    assert "orders.csv  order_lines        4         2            2        0" in account_text(
        account
    )


def test_the_same_inputs_give_the_same_digest_and_bytes(world: World) -> None:
    first = world.ingest().digest
    told = (world.state / "tables" / "shop" / "ingest.json").read_bytes()
    assert world.ingest().digest == first
    assert (world.state / "tables" / "shop" / "ingest.json").read_bytes() == told
    assert world.ingest(CSV.replace("10", "11")).digest != first


def test_a_file_that_comes_twice_is_skipped_and_counted(world: World) -> None:
    (world.folder / "again.csv").write_text(CSV)
    account = world.ingest()
    assert [file.file for file in account.files] == ["again.csv"]
    assert [(f.file, f.same_as, f.records) for f in account.skipped] == [
        ("orders.csv", "again.csv", 2)
    ]
    assert len(world.order_lines()) == 2


def test_a_lookup_brings_the_person_behind_an_order(world: World) -> None:
    (world.folder / "people.txt").write_text("order,person\no1,007\no2,8\n")
    lookup = """
[[files.lookup]]
path = "people.txt"
key = "invoice"
file_key = "order"
columns = { who = "person" }
"""
    rows = (
        "invoice,date,amount\no1,2024-01-05,1\no2,2024-01-06,2\no1,2024-01-07,3\no9,2024-01-08,4\n"
    )
    account = world.ingest(rows, tail=lookup)
    assert world.order_lines()["customer_id"].tolist() == ["007", "8", "007"]
    assert account.files[0].unmatched == {"people.txt by invoice": 1}
    assert account.files[0].quarantined == {"missing_customer_id": 1}
    (world.folder / "people.txt").write_text("order,person\no1,007\no1,8\n")
    with pytest.raises(InputError, match=r'the key "order" is not unique \(o1 stands in 2 rows'):
        world.ingest(rows, tail=lookup)
    (world.folder / "people.txt").unlink()
    with pytest.raises(InputError, match=r"no such file: .*people\.txt; expected the look-up"):
        world.ingest(rows, tail=lookup)


def test_customers_reviews_and_interactions_have_their_own_tables(world: World) -> None:
    (world.folder / "people.txt").write_text(
        "who,since,city,firm,age\n1,2024-01-01,Paris,ACME,30\n1,2024-01-02,Rome,,31\n2,,,,\n"
    )
    (world.folder / "reviews.txt").write_text(
        "id,who,date,stars,text\nr1,1,2024-02-01,5,很好\nr2,1,2024-02-01,6,\nr3,1,2024-02-01,,\n"
    )
    (world.folder / "visits.txt").write_text("who,date\n1,2024-02-01 10:00\n")
    tail = """
[[files]]
table = "customers"
paths = ["people.txt"]
attributes = ["firm"]
audit_only = ["age"]
columns = { customer_id = "who", signed_up_at = "since", region = "city" }

[[files]]
table = "reviews"
paths = ["reviews.txt"]
columns = { customer_id = "who", occurred_at = "date", review_id = "id", stars = "stars", text = "text" }

[[files]]
table = "interactions"
paths = ["visits.txt"]
constants = { kind = "visit" }
columns = { customer_id = "who", occurred_at = "date" }
"""
    world.ingest(tail=tail)
    tables = read_tables(world.state / "tables" / "shop")
    customers = pq.read_table(tables.parts("customers")[0]).to_pylist()
    assert customers == [
        {
            "customer_id": "1",
            "signed_up_day": date(2024, 1, 1),
            "region": "Paris",
            "attributes": [("firm", "ACME")],
            "audit_only": [("age", "30")],
        },
        {
            "customer_id": "2",
            "signed_up_day": None,
            "region": None,
            "attributes": [("firm", "")],
            "audit_only": [("age", "")],
        },
    ]
    reviews = pq.read_table(tables.parts("reviews")[0]).to_pydict()
    assert (reviews["stars"], reviews["text"]) == ([5.0, None], ["很好", None])
    assert pq.read_table(tables.parts("interactions")[0])["kind"].to_pylist() == ["visit"]
    assert sorted(world.quarantine()) == [
        ("people.txt", 3, "duplicate_customer", "who"),
        ("reviews.txt", 3, "rating_out_of_range", "stars"),
    ]


# ---------------------------------------------------------------- how files are written


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (CSV.encode("utf-8-sig"), ""),
        (CSV.replace(",", ";").encode(), 'delimiter = ";"'),
        (CSV.replace("\n", "\r\n").encode(), ""),
        (CSV.replace("\n", "\n\n").encode(), ""),
        (CSV.rstrip("\n").encode(), ""),
        (CSV.split("\n", 1)[1].encode(), 'header = ["who", "date", "amount"]'),
        (b"amount,x,who,date\n10,y,00123,2024-01-05\n-2.5,,123,2024-01-05\n", ""),
        (CSV.replace("10", "1.000").replace("-2.5", '"-2,5"').replace(",1.000", ',"10,0"').encode(),
         'decimal = ","\nthousands = "."'),
    ],
    ids=["bom", "semicolon", "crlf", "blank lines", "no last newline", "no header", "reordered",
         "decimal comma"],
)  # fmt: skip
def test_ways_to_write_one_table(world: World, content: bytes, more: str) -> None:
    account = world.ingest(content, more)
    assert world.order_lines()[["customer_id", "amount"]].values.tolist() == [
        ["00123", 10.0],
        ["123", -2.5],
    ]
    assert account.files[0].records == 2


def test_tab_separated_and_parquet_files(world: World) -> None:
    world.ingest(CSV.replace(",", "\t"), 'format = "tsv"', ending="tsv")
    from_tsv = world.order_lines()
    table = pa.table(
        {
            "who": ["00123", "123"],
            "date": ["2024-01-05", "2024-01-05 18:30"],
            "amount": [10.0, -2.5],
        }
    )
    pq.write_table(table, world.folder / "orders.parquet")
    world.ingest(None, 'format = "parquet"', ending="parquet")
    pd.testing.assert_frame_equal(world.order_lines(), from_tsv)


def test_quoted_commas_quotes_and_line_breaks_stay_in_their_cell(world: World) -> None:
    world.ingest('who,date,amount\n"a ""b"",\nc",2024-01-05,1\nlate,2024-13-05,1\n8,2024-01-05,1\n')
    # A line break inside an id is a control character, so it is set aside, whole.
    assert world.quarantine() == [
        ("orders.csv", 2, "suspicious_customer_id", "who"),
        ("orders.csv", 3, "unparseable_date", "date"),
    ]
    text = 'who,date,amount,note\n7,2024-01-05,1,"a ""b"",\nc"\n'
    world.ingest(text)
    assert world.order_lines()["customer_id"].tolist() == ["7"]


def test_a_chinese_file_in_gb18030_with_chinese_headers(world: World) -> None:
    text = "客户,日期,金额\n张三,2024-01-05,１0\n李四,2024-01-06,20\n王五,2024-01-07,30\n"
    tail = '\n[[files.drop]]\nrule = "x"\ncolumn = "客户"\nequals = ["王五"]\n'
    toml = TOML.replace('"date"', '"日期"').replace('"amount"', '"金额"')
    world.toml.write_text(
        toml.format(more='encoding = "gb18030"', ending="csv", who="客户") + tail, "utf-8"
    )
    (world.folder / "orders.csv").write_bytes(text.encode("gb18030"))
    account = ingest(world.toml, world.state)
    assert world.order_lines()["customer_id"].tolist() == ["张三", "李四"]
    assert account.files[0].notes == {"full_width_numbers": 1}


def test_a_row_with_too_many_or_too_few_fields_shifts_nothing(world: World) -> None:
    world.ingest("who,date,amount\n1,2024-01-05,1,9\n2,2024-01-05,2\n3\n4,2024-01-05,4\n")
    assert world.order_lines()["customer_id"].tolist() == ["2", "4"]
    assert sorted(world.quarantine()) == [
        ("orders.csv", 2, "wrong_field_count", None),
        ("orders.csv", 4, "wrong_field_count", None),
    ]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"who,date,amount\n", r"no order line of shop was accepted \(the files are empty\)"),
        (b"who,date,amont\n1,2024-01-05,1\n", 'no column "amount"; did you mean "amont"'),
        (b"who,date,amount,date\n1,2024-01-05,1,2\n", 'two columns named "date"'),
        (b"who;date;amount\n1;2024-01-05;1\n", "looks parted by a semicolon"),
        (b"who\tdate\tamount\n1\t2024-01-05\t1\n", "looks parted by a tab"),
        (b'who,date,amount\n1,2024-01-05,1\n"2,2024-01-05,1\n3,2024-01-05,1\n', "quote is not clos"),
        (b"who,date,amount\n1,05/01/2024,1\n2,06/01/2024,1\n", "every row is undated.*05/01/2024"),
        (b"who,date,amount\n1,,1\n", "every row is undated"),
        (b"who,date,amount\n1\n2\n", "no row has the 3 fields of the header"),
        (CSV.encode("utf-16"), "is UTF-16 or binary"),
        (CSV.encode("utf-16-le"), "is UTF-16 or binary"),
        ("who,date,amount\n张三李四,2024-01-05,1\n".encode("gb18030"), 'encoding = "gb18030"'),
        ("who,date,amount\nMüller,2024-01-05,1\n".encode("cp1252"), 'encoding = "cp1252"'),
        (b"PAR1 and so on", "is Parquet; the TOML says csv"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused(world: World, content: bytes, match: str) -> None:
    with pytest.raises(InputError, match=f"(?s){match}"):
        world.ingest(content)
    assert not (world.state / "tables" / "shop").exists()


def test_other_files_that_are_refused(world: World) -> None:
    utf8 = CSV.replace("00123", "张三李四").encode()
    with pytest.raises(InputError, match="is UTF-8; the TOML says gb18030"):
        world.ingest(utf8, 'encoding = "gb18030"')
    with pytest.raises(InputError, match="is not Parquet; the TOML says parquet"):
        world.ingest(CSV, 'format = "parquet"')
    sink = io.BytesIO()
    pq.write_table(pa.table({"who": ["1"], "date": ["2024-01-05"], "amount": [1.0]}), sink)
    with pytest.raises(InputError, match="is truncated or damaged Parquet"):
        world.ingest(sink.getvalue()[:-20], 'format = "parquet"')
    nested = pa.table({"who": [["1"]], "date": ["2024-01-05"], "amount": [1.0]})
    pq.write_table(nested, world.folder / "orders.parquet")
    with pytest.raises(InputError, match='the column "who" is list'):
        world.ingest(None, 'format = "parquet"', ending="parquet")


def test_an_error_leaves_the_earlier_tables_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = world.ingest().digest
    with pytest.raises(InputError, match="is empty"):
        world.ingest("")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt("stop")

    monkeypatch.setattr(ingest_module, "find_misfits", interrupt)
    with pytest.raises(KeyboardInterrupt, match="stop"):
        world.ingest(CSV.replace("10", "11"))
    assert read_tables(world.state / "tables" / "shop").digest == digest
    assert sorted(path.name for path in (world.state / "tables").iterdir()) == [
        ".shop.lock",
        "shop",
    ]


def test_what_a_killed_swap_left_behind_is_mended(tmp_path: Path) -> None:
    old = tmp_path / ".shop.old"
    old.mkdir()
    (old / "kept").touch()
    (tmp_path / ".shop.new").mkdir()
    with pytest.raises(InputError, match="no"), replace_folder(tmp_path / "shop"):
        raise InputError("no", "yes")
    assert [path.name for path in tmp_path.rglob("*")] == ["shop", "kept"]


def _hold(path: Path, held: object, done: object) -> None:
    with hold_lock(path):
        held.set()  # type: ignore[attr-defined]
        done.wait(20)  # type: ignore[attr-defined]


def test_a_second_ingestion_at_the_same_time_is_refused(world: World) -> None:
    spawn = multiprocessing.get_context("fork")
    held, done = spawn.Event(), spawn.Event()
    lock = world.state / "tables" / ".shop.lock"
    other = spawn.Process(target=_hold, args=(lock, held, done))
    other.start()
    try:
        assert held.wait(20)
        with pytest.raises(LockedError, match="another run holds"):
            world.ingest()
    finally:
        done.set()
        other.join()


def test_records_that_vanish_are_an_error() -> None:
    lost = FileAccount("order_lines", "a.csv", "", 5, 3, {"not_a_number": 1}, {}, {}, {}, "", None, None)  # fmt: skip
    with pytest.raises(TierwiseError, match="5 records went in, 4 came out"):
        lost.check_conservation()


# ---------------------------------------------------------------- properties

ID = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6)


@given(st.lists(ID, min_size=1, max_size=8))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_ids_are_byte_identical_or_in_quarantine(world: World, ids: list[str]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([["who", "date", "amount"], *([one, "2024-01-05", "1"] for one in ids)])
    writer.writerow(["last", "2024-01-05", "1"])
    world.ingest(text.getvalue())
    aside = {row for _, row, code, _ in world.quarantine() if code == "suspicious_customer_id"}
    expected = [one for row, one in enumerate(ids, 2) if row not in aside]
    assert world.order_lines()["customer_id"].tolist() == [
        *(unicodedata.normalize("NFC", one) for one in expected),
        "last",
    ]


PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\x85",
    b"NA",
    b"1e5",
    b"\xef\xbb\xbf",
    b"\\",
]
EDIT = st.tuples(st.integers(0, 200), st.integers(0, 8), st.sampled_from([b"", *PIECES]))


@given(st.lists(EDIT, min_size=1, max_size=5))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_mutated_file_is_refused_or_accounted_for(
    world: World, edits: list[tuple[int, int, bytes]]
) -> None:
    data = (
        'who,date,amount\n00123,2024-01-05,10\n"a ""b""",2024-01-05 18:30,"-2.5"\r\n张三,,1\n' * 2
    )
    content = data.encode()
    for place, cut, piece in edits:
        content = content[:place] + piece + content[place + cut :]
    try:
        account = world.ingest(content)  # raises TierwiseError itself where a record is lost
    except InputError:
        return
    (file,) = account.files
    assert file.accepted == len(world.order_lines())
    assert sum(file.quarantined.values()) == len(world.quarantine())


# ---------------------------------------------------------------- the command


def test_the_command_prints_the_account(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    digest = world.ingest().digest
    assert JOBS.run(["ingest", "--source", str(world.toml), "--state", str(world.state)]) == 0
    assert f"digest: {digest}" in capsys.readouterr().out


def test_an_unknown_command_or_source_is_refused(world: World) -> None:
    with pytest.raises(InputError, match='no command injest; did you mean "ingest"'):
        JOBS.run(["injest"])
    with pytest.raises(ConfigError, match=r"no file .*nothing\.toml"):
        JOBS.run(["ingest", "--source", str(world.folder / "nothing.toml")])


def test_settings_are_printed_with_default_bounds_and_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert JOBS.run(["settings"]) == 0
    line = next(
        line for line in capsys.readouterr().out.splitlines() if "training.horizon_days" in line
    )
    assert line.split() == [
        "training.horizon_days", "180", ">=", "7,", "<=", "730", "days", "predicted",
    ]  # fmt: skip


def test_a_disk_that_fails_is_told_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = world.ingest().digest

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "part.parquet")

    monkeypatch.setattr(ingest_module, "write_durably", fail)
    with pytest.raises(InputError, match=r"part\.parquet: No space left on device"):
        world.ingest(CSV.replace("10", "11"))
    assert read_tables(world.state / "tables" / "shop").digest == digest
