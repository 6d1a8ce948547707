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
from typing import Any, Protocol, Self

import numpy as np

from features.errors import InputError
from training.models.btyd_orders import BgNbd, MbgNbd, fit_bg_nbd, fit_mbg_nbd
from training.models.btyd_parameters import FloatArray
from training.models.btyd_spend import GammaGamma, fit_gamma_gamma

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

SMALLEST_VALUE = 1e-6


class Columns(Protocol):
    """Anything that gives a column by its name: a DataFrame or a dict of arrays."""

    def __getitem__(self, name: str, /) -> Any: ...


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
    mean_day_value = max(float(history.net_spend.sum() / (history.x + 1).sum()), SMALLEST_VALUE)

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


def _value(
    model: GammaGamma | None, x: FloatArray, mean: FloatArray, fallback: float
) -> FloatArray:
    if model is None:
        return np.full(x.shape, fallback)
    known = np.maximum(np.where(np.isnan(mean), 1.0, mean), SMALLEST_VALUE)
    value = model.expected_mean_value(x, known)
    return np.where(np.isfinite(value) & (value > 0), value, fallback)


def _mean(total: FloatArray, n: FloatArray) -> FloatArray:
    some = n > 0
    return np.where(some, total / np.where(some, n, 1.0), np.nan)
