"""Texts before a model sees them: cleaned, told apart by language, never a reason to stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sentiment.encoder import cut_batches
from features.sentiment.language import UNKNOWN, detect_language
from features.sentiment.text import LONGEST, clean_text, split_of, text_digest

NASTY = {
    "emoji": ("👍🏽👨‍👩‍👧‍👦❤️", "👍🏽👨‍👩‍👧‍👦❤️"),
    "html": ("<p class='x'>Good</p><br/>&lt;3 &amp; fast", "Good <3 & fast"),
    "empty": ("", ""),
    "nothing": (None, ""),
    "blank": (" \t\r\n\u3000", ""),
    "only markup": ("<br/><br/>", ""),
    "NUL": ("bad\0thing", "badthing"),
    "lone surrogate": ("half \ud83d emoji", "half emoji"),
    "full width": ("ＧＯＯＤ　１００％", "GOOD 100%"),
    "right to left": ("منتج رائع\u200f", "منتج رائع\u200f"),
    "less than": ("5 < 6 and 7 > 2", "5 < 6 and 7 > 2"),
}


@pytest.mark.parametrize(("raw", "cleaned"), NASTY.values(), ids=NASTY)
def test_a_text_is_cleaned(raw: str | None, cleaned: str):
    assert clean_text(raw) == cleaned


def test_a_text_of_100_kb_is_cut():
    assert clean_text("很好用 " * 30_000) == clean_text("很好用 " * 1_000)
    assert len(clean_text("a" * 100_000)) == LONGEST


@given(st.text(alphabet=st.characters(), max_size=200))
def test_cleaning_any_text_gives_one_that_can_be_written_and_stays_the_same(raw: str):
    cleaned = clean_text(raw)
    assert len(text_digest(cleaned)) == 32
    assert 0 <= split_of(cleaned) <= 9
    assert cleaned == cleaned.strip()
    assert "\0" not in cleaned
    assert detect_language(cleaned)


def test_texts_that_differ_in_markup_and_width_alone_are_scored_once():
    assert text_digest(clean_text("Ｇood <b>phone</b>")) == text_digest(clean_text("Good phone"))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("质量不错，下次还来", "zh"),
        ("とても良い商品です", "ja"),
        ("아주 좋아요", "ko"),
        ("Отличный товар", "ru"),
        ("منتج رائع جدا", "ar"),
        ("Produto chegou antes do prazo, recomendo", "pt"),
        ("the delivery was late", "en"),
        ("El producto llegó muy tarde y la caja rota", "es"),
        ("Le produit est arrivé cassé, je ne recommande pas", "fr"),
        ("Das Gerät ist sehr gut und die Lieferung war schnell", "de"),
        ("iPhone 手机很好用", "zh"),
        ("🙂🙂", UNKNOWN),
        ("12345", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_language_is_told_by_script_and_small_words(text: str, language: str):
    assert detect_language(text) == language


@given(st.lists(st.integers(1, 128), max_size=60), st.integers(64, 512))
def test_batches_hold_each_text_once_within_the_tokens(lengths: list[int], tokens: int):
    batches = list(cut_batches(lengths, tokens))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[i] for i in batch)
        assert padded <= tokens or len(batch) == 1
