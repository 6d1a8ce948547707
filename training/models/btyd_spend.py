"""What an order day of a customer is worth: Gamma-Gamma.

``training.models.btyd`` is the way in; its notation holds here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from features.errors import InputError
from training.models.btyd_likelihood import fit_parameters, gamma_gamma_log_likelihood
from training.models.btyd_parameters import FloatArray, Parameters, floats

_STARTS = ((2.7, 2.7, 2.7), (6.0, 4.0, 0.5), (1.0, 2.0, 1.0))


@dataclass(frozen=True)
class GammaGamma(Parameters):
    """Gamma-Gamma model of the mean value of an order day; v (gamma in the paper) in currency.

    Order values of one customer are Gamma(p, nu), nu differs between customers as Gamma(q, v).
    """

    p: float
    q: float
    v: float

    def log_likelihood(self, x: ArrayLike, mean: ArrayLike) -> float:
        """Return the log-likelihood, summed, of mean values (above 0) over x (above 0) days."""
        x, mean = floats(x, mean)
        theta = np.log([self.p, self.q, self.v])
        return x.size * gamma_gamma_log_likelihood(theta, np.ravel(x), np.ravel(mean))[0]

    def expected_mean_value(self, x: ArrayLike, mean: ArrayLike) -> FloatArray:
        """Return the expected value of a future order day, in currency.

        Parameters
        ----------
        x : array_like
            Order days that the mean is taken over; at 0 the answer is the population's mean.
        mean : array_like
            Their mean value, above 0; not looked at where x is 0.

        Returns
        -------
        ndarray
            NaN where the expectation does not exist (p * x + q <= 1; for x = 0, q <= 1.05).
        """
        x, mean = floats(x, mean)
        prior = self.p * self.v / (self.q - 1) if self.q > 1.05 else np.nan
        weight = self.p * x + self.q - 1
        posterior = self.p * (self.v + x * mean) / np.where(weight > 0, weight, np.nan)
        return np.where(x > 0, posterior, prior)


def fit_gamma_gamma(x: ArrayLike, mean: ArrayLike) -> GammaGamma:
    """Fit a Gamma-Gamma by maximum likelihood, each customer counting once.

    Values are divided by their median during the fit, so the currency's unit does not matter.

    Parameters
    ----------
    x : array_like
        Order days of each customer, above 0.
    mean : array_like
        Mean value of an order day of each customer, above 0, currency.

    Raises
    ------
    InputError
        If there is no customer, or a number is not finite and above 0.
    """
    x, mean = (np.ravel(each) for each in floats(x, mean))
    if not x.size or not (np.isfinite(x) & np.isfinite(mean) & (x > 0) & (mean > 0)).all():
        raise InputError(
            f"{x.size} customers with order days and mean values, not all finite and above 0; "
            "expected one or more, all of them so",
            "leave out customers without a positive order day",
        )
    scale = float(np.median(mean))
    scaled = mean / scale
    p, q, v = fit_parameters(lambda theta: gamma_gamma_log_likelihood(theta, x, scaled), _STARTS)
    return GammaGamma(p, q, v * scale)
