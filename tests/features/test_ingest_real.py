"""The published and counted figures of data sets that nobody here made."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.ingestion.account import Account, total
from features.ingestion.ingest import ingest
from features.tables import read_tables


def run(name: str, real_data: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("TIERWISE_DATA", str(real_data.resolve()))
    account = ingest(Path("datasets") / f"{name}.toml", state)
    check_against_the_docs(name, account)
    return account


SOURCES = Path("docs/sources.md")


def check_against_the_docs(name: str, account: Account) -> None:
    """Hold the table of docs/sources.md to an account, file by file."""
    told = re.findall(
        rf"^\| {name} \| (\S+\.parquet) \| (\w+) \| (.+) \|$", SOURCES.read_text(), re.M
    )
    figures = {(file, table): re.sub(r"[ ,]", "", rest).split("|") for file, table, rest in told}
    assert figures == {
        (file.file, file.table): [
            str(file.records),
            str(file.accepted),
            str(sum(file.quarantined.values())),
            str(sum(file.dropped.values())),
        ]
        for file in account.files
    }
    notes = total(file.notes for file in account.files)
    columns = ("exact_duplicates", "linked_returns", "unlinked_returns")
    counted = " | ".join(f"{notes[column]:,}" for column in columns)
    assert f"| {name} | {counted} |" in SOURCES.read_text()


def table_of(name: str, state: Path, table: str = "order_lines") -> pd.DataFrame:
    parts = read_tables(state / "tables" / name).parts(table)
    whole = pa.concat_tables([pq.read_table(part) for part in parts])
    return whole.append_column("date", pc.cast(whole["day"], pa.timestamp("s"))).to_pandas()


def test_online_retail_ii_accounts_for_1044847_records_and_5042_customers_before_2011_06_13(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = run("online_retail_II", real_data, tmp_path, monkeypatch)
    (file,) = account.files
    assert (file.records, file.accepted, file.quarantined) == (1_044_847, 809_560, {})
    assert file.dropped == {"no_customer_id": 235_287}
    lines = table_of("online_retail_II", tmp_path)
    assert lines["customer_id"].nunique() == 5_942
    assert lines.loc[lines["date"] < "2011-06-13", "customer_id"].nunique() == 5_042
    assert int(lines["is_return"].sum()) == 18_446  # of the 19,165 with and without a customer
    raw = pq.read_table(
        real_data / "online_retail_II" / "online_retail_II.parquet",
        columns=["Customer ID", "Quantity", "Price", "InvoiceDate"],
    ).to_pandas()
    raw = raw[raw["Customer ID"].notna()]
    assert lines["amount"].tolist() == (raw["Quantity"] * raw["Price"]).tolist()
    assert lines["customer_id"].tolist() == raw["Customer ID"].astype(int).astype(str).tolist()
    assert (lines["date"].to_numpy() == raw["InvoiceDate"].dt.normalize().to_numpy()).all()


def test_cdnow_keeps_69659_rows_of_23570_customers_and_the_sample_6919_of_2357(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = run("cdnow", real_data, tmp_path, monkeypatch).files[0]
    assert (master.records, master.accepted, master.dropped) == (69_659, 69_659, {})
    lines = table_of("cdnow", tmp_path)
    assert lines.loc[lines["date"] < "1997-10-01", "customer_id"].nunique() == 23_570
    assert int((lines["amount"] == 0).sum()) == 80
    assert lines["customer_id"].iloc[0] == "00001"
    assert lines["order_id"].iloc[0] == "00001:1997-01-01"
    assert lines["hour"].isna().all()
    assert master.notes["exact_duplicates"] == 255
    sample = run("cdnow_sample", real_data, tmp_path, monkeypatch).files[0]
    assert (sample.records, sample.accepted) == (6_919, 6_919)
    assert table_of("cdnow_sample", tmp_path)["customer_id"].nunique() == 2_357


def test_olist_finds_the_person_behind_each_order(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, reviews = run("olist", real_data, tmp_path, monkeypatch).files
    assert (lines.records, lines.accepted, lines.dropped) == (8_365, 7_816, {"never_sold": 549})
    assert (reviews.records, reviews.accepted) == (8_225, 8_225)
    assert not sum(lines.unmatched.values()) + sum(reviews.unmatched.values())
    assert table_of("olist", tmp_path, "reviews")["text"].notna().sum() == 4_113 - 4  # blank


@pytest.mark.slow
def test_complete_journey_has_2447_customers_before_2017_10_03(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, people = run("complete_journey", real_data, tmp_path, monkeypatch).files
    assert (lines.records, lines.accepted, people.accepted) == (1_469_307, 1_469_307, 801)
    frame = table_of("complete_journey", tmp_path)
    assert frame.loc[frame["date"] < "2017-10-03", "customer_id"].nunique() == 2_447
    assert (lines.first_day, lines.last_day) == ("2017-01-01", "2017-12-31")
