"""Eighty settings that are refused: exit code 78, the key named, two lines and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from features.__main__ import JOBS
from features.cli import exit_with

CONFIG = [  # key, what is written for it
    ("lang", '"fr"'),
    ("lang", "1"),
    ("langs", '"en"'),
    ("feature", "{}"),
    ("features", "3"),
    ("features.memory_limit_mb", "0"),
    ("features.memory_limit_mb", "nan"),
    ("features.thread", "2"),
    ("features.threads", "0"),
    ("features.threads", "65"),
    ("features.threads", "1.5"),
    ("features.ingestion.largest_file_mb", "0"),
    ("features.ingestion.most_rows", "-1"),
    ("features.ingestion.most_columns", '"many"'),
    ("features.ingestion.longest_cell", "99"),
    ("features.ingestion.parquet_memory_mb", "10"),
    ("features.ingestion.unit_slip_ratio", "1.0"),
    ("features.ingestion.unit_slip_ratio", "inf"),
    ("features.ingestion.largest_files_mb", "1"),
    ("training.horizon_days", "0"),
    ("training.horizon_days", "731"),
    ("training.horizon_days", '"half a year"'),
    ("training.seed", "-1"),
    ("training.n_cutoffs", "0"),
    ("training.n_cutoffs", "25"),
    ("training.cutoff_decay", "0"),
    ("training.cutoff_decay", "1.01"),
    ("training.n_folds", "1"),
    ("training.n_rounds", "0"),
    ("training.minimum_customers", "1"),
    ("training.window_days", "0"),
    ("training.tiers", '{ ids = ["one"] }'),
    ("training.tiers", "{ ids = [] }"),
    ("training.tiers", '{ ids = ["a", "a", "b", "c"] }'),
    ("training.tiers", f"{{ ids = {[f't{i}' for i in range(50)]} }}"),
    ("training.tiers", "{ shares = [0.5, 0.5] }"),
    ("training.tiers", "{ shares = [0.7, 0.2, 0.08, 0.03] }"),
    ("training.tiers.shares.1", "[0.7, 0.0, 0.2, 0.1]"),
    ("training.tiers.shares.0", "[nan, 0.2, 0.08, 0.02]"),
    ("training.tiers.ids.0", '["Über", "b", "c", "d"]'),
    ("serving.port", "0"),
    ("serving.port", "65536"),
    ("serving.workers", "0"),
    ("serving.max_batch", "0"),
    ("serving.max_body_bytes", "100"),
    ("serving.prot", "3000"),
    ("monitoring.minimum_rows", "0"),
    ("monitoring.psi_alarm", "0"),
    ("monitoring.psi_alarm", "nan"),
]
SOURCE = """
name = "shop"
currency = "CNY"
time_zone = "Asia/Shanghai"
data_complete_before = 2024-07-01

[[files]]
table = "order_lines"
paths = ["orders.csv"]
columns = { customer_id = "who", occurred_at = "when", amount = "paid" }
"""
SOURCES = [  # the key that must be named, what stands in the source, what it becomes
    ("name", 'name = "shop"', ""),
    ("name", '"shop"', '"../shop"'),
    ("name", '"shop"', '""'),
    ("currency", '"CNY"', '"RMB"'),
    ("currency", '"CNY"', '"cny"'),
    ("time_zone", "Asia/Shanghai", "Asia/Peking"),
    ("data_complete_before", "2024-07-01", '"soon"'),
    ("data_complete_before", "2024-07-01", "2024-07-01T12:00:00"),
    ("data_starts_on", "2024-07-01", "1960-01-01"),
    ("valeu", "[[files]]", 'valeu = "margin"\n[[files]]'),
    ("margin", "[[files]]", 'value = "margin"\n[[files]]'),
    ("value", "[[files]]", 'value = "profit"\n[[files]]'),
    ("rules.unlinked_returns", "[[files]]", '[rules]\nunlinked_returns = "drop"\n[[files]]'),
    ("rates.0.rate", "[[files]]", '[[rates]]\ncurrency = "USD"\nrate = 0\n[[files]]'),
    ("rates.0.rate", "[[files]]", '[[rates]]\ncurrency = "USD"\nrate = nan\n[[files]]'),
    ("rates", "[[files]]", '[[rates]]\ncurrency = "CNY"\nrate = 2\n[[files]]'),
    ("left_out.erased", "[[files]]", '[left_out]\nerased = "../../ids"\n[[files]]'),
    ("files", SOURCE[SOURCE.index("[[files]]") :], ""),
    ("files.0.table", '"order_lines"', '"orders"'),
    ("files.0.paths", '["orders.csv"]', "[]"),
    ("files.0.paths", "orders.csv", "../orders.csv"),
    ("files.0.paths", "orders.csv", "..\\\\orders.csv"),
    ("files.0.path", "paths =", "path ="),
    ("files.0.format", "paths =", 'format = "xlsx"\npaths ='),
    ("files.0.delimiter", "paths =", 'delimiter = "||"\npaths ='),
    ("files.0.encoding", "paths =", 'encoding = "utf-16"\npaths ='),
    ("files.0.times_in", "paths =", 'times_in = "Mars"\npaths ='),
    ("files.0.customer_id_pattern", "paths =", 'customer_id_pattern = "("\npaths ='),
    ("files.0.duplicates", "paths =", 'duplicates = "first"\npaths ='),
    ("thousands", "paths =", 'thousands = "."\npaths ='),
    ("audit_only", "paths =", 'audit_only = ["age"]\npaths ='),
    ("occured_at", "occurred_at =", "occured_at ="),
    ("amount", 'amount = "paid"', 'quantity = "n"'),
    ("files.lookup.columns", "[[files]]",
     '[[files]]\nlookup = [{ path = "a", key = "k", columns = ["x"] }, '
     '{ path = "b", key = "k", columns = ["x"] }]'),
    ("files.0.drop.0", "[[files]]", '[[files]]\ndrop = [{ rule = "x", column = "who" }]'),
]  # fmt: skip
BROKEN = [b"lang = ", b"\xff\xfe", b"a = 1\na = 2\n", b"[[[[", None]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="78"):
        exit_with(JOBS.run, arguments)
    told = capsys.readouterr().err
    assert "Traceback" not in told
    found, do = told.rstrip("\n").split("\n")
    assert found.startswith("error: ")
    assert do.startswith("  do: ")
    return found


def test_there_are_eighty() -> None:
    assert len(CONFIG) + len(SOURCES) + len(BROKEN) >= 80


@pytest.mark.parametrize(("key", "value"), CONFIG)
def test_a_bad_setting_is_refused_by_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    named = key.rstrip("0123456789").rstrip(".")
    path = tmp_path / "config.toml"
    path.write_text(f"{named} = {value}\n", encoding="utf-8")
    told = refused(["ingest", "--source", "datasets/example.toml", "--config", str(path)], capsys)
    assert key in told


@pytest.mark.parametrize(("key", "old", "new"), SOURCES)
def test_a_bad_source_is_refused_by_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, old: str, new: str
) -> None:
    assert old in SOURCE
    path = tmp_path / "shop.toml"
    path.write_text(SOURCE.replace(old, new, 1), encoding="utf-8")
    state = ["--state", str(tmp_path / "state")]
    assert key in refused(["ingest", "--source", str(path), *state], capsys)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("content", BROKEN)
def test_a_file_that_is_no_toml_is_refused_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    told = refused(["ingest", "--source", "datasets/example.toml", "--config", str(path)], capsys)
    assert str(path) in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("shares = [0.5, 0.2, 0.1, 0.1]", "shares 之和为 0.9；应为 1"),
        ("shares = [0.5, 0.5]", "shares 与 ids 的长度必须相同"),
        ('ids = ["a", "a", "b", "c"]', "ids 必须互不相同"),
        ("minimum_gaps = [1.0]", "minimum_gaps 有 1 个；应为空，或每条边界一个，共 3 个"),
        ("maximum_shares = [0.3, 0.3, 0.1, 0.1]", "maximum_shares 之和为 0.8；至少应为 1"),
        ("minimum_shares = [0.9, 0.3, 0.1, 0.05]", "minimum_shares 之和为 1.35；至多应为 1"),
        ("minimum_shares = [0, 0.4, 0, 0]", "silver 的 minimum_shares 为 0.4；至多应为 0.3"),
    ],
)
def test_a_scheme_that_cannot_be_is_refused_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'lang = "zh"\n[training.tiers]\n{line}\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="78"):
        exit_with(JOBS.run, ["ingest", "--source", "x", "--config", str(path)])
    found, do = capsys.readouterr().err.splitlines()
    assert found.startswith(f"错误：{path}：training.tiers：")
    assert found.endswith(told)
    assert do == f"  处理：请在 {path} 中修正 training.tiers"


def test_a_state_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.toml").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "state").write_text("a file")
    arguments = ["--source", str(tmp_path / "shop.toml"), "--state", str(tmp_path / "state")]
    assert "cannot be written" in refused(["ingest", *arguments], capsys)


def test_the_process_itself_ends_with_78(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('lang = "zh"\n[training]\nhorizon_days = 0\n', encoding="utf-8")
    command = [sys.executable, "-m", "features", "ingest", "--source", "x", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        f"错误：{path}：training.horizon_days 为 0；应不小于 7",
        f"  处理：请在 {path} 中修正 training.horizon_days",
    ]
