"""What a shop would use instead of a learned model: formulas on one or two columns. Pure; served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from training.models.btyd import BuyTillYouDie
from training.models.matrix import Array, FeatureMatrix
from training.models.model import Prediction
from training.models.transform import expectations_of

COLUMNS = (
    "n_order_days",
    "days_since_last_order",
    "tenure_days",
    "first_to_last_days",
    "net_spend",
    "repeat_net_spend",
    "n_positive_days",
    "positive_day_spend",
    "net_spend_365d",
)
RFM_WEIGHTS = {"days_since_last_order": 0.2, "n_order_days": 0.3, "net_spend": 0.5}
TIE_BREAK = 1e-3  # of a quintile, by past spend
DAYS_A_YEAR = 365


@dataclass(frozen=True)
class FormulaModel:
    """A baseline of the same interface as the learned model.

    Attributes
    ----------
    name : str
        A key of `FORMULAS`.
    horizon_days : int
        What is predicted.
    buy_till_you_die : BuyTillYouDie
        Fitted on the past of the target cohort; gives P(active), and the value of
        ``bgnbd_gamma_gamma``.
    edges : dict of str to list of float
        Inner quintile edges of the columns of `RFM_WEIGHTS` on the target cohort.
    score_knots, value_knots : tuple of float
        A score without a currency is turned into value by straight lines between these points;
        empty where the score is a value already.
    columns : tuple of str
        What it reads.
    weights : dict of str to float
        Of the quintiles, in ``weighted_rfm``.
    """

    name: str
    horizon_days: int
    buy_till_you_die: BuyTillYouDie
    edges: dict[str, list[float]]
    score_knots: tuple[float, ...] = ()
    value_knots: tuple[float, ...] = ()
    columns: tuple[str, ...] = COLUMNS
    weights: dict[str, float] = field(default_factory=lambda: dict(RFM_WEIGHTS))

    def score(self, features: FeatureMatrix) -> Array:
        """Return the formula itself, (n,): in currency, or a bare ranking."""
        return FORMULAS[self.name](self, features)

    def predict(self, features: FeatureMatrix) -> Prediction:
        """Score rows; a row's answer does not depend on the other rows."""
        held = features.select(self.columns)
        value = self.score(held)
        if self.score_knots:
            value = np.interp(value, self.score_knots, self.value_knots)
        expected = expectations_of(held, self.buy_till_you_die, self.horizon_days)
        return Prediction(value=value, p_active=expected["p_active"])

    def to_numbers(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        numbers = asdict(self) | {"kind": "formula"}
        return numbers | {"buy_till_you_die": self.buy_till_you_die.to_dict()}

    def to_texts(self) -> dict[str, str]:
        """Return no texts: a formula has no trees."""
        return {}


def formula_from(numbers: Mapping[str, Any]) -> FormulaModel:
    """Rebuild a formula from `FormulaModel.to_numbers`."""
    return FormulaModel(
        name=numbers["name"],
        horizon_days=numbers["horizon_days"],
        buy_till_you_die=BuyTillYouDie.from_dict(numbers["buy_till_you_die"]),
        edges={name: list(edges) for name, edges in numbers["edges"].items()},
        score_knots=tuple(numbers["score_knots"]),
        value_knots=tuple(numbers["value_knots"]),
        columns=tuple(numbers["columns"]),
        weights=dict(numbers.get("weights", RFM_WEIGHTS)),
    )


def _past_spend_rate(model: FormulaModel, features: FeatureMatrix) -> Array:
    """Net spend a day since the first order (but a horizon at least), for a horizon."""
    days = np.maximum(features["tenure_days"] - 1, model.horizon_days)
    return features["net_spend"] * model.horizon_days / days


def _net_spend_365d(model: FormulaModel, features: FeatureMatrix) -> Array:
    """Net spend of the last 365 days (of all days where the history is shorter), for a horizon."""
    recent = features["net_spend_365d"]
    spend = np.where(np.isnan(recent), features["net_spend"], recent)
    return spend * (model.horizon_days / DAYS_A_YEAR)


def _recency(model: FormulaModel, features: FeatureMatrix) -> Array:
    """The later the last order the better."""
    return -features["days_since_last_order"]


def _weighted_rfm(model: FormulaModel, features: FeatureMatrix) -> Array:
    """Weighted quintiles, .2 R + .3 F + .5 M by default, ties by past spend."""
    total = np.zeros(len(features))
    for name, weight in model.weights.items():
        quintile = np.searchsorted(model.edges[name], features[name], side="right")
        best_first = name == "days_since_last_order"
        total = total + weight * (5.0 - quintile if best_first else 1.0 + quintile)
    spend = features["net_spend"]
    scored: Array = total + TIE_BREAK * spend / (1 + np.abs(spend))
    return scored


def _bgnbd_gamma_gamma(model: FormulaModel, features: FeatureMatrix) -> Array:
    """BG/NBD orders times Gamma-Gamma order value (Fader, Hardie and Lee, 2005)."""
    return expectations_of(features, model.buy_till_you_die, model.horizon_days)["bgnbd_value"]


def _constant(model: FormulaModel, features: FeatureMatrix) -> Array:
    """The same for everybody."""
    return np.zeros(len(features))


FORMULAS: dict[str, Callable[[FormulaModel, FeatureMatrix], Array]] = {
    "past_spend_rate": _past_spend_rate,
    "net_spend_365d": _net_spend_365d,
    "recency": _recency,
    "weighted_rfm": _weighted_rfm,
    "bgnbd_gamma_gamma": _bgnbd_gamma_gamma,
    "constant": _constant,
}
"""Every baseline by name; each function's docstring is its description in reports."""

IN_CURRENCY = ("past_spend_rate", "net_spend_365d", "bgnbd_gamma_gamma")
