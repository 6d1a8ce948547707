"""What is said in English is said in Chinese too: errors, accounts, reasons."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.__main__ import JOBS
from features.cli import exit_with
from features.errors import ConfigError, InputError
from features.ingestion.account_text import account_text
from features.ingestion.outcomes import NOTES, REASONS, Code
from features.messages import LANGUAGES, read_messages

ROOMS = [*Path("features").rglob("*.py")]


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", read_messages())
def test_a_message_has_two_lines_and_the_same_values_in_each_language(key: str) -> None:
    message = read_messages()[key]
    assert tuple(message) == LANGUAGES
    assert {len(lines) for lines in message.values()} == {2}
    english, chinese = (set().union(*map(names_in, lines)) for lines in message.values())
    assert english == chinese
    assert not any("\n" in line for lines in message.values() for line in lines)
    assert not "".join(message["zh"]).isascii()


def test_every_message_is_used_and_every_used_one_exists() -> None:
    used = set()
    for path in ROOMS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "of" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    used.add(first.value)
    assert used == set(read_messages())


def test_every_code_and_every_note_has_a_meaning_in_each_language() -> None:
    assert set(REASONS) == set(Code) - {Code.ACCEPTED}
    for told in [*REASONS.values(), *NOTES.values()]:
        assert tuple(told) == LANGUAGES
        assert not told["zh"].isascii()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_error_is_told_in_the_language_of_the_settings(
    shop, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    config = shop.folder / "config.toml"
    config.write_text(f'lang = "{lang}"\n')
    path = shop.put("orders.csv", "who,date,amont\n1,2024-01-05,1\n")
    arguments = ["ingest", "--source", str(shop.toml), "--state", str(shop.state)]
    with pytest.raises(SystemExit, match="2"):
        exit_with(JOBS.run, [*arguments, "--config", str(config)])
    assert (
        capsys.readouterr().err
        == {
            "en": f'error: {path}: no column "amount"; did you mean "amont"?\n'
            "  do: mend columns in the source's TOML, or the file's header\n",
            "zh": f"错误：{path}：没有列“amount”；是否想写“amont”？\n"
            "  处理：请修正数据源 TOML 中的 columns，或文件的表头\n",
        }[lang]
    )


def test_an_account_and_its_reasons_in_chinese(shop) -> None:
    shop.put("orders.csv", "who,date,amount\n1,2024-01-05,1\nNA,2024-01-05,1\n")
    account = shop.ingest(lang="zh")
    assert account_text(account, "zh").splitlines() == [
        "文件        表           记录  接受  隔离  剔除",
        "orders.csv  order_lines     2     1     1     0",
        "隔离：suspicious_customer_id 1（客户编号疑似损坏（空值词、科学计数法、被舍入或过长的数字、"
        "控制字符），或不符合 customer_id_pattern）",
    ]
    (part,) = (shop.tables / "quarantine").glob("*.parquet")
    assert pq.read_table(part)["reason"].to_pylist() == [REASONS[Code.SUSPICIOUS_CUSTOMER_ID]["zh"]]


def test_an_error_without_chinese_words_is_told_in_english() -> None:
    error = InputError("found", "do")
    assert error.lines("zh") == ("found", "do")
    known = ConfigError.of("missing_key", path="a.toml", key="name")
    assert known.lines("zh") == ("a.toml：缺少 name；应给出一个值", "请在 a.toml 中补上 name")
    assert known.lines("en") == (known.found, known.do)
