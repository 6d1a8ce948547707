"""Held against realised value: boundaries chosen on expected value may not cost too much of it.

Boundaries that maximise the realised outcome explain no more of it out of sample, but move three
times as much from sample to sample. So those of the expected value are published, unless the
realised outcome says, beyond two standard errors, that they are worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.models.matrix import Array
from training.tiers.cells import Cells, IntArray
from training.tiers.programme import Programme

GUARD_STANDARD_ERRORS = 2.0
WEIGHTS_OF_SCORE = tuple(np.geomspace(1e3, 1e-3, 37).tolist())


@dataclass(frozen=True)
class Guarded:
    """The scheme that is published, and what of the realised outcome it leaves.

    Attributes
    ----------
    inner : int array
        Its positions.
    gain : tuple of array
        The objective that chose it, for each tier.
    weight_of_score, unit : float
        Of the expected value against the realised outcome, infinite for the first alone; and the
        factor that brings the one to the size of the other.
    loss, loss_standard_error : float
        How much more the best scheme on the realised outcome explains than the one of expected
        value, as a share of what it explains, and its standard error.
    """

    inner: IntArray
    gain: tuple[Array, ...]
    weight_of_score: float
    unit: float
    loss: float
    loss_standard_error: float


def paired_standard_error(cells: Cells, first: IntArray, second: IntArray) -> float:
    """Return the standard error of J_y(first) - J_y(second) over customers, in closed form.

    The influence of a customer with outcome y and tier means a and b under the two schemes is
    2 y (a - b) - (a^2 - b^2); the error is the root of its sum of squares about its mean.
    """
    a, b = _mean_of_cells(cells, first), _mean_of_cells(cells, second)
    slope, offset = 2 * (a - b), b * b - a * a
    n, total, squares = np.diff(cells.n), np.diff(cells.outcome), np.diff(cells.outcome_squares)
    influence = float((slope * total + offset * n).sum())
    squared = float((slope**2 * squares + 2 * slope * offset * total + offset**2 * n).sum())
    return float(np.sqrt(max(squared - influence**2 / cells.n_customers, 0.0)))


def _mean_of_cells(cells: Cells, inner: IntArray) -> Array:
    """Return for each cell the mean outcome of its tier, about the mean of all."""
    places = np.concatenate([[0], inner, [len(cells)]])
    mean = np.diff(cells.outcome[places]) / np.maximum(np.diff(cells.n[places]), 1)
    return np.repeat(mean, np.diff(places))


def guard(programme: Programme) -> Guarded | None:
    """Return the scheme of the expected value, or the nearest to it that the outcome accepts.

    None where no scheme keeps the limits.
    """
    by_score = programme.solve(programme.score_gain)
    by_outcome = programme.solve(programme.outcome_gain)
    if by_score is None or by_outcome is None:
        return None
    best = programme.outcome_between(by_outcome)

    def loss_of(inner: IntArray) -> tuple[float, float]:
        error = paired_standard_error(programme.cells, by_outcome, inner)
        return best - programme.outcome_between(inner), error

    loss, error = loss_of(by_score)
    told = loss / max(best, 1e-300), error / max(best, 1e-300)
    unit = _unit(programme, by_score, best)
    if loss <= GUARD_STANDARD_ERRORS * error:
        return Guarded(by_score, programme.score_gain, np.inf, unit, *told)
    for weight in WEIGHTS_OF_SCORE:
        gain = objective(programme, weight * unit)
        inner = programme.solve(gain)
        if inner is None:  # cannot be: the limits do not depend on the objective
            break
        loss, error = loss_of(inner)
        if loss <= GUARD_STANDARD_ERRORS * error:
            return Guarded(inner, gain, weight, unit, *told)
    return Guarded(by_outcome, programme.outcome_gain, 0.0, unit, *told)


def objective(programme: Programme, weight_of_score: float) -> tuple[Array, ...]:
    """Return what each tier explains: of the outcome, and so many times that of the score.

    Of the score alone for an infinite weight.
    """
    if np.isinf(weight_of_score):
        return programme.score_gain
    return tuple(
        weight_of_score * score + outcome
        for score, outcome in zip(programme.score_gain, programme.outcome_gain, strict=True)
    )


def _unit(programme: Programme, by_score: IntArray, best_outcome: float) -> float:
    """Return the factor that brings what the score explains to what the outcome explains."""
    explained = programme.score_between(by_score)
    return best_outcome / explained if explained > 0 else 1.0
