"""Likelihoods of the buy-till-you-die models with exact gradients, and the way to their maximum.

BG/NBD: Fader, Hardie, Lee (2005), equation 6; MBG/NBD: Batislam, Denizel, Filiztekin (2007);
Gamma-Gamma: Fader, Hardie (2013), equation 3. Time in weeks. ``training.models.btyd`` is the way in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln, xlogy

from features.errors import InputError

FloatArray = NDArray[np.float64]
Objective = Callable[[FloatArray], tuple[float, FloatArray]]
"""Logarithms of parameters in; the mean log-likelihood and its gradient out."""

_BARRIER_FROM, _BARRIER_WEIGHT, _LOG_BOUND = 6.0, 1e-3, 8.0


@dataclass(frozen=True)
class Histories:
    """Distinct (x, t_x, T) with their shares, and distinct x: gamma functions look only at x."""

    x: FloatArray
    t_x: FloatArray
    T: FloatArray
    share: FloatArray
    x_levels: FloatArray
    x_share: FloatArray
    n_customers: int


def compress_histories(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Histories:
    """Count equal histories once; raises InputError if there is none, or one cannot be."""
    x, t_x, T = (np.ravel(np.asarray(each, np.float64)) for each in (x, t_x, T))
    possible = np.isfinite(x) & np.isfinite(T) & (x >= 0) & (t_x >= 0) & (t_x <= T)
    if not x.size or not possible.all():
        raise InputError(
            f"{int(possible.sum())} of {x.size} purchase histories are possible; "
            "expected one or more, all with x >= 0 and 0 <= t_x <= T",
            "leave out customers without an order before the cutoff",
        )
    rows, counts = np.unique(np.column_stack((x, t_x, T)), axis=0, return_counts=True)
    share = counts / x.size
    levels, level = np.unique(rows[:, 0], return_inverse=True)
    level_share = np.asarray(np.bincount(level, share, levels.size), np.float64)
    x, t_x, T = (np.ascontiguousarray(column) for column in rows.T)
    return Histories(x, t_x, T, share, levels, level_share, int(counts.sum()))


def beta_geometric_log_likelihood(
    theta: FloatArray, rows: Histories, extra_chances: int
) -> tuple[float, FloatArray]:
    """Mean log-likelihood and its gradient, both of log (r, alpha, a, b)."""
    r, alpha, a, b = np.exp(theta)
    x, k = rows.x_levels, rows.x_levels + extra_chances
    of_x = gammaln(r + x) + gammaln(b + k) - gammaln(a + b + k)
    of_all = gammaln(a + b) - gammaln(b) - gammaln(r) + r * np.log(alpha)

    # Alive at T, or dropped out right after the last order: the two ways to this history.
    log_T, log_t_x = np.log(alpha + rows.T), np.log(alpha + rows.t_x)
    chances = rows.x + extra_chances
    may_drop = chances > 0
    before = np.where(may_drop, b + chances - 1, 1.0)
    alive = -(r + rows.x) * log_T
    dropped = np.where(may_drop, np.log(a / before) - (r + rows.x) * log_t_x, -np.inf)
    either = np.logaddexp(alive, dropped)
    p_dropped = np.exp(dropped - either)
    dropped_share, alive_share = rows.share * p_dropped, rows.share * (1 - p_dropped)

    # Sums of products, not BLAS: the last bits must not depend on its number of threads.
    value = of_all + (rows.x_share * of_x).sum() + (rows.share * either).sum()
    d_r = (rows.x_share * digamma(r + x)).sum() - digamma(r) + np.log(alpha)
    d_r -= (alive_share * log_T + dropped_share * log_t_x).sum()
    rate = alive_share / (alpha + rows.T) + dropped_share / (alpha + rows.t_x)
    d_alpha = r / alpha - ((r + rows.x) * rate).sum()
    common = digamma(a + b) - (rows.x_share * digamma(a + b + k)).sum()
    d_a = common + dropped_share.sum() / a
    d_b = common + (rows.x_share * digamma(b + k)).sum() - digamma(b)
    d_b -= (dropped_share / before).sum()
    return float(value), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])


def gamma_gamma_log_likelihood(
    theta: FloatArray, x: FloatArray, mean: FloatArray
) -> tuple[float, FloatArray]:
    """Mean log-likelihood and its gradient, both of log (p, q, v)."""
    p, q, v = np.exp(theta)
    levels, level = np.unique(x, return_inverse=True)
    px = p * levels
    of_x = gammaln(px + q) - gammaln(px) + xlogy(px, levels)
    log_total = np.log(v + mean * x)
    rows = of_x[level] + (p * x - 1) * np.log(mean) - (p * x + q) * log_total
    value = rows.mean() + q * np.log(v) - gammaln(q)
    d_px = (digamma(px + q) - digamma(px))[level] + np.log(mean * x) - log_total
    d_q = digamma(px + q)[level].mean() - digamma(q) + np.log(v) - log_total.mean()
    d_v = q / v - ((p * x + q) / (v + mean * x)).mean()
    return float(value), np.array([(x * d_px).mean() * p, d_q * q, d_v * v])


def fit_parameters(objective: Objective, starts: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the best parameters (not their logarithms) over all starting points."""

    def cost(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = objective(theta)
        beyond = np.sign(theta) * np.maximum(np.abs(theta) - _BARRIER_FROM, 0)
        return (
            _BARRIER_WEIGHT * float((beyond**2).sum()) - value,
            2 * _BARRIER_WEIGHT * beyond - gradient,
        )

    # The optimiser factors matrices of 4 x 4; on several threads BLAS waits ten times longer than
    # it works. Imported here because a release, which does not fit, is served without them.
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        found = [
            minimize(
                cost,
                np.log(start),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-_LOG_BOUND, _LOG_BOUND)] * len(start),
                options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
            )
            for start in starts
        ]
    best = min(found, key=lambda result: float(result.fun))
    return tuple(float(value) for value in np.exp(best.x))
