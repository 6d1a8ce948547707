"""Customers under contract at the door: what is accepted, what is set aside, and what refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.contract.ingest import QUARANTINE_FILE, ingest_contract
from features.contract.source import is_contract_source, read_contract_source
from features.contract.table import ContractTable, read_contract_table
from features.errors import ConfigError, InputError
from features.ingestion.source import read_source

TOML = """
kind = "contract"
name = "phones"
root = "."
[table]
path = "phones.csv"
customer_id = "id"
label = "left"
churned = ["Yes"]
stayed = ["No"]
numbers = ["months", "bill"]
categories = ["plan"]
audit_only = ["gender"]
missing = ["?"]
"""
CSV = """id,left,months,bill,plan,gender
007,Yes,1,29.85,month,F
003,No,34, ,year,M
003,No,34,9,year,M
004,maybe,2,1,year,M
005,No,two,1,year,F
,No,2,1,year,F
006,,5,7.5,?,F
"""


def write(folder: Path, toml: str = TOML, csv: str = CSV) -> Path:
    (folder / "phones.csv").write_text(csv, encoding="utf-8")
    path = folder / "phones.toml"
    path.write_text(toml, encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> ContractTable:
    ingest_contract(write(tmp_path), tmp_path / "state")
    return read_contract_table(tmp_path / "state" / "tables" / "phones")


def test_customers_come_in_order_with_numbers_categories_and_audit_columns(table: ContractTable):
    assert table.customer_ids == ("003", "006", "007")
    np.testing.assert_array_equal(table.label, [0.0, np.nan, 1.0])
    np.testing.assert_array_equal(table.is_labelled, [True, False, True])
    assert list(table.numbers.columns) == ["months", "bill"]
    np.testing.assert_array_equal(table.numbers, [[34, np.nan], [5, 7.5], [1, 29.85]])
    assert table.categories["plan"].tolist() == ["year", None, "month"]
    assert list(table.categories.columns) == ["plan"]
    assert table.audit_only["gender"].tolist() == ["M", "F", "F"]


def test_every_record_is_accepted_or_set_aside_with_its_reason(tmp_path: Path):
    account = ingest_contract(write(tmp_path), tmp_path / "state")
    aside = pq.read_table(tmp_path / "state" / "tables" / "phones" / QUARANTINE_FILE).to_pylist()
    assert [(row["row"], row["code"], row["column"]) for row in aside] == [
        (4, "duplicate_customer", "id"),
        (5, "unknown_label", "left"),
        (6, "not_a_number", "months"),
        (7, "missing_customer_id", "id"),
    ]
    assert (account.records, account.accepted) == (7, 3)
    assert (account.n_labelled, account.n_churned) == (2, 1)
    assert account.missing == {"months": 0, "bill": 1, "plan": 1, "gender": 0}
    told = json.loads((tmp_path / "state" / "tables" / "phones" / "ingest.json").read_text())
    assert told["digest"] == account.digest


def test_the_same_file_gives_the_same_digest_elsewhere(tmp_path: Path):
    digests = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        digests.add(ingest_contract(write(folder), folder / "state").digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('numbers = ["months", "bill"]', 'numbers = ["months", "plan"]', "plan is named twice"),
        ('stayed = ["No"]', 'stayed = ["No", "Yes"]', '"Yes" is named under churned and stayed'),
        ('path = "phones.csv"', 'path = "../phones.csv"', "leaves the root"),
        ('label = "left"', 'lable = "left"', 'table.lable; did you mean "label"'),
        ('name = "phones"', 'name = "phones"\ncurrency = "EUR"', "unknown key currency"),
    ],
)
def test_a_wrong_toml_names_what_is_wrong(tmp_path: Path, old: str, new: str, message: str):
    path = write(tmp_path, TOML.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_contract_source(path)


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("id,left,months,bill,plan\n1,Yes,1,1,a\n", 'no column "gender"'),
        ("id,left,months,bill,plan,gender\n1,1,1,1,a,F\n", "none of its 1 rows can be used"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, csv: str, message: str):
    with pytest.raises(InputError, match=message):
        ingest_contract(write(tmp_path, csv=csv), tmp_path / "state")


def test_without_an_ingestion_the_error_names_the_command(tmp_path: Path):
    with pytest.raises(InputError, match=r"features ingest --source datasets/phones\.toml"):
        read_contract_table(tmp_path / "phones")


def test_both_kinds_of_sources_are_told_apart(tmp_path: Path):
    path = write(tmp_path)
    assert is_contract_source(path)
    assert not is_contract_source(Path("datasets/example.toml"))
    with pytest.raises(InputError, match="tells of customers under contract"):
        read_source(path)


@pytest.mark.parametrize(
    ("name", "n", "n_churned", "missing"),
    [("telco_churn", 7043, 1869, {"TotalCharges": 11}), ("ecommerce_churn", 5630, 948, None)],
)
def test_real_tables_as_published(
    real_data: Path, tmp_path: Path, name: str, n: int, n_churned: int, missing: Any
):
    account = ingest_contract(Path("datasets") / f"{name}.toml", tmp_path)
    assert (account.records, account.accepted, account.n_churned) == (n, n, n_churned)
    if missing:
        assert {k: v for k, v in account.missing.items() if v} == missing
    else:
        assert sum(account.missing.values()) == 1856
