"""Buy till you die: how often, how long and for how much a customer will go on buying.

Three models of a customer base without contracts, fitted by maximum likelihood:

- BG/NBD: Fader, Hardie, Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).
- MBG/NBD: Batislam, Denizel, Filiztekin (2007), Empirical validation and comparison of models for
  customer base analysis, IJRM 24(3). It differs in one thing: a customer may also drop out right
  after the first order, so customers without a repeat order are not all taken to be alive.
- Gamma-Gamma: Fader, Hardie (2013), The Gamma-Gamma model of monetary value.

Notation of the papers, time in weeks: ``x`` repeat order days, ``t_x`` weeks from the first to the
last order day, ``T`` weeks from the first order day to the last observed day, ``t`` weeks ahead.

Expectations are computed row by row with scalar loops (``scipy.special``) and plain arithmetic,
never with SIMD transcendental functions, so that one customer alone gets bit for bit the numbers
that he gets among ten thousand. Only numpy and scipy are needed: a release serves these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exp2, expit, expm1, hyp2f1, xlog1py, xlogy

from features.errors import InputError
from training.models.btyd_likelihood import (
    beta_geometric_log_likelihood,
    compress_histories,
    fit_parameters,
    gamma_gamma_log_likelihood,
)

FloatArray = NDArray[np.float64]

DAYS_PER_WEEK = 7.0
MIN_REPEAT_BUYERS = 20
"""With fewer repeat buyers of positive value the Gamma-Gamma on repeats gives way to a mean."""
P_ACTIVE_MARGIN = 1e-4
HISTORY_COLUMNS = (
    "n_order_days",
    "tenure_days",
    "first_to_last_days",
    "net_spend",
    "repeat_net_spend",
    "n_positive_days",
    "positive_day_spend",
)
"""Columns of the feature table that a purchase history is made of."""

_MIN_VALUE = 1e-6
_LN2 = float(np.log(2.0))
# Starting points in natural units; the likelihoods are well behaved, three reach the same top.
_BETA_GEOMETRIC_STARTS = ((1.0, 3.0, 1.0, 3.0), (0.3, 5.0, 0.8, 2.5), (0.6, 12.0, 0.4, 3.0))
_GAMMA_GAMMA_STARTS = ((2.7, 2.7, 2.7), (6.0, 4.0, 0.5), (1.0, 2.0, 1.0))


class Columns(Protocol):
    """Anything that gives a column by its name: a DataFrame or a dict of arrays."""

    def __getitem__(self, name: str, /) -> Any: ...


_Model = TypeVar("_Model", bound="_Parameters")


class _Parameters:
    """Models that are nothing but their positive parameters: to and from a plain dict."""

    def to_dict(self) -> dict[str, float]:
        """Return the parameters by name, as plain floats that JSON keeps exactly."""
        return {name: float(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls: type[_Model], values: Mapping[str, float]) -> _Model:
        """Make the model from ``to_dict``'s answer.

        Raises
        ------
        InputError
            If a parameter is missing, unknown, or not a finite number above 0.
        """
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        good = sorted(values) == sorted(names) and all(
            np.isfinite(value) and value > 0 for value in values.values()
        )
        if not good:
            raise InputError(
                f"parameters of {cls.__name__} are {dict(values)}; expected {', '.join(names)}, "
                "each finite and above 0",
                "train again: the stored model is damaged",
            )
        return cls(**{name: float(values[name]) for name in names})


@dataclass(frozen=True)
class _BetaGeometric(_Parameters):
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
        x, t_x, T = _floats(x, t_x, T)
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
        x, T = _floats(x, T)
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
        x, T = _floats(x, T)
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


@dataclass(frozen=True)
class GammaGamma(_Parameters):
    """Gamma-Gamma model of the mean value of an order day; v (gamma in the paper) in currency.

    Order values of one customer are Gamma(p, nu), nu differs between customers as Gamma(q, v).
    """

    p: float
    q: float
    v: float

    def log_likelihood(self, x: ArrayLike, mean: ArrayLike) -> float:
        """Return the log-likelihood, summed, of mean values (above 0) over x (above 0) days."""
        x, mean = _floats(x, mean)
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
        x, mean = _floats(x, mean)
        prior = self.p * self.v / (self.q - 1) if self.q > 1.05 else np.nan
        weight = self.p * x + self.q - 1
        posterior = self.p * (self.v + x * mean) / np.where(weight > 0, weight, np.nan)
        return np.where(x > 0, posterior, prior)


@dataclass(frozen=True)
class PurchaseHistory:
    """What buy-till-you-die models know of customers: float64 arrays, one entry a customer."""

    x: FloatArray
    """Repeat order days."""
    t_x_weeks: FloatArray
    """Weeks from the first to the last order day."""
    T_weeks: FloatArray
    """Weeks from the first order day to the last observed day."""
    repeat_mean_value: FloatArray
    """Mean net value of the repeat order days, currency; NaN without one."""
    n_positive: FloatArray
    """Order days with a net value above 0, the first included."""
    positive_mean_value: FloatArray
    """Their mean net value, currency; NaN without one."""
    net_spend: FloatArray
    """Net value of all order days, currency; only the fall-back of a fit looks at it."""

    def __len__(self) -> int:
        return self.x.size


def purchase_history(columns: Columns) -> PurchaseHistory:
    """Make purchase histories of the columns ``HISTORY_COLUMNS`` of a feature table.

    Parameters
    ----------
    columns : Columns
        A DataFrame or a dict of arrays; tenure_days is the age of the first order day at the
        cutoff (1 or more), so T = (tenure_days - 1) / 7 weeks ends with the last observed day.

    Examples
    --------
    >>> h = purchase_history({"n_order_days": [3], "tenure_days": [71], "first_to_last_days": [35],
    ...     "net_spend": [60], "repeat_net_spend": [50], "n_positive_days": [2],
    ...     "positive_day_spend": [70]})
    >>> [float(v[0]) for v in (h.x, h.t_x_weeks, h.T_weeks, h.repeat_mean_value)]
    [2.0, 5.0, 10.0, 25.0]
    """
    read = {name: np.atleast_1d(np.asarray(columns[name], np.float64)) for name in HISTORY_COLUMNS}
    x = read["n_order_days"] - 1
    return PurchaseHistory(
        x=x,
        t_x_weeks=read["first_to_last_days"] / DAYS_PER_WEEK,
        T_weeks=(read["tenure_days"] - 1) / DAYS_PER_WEEK,
        repeat_mean_value=_mean(read["repeat_net_spend"], x),
        n_positive=read["n_positive_days"],
        positive_mean_value=_mean(read["positive_day_spend"], read["n_positive_days"]),
        net_spend=read["net_spend"],
    )


@dataclass(frozen=True)
class BuyTillYouDie:
    """The models of one cohort: how many orders (two ways) and what an order is worth (two ways).

    A missing Gamma-Gamma stands for a cohort too small for it: its fall-back is everyone's value.
    """

    bg_nbd: BgNbd
    mbg_nbd: MbgNbd
    repeat_spend: GammaGamma | None
    """Fitted on the mean value of repeat order days: the form of the literature."""
    repeat_value_fallback: float
    all_spend: GammaGamma | None
    """Fitted on the mean value of all positive order days, the first included."""
    all_value_fallback: float

    def expectations(self, history: PurchaseHistory, horizon_days: float) -> dict[str, FloatArray]:
        """Return what each customer is expected to do in the next horizon_days.

        Returns
        -------
        dict of ndarray
            ``bgnbd_orders``, ``mbgnbd_orders`` (order days), ``mbgnbd_p_alive``, ``p_active``
            (MBG/NBD, within [1e-4, 1 - 1e-4]), ``repeat_value``, ``all_value`` (currency an order
            day), and the products ``bgnbd_value`` = bgnbd_orders * repeat_value,
            ``bgnbd_all_value`` = bgnbd_orders * all_value, ``mbgnbd_value`` = mbgnbd_orders *
            all_value (currency). Order values above 0 always: where a Gamma-Gamma has no
            expectation, the mean of those it was fitted on is taken.
        """
        t = horizon_days / DAYS_PER_WEEK
        timing = (history.x, history.t_x_weeks, history.T_weeks)
        bgnbd_orders = self.bg_nbd.expected_purchases(*timing, t)
        mbgnbd_orders = self.mbg_nbd.expected_purchases(*timing, t)
        repeat_value = _value(
            self.repeat_spend, history.x, history.repeat_mean_value, self.repeat_value_fallback
        )
        all_value = _value(
            self.all_spend, history.n_positive, history.positive_mean_value, self.all_value_fallback
        )
        p_active = self.mbg_nbd.p_active(*timing, t)
        return {
            "bgnbd_orders": bgnbd_orders,
            "mbgnbd_orders": mbgnbd_orders,
            "mbgnbd_p_alive": self.mbg_nbd.p_alive(*timing),
            "p_active": np.clip(p_active, P_ACTIVE_MARGIN, 1 - P_ACTIVE_MARGIN),
            "repeat_value": repeat_value,
            "all_value": all_value,
            "bgnbd_value": bgnbd_orders * repeat_value,
            "bgnbd_all_value": bgnbd_orders * all_value,
            "mbgnbd_value": mbgnbd_orders * all_value,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all parameters as plain dicts of floats (None for a missing Gamma-Gamma)."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the models from ``to_dict``'s answer; raises InputError if a key is not right."""
        names = [field.name for field in fields(cls)]
        if sorted(values) != sorted(names):
            raise InputError(
                f"buy-till-you-die model has {sorted(values)}; expected {sorted(names)}",
                "train again: the stored model is damaged",
            )
        repeat, every = values["repeat_spend"], values["all_spend"]
        return cls(
            bg_nbd=BgNbd.from_dict(values["bg_nbd"]),
            mbg_nbd=MbgNbd.from_dict(values["mbg_nbd"]),
            repeat_spend=None if repeat is None else GammaGamma.from_dict(repeat),
            repeat_value_fallback=float(values["repeat_value_fallback"]),
            all_spend=None if every is None else GammaGamma.from_dict(every),
            all_value_fallback=float(values["all_value_fallback"]),
        )


def fit_buy_till_you_die(history: PurchaseHistory) -> BuyTillYouDie:
    """Fit all four models on one cohort's histories.

    With fewer than ``MIN_REPEAT_BUYERS`` repeat buyers of positive value, the value of a repeat
    order is the mean net value of a customer-day, at least 1e-6; without any positive order day,
    the value of every order too.

    Raises
    ------
    InputError
        If there is no customer, or a history cannot be (negative, not finite, t_x > T).
    """
    timing = (history.x, history.t_x_weeks, history.T_weeks)
    bg_nbd, mbg_nbd = fit_bg_nbd(*timing), fit_mbg_nbd(*timing)
    mean_day_value = max(float(history.net_spend.sum() / (history.x + 1).sum()), _MIN_VALUE)

    repeats = (history.x > 0) & (history.repeat_mean_value > 0)
    if repeats.sum() >= MIN_REPEAT_BUYERS:
        values = history.repeat_mean_value[repeats]
        repeat_spend: GammaGamma | None = fit_gamma_gamma(history.x[repeats], values)
        repeat_fallback = float(values.mean())
    else:
        repeat_spend, repeat_fallback = None, mean_day_value

    payers = history.n_positive > 0
    if payers.any():
        values = history.positive_mean_value[payers]
        all_spend: GammaGamma | None = fit_gamma_gamma(history.n_positive[payers], values)
        all_fallback = float(values.mean())
    else:
        all_spend, all_fallback = None, mean_day_value
    return BuyTillYouDie(bg_nbd, mbg_nbd, repeat_spend, repeat_fallback, all_spend, all_fallback)


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
    x, mean = (np.ravel(each) for each in _floats(x, mean))
    if not x.size or not (np.isfinite(x) & np.isfinite(mean) & (x > 0) & (mean > 0)).all():
        raise InputError(
            f"{x.size} customers with order days and mean values, not all finite and above 0; "
            "expected one or more, all of them so",
            "leave out customers without a positive order day",
        )
    scale = float(np.median(mean))
    scaled = mean / scale
    p, q, v = fit_parameters(
        lambda theta: gamma_gamma_log_likelihood(theta, x, scaled), _GAMMA_GAMMA_STARTS
    )
    return GammaGamma(p, q, v * scale)


def _fit_beta_geometric(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, extra_chances: int
) -> tuple[float, ...]:
    rows = compress_histories(x, t_x, T)
    return fit_parameters(
        lambda theta: beta_geometric_log_likelihood(theta, rows, extra_chances),
        _BETA_GEOMETRIC_STARTS,
    )


def _value(
    model: GammaGamma | None, x: FloatArray, mean: FloatArray, fallback: float
) -> FloatArray:
    if model is None:
        return np.full(x.shape, fallback)
    known = np.maximum(np.where(np.isnan(mean), 1.0, mean), _MIN_VALUE)
    value = model.expected_mean_value(x, known)
    return np.where(np.isfinite(value) & (value > 0), value, fallback)


def _mean(total: FloatArray, n: FloatArray) -> FloatArray:
    some = n > 0
    return np.where(some, total / np.where(some, n, 1.0), np.nan)


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
        return np.asarray(exp2(-xlog1py(power, ahead) / _LN2) * series, np.float64)


def _floats(*values: ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(value, np.float64) for value in values)
