"""The gate: what a challenger must show on a cohort that neither release had seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.judge.evaluate import evaluate_predictions, ngini
from training.judge.resample import paired_bootstrap
from training.models.matrix import Array

NGINI_MAY_FALL = 0.005
CAPTURE_MAY_FALL = 0.01
LEVEL_LOW, LEVEL_HIGH = 0.8, 1.25
MOST_MOVED = 0.10
TOO_GOOD = 2 / 3
"""Part of the nGini the champion leaves to the perfect order: who takes more than that knows what
nobody could, since most of the rest is chance; the answer leaked, until shown otherwise."""
DRAWS = 1000


@dataclass(frozen=True)
class Trial:
    """Champion and challenger on one matured cohort, in versions that had not seen it.

    Attributes
    ----------
    outcome : array (n,)
        Net value of the cohort, signed, currency.
    challenger, champion : array (n,)
        Expected value, currency.
    best_baseline : array (n,) or None
        What the best baseline says; None where the challenger is that baseline.
    """

    outcome: Array
    challenger: Array
    champion: Array
    best_baseline: Array | None = None


@dataclass(frozen=True)
class Papers:
    """What else the gate asks of a challenger.

    Attributes
    ----------
    is_sound : bool
        Whether it loads and reproduces its golden rows.
    is_certified : bool
        Whether every boundary between its tiers is certified.
    season_unseen : bool
        Whether the season it predicts lies in no matured cohort: a level outside the band is then
        explained.
    moved_share : float
        Of the customers, who would change their tier at once.
    gaps : tuple of str
        Groups whose gap is over its limit, as the fairness table words them.
    """

    is_sound: bool = True
    is_certified: bool = True
    season_unseen: bool = False
    moved_share: float = 0.0
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ruling:
    """Whether the challenger passes, and every reason.

    Attributes
    ----------
    passes : bool
        Only where nothing speaks against it.
    reasons : tuple of str
        What speaks against it; what speaks for it where nothing does.
    figures : dict of str to float
        What was measured.
    """

    passes: bool
    reasons: tuple[str, ...]
    figures: dict[str, float]


def judge_challenger(trial: Trial, papers: Papers, *, seed: int = 0, draws: int = DRAWS) -> Ruling:
    """Judge a challenger against the champion.

    Promoted is who surely does not fall behind (lower 95 % bounds of the paired bootstrap over
    customers: nGini by .005, capture of the top tenth by .01 at most), is surely ahead in one of
    the two, and has its papers in order.

    Parameters
    ----------
    trial : Trial
        The cohort.
    papers : Papers
        The rest.
    seed, draws : int
        Of the bootstrap.
    """
    if not papers.is_sound:
        return Ruling(False, ("it does not load, or not reproduce its golden rows",), {})
    if not np.isfinite(trial.challenger).all():
        return Ruling(False, ("it predicts values that are not finite",), {})
    if np.ptp(trial.challenger) == 0:
        return Ruling(False, ("it says the same of everybody",), {})
    figures = _measure(trial, seed, draws)
    against = [*_against_ranks(figures), *_against_level(figures, papers), *_against(papers)]
    told = (
        f"nGini {figures['ngini_difference']:+.4f} (at least {figures['ngini_lower95']:+.4f}), "
        f"capture {figures['capture_difference']:+.4f} "
        f"(at least {figures['capture_lower95']:+.4f}), level {figures['level_bias']:.2f}"
    )
    if against:
        return Ruling(False, (*against, told), figures)
    return Ruling(True, (told,), figures)


def _measure(trial: Trial, seed: int, draws: int) -> dict[str, float]:
    figures = {
        "level_bias": evaluate_predictions(trial.outcome, trial.challenger)["level_bias"],
        "ngini_left": 1.0 - ngini(trial.outcome, trial.champion),
    }
    for name, metric in (("ngini", "ngini"), ("capture", "capture_top10")):
        gap = paired_bootstrap(
            trial.outcome, trial.challenger, trial.champion, metric, draws=draws, seed=seed
        )
        figures[f"{name}_difference"], figures[f"{name}_lower95"] = gap.value, gap.lower95
    if trial.best_baseline is not None:
        gap = paired_bootstrap(
            trial.outcome, trial.challenger, trial.best_baseline, draws=draws, seed=seed
        )
        figures["ngini_less_baseline"] = gap.value
    return figures


def _against_ranks(figures: dict[str, float]) -> list[str]:
    reasons = []
    ranks, capture = figures["ngini_lower95"], figures["capture_lower95"]
    if not ranks >= -NGINI_MAY_FALL:
        reasons.append(f"its nGini may fall by more than {NGINI_MAY_FALL}")
    if not capture >= -CAPTURE_MAY_FALL:
        reasons.append(f"its capture may fall by more than {CAPTURE_MAY_FALL}")
    if not max(ranks, capture) > 0:
        reasons.append("it is not surely ahead in nGini or capture")
    if figures["ngini_difference"] > TOO_GOOD * figures["ngini_left"]:
        reasons.append(
            f"it takes more than {TOO_GOOD:.0%} of the nGini that the champion left to perfection "
            f"({figures['ngini_left']:.2f}), which looks like a leak"
        )
    if figures.get("ngini_less_baseline", 0.0) < 0:
        reasons.append("it is worse than the best baseline")
    return reasons


def _against_level(figures: dict[str, float], papers: Papers) -> list[str]:
    level = figures["level_bias"]
    if LEVEL_LOW <= level <= LEVEL_HIGH:
        return []
    told = f"its level is {level:.2f}; expected {LEVEL_LOW} to {LEVEL_HIGH}"
    far = not LEVEL_LOW / 2 <= level <= LEVEL_HIGH * 2
    return [] if papers.season_unseen and not far else [told]


def _against(papers: Papers) -> list[str]:
    reasons = [] if papers.is_certified else ["a boundary between its tiers is not certified"]
    if papers.moved_share > MOST_MOVED:
        reasons.append(
            f"{papers.moved_share:.0%} of the customers would move; expected at most {MOST_MOVED:.0%}"
        )
    return reasons + [f"a group's gap is over its limit: {gap}" for gap in papers.gaps]
