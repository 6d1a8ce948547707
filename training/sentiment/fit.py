"""Fit what a head is made of: lines through vectors, words, and a calibrated voice a language.

Every function takes texts, vectors and verdicts as arrays and returns plain numbers; nothing here
reads a file or asks which shop it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.sentiment.encoder import Vectors
from features.sentiment.head import (
    ANY_LANGUAGE,
    Array,
    Line,
    Voice,
    Words,
    count_letters,
    to_probability,
    weigh,
)

Verdicts = NDArray[np.bool_]

LINE_SPREAD = 0.003
"""Inverse strength (C) of the line's regularisation, on vectors scaled to unit spread."""
WORDS_SPREAD, CONTRAST_SPREAD = 4.0, 20.0
EVEN_SHARE = 0.3
"""Weight of a sequence that says nothing, beside |log odds| of one that does."""
FEWEST_TEXTS = 2
"""Texts that a sequence must stand in; rarer ones would fill a text's length and say nothing."""
CONSTANT, WORDS, FROZEN, TUNED_NAME = "constant", "tfidf", "frozen", "fine_tuned"
CONTRAST = "tfidf_contrast"
FEWEST_TO_CALIBRATE = 60
"""Verdicts of a language, a sixth of them of the rarer kind, to give it a voice of its own."""
FEWEST_OF_A_KIND = 10
FLATTEST, STEEPEST = 0.05, 20.0
SMALLEST_SHARE = 1e-3
FLAT_MARGIN = 5e-4
"""A mix must beat a smaller one by so much log-loss to be taken."""


def fit_line(vectors: Vectors, positive: Verdicts, model: str, spread: float = LINE_SPREAD) -> Line:
    """Fit a logistic regression on scaled vectors and fold the scaling into the weights."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 0, scale, 1.0)
    fitted = LogisticRegression(C=spread, max_iter=2000).fit((vectors - mean) / scale, positive)
    weights: Array = fitted.coef_[0] / scale
    return Line(model, weights, float(fitted.intercept_[0] - weights @ mean))


def fit_words(texts: Sequence[str], positive: Verdicts) -> dict[str, Words]:
    """Fit TF-IDF of hashed letter sequences with a logistic regression, in two ways.

    Returns
    -------
    dict of str to Words
        ``tfidf``; and ``tfidf_contrast``, where a sequence also counts by how unevenly it stands in
        texts of either kind (the log-count ratio of Wang and Manning 2012). The second is better
        where tens of thousands of texts teach, the first where few do or nearly all are of one kind.
    """
    counts = count_letters(texts)
    n_buckets = counts.shape[1]
    n_good = np.bincount(counts[positive].indices, minlength=n_buckets)
    n_bad = np.bincount(counts[~positive].indices, minlength=n_buckets)
    n_with = n_good + n_bad
    rarity = np.log((1 + len(texts)) / (1 + n_with)) + 1
    odds = (1 + n_good) / (n_buckets + n_good.sum()) * (n_buckets + n_bad.sum()) / (1 + n_bad)
    rarity = np.where(n_with < FEWEST_TEXTS, 0, rarity)
    contrast = rarity * (EVEN_SHARE + np.abs(np.log(odds)))
    return {
        WORDS: _fit_weighed(counts, rarity, positive, WORDS_SPREAD),
        CONTRAST: _fit_weighed(counts, contrast, positive, CONTRAST_SPREAD),
    }


def _fit_weighed(counts: Any, rarity: Array, positive: Verdicts, spread: float) -> Words:
    from sklearn.linear_model import LogisticRegression

    small = rarity.astype(np.float32)
    fitted = LogisticRegression(C=spread, max_iter=300, tol=1e-4).fit(
        weigh(counts, small), positive
    )
    return Words(small, fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0]))


def has_both(positive: Verdicts, fewest: int = FEWEST_OF_A_KIND) -> bool:
    """Tell whether there are so many verdicts of either kind."""
    return min(int(positive.sum()), int((~positive).sum())) >= fewest


def fit_voice(members: tuple[str, ...], logits: Array, positive: Verdicts) -> Voice:
    """Fit slope and intercept that turn logits into probabilities (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=100.0).fit(logits[:, None], positive)
    slope = float(np.clip(fitted.coef_[0, 0], FLATTEST, STEEPEST))
    return Voice(members, slope, float(fitted.intercept_[0]))


def choose_voices(
    logits: Mapping[str, Array], languages: Sequence[str], positive: Verdicts
) -> dict[str, Voice]:
    """Choose for each language the members whose mean logit speaks for it, on validation texts.

    Parameters
    ----------
    logits : mapping of str to array (n,)
        Each member's logits of the validation texts.
    languages : sequence of str
        Of each text.
    positive : array of bool (n,)
        Verdicts.

    Returns
    -------
    dict of str to Voice
        One for each language with enough verdicts, and one for all others.
    """
    told = np.array(languages, dtype=object)
    everything = np.ones(len(told), dtype=bool)
    voices = {ANY_LANGUAGE: _best_voice(logits, everything, positive)}
    for language in dict.fromkeys(languages):
        rows = told == language
        if rows.sum() >= FEWEST_TO_CALIBRATE and has_both(positive[rows]):
            voices[language] = _best_voice(logits, rows, positive)
    return voices


def _best_voice(logits: Mapping[str, Array], rows: Verdicts, positive: Verdicts) -> Voice:
    """Return the voice with the least log-loss on its texts, of the fewest members if near it."""
    best, least = None, np.inf
    for size in range(1, len(logits) + 1):
        for members in combinations(logits, size):
            mean = np.mean([logits[name][rows] for name in members], axis=0)
            voice = fit_voice(members, mean, positive[rows])
            loss = log_loss(to_probability(voice.slope * mean + voice.intercept), positive[rows])
            if loss < least - (FLAT_MARGIN if best is not None else 0.0):
                best, least = voice, loss
    if best is None:
        raise ValueError("no member to choose from")
    return best


def log_loss(probability: Array, positive: Verdicts) -> float:
    """Return the mean logarithmic loss of probabilities."""
    told = np.clip(np.where(positive, probability, 1 - probability), SMALLEST_SHARE**2, 1)
    return float(-np.log(told).mean())


def measure_scores(probability: Array, positive: Verdicts) -> dict[str, float]:
    """Return accuracy, macro-F1, AUC and Brier of P(positive), and the four cells.

    AUC is .5 where there are verdicts of one kind only.
    """
    from sklearn.metrics import f1_score, roc_auc_score

    verdict = probability >= 0.5
    one_kind = positive.all() or not positive.any()
    return {
        "accuracy": float((verdict == positive).mean()),
        "macro_f1": float(f1_score(positive, verdict, average="macro", zero_division=0.0)),
        "auc": 0.5 if one_kind else float(roc_auc_score(positive, probability)),
        "brier": float(((probability - positive) ** 2).mean()),
        "true_positive": float((verdict & positive).sum()),
        "false_positive": float((verdict & ~positive).sum()),
        "false_negative": float((~verdict & positive).sum()),
        "true_negative": float((~verdict & ~positive).sum()),
    }
