"""The blend for one customer, in a tenth of the time and the same to the last bit.

The array form of the blend pays numpy's price of a call some five hundred times a row. Here plain
arithmetic is done on Python's floats, which are the same IEEE doubles; what is not plain (exp, log,
log1p, power) goes through the very numpy functions of the array form, all at once; special functions
through the very loops of scipy. Whatever is out of the ordinary (missing history, a division by
zero, a number that is not finite) is left to the array form. A release keeps this form only if it
reproduces the array form bit for bit on its golden rows; otherwise it answers with the array form.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add, mul

import numpy as np
from scipy.special import exp2, expit, expm1, hyp2f1, xlog1py, xlogy

from training.models.blend import ABSENCE, SMALLEST_SCORE, BlendModel
from training.models.booster import OneRow, TextBooster
from training.models.btyd import DAYS_PER_WEEK, HISTORY_COLUMNS, P_ACTIVE_MARGIN, SMALLEST_VALUE
from training.models.btyd_orders import LN2, BgNbd, MbgNbd
from training.models.btyd_spend import GammaGamma
from training.models.linear_row import LinearRow, mean_of
from training.models.matrix import Array
from training.models.members import TREE_KINDS, TREE_MEMBERS, VALUE_MEMBERS
from training.models.model import Model
from training.models.transform import EXPECTATIONS
from training.models.tree_table import TreeTable

LOGIT_MARGIN = 1e-4  # the default of transform.logit


class OutOfTheOrdinaryError(ArithmeticError):
    """A row that only the array form can score."""


class _Orders:
    """BG/NBD or MBG/NBD for one customer at one horizon."""

    def __init__(self, model: BgNbd | MbgNbd, horizon_days: int) -> None:
        self.r, self.alpha, self.b = model.r, model.alpha, model.b
        self.extra = model._extra_chances
        self.log_a = float(np.log(model.a))
        self.t = horizon_days / DAYS_PER_WEEK
        a = model.a if abs(model.a - 1) > 1e-6 else 1 + 1e-6
        if any(abs(hole - round(hole)) < 1e-9 for hole in (model.r - a, a + model.b)):
            a *= 1 + 1e-8
        self.a = a
        self.a_plus_b = a + self.b
        self.a_minus_one = a - 1

    def p_alive(self, x: float, t_x: float, T: float) -> float:
        chances = x + self.extra
        if not chances > 0:
            return 1.0
        log_odds_dropped = (
            self.log_a
            - float(xlogy(1.0, self.b + chances - 1))
            + float(xlog1py(self.r + x, (T - t_x) / (self.alpha + t_x)))
        )
        return float(expit(-log_odds_dropped))

    def p_active(self, alive: float, x: float, T: float) -> float:
        buys = -float(expm1(-float(xlog1py(self.r + x, self.t / (self.alpha + T)))))
        return min(max(alive * buys, P_ACTIVE_MARGIN), 1 - P_ACTIVE_MARGIN)

    def expected(self, alive: float, x: float, T: float) -> float:
        top = self.a_plus_b + x + self.extra - 1
        kept = _shrunk(self.r + x, top - self.a + 1, top, self.t / (self.alpha + T))
        orders = alive * (top / self.a_minus_one) * (1 - kept)
        return orders if math.isfinite(orders) and orders >= 0 else 0.0


def _shrunk(first: float, second: float, third: float, ahead: float) -> float:
    """As ``btyd_orders._shrunk_series``, for one customer."""
    z = ahead / (1 + ahead)
    one, two = third - first, third - second
    if max(first, second) <= max(abs(one), abs(two)):
        power, series = first, float(hyp2f1(first, second, third, z))
    else:
        power, series = two, float(hyp2f1(one, two, third, z))
    return float(exp2(-float(xlog1py(power, ahead)) / LN2)) * series


def _day_value(model: GammaGamma | None, x: float, mean: float, fallback: float) -> float:
    """As ``btyd._value``, for one customer."""
    if model is None:
        return fallback
    if x > 0:
        weight = model.p * x + model.q - 1
        if not weight > 0:
            return fallback
        value = model.p * (model.v + x * max(mean, SMALLEST_VALUE)) / weight
    else:
        value = model.p * model.v / (model.q - 1) if model.q > 1.05 else math.nan
    return value if math.isfinite(value) and value > 0 else fallback


class BlendRow:
    """A blend for one row at a time; one instance belongs to one thread.

    Parameters
    ----------
    model : BlendModel
        As it was read.
    scorer : type
        What scores the trees: `TreeTable`, or `OneRow` for LightGBM's own way.

    Raises
    ------
    OutOfTheOrdinaryError
        If the blend's trees were not read from texts.
    """

    def __init__(self, model: BlendModel, scorer: type[TreeTable] | type[OneRow]) -> None:
        self._history = np.array([model.columns.index(name) for name in HISTORY_COLUMNS])
        self._read_models(model)
        self._read_linear(model)
        self._read_mixture(model)
        boosters = [b for kind in TREE_KINDS for b in model.members.trees[kind].boosters]
        read = [booster for booster in boosters if isinstance(booster, TextBooster)]
        if len(read) != len(boosters):
            raise OutOfTheOrdinaryError("boosters in training; expected a release that was read")
        self._n_folds = len(boosters) // len(TREE_KINDS)
        self._trees: TreeTable | OneRow = scorer(read)
        self._n_features = len(model.columns)
        self._six, self._three, self._one = np.empty(6), np.empty(3), np.empty(1)

    def _read_models(self, model: BlendModel) -> None:
        fitted = model.buy_till_you_die
        self._models = fitted
        self._bg = _Orders(fitted.bg_nbd, model.training_horizon_days)
        self._mbg = _Orders(fitted.mbg_nbd, model.training_horizon_days)
        self._mbg_at_horizon = (
            None
            if model.horizon_days == model.training_horizon_days
            else _Orders(fitted.mbg_nbd, model.horizon_days)
        )

    def _read_linear(self, model: BlendModel) -> None:
        members = model.members
        design = (*model.columns, *EXPECTATIONS)
        groups = [(members.inputs, members.glm), (members.all_inputs, members.logistic)]
        self._linear = LinearRow(groups, design)
        self._unit = members.unit

    def _read_mixture(self, model: BlendModel) -> None:
        mixture = model.mixture
        totals, self._sides = [], []
        for names in (TREE_MEMBERS, VALUE_MEMBERS[len(TREE_MEMBERS) :]):
            total = sum(mixture.weights[name] for name in names)
            self._sides.append(
                [(mixture.scales[name], mixture.weights[name] / max(total, 1e-9)) for name in names]
            )
            totals.append(total)
        self._share = totals[0] / (totals[0] + totals[1])
        self._cap, self._mixed_mean = mixture.cap, mixture.mean
        self._power, self._scale = model.power, model.scale
        self._coefficients = model.churn.model.coefficients
        self._intercept = model.churn.model.intercept
        self._shift = model.churn.shift
        self._absence = model.columns.index(ABSENCE)
        self._longest_absence = model.longest_absence_days

    def predict(self, row: Array) -> tuple[float, float]:
        """Return expected value (currency) and P(active) of a row in the order of the columns.

        Raises
        ------
        ArithmeticError
            If only the array form can score it.
        """
        design = self._trees.row
        design[: self._n_features] = row
        p_bought, mbgnbd_value = self._expect(design)
        raw = self._trees.predict()
        glm, logistic = self._linear.predict(design)
        active_raw, *logs = self._tree_means(raw)
        six = self._six
        six[:] = (-active_raw, *logs, glm, -logistic)
        active, log_value, gamma, tweedie, of_glm, logistic = np.exp(six).tolist()
        active, logistic = 1.0 / (1.0 + active), 1.0 / (1.0 + logistic)
        unit = self._unit
        scores = (active * log_value, active * gamma * unit, tweedie * unit)
        mixed = self._mix(scores, (of_glm * unit, mbgnbd_value))
        self._one[0] = max(mixed, SMALLEST_SCORE)
        fade = self._fade(row.item(self._absence))
        value = self._scale * (self._one**self._power).item() / fade
        p_active = self._active(active, logistic, p_bought, fade)
        if not math.isfinite(value + p_active):
            raise OutOfTheOrdinaryError("a score that is not finite")
        return value, p_active

    def _expect(self, design: Array) -> tuple[float, float]:
        """Write the expectations behind the features; return P(bought) and MBG/NBD's value."""
        history = design.take(self._history).tolist()
        if not math.isfinite(sum(history)):
            raise OutOfTheOrdinaryError("an order history with missing numbers")
        n_days, tenure, first_to_last, _, repeat_spend, n_positive, positive_spend = history
        x = n_days - 1
        t_x, T = first_to_last / DAYS_PER_WEEK, (tenure - 1) / DAYS_PER_WEEK
        repeat_mean = repeat_spend / x if x > 0 else 1.0
        positive_mean = positive_spend / n_positive if n_positive > 0 else 1.0
        fitted = self._models
        alive = self._mbg.p_alive(x, t_x, T)
        bg_orders = self._bg.expected(self._bg.p_alive(x, t_x, T), x, T)
        mbg_orders = self._mbg.expected(alive, x, T)
        repeat_value = _day_value(fitted.repeat_spend, x, repeat_mean, fitted.repeat_value_fallback)
        all_value = _day_value(
            fitted.all_spend, n_positive, positive_mean, fitted.all_value_fallback
        )
        mbg_value = mbg_orders * all_value
        design[self._n_features :] = (
            bg_orders, mbg_orders, alive, repeat_value, all_value, bg_orders * repeat_value, mbg_value,
        )  # fmt: skip
        p_bought = self._mbg.p_active(alive, x, T)
        if self._mbg_at_horizon is not None:
            mbg_value = self._mbg_at_horizon.expected(alive, x, T) * all_value
        return p_bought, mbg_value

    def _fade(self, days: float) -> float:
        """As ``blend.absence_fade``."""
        return 1.0 if self._longest_absence is None else max(days / self._longest_absence, 1.0)

    def _tree_means(self, raw: list[float]) -> list[float]:
        n = self._n_folds
        return [mean_of(raw[i : i + n]) for i in range(0, len(raw), n)]

    def _mix(self, trees: Sequence[float], others: Sequence[float]) -> float:
        """As ``Mixture.mix``."""
        tree_side, other_side = map(_weighted, (trees, others), self._sides)
        if not math.isfinite(tree_side + other_side):
            raise OutOfTheOrdinaryError("a member's score that is not finite")
        share = self._share
        if share in (0.0, 1.0):
            return (tree_side if share else other_side) / self._mixed_mean
        weight = share * min(1.0, self._cap / max(other_side, SMALLEST_SCORE))
        return (weight * tree_side + (1 - weight) * other_side) / self._mixed_mean

    def _active(self, trees: float, logistic: float, bought: float, fade: float) -> float:
        """As ``ChurnStack.predict``."""
        low, high = LOGIT_MARGIN, 1 - LOGIT_MARGIN
        held = [low if p < low else min(p, high) for p in (trees, logistic, bought)]
        self._three[:] = [p / (1 - p) for p in held]
        logits = np.log(self._three).tolist()
        total = reduce(add, map(mul, logits, self._coefficients))
        self._one[0] = -(total + self._intercept + self._shift)
        odds_lost: float = np.exp(self._one).item() * fade
        return 1.0 / (1.0 + odds_lost)


def _weighted(scores: Sequence[float], parts: Sequence[tuple[float, float]]) -> float:
    pairs = zip(scores, parts, strict=True)
    return reduce(add, [score / scale * weight for score, (scale, weight) in pairs])


RowPredict = Callable[[Array], tuple[float, float]]


def row_predicts_of(model: Model) -> Iterator[RowPredict]:
    """Yield the quick forms of a model for one row, the quickest first; none for a formula."""
    if isinstance(model, BlendModel):
        for scorer in (TreeTable, OneRow):
            with contextlib.suppress(ArithmeticError):
                yield BlendRow(model, scorer).predict
