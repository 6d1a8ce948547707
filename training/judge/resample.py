"""How sure a figure is: bootstrap over customers, and permutation against chance. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from features.errors import InputError
from training.judge.evaluate import rankings_of
from training.judge.ranking import METRICS, FloatArray, IntArray, Metric, Ranking


@dataclass(frozen=True)
class Difference:
    """A paired difference a - b with its bootstrap error and 95 % interval."""

    value: float
    standard_error: float
    lower95: float
    upper95: float


@dataclass(frozen=True)
class Skill:
    """Whether a score ranks customers better than chance."""

    ngini: float
    p_value: float
    """Share of random orders that rank at least as well."""
    lower95: float
    """2.5 % quantile of the nGini over bootstrap draws of customers."""

    @property
    def has_skill(self) -> bool:
        """True if the order is better than chance (p < .05) and surely above it (lower95 > 0)."""
        return self.p_value < 0.05 and self.lower95 > 0


def paired_bootstrap(
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    metric: str = "ngini",
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Return metric(a) - metric(b) with its error, resampling customers, the same for both.

    Draws on which the metric is undefined are left out.

    Parameters
    ----------
    y, a, b : array_like
        Outcome and the two scores (values, or probabilities for auc_active, brier and ece).
    metric : str
        A name of ``METRICS``.
    draws, seed : int
        Number of resamples; seed of their generator.
    """
    of = _metric(metric)
    first, second = Ranking.of(y, a), Ranking.of(y, b)
    differences = np.array(
        [of(first, n) - of(second, n) for n in draw_counts(first.y.size, draws, seed)]
    )
    low, high = _interval(differences)
    return Difference(
        value=of(first, first.once) - of(second, second.once),
        standard_error=_deviation(differences),
        lower95=low,
        upper95=high,
    )


def bootstrap_standard_errors(
    y: ArrayLike,
    value: ArrayLike,
    p_active: ArrayLike | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Return the bootstrap standard error, over customers, of every metric of one model."""
    drawn = _drawn_metrics(y, value, p_active, draws, seed)
    return {name: _deviation(values) for name, values in drawn.items()}


def bootstrap_intervals(
    y: ArrayLike,
    value: ArrayLike,
    p_active: ArrayLike | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile interval, over customers, of every metric of one model."""
    drawn = _drawn_metrics(y, value, p_active, draws, seed)
    return {name: _interval(values) for name, values in drawn.items()}


def _drawn_metrics(
    y: ArrayLike, value: ArrayLike, p_active: ArrayLike | None, draws: int, seed: int
) -> dict[str, FloatArray]:
    """Return every metric on each resample of customers, by name (draws,)."""
    rankings = rankings_of(y, value, p_active)
    n = next(iter(rankings.values())).y.size
    drawn = np.array(
        [
            [METRICS[name](ranking, counts) for name, ranking in rankings.items()]
            for counts in draw_counts(n, draws, seed)
        ]
    )
    return {name: drawn[:, i] for i, name in enumerate(rankings)}


def permutation_skill(y: ArrayLike, value: ArrayLike, *, draws: int = 1000, seed: int = 0) -> Skill:
    """Test a ranking against chance: permuted outcomes, and the bootstrap bound of its nGini.

    A constant score, or outcomes of which no nGini exists, have p_value 1 and no skill.
    """
    ranking = Ranking.of(y, value)
    of = METRICS["ngini"]
    observed = of(ranking, ranking.once)
    if np.isnan(observed) or np.ptp(ranking.score) == 0:
        return Skill(observed, 1.0, float("nan"))
    # nGini is increasing in sum(y * ranks at or after), all else is the same for each permutation.
    n = ranking.y.size
    weight = np.arange(n, 0, -1, dtype=np.float64)
    reached = float((weight * ranking.y[ranking.best_first]).sum())
    rng = np.random.default_rng(seed)
    by_chance = sum(
        float((weight * rng.permutation(ranking.y)).sum()) >= reached for _ in range(draws)
    )
    drawn = np.array([of(ranking, counts) for counts in draw_counts(n, draws, seed)])
    return Skill(observed, (1 + by_chance) / (draws + 1), _interval(drawn)[0])


def draw_counts(n: int, draws: int, seed: int) -> Iterator[IntArray]:
    """Yield, for each bootstrap draw of n customers, how many times each was drawn."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(0, n, n), minlength=n)


def _metric(name: str) -> Metric:
    if name not in METRICS:
        raise InputError(
            f'there is no metric "{name}"; expected one of {", ".join(METRICS)}',
            "choose a metric of the list",
        )
    return METRICS[name]


def _interval(drawn: FloatArray) -> tuple[float, float]:
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _deviation(drawn: FloatArray) -> float:
    known = drawn[np.isfinite(drawn)]
    return float(np.std(known, ddof=1)) if known.size > 1 else float("nan")
