"""The page: what it says, in two languages, that it escapes everything and asks for nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from training.tier_report.facts import TierReport, report_from
from training.tier_report.files import read_tier_report, write_tier_report
from training.tier_report.page import tier_page
from training.tier_report.words import WORDS

VOID = {"meta", "link", "br", "img"}


class Reader(HTMLParser):
    """Keeps tags, attributes and the text of a page, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_runs_nothing_asks_for_nothing_and_escapes_hostile_names(
    report: TierReport, lang: str
):
    page = tier_page(replace(report, source="<b>&"), lang)
    read = Reader(page)
    assert not read.tags & {"script", "img", "iframe", "object", "b1"}
    assert read.links == ["data:,"]
    assert "@import" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page
    if lang == "en":
        assert '"><script>alert(1)</script><img src=https://evil.example/x>&' in read.text


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        (
            "en",
            [
                "107 customers are placed by what they are expected to bring.",
                "2.0% of the customers, who brought 50% of the value",
                "learned from 60 customers of 15 December 2010",
                "test on the other 40, who had no part in it",
                "Gold above Regular: holds. Members brought £403 each on average, those below "
                "£20.00; were there no difference, a gap like it on the testing customers would "
                "come about with probability < 0.0001.",
                "Silver was merged into Regular: on the testing customers it is not certain that "
                "its members bring more than those below (p = 0.3).",
                "To look at: many customers lie exactly on a boundary",
                "79 stayed, 10 rose, 8 fell, and 13 came between.",
                "what customers did: 12 (67%)",
                "A dry run for 1 July 2011: 1 would rise and 1 would fall.",
                "the shop's (56 days)",
                "out by 20.0 points",
                "The season ahead has not been seen before",
                "Only 100 customers could be looked back on",
                "3 customers have too little data for a tier.",
                "This source has no reviews",
            ],
        ),
        (
            "zh",
            [
                "107 位客户按预期价值分级。钻石从 £12,345 起：占客户的 2.0%",
                "由 2010年12月15日 的 60 位客户学得",
                "黄金高于普通：成立。该级人均带来 £403，下一级 £20.00",
                "白银并入普通：在检验客户上，不能确定该级客户的价值高于下一级（p = 0.3）。",
                "请留意：许多客户恰好落在界线上",
                "79 未变，10 上升，8 下降，期间新增 13 位",
                "超 20.0 个百分点",
                "该数据源没有评价",
            ],
        ),
    ],
)
def test_what_the_page_says(report: TierReport, lang: str, sentences: list[str]):
    text = Reader(tier_page(report, lang)).text
    for sentence in sentences:
        assert sentence in text


def test_a_report_comes_back_from_its_file_as_it_was(report: TierReport, tmp_path: Path):
    write_tier_report(report, tmp_path)
    assert read_tier_report(tmp_path) == report
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiers.json", "tiers_en.html", "tiers_zh.html",
    ]  # fmt: skip
    assert report_from(json.loads((tmp_path / "tiers.json").read_text("utf-8"))) == report


def test_without_facts_the_command_says_what_to_run(tmp_path: Path):
    with pytest.raises(InputError, match="expected the facts that training left"):
        read_tier_report(tmp_path)
    (tmp_path / "tiers.json").write_text("{}")
    with pytest.raises(InputError, match=r"tiers\.json cannot be read \(KeyError"):
        read_tier_report(tmp_path)


def test_one_tier_nobody_moved_nothing_compared_is_said_in_words(report: TierReport):
    bare = replace(
        report,
        tiers=report.tiers[:1],
        certification=replace(report.certification, status="insufficient_data", reason="2 payers"),
        curve=replace(report.curve, boundaries=()),
        rivals=(),
        models=(),
        lifecycle={},
        risk=(),
        playbook=(),
        migration=None,
        next_moves=None,
    )
    text = Reader(tier_page(bare, "en")).text
    for sentence in (
        "all are in one tier",
        "There was too little to learn from: 2 payers.",
        "Too few customers are known at two dates",
        "No re-tier date has been tried",
        "too few testing customers who bought",
    ):
        assert sentence in text


def test_stars_and_sentiment_stand_in_the_table_where_there_are_reviews(report: TierReport):
    tiers = tuple(replace(one, stars=4.25, sentiment=0.81) for one in report.tiers)
    text = Reader(tier_page(replace(report, tiers=tiers), "en")).text
    assert "Stars" in text
    assert text.count("4.25") == text.count("0.81") == 3
    assert "no reviews" not in text
    starred = tuple(replace(one, stars=4.25) for one in report.tiers)
    text = Reader(tier_page(replace(report, tiers=starred), "en")).text
    assert "Review texts have not been scored" in text


@pytest.mark.parametrize("key", WORDS)
def test_every_sentence_takes_the_same_values_in_both_languages(key: str):
    english, chinese = (set(re.findall(r"{(\w+)}", words)) for words in WORDS[key])
    assert english == chinese


def test_the_same_report_gives_the_same_bytes(report: TierReport):
    assert tier_page(report, "zh") == tier_page(report, "zh")
