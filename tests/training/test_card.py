"""The model card: every fact of a run in words, in two languages, and its age told by the reader."""

from __future__ import annotations

import copy
import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from training.card import (
    as_html,
    as_markdown,
    build_facts,
    card_sections,
    knowledge_points,
    read_facts,
    write_cards,
)
from training.card.texts import TEXTS

TRAINED = date(2026, 1, 2)


@pytest.fixture(scope="module")
def facts(small_world: Any) -> dict[str, Any]:
    return build_facts(small_world.result, TRAINED, seed=0)


class Reader(HTMLParser):
    """What a page asks for from elsewhere, and which tags it opens and closes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [name for name, _ in attrs if name in ("src", "href", "action")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_texts_of_both_languages_name_the_same_facts():
    assert list(TEXTS["en"]) == list(TEXTS["zh"])
    for name, text in TEXTS["en"].items():
        assert {part.split("}")[0].split(":")[0] for part in text.split("{")[1:]} == {
            part.split("}")[0].split(":")[0] for part in TEXTS["zh"][name].split("{")[1:]
        }, name


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_card_of_a_real_run_tells_what_the_run_found(facts: dict[str, Any], lang: str):
    text = as_markdown(card_sections(facts, lang))
    assert text.startswith(f"# {TEXTS[lang]['title'].split('：')[0].split(':')[0]}")
    for told in (
        facts["release"][:12], facts["lineage"]["data"][:12], facts["lineage"]["code"][:12],
        facts["cutoff"], facts["backtest"]["cutoff"], facts["currency"], "2026-01-02",
        f"{facts['metrics']['ngini']['value']:.3f}", facts["backtest"]["best_baseline"],
        facts["level"]["rule"],
    ):  # fmt: skip
        assert told in text
    for tier in facts["tiers"]:
        assert tier["label"][lang] in text
    for group in facts["groups"]:
        assert f"{group['attribute']}: {group['group']}" in text
    assert "None" not in text
    assert "nan" not in text.split()
    assert "{" not in text


def test_every_metric_stands_with_its_bootstrap_interval(facts: dict[str, Any]):
    for name, of in facts["metrics"].items():
        assert of["low95"] < of["high95"], name
    assert facts["metrics"]["auc_active"]["high95"] < 1
    (figures,) = [s for s in card_sections(facts, "en").sections if s.title == "Figures"]
    value, low, high = (facts["metrics"]["ngini"][k] for k in ("value", "low95", "high95"))
    assert low < value < high
    interval = f"{low:.3f} ... {high:.3f}"
    assert figures.rows[1] == ("ngini", f"{value:.3f}", interval, TEXTS["en"]["metric_ngini"])


def test_the_age_is_told_by_the_reader(facts: dict[str, Any]):
    told = {**facts, "cutoff": "2025-12-01", "horizon_days": 180}
    unread = card_sections(told, "en").sections[0].paragraphs
    assert unread == ("Knows what was known before 2025-12-01; trained on 2026-01-02.",)
    read = card_sections(told, "en", date(2026, 1, 12)).sections[0].paragraphs
    assert read[1:] == (
        "Read on 2026-01-12: 10 days after training, 42 days after the last day it knows.",
    )
    old = card_sections(told, "en", date(2026, 6, 1)).sections[0].paragraphs
    assert old[-1].startswith("It is older than the 180 days it predicts")


def row(rung: str, n: int, n_active: int, ngini: float | None, p: float | None) -> dict[str, Any]:
    return {
        "rung": rung, "n_customers": n, "share": n / 1000, "n_active": n_active, "mean_value": 1.0,
        "mean_outcome": 1.0, "ngini": ngini, "p_value": p, "relative_width": None, "coverage": 0.9,
    }  # fmt: skip


def test_a_shop_of_one_time_buyers_says_how_little_it_knows():
    one, more = knowledge_points(
        {"rungs": [row("one_order", 970, 31, 0.03, 0.4), row("repeat", 30, 6, None, None)]}, "en"
    )
    assert one == (
        "one order: 970 customers (97.0%), of whom 3.2% came back (31). Among them the ranking is "
        "no better than chance (nGini 0.03): do not rely on it. They are nearly all customers, so "
        "this release knows little of nearly everybody."
    )
    assert more == (
        "two or more: 30 customers (3.0%), of whom 20.0% came back (6). Too few came back to say "
        "whether they are ranked better than chance."
    )


def test_a_shop_of_regulars_is_told_without_alarm():
    (told,) = knowledge_points({"rungs": [row("repeat", 990, 500, 0.6, 0.003)]}, "en")
    assert told.endswith("They are ranked better than chance (nGini 0.60).")


def test_what_a_release_does_not_have_is_told(facts: dict[str, Any]):
    bare = copy.deepcopy(facts)
    bare |= {
        "groups": [], "borderline_factors": [], "season_unseen": True, "is_learned": False,
        "model": "weighted_rfm", "learned_horizon_days": 60,
        "outlook": {"reason": "11 customers with a positive outcome", "held": {}},
    }  # fmt: skip
    text = as_markdown(card_sections(bare, "en"))
    assert "It tells no intervals and no tier probabilities: 11 customers" in text
    assert "No group is large enough" in text
    assert "season_unseen: the season" in text
    assert "the rule weighted_rfm is released" in text
    assert "learned at 60 days and carried on" in text


def test_breaches_are_told_word_for_word(facts: dict[str, Any]):
    unfair = {**facts, "breaches": ["region south | (1000 customers): told half"]}
    (groups,) = [s for s in card_sections(unfair, "en").sections if s.title == "Groups"]
    assert groups.points == tuple(unfair["breaches"])
    assert "- region south | (1000 customers): told half" in as_markdown(
        card_sections(unfair, "en")
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_is_whole_asks_for_nothing_and_escapes(facts: dict[str, Any], lang: str):
    hostile = {**facts, "source": "<script>alert(1)</script>"}
    page = as_html(card_sections(hostile, lang), lang)
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert (reader.asked, reader.open) == ([], [])
    assert "<script" not in page
    assert f'<html lang="{lang}">' in page
    assert page.count("<section>") == 9


def test_cards_are_written_and_their_facts_read_back(facts: dict[str, Any], tmp_path: Path):
    written = write_cards(facts, tmp_path)
    assert sorted(path.name for path in written) == [
        "card.json", "card_en.html", "card_en.md", "card_zh.html", "card_zh.md",
    ]  # fmt: skip
    assert read_facts(tmp_path) == json.loads(json.dumps(facts))
    before = (tmp_path / "card_en.md").read_text(encoding="utf-8")
    write_cards(read_facts(tmp_path), tmp_path, date(2030, 1, 1))
    after = (tmp_path / "card_en.md").read_text(encoding="utf-8")
    assert "Read on 2030-01-01" in after
    assert "Read on" not in before


def test_a_release_without_facts_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"no card\.json in .*; expected the report of a training"):
        read_facts(tmp_path)
    (tmp_path / "card.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not JSON"):
        read_facts(tmp_path)


# ---- what the run learned beside ---------------------------------------------------------------


def test_a_run_tells_how_its_intervals_held_one_cohort_later(small_world: Any):
    result = small_world.result
    figures = result.outlook.figures
    assert result.outlook.reason is None
    assert 0.8 < figures["interval_coverage"] < 0.98
    assert figures["tier_probability_ece"] < 0.1
    assert result.release.spread == result.outlook.spread
    assert result.release.lineage["outlook"]["held"] == figures
    assert len(result.release.borderline_factors) == len(result.release.tiers) - 1
    assert all(1.05 <= factor <= 2 for factor in result.release.borderline_factors)


def test_a_run_audits_the_shop_s_groups_and_finds_them_fair(small_world: Any):
    audited = {group.attribute for group in small_world.result.groups}
    assert "tenure" in audited
    assert small_world.result.release.lineage["fairness"]["breaches"] == []
    assert small_world.result.release.lineage["fairness"]["n_groups"] == len(
        small_world.result.groups
    )
