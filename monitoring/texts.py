"""Drift of what customers write: how much, in which language, how long, and in what tone. Pure.

The reviews of the last four weeks are held against the spans of four weeks before the release: all
of them together, the newest, and that of the same season a year before, whichever is nearest. A
limit is what such a shift may be at all, half of what the spans differed among themselves, and
three standard errors of the index, since reviews are few. So a turn of the language or of the tone
is seen, and an ordinary month is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.config import MonitoringSettings
from features.sentiment.periods import TextPeriod
from monitoring.drift import (
    MOST_WANDER,
    SAME_SEASON_WITHIN_DAYS,
    WANDER_PART,
    YEAR,
    stability_index,
)
from monitoring.finding import Finding, Kind
from monitoring.order_faults import widened_by_chance
from training.models.matrix import Array

FEWEST_REVIEWS = 100
"""In four weeks, below which nothing is said of them."""
FEWEST_PERIODS = 3
INDEX_ERRORS = 3.0
VOLUME_BEYOND = 2.0  # part by which a volume must leave the range of the spans before
KIND_OF: dict[str, Kind] = {
    "score": "text_scores",
    "language": "text_languages",
    "length": "text_lengths",
}


@dataclass(frozen=True)
class TextShift:
    """How far one thing about the reviews has moved.

    Attributes
    ----------
    name : str
        ``score``, ``language`` or ``length``.
    psi, limit : float
        Population stability index, and what it may not pass.
    """

    name: str
    psi: float
    limit: float


@dataclass(frozen=True)
class TextDrift:
    """The verdict on four weeks of reviews.

    Attributes
    ----------
    n_reviews : int
        With a text.
    mean_score : float or None
        Of P(positive).
    languages : dict of str to float
        Share of each.
    shifts : tuple of TextShift
        Empty where there are too few reviews.
    findings : tuple of Finding
        Beyond their limits.
    """

    n_reviews: int
    mean_score: float | None
    languages: dict[str, float]
    shifts: tuple[TextShift, ...] = ()
    findings: tuple[Finding, ...] = ()


def measure_texts(
    current: TextPeriod, reference: Sequence[TextPeriod], settings: MonitoringSettings
) -> TextDrift:
    """Hold the reviews of four weeks against those before the release.

    Parameters
    ----------
    current : TextPeriod
        Of the newest four weeks.
    reference : sequence of TextPeriod
        Frozen with the release, the newest first.
    settings : MonitoringSettings
        For the shift that is allowed.
    """
    known = [each for each in reference if each.n_reviews >= FEWEST_REVIEWS]
    told = TextDrift(current.n_reviews, current.mean_score, current.languages)
    if len(known) < FEWEST_PERIODS:
        return told
    findings = _volume(current, known)
    shifts = []
    for name in KIND_OF:
        n = current.n_reviews if name == "length" else current.n_scored
        counted = [each for each in known if name == "length" or each.n_scored >= FEWEST_REVIEWS]
        if n < FEWEST_REVIEWS or len(counted) < FEWEST_PERIODS:
            continue
        shift = _shift(name, current, n, counted, settings)
        shifts.append(shift)
        if shift.psi > shift.limit:
            findings.append(Finding(KIND_OF[name], "reviews", shift.psi, shift.limit))
    return TextDrift(
        told.n_reviews, told.mean_score, told.languages, tuple(shifts), tuple(findings)
    )


def _shift(
    name: str,
    current: TextPeriod,
    n: int,
    known: Sequence[TextPeriod],
    settings: MonitoringSettings,
) -> TextShift:
    spoken = sorted({each for period in (current, *known) for each in period.languages})
    rows = np.array([_shares(name, each, spoken) for each in known])
    sizes = np.array([each.n_reviews if name == "length" else each.n_scored for each in known])
    pooled: Array = sizes @ rows / sizes.sum()
    among = [
        stability_index(row, pooled, int(size), int(sizes.sum()))
        for row, size in zip(rows, sizes, strict=True)
    ]
    now = _shares(name, current, spoken)
    against = [(pooled, int(sizes.sum())), (rows[0], int(sizes[0]))]
    season = _same_season(current, known)
    if season is not None:
        against.append((rows[season], int(sizes[season])))
    psi = min(stability_index(now, shares, n, size) for shares, size in against)
    filled = int(np.count_nonzero((now > 0) | (pooled > 0)))
    error = float(np.sqrt(2 * max(filled - 1, 1)) * (1 / n + 1 / int(sizes.sum())))
    wander = min(WANDER_PART * max(among), MOST_WANDER)
    return TextShift(name, psi, settings.psi_alarm + wander + INDEX_ERRORS * error)


def _shares(name: str, period: TextPeriod, spoken: Sequence[str]) -> Array:
    if name == "language":
        return np.array([period.languages.get(each, 0.0) for each in spoken])
    return np.array(period.score_shares if name == "score" else period.length_shares)


def _same_season(current: TextPeriod, known: Sequence[TextPeriod]) -> int | None:
    away = [abs((current.before - YEAR - each.before).days) for each in known]
    place = int(np.argmin(away))
    return place if away[place] <= SAME_SEASON_WITHIN_DAYS else None


def _volume(current: TextPeriod, known: Sequence[TextPeriod]) -> list[Finding]:
    """Hold the number of reviews against the range before, widened by what chance does to it."""
    counts = [each.n_reviews for each in known]
    low = min(counts) / VOLUME_BEYOND / widened_by_chance(min(counts))
    high = max(counts) * VOLUME_BEYOND * widened_by_chance(max(counts))
    for limit, is_beyond in ((low, current.n_reviews < low), (high, current.n_reviews > high)):
        if is_beyond:
            return [Finding("text_volume", "reviews", current.n_reviews, limit)]
    return []
