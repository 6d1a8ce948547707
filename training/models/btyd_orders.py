"""How often and how long a customer will go on buying: BG/NBD and MBG/NBD.

``training.models.btyd`` is the way in; its notation holds here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import exp2, expit, expm1, hyp2f1, xlog1py, xlogy

from training.models.btyd_likelihood import (
    beta_geometric_log_likelihood,
    compress_histories,
    fit_parameters,
)
from training.models.btyd_parameters import FloatArray, Parameters, floats

LN2 = float(np.log(2.0))
# Starting points in natural units; the likelihood is well behaved, three reach the same top.
_STARTS = ((1.0, 3.0, 1.0, 3.0), (0.3, 5.0, 0.8, 2.5), (0.6, 12.0, 0.4, 3.0))


@dataclass(frozen=True)
class _BetaGeometric(Parameters):
    """What BG/NBD and MBG/NBD share; they differ in the number of chances to drop out.

    After the k-th chance a customer has dropped out with a probability drawn from Beta(a, b);
    k = x for BG/NBD (after each repeat order), k = x + 1 for MBG/NBD (after the first one too).
    While alive he orders as a Poisson process with a rate drawn from Gamma(r, alpha) a week.
    """

    r: float
    alpha: float
    a: float
    b: float
    _extra_chances: ClassVar[int] = 0

    def log_likelihood(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> float:
        """Return the log-likelihood of histories, summed over customers.

        Parameters
        ----------
        x, t_x, T : array_like
            Repeat order days; weeks to the last order; weeks observed.
        """
        rows = compress_histories(x, t_x, T)
        theta = np.log([self.r, self.alpha, self.a, self.b])
        return rows.n_customers * beta_geometric_log_likelihood(theta, rows, self._extra_chances)[0]

    def p_alive(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> FloatArray:
        """Return the probability that the customer has not dropped out by T (weeks)."""
        x, t_x, T = floats(x, t_x, T)
        chances = x + self._extra_chances
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds_dropped = (
                float(np.log(self.a))
                - xlogy(1.0, self.b + chances - 1)
                + xlog1py(self.r + x, (T - t_x) / (self.alpha + t_x))
            )
        alive: FloatArray = expit(-log_odds_dropped)
        return np.where(chances > 0, alive, 1.0)

    def p_active(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, t: float) -> FloatArray:
        """Return the probability of at least one order in the next t weeks.

        p_alive * (1 - ((alpha + T) / (alpha + T + t)) ** (r + x)), in closed form: up to his next
        order a living customer cannot drop out.
        """
        alive = self.p_alive(x, t_x, T)
        x, T = floats(x, T)
        buys: FloatArray = -expm1(-xlog1py(self.r + x, t / (self.alpha + T)))
        return alive * buys

    def expected_purchases(
        self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, t: float
    ) -> FloatArray:
        """Return the expected number of order days in the next t weeks.

        Equation 10 of Fader, Hardie, Lee (2005). A result that is not finite or below 0 becomes 0.

        Parameters
        ----------
        x, t_x, T : array_like
            Repeat order days; weeks to the last order; weeks observed.
        t : float
            Weeks ahead.
        """
        alive = self.p_alive(x, t_x, T)
        x, T = floats(x, T)
        # Where a is 1, or r - a or a + b an integer, there are removable holes: step beside them.
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        if any(abs(hole - round(hole)) < 1e-9 for hole in (self.r - a, a + self.b)):
            a *= 1 + 1e-8
        top = a + self.b + x + self._extra_chances - 1
        kept = _shrunk_series(self.r + x, top - a + 1, top, t / (self.alpha + T))
        with np.errstate(all="ignore"):
            orders = alive * (top / (a - 1)) * (1 - kept)
        return np.where(np.isfinite(orders) & (orders >= 0), orders, 0.0)


@dataclass(frozen=True)
class BgNbd(_BetaGeometric):
    """BG/NBD of Fader, Hardie, Lee (2005); alpha in weeks.

    Examples
    --------
    The customer of the authors' spreadsheet: 2 repeat orders, the last in week 30.43 of 38.86.

    >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> round(float(model.expected_purchases(2, 30.43, 38.86, t=39)), 3)
    1.226
    """


@dataclass(frozen=True)
class MbgNbd(_BetaGeometric):
    """MBG/NBD of Batislam, Denizel, Filiztekin (2007); alpha in weeks."""

    _extra_chances: ClassVar[int] = 1


def fit_bg_nbd(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> BgNbd:
    """Fit a BG/NBD by maximum likelihood.

    L-BFGS-B from three starting points on the logarithms of the parameters, with exact gradients;
    equal histories are counted once, with their number as weight. Beyond |log| 6 a weak barrier
    holds parameters that the data leave open (nobody bought twice, all alike), so that a fit
    always ends and equal data give equal parameters.

    Parameters
    ----------
    x, t_x, T : array_like
        Repeat order days; weeks from first to last order; weeks from first order to the end.

    Raises
    ------
    InputError
        If there is no customer, or a history cannot be.
    """
    return BgNbd(*_fit_beta_geometric(x, t_x, T, BgNbd._extra_chances))


def fit_mbg_nbd(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> MbgNbd:
    """Fit an MBG/NBD by maximum likelihood; arguments and errors as ``fit_bg_nbd``."""
    return MbgNbd(*_fit_beta_geometric(x, t_x, T, MbgNbd._extra_chances))


def _fit_beta_geometric(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, extra_chances: int
) -> tuple[float, ...]:
    rows = compress_histories(x, t_x, T)
    return fit_parameters(
        lambda theta: beta_geometric_log_likelihood(theta, rows, extra_chances),
        _STARTS,
    )


def _shrunk_series(
    first: FloatArray, second: FloatArray, third: FloatArray, ahead: FloatArray
) -> FloatArray:
    """(1 - z)^first * 2F1(first, second; third; z) at z = ahead / (1 + ahead).

    Written so, it overflows for customers with hundreds of orders; after Euler's transformation,
    (1 - z)^(third - second) * 2F1(third - first, third - second; third; z), it loses digits where
    the drop-out parameters are large. Each row takes the form with the smaller parameters.
    """
    z = ahead / (1 + ahead)
    one, two = third - first, third - second
    printed = np.maximum(first, second) <= np.maximum(np.abs(one), np.abs(two))
    power = np.where(printed, first, two)
    with np.errstate(all="ignore"):
        series = hyp2f1(np.where(printed, first, one), np.where(printed, second, two), third, z)
        return np.asarray(exp2(-xlog1py(power, ahead) / LN2) * series, np.float64)
