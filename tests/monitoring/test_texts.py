"""What customers write: an ordinary month says nothing, a turn of language or tone is found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.monitoring_scenarios import Scenario, play
from features.config import MonitoringSettings
from features.sentiment.periods import LENGTHS, PERIOD_DAYS, TextPeriod, read_text_periods
from features.sentiment.scores import Notes, scores_file, write_scores
from features.tables import REVIEWS, Tables
from monitoring.finding import Finding
from monitoring.ladder import Memory, Seen, decide_act
from monitoring.report.numbers import list_numbers
from monitoring.report.texts import read_review_sample, write_review_page
from monitoring.texts import FEWEST_REVIEWS, measure_texts
from monitoring.verdicts import verdict_to_json, write_gauges
from training.reference import Reference, reference_bytes, reference_from

CUTOFF = date(2024, 1, 1)
SETTINGS = MonitoringSettings()
WORDS = {"zh": "质量很好", "en": "the lamp works"}


def period(
    number: int,
    rng: np.random.Generator,
    n: int = 400,
    *,
    bad: float = 0.2,
    english: float = 0.25,
    longer: float = 1.0,
    before: date = CUTOFF,
) -> TextPeriod:
    """Four weeks of reviews drawn from shares, the `number`-th before a day."""
    last = before - timedelta(days=PERIOD_DAYS * number)
    counts = rng.multinomial(n, [bad, *[(1 - bad) / 9] * 9])
    n_english = rng.binomial(n, english)
    lengths = rng.lognormal(3.0, 0.6, n) * longer
    binned = np.bincount(np.searchsorted(LENGTHS, lengths, side="right"), minlength=14)
    return TextPeriod(
        last - timedelta(days=PERIOD_DAYS),
        last,
        n,
        n,
        0.6,
        tuple(counts / n),
        {"zh": 1 - n_english / n, "en": n_english / n},
        tuple(binned / n),
    )


def year(rng: np.random.Generator) -> list[TextPeriod]:
    return [period(number, rng, bad=0.2 + 0.02 * (number % 3)) for number in range(13)]


def kinds(current: TextPeriod, reference: list[TextPeriod]) -> set[str]:
    return {each.kind for each in measure_texts(current, reference, SETTINGS).findings}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, set()),
        ({"english": 0.35}, set()),
        ({"bad": 0.26}, set()),
        ({"english": 1.0}, {"text_languages"}),
        ({"bad": 0.7}, {"text_scores"}),
        ({"longer": 4.0}, {"text_lengths"}),
        ({"n": 4000}, {"text_volume"}),
        ({"n": 20}, {"text_volume"}),
        ({"n": 0}, {"text_volume"}),
    ],
)
def test_what_turns_is_found_and_what_wanders_is_not(change: dict[str, Any], found: set[str]):
    rng = np.random.default_rng(3)
    reference = year(rng)
    if change.get("n") == 0:
        assert kinds(TextPeriod(CUTOFF, CUTOFF + timedelta(days=28)), reference) == found
        return
    assert kinds(period(-1, rng, **change), reference) == found


def test_in_300_ordinary_months_at_most_one_finding():
    rng = np.random.default_rng(5)
    reference = year(rng)
    found = [kinds(period(-1, rng, int(rng.integers(200, 700))), reference) for _ in range(300)]
    assert sum(map(bool, found)) <= 1


@pytest.mark.parametrize(
    "reference",
    [[], [period(0, np.random.default_rng(0)), period(1, np.random.default_rng(1))]],
)
def test_too_little_before_the_release_says_nothing(reference: list[TextPeriod]):
    current = period(-1, np.random.default_rng(2), bad=0.9, english=1.0)
    assert measure_texts(current, reference, SETTINGS).findings == ()


@given(n=st.integers(0, FEWEST_REVIEWS - 1), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_few_reviews_never_speak_of_tone_or_language(n: int, seed: int):
    rng = np.random.default_rng(seed)
    reference = year(rng)
    few = period(-1, rng, n, bad=1.0, english=1.0) if n else TextPeriod(CUTOFF, CUTOFF)
    assert kinds(few, reference) <= {"text_volume"}


def test_a_human_is_asked_once_and_broken_data_comes_first():
    turned = Finding("text_languages", "reviews", 2.0, 0.3)
    first = decide_act(Seen(CUTOFF, (turned,)), Memory(), SETTINGS)
    again = decide_act(Seen(CUTOFF + timedelta(days=7), (turned,)), first.memory, SETTINGS)
    assert [(each.act, each.cause) for each in (first, again)] == [
        ("escalate", "text"),
        ("none", "text"),
    ]
    broken = Finding("half_day", "2024-01-01", 12.0, 18.0)
    assert decide_act(Seen(CUTOFF, (turned, broken)), Memory(), SETTINGS).cause == "data"


def test_a_verdict_tells_gauges_and_panels_the_same_numbers(tmp_path: Path):
    from dataclasses import replace

    rng = np.random.default_rng(7)
    texts = measure_texts(period(-1, rng, english=1.0), year(rng), SETTINGS)
    verdict = replace(play(Scenario("quiet", "none", {}), SETTINGS), texts=texts)
    told = verdict_to_json(verdict, "r" * 64, "d" * 64)
    gauges = write_gauges(told, tmp_path).read_text(encoding="utf-8")
    numbers = {each.name: each.value for each in list_numbers(told)}
    for shift in texts.shifts:
        assert f'text_psi{{about="{shift.name}"}} {shift.psi:.10g}' in gauges
        assert numbers[f"psi of reviews' {shift.name}"] == shift.psi
        assert numbers[f"limit of reviews' {shift.name}"] == shift.limit


def test_a_reference_with_reviews_comes_back_as_it_was():
    reference = Reference(CUTOFF, (), (), (), (), None, tuple(year(np.random.default_rng(1))))
    assert reference_from(reference_bytes(reference)) == reference


Write = Callable[[date], Tables]


@pytest.fixture
def reviewed(tmp_path: Path) -> Write:
    """A shop of 8 reviews a day; from a day on all of them are English and negative."""

    def write(turned: date) -> Tables:
        folder = tmp_path / "state" / "tables" / "shop"
        first, last = date(2023, 1, 1), date(2024, 3, 1)
        rng = np.random.default_rng(9)
        rows, scores = [], []
        for number in range(8 * (last - first).days):
            day = first + timedelta(days=number // 8)
            language = "en" if day >= turned or rng.uniform() < 0.25 else "zh"
            score = rng.beta(1, 8) if day >= turned else rng.beta(4, 2)
            names = {"review_id": f"R{number}", "customer_id": f"C{number % 50}"}
            when = datetime(day.year, day.month, day.day, tzinfo=UTC)
            text = f"{WORDS[language]} quokka{number}"
            dated = {"day": day, "known_day": day, "stars": None}
            rows.append({**names, **dated, "occurred_at": when, "text": text})
            scores.append({**names, **dated, "language": language, "score": round(score, 6)})
        part = folder / "reviews" / "part.parquet"
        part.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=REVIEWS), part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        tables = Tables(folder, "shop", "CNY", first, last, digest)
        columns = {name: [row[name] for row in scores] for name in scores[0]}
        notes = Notes(digest, "h", "default", len(rows))
        write_scores(scores_file(tables.state, "shop", None), columns, notes)
        return tables

    return write


def test_periods_count_what_was_known_in_them_and_no_more(reviewed: Write):
    periods = read_text_periods(reviewed(date(2024, 1, 15)), CUTOFF, CUTOFF)
    assert len(periods) == 13
    assert {each.n_reviews for each in periods} == {8 * PERIOD_DAYS}
    assert periods[0].before == CUTOFF
    assert all(0.1 < each.languages["en"] < 0.4 for each in periods)
    assert sum(periods[0].score_shares) == pytest.approx(1)


def test_reviews_that_turn_english_and_negative_are_found_in_the_tables(reviewed: Write):
    tables = reviewed(date(2024, 2, 1))
    reference = list(read_text_periods(tables, CUTOFF, CUTOFF))
    (calm,) = read_text_periods(tables, date(2024, 2, 1), CUTOFF, 1)
    (turned,) = read_text_periods(tables, date(2024, 3, 1), CUTOFF, 1)
    assert kinds(calm, reference) == set()
    assert kinds(turned, reference) == {"text_languages", "text_lengths", "text_scores"}


def test_without_scores_there_is_no_reference_of_reviews(reviewed: Write):
    tables = reviewed(CUTOFF)
    scores_file(tables.state, "shop", None).unlink()
    assert read_text_periods(tables, CUTOFF, CUTOFF) == ()
    assert read_review_sample(tables, date(2023, 12, 1), CUTOFF, CUTOFF).empty


@pytest.mark.slow
def test_the_page_of_reviews_draws_both_and_holds_no_word_of_them(reviewed: Write, tmp_path: Path):
    page = write_review_page(reviewed(date(2024, 2, 1)), CUTOFF, date(2024, 3, 1), tmp_path / "p")
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert "share_not_letters" in text
    assert "quokka" not in text
    assert "质量" not in text
