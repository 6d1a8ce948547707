from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from features.contract.source import is_contract_source, read_contract_source
from features.errors import ConfigError, InputError
from features.ingestion.locate import resolve_paths, resolve_root
from features.ingestion.source import read_source

DATASETS = Path("datasets")
MINIMAL = """
name = "shop"
currency = "CNY"
time_zone = "Asia/Shanghai"
data_complete_before = 2024-07-01

[[files]]
table = "order_lines"
paths = ["orders.csv"]
columns = { customer_id = "who", occurred_at = "when", amount = "paid" }
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_minimal_source_has_the_defaults_of_plain_csv(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, MINIMAL))
    files = source.files[0]
    assert (source.name, source.currency, source.value) == ("shop", "CNY", "amount")
    assert source.data_complete_before == date(2024, 7, 1)
    assert (files.format, files.separator, files.encoding) == ("csv", ",", "utf-8")
    assert (files.date_format, files.decimal, files.returns) == ("iso", ".", None)
    assert files.needed_columns() == ["who", "when", "paid"]


@pytest.mark.parametrize(
    "path", sorted(path for path in DATASETS.glob("*.toml")), ids=lambda path: path.stem
)
def test_every_source_in_datasets_is_valid_and_named_like_its_file(path: Path) -> None:
    read = read_contract_source if is_contract_source(path) else read_source
    assert read(path).name == path.stem


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"CNY"', '"RMB"', r"currency is 'RMB'; no ISO 4217 code \(RMB is CNY\)"),
        ("Asia/Shanghai", "Asia/Peking", "time_zone is 'Asia/Peking'; no IANA time zone"),
        ("2024-07-01", "1960-01-01", "data_starts_on must lie before data_complete_before"),
        ('table = "order_lines"', 'table = "customers"', "no canonical column"),
        ("occurred_at =", "occured_at =", 'did you mean "occurred_at"'),
        ('amount = "paid"', 'quantity = "n"', "amount, or quantity and unit_price"),
        ("orders.csv", "../orders.csv", "leaves the root"),
        ("orders.csv", "/orders.csv", "leaves the root"),
        ("paths =", "path =", 'unknown key files.0.path; did you mean "paths"'),
        ("paths =", 'delimiter = "||"\npaths =', "files.0.delimiter is '||'"),
        ("paths =", 'encoding = "utf-16"\npaths =', "files.0.encoding is 'utf-16'"),
        ("paths =", 'times_in = "Mars"\npaths =', "files.0.times_in is 'Mars'; no IANA"),
        ("paths =", 'thousands = "."\npaths =', "decimal and thousands must differ"),
        ("paths =", 'audit_only = ["age"]\npaths =', "belong to the table customers"),
        ("paths =", 'constants = { amount = "1" }\npaths =', "cannot be a constant"),
        ("paths =", 'customer_id_pattern = "("\npaths =', "not a regular expression"),
        ('name = "shop"', "", "name is missing"),
    ],
)
def test_a_wrong_key_is_refused_by_name(tmp_path: Path, old: str, new: str, match: str) -> None:
    assert old in MINIMAL
    with pytest.raises(ConfigError, match=match):
        read_source(write(tmp_path, MINIMAL.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ('[[files.drop]]\nrule = "x"\ncolumn = "who"', "exactly one of blank, equals"),
        ('[[files.drop]]\nrule = "x"\ncolumn = "who"\nblank = true\nprefix = "A"', "exactly one"),
        ("[files.returns]\nunsigned = true", "one of order_id_prefix"),
        ('[files.returns]\ncolumn = "kind"', "column and equals belong together"),
        ('[[files.lookup]]\npath = "p"\nkey = "k"\ncolumns = []', "at least 1 item"),
    ],
)
def test_a_wrong_rule_is_refused(tmp_path: Path, table: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        read_source(write(tmp_path, f"{MINIMAL}\n{table}\n"))


def test_two_lookups_may_not_bring_one_name(tmp_path: Path) -> None:
    lookup = '\n[[files.lookup]]\npath = "p"\nkey = "k"\ncolumns = ["a"]\n'
    with pytest.raises(ConfigError, match="two look-ups bring a column a"):
        read_source(write(tmp_path, MINIMAL + lookup + lookup))


def test_columns_that_lookups_bring_are_not_sought_in_the_file(tmp_path: Path) -> None:
    lookups = """
[[files.lookup]]
path = "orders"
key = "order"
columns = { who = "customer" }

[[files.lookup]]
path = "people"
key = "who"
columns = ["age"]
"""
    files = read_source(write(tmp_path, MINIMAL + lookups)).files[0]
    assert files.needed_columns() == ["when", "paid", "order"]


def test_the_root_follows_the_variable_and_falls_back_to_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, 'root = "${TIERWISE_DATA}/shop"' + MINIMAL)
    source = read_source(path)
    (tmp_path / "elsewhere" / "shop").mkdir(parents=True)
    (tmp_path / "data" / "shop").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve_root(source, path, {"TIERWISE_DATA": "elsewhere"}) == Path("elsewhere/shop")
    assert resolve_root(source, path, {}) == Path("data/shop")
    with pytest.raises(InputError, match=r"no folder nowhere/shop;.*\nset TIERWISE_DATA"):
        resolve_root(source, path, {"TIERWISE_DATA": "nowhere"})
    (tmp_path / "data" / "shop").rmdir()
    with pytest.raises(InputError, match=r"no folder data/shop \(TIERWISE_DATA is not set\)"):
        resolve_root(source, path, {})


def test_a_plain_root_begins_at_the_folder_of_the_toml(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    (tmp_path / "b.csv").touch()
    (tmp_path / "a.csv").touch()
    root = resolve_root(read_source(path), path, {})
    files = read_source(path).files[0].model_copy(update={"paths": ("*.csv", "a.csv")})
    assert resolve_paths(files, root) == [tmp_path / "a.csv", tmp_path / "b.csv"]
    with pytest.raises(InputError, match=r"no such file: .*orders\.csv"):
        resolve_paths(read_source(path).files[0], root)


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").touch()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.csv").symlink_to(tmp_path / "secret.csv")
    files = read_source(write(tmp_path, MINIMAL)).files[0]
    with pytest.raises(InputError, match="leads out of"):
        resolve_paths(files, tmp_path / "shop")
