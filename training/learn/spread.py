"""Learn how outcomes spread around expected values, and hold the intervals against what came."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from training.models.matrix import Array
from training.spread import (
    COVERAGE,
    LEAST_P_ACTIVE,
    N_POINTS,
    RUNGS,
    IntArray,
    RungSpread,
    Spread,
)

N_STRATA = 3
LEAST_ACTIVE = 30  # in a stratum; fewer strata otherwise
CALIBRATION_BINS = 15


def learn_spread(
    rung: IntArray,
    expected_value: Array,
    p_active: Array,
    net_value: Array,
    coverage: float = COVERAGE,
) -> Spread:
    """Learn the spread on a cohort whose outcomes the model has not seen.

    The cohort's own level is divided out, since a level belongs to a season and the model corrects
    it. A rung on which fewer than 30 customers brought something is told as all customers
    together. Quantiles stand at k / (n + 1), so that what is promised holds for the next customer
    too (Vovk, Gammerman and Shafer, 2005).

    Parameters
    ----------
    rung : int array (n,)
        Positions in `RUNGS`.
    expected_value, p_active : array (n,)
        Of the model; currency, probability.
    net_value : array (n,)
        Signed realised net value, currency.
    coverage : float
        Wanted share of outcomes within.

    Raises
    ------
    InputError
        If fewer than 30 customers with a positive expected value brought something.
    """
    active = (net_value > 0) & (expected_value > 0)
    n_active = int(np.count_nonzero(active))
    if n_active < LEAST_ACTIVE:
        raise InputError(
            f"{n_active} customers with a positive outcome; expected at least {LEAST_ACTIVE} to "
            "learn intervals from",
            "learn from an earlier or a larger cohort",
        )
    value = expected_value[active]
    if_active = value / np.maximum(p_active[active], LEAST_P_ACTIVE)
    ratio = net_value[active] / if_active * (if_active.sum() / net_value[active].sum())
    is_repeat = rung[active] >= RUNGS.index("repeat")
    return Spread(_of_rung(~is_repeat, value, ratio), _of_rung(is_repeat, value, ratio), coverage)


def _of_rung(mine: NDArray[np.bool_], value: Array, ratio: Array) -> RungSpread:
    if np.count_nonzero(mine) < LEAST_ACTIVE:
        mine = np.ones(len(value), bool)
    value, ratio = value[mine], ratio[mine]
    n_strata = min(N_STRATA, len(value) // LEAST_ACTIVE)
    inner = np.linspace(0, 1, n_strata + 1)[1:-1]
    edges = np.unique(np.quantile(value, inner, method="higher")) if len(inner) else np.empty(0)
    edges = edges[edges > value.min()]
    stratum = np.searchsorted(edges, value, side="right")
    steps = np.linspace(0, 1, N_POINTS)
    members = [ratio[stratum == k] for k in range(len(edges) + 1)]
    return RungSpread(
        edges=tuple(edges.tolist()),
        ratios=tuple(
            tuple(np.quantile(each, steps, method="weibull").tolist()) for each in members
        ),
        n_active=tuple(len(each) for each in members),
    )


def covered_share(low: Array, high: Array, net_value: Array) -> float:
    """Return the share of outcomes, floored at 0, within their interval, ends included."""
    outcome = np.maximum(net_value, 0)
    return float(((outcome >= low) & (outcome <= high)).mean())


def figures_of_spread(
    spread: Spread, rung: IntArray, expected_value: Array, p_active: Array, net_value: Array
) -> Mapping[str, float]:
    """Return how a spread held on a cohort it was not learned from.

    Returns
    -------
    mapping of str to float
        ``interval_coverage``, over all; for each rung with customers, ``NAME_share`` of the
        customers, ``NAME_coverage``, ``NAME_active_share`` and ``NAME_relative_width``: the mean
        width of the intervals over the mean expected value.
    """
    low, high = spread.intervals(rung, expected_value, p_active)
    figures = {"interval_coverage": covered_share(low, high, net_value)}
    for k, name in enumerate(RUNGS):
        mine = rung == k
        if not mine.any():
            continue
        value = float(expected_value[mine].mean())
        figures |= {
            f"{name}_share": float(mine.mean()),
            f"{name}_coverage": covered_share(low[mine], high[mine], net_value[mine]),
            f"{name}_active_share": float((net_value[mine] > 0).mean()),
        }
        if value > 0:
            figures[f"{name}_relative_width"] = float((high - low)[mine].mean()) / value
    return figures


def calibration_error(probability: Array, happened: NDArray[np.bool_]) -> float:
    """Return the mean |share that happened - mean probability| over 15 groups of equal size.

    >>> calibration_error(np.array([0.0, 1.0]), np.array([False, True]))
    0.0
    """
    order = np.argsort(probability, kind="stable")
    error = 0.0
    for group in np.array_split(order, min(CALIBRATION_BINS, len(order))):
        error += abs(float(probability[group].sum()) - float(happened[group].sum()))
    return error / len(order)
