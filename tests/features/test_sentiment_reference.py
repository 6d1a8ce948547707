"""The reference of sentiment: whole, of plain values, and of no reviews too."""

from __future__ import annotations

import json

import pytest

from features.sentiment.reference import EDGES, sentiment_reference


def test_distribution_and_languages_are_told():
    assert sentiment_reference([0.0, 0.05, 0.1, 0.99, 1.0], ["zh", "zh", "pt", "en", "zh"]) == {
        "n": 5,
        "mean": pytest.approx(0.428),
        "edges": list(EDGES),
        "shares": [0.4, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4],
        "languages": {"zh": 0.6, "en": 0.2, "pt": 0.2},
    }


def test_no_reviews_make_an_empty_reference_that_is_json():
    told = sentiment_reference([], [])
    assert told == {
        "n": 0,
        "mean": None,
        "edges": list(EDGES),
        "shares": [0.0] * 10,
        "languages": {},
    }
    assert json.loads(json.dumps(told)) == told
