"""The data report: the same figures as the account, nothing live in it, nothing fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from features.__main__ import JOBS
from features.ingestion.overview import read_overview
from features.ingestion.report import render_report, report_path, write_report
from features.ingestion.report_words import WORDS
from features.tables import read_tables

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}",
    "&lt;b&gt;",
    "=cmd|' /C calc'!A0",
]
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "a", "dl", "div", "dt", "dd",
    "table", "thead", "tr", "th", "td", "svg", "text", "rect", "line",
}  # fmt: skip


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def dirty(shop):
    columns = {"customer_id": "who", "occurred_at": "date", "amount": "amount", "channel": "via"}
    shop.describe(columns=columns)
    rows = [
        f'9,2024-01-0{i + 1},"{p.replace(chr(34), chr(34) * 2)}",x' for i, p in enumerate(PAYLOADS)
    ]
    rows += [
        f'1,2024-01-0{i + 1},5,"{p.replace(chr(34), chr(34) * 2)}"' for i, p in enumerate(PAYLOADS)
    ]
    shop.put("orders <b>.csv", "who,date,amount,via\n" + "\n".join(rows) + "\n2,2024-03-01,-2,y\n")
    shop.ingest()
    return shop


@pytest.mark.parametrize("lang", WORDS)
def test_nothing_that_came_with_the_data_is_live(dirty, lang) -> None:
    page = Page(render_report(read_overview(read_tables(dirty.tables)), lang, "x.html"))
    assert page.tags <= ALLOWED
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert [value for name, value in page.attributes if name == "href"] == ["x.html"]
    text = " ".join(page.texts)
    for payload in PAYLOADS[:3]:
        assert payload in text


def test_the_page_fetches_nothing(dirty) -> None:
    page = write_report(read_tables(dirty.tables), dirty.state).read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_figures_are_those_of_the_account(dirty) -> None:
    overview = read_overview(read_tables(dirty.tables))
    assert overview.account["records"] == 15
    amount = next(c for c in overview.columns if c.name == "amount")
    assert (amount.rows, amount.nulls, amount.lowest, amount.highest) == (8, 0, "-2.0", "5.0")
    person = next(c for c in overview.columns if c.name == "customer_id")
    assert (person.distinct, person.lowest, person.highest) == (2, "", "")
    assert (overview.bucket, len(overview.buckets)) == ("week", 9)
    assert sum(b.lines for b in overview.buckets) == 8
    assert (sum(b.positive for b in overview.buckets), overview.buckets[-1].negative) == (35, 2)
    codes = {(one.code, one.row, one.column) for one in overview.examples}
    assert codes == {("not_a_number", row, "amount") for row in (2, 3, 4)}


def test_the_command_writes_it_in_the_language_of_the_settings(dirty, capsys) -> None:
    config = dirty.folder / "config.toml"
    config.write_text('lang = "zh"\n')
    arguments = ["--source", str(dirty.toml), "--state", str(dirty.state), "--config", str(config)]
    assert JOBS.run(["report", *arguments]) == 0
    path = report_path(dirty.state, "shop")
    assert capsys.readouterr().out.strip() == str(path)
    assert "数据报告：shop" in path.read_text(encoding="utf-8")


def test_every_word_is_there_in_both_languages() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])
