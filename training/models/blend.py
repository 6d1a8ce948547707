"""The learned model: members blended, shaped and levelled. Pure; served as JSON and tree texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.models.btyd import BuyTillYouDie
from training.models.matrix import Array, FeatureMatrix, weighted_sum
from training.models.members import TREE_KINDS, TREE_MEMBERS, VALUE_MEMBERS, Members, TreeEnsemble
from training.models.model import Prediction
from training.models.transform import (
    LinearInputs,
    LinearModel,
    expectations_of,
    logit,
    with_expectations,
)

CAP_QUANTILE = 0.98
ABSENCE = "days_since_last_order"
SMALLEST_SCORE = 1e-9


@dataclass(frozen=True)
class Mixture:
    """How member scores become one score, frozen on one cohort.

    Trees cannot extrapolate: above `cap`, the quantile of their mean that they reach, the weight
    moves to the members that can (tail rule).

    Attributes
    ----------
    scales : dict of str to float
        Mean of each member on the cohort; scores are divided by it.
    weights : dict of str to float
        Weight of each member, 0 where the guard dropped it.
    cap : float
        98th percentile of the trees' mean score, in means.
    mean : float
        Mean of the mixed score on the cohort; divided out.
    """

    scales: dict[str, float]
    weights: dict[str, float]
    cap: float
    mean: float

    def mix(self, scores: Mapping[str, Array]) -> Array:
        """Return the mixed score (n,), with mean 1 on the cohort it was frozen on."""
        trees, extrapolating, share = _two_sides(scores, self.scales, self.weights)
        return _tail_rule(trees, extrapolating, share, self.cap) / self.mean


def _two_sides(
    scores: Mapping[str, Array], scales: Mapping[str, float], weights: Mapping[str, float]
) -> tuple[Array, Array, float]:
    """Return the mean of the trees, the mean of the others, and the trees' share of the weight."""
    sides = []
    totals = []
    for names in (TREE_MEMBERS, VALUE_MEMBERS[len(TREE_MEMBERS) :]):
        total = sum(weights[name] for name in names)
        parts = [scores[name] / scales[name] for name in names]
        sides.append(weighted_sum(parts, [weights[name] / max(total, 1e-9) for name in names]))
        totals.append(total)
    return sides[0], sides[1], totals[0] / (totals[0] + totals[1])


def _tail_rule(trees: Array, extrapolating: Array, share: float, cap: float) -> Array:
    if share in (0.0, 1.0):
        return trees if share else extrapolating
    weight = share * np.minimum(1.0, cap / np.maximum(extrapolating, SMALLEST_SCORE))
    mixed: Array = weight * trees + (1 - weight) * extrapolating
    return mixed


def freeze_mixture(scores: Mapping[str, Array], weights: Mapping[str, float]) -> Mixture:
    """Freeze the scales, the cap and the mean of a mixture on one cohort's member scores."""
    scales = {name: max(float(scores[name].mean()), SMALLEST_SCORE) for name in VALUE_MEMBERS}
    trees, extrapolating, share = _two_sides(scores, scales, weights)
    cap = float(np.quantile(trees, CAP_QUANTILE))
    mean = float(_tail_rule(trees, extrapolating, share, cap).mean())
    return Mixture(scales, {name: weights[name] for name in VALUE_MEMBERS}, cap, mean)


@dataclass(frozen=True)
class ChurnStack:
    """P(active) as a logistic stack of three probabilities, shifted to a level."""

    model: LinearModel
    shift: float

    def predict(
        self, scores: Mapping[str, Array], p_bought: Array, fade: Array | float = 1.0
    ) -> Array:
        """Return P(active), (n,).

        Parameters
        ----------
        scores : mapping
            With ``active_trees`` and ``active_logistic`` of `Members.predict`.
        p_bought : array (n,)
            MBG/NBD's probability of at least one purchase.
        fade : array (n,)
            By what the odds are divided, as `absence_fade`.
        """
        logits = stack_inputs(scores, p_bought)
        return faded_sigmoid(self.model.predict(logits) + self.shift, fade)


def faded_sigmoid(logits: Array, fade: Array | float) -> Array:
    """Return the probability of which the odds are exp(logits) / fade."""
    return 1.0 / (1.0 + np.exp(-logits) * fade)


def absence_fade(features: FeatureMatrix, longest_absence_days: float | None) -> Array:
    """Return by what value and odds are divided for an absence longer than any in training, (n,).

    Trees and clipped linear inputs cannot extrapolate a dormancy that no training cohort has seen.
    Beyond it the chance of a return falls as one over the days away, as a power law of waiting
    times has it; up to it nothing changes.

    >>> days = FeatureMatrix((ABSENCE,), np.array([[30.0], [100.0], [200.0]]))
    >>> absence_fade(days, 100.0).tolist(), absence_fade(days, None).tolist()
    ([1.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    """
    if longest_absence_days is None:
        return np.ones(len(features))
    return np.maximum(features[ABSENCE] / longest_absence_days, 1.0)


def stack_inputs(scores: Mapping[str, Array], p_bought: Array) -> list[Array]:
    """Return the three logits that the churn stack reads."""
    return [logit(scores["active_trees"]), logit(scores["active_logistic"]), logit(p_bought)]


@dataclass(frozen=True)
class BlendModel:
    """The learned model of value and churn.

    Attributes
    ----------
    columns : tuple of str
        Catalogue features it reads.
    training_horizon_days, horizon_days : int
        Horizon of the training cohorts, and the one that is predicted.
    buy_till_you_die : BuyTillYouDie
        Fitted on the past of the target cohort.
    members, mixture, churn
        As learned and frozen.
    power, scale : float
        expected value = scale * score ** power / fade, in currency; fade as `absence_fade`.
    longest_absence_days : float or None
        Days since the last order that the training cohorts reach; None where nothing fades.
    """

    columns: tuple[str, ...]
    training_horizon_days: int
    horizon_days: int
    buy_till_you_die: BuyTillYouDie
    members: Members
    mixture: Mixture
    power: float
    scale: float
    churn: ChurnStack
    longest_absence_days: float | None = None
    name: str = "blend"

    def predict(self, features: FeatureMatrix) -> Prediction:
        """Score rows; a row's answer does not depend on the other rows."""
        held = features.select(self.columns)
        expected = expectations_of(held, self.buy_till_you_die, self.training_horizon_days)
        at_horizon = expected
        if self.horizon_days != self.training_horizon_days:
            at_horizon = expectations_of(held, self.buy_till_you_die, self.horizon_days)
        design = with_expectations(held, expected)
        scores = self.members.predict(design, at_horizon["mbgnbd_value"])
        shaped = np.maximum(self.mixture.mix(scores), SMALLEST_SCORE) ** self.power
        fade = absence_fade(held, self.longest_absence_days)
        return Prediction(
            value=self.scale * shaped / fade,
            p_active=self.churn.predict(scores, expected["p_active"], fade),
        )

    def to_numbers(self) -> dict[str, Any]:
        """Return everything that is not a tree, as JSON values."""
        return {
            "kind": self.name,
            "columns": list(self.columns),
            "training_horizon_days": self.training_horizon_days,
            "horizon_days": self.horizon_days,
            "buy_till_you_die": self.buy_till_you_die.to_dict(),
            "inputs": asdict(self.members.inputs),
            "all_inputs": asdict(self.members.all_inputs),
            "glm": [asdict(model) for model in self.members.glm],
            "logistic": [asdict(model) for model in self.members.logistic],
            "unit": self.members.unit,
            "mixture": asdict(self.mixture),
            "power": self.power,
            "scale": self.scale,
            "churn": asdict(self.churn),
            "longest_absence_days": self.longest_absence_days,
            "n_folds": len(self.members.glm),
        }

    def to_texts(self) -> dict[str, str]:
        """Return LightGBM texts by file name."""
        return {
            _file_name(kind, fold): text
            for kind in TREE_KINDS
            for fold, text in enumerate(self.members.trees[kind].to_texts())
        }


def _file_name(kind: str, fold: int) -> str:
    return f"{kind}_{fold}.txt"


def blend_from(numbers: Mapping[str, Any], texts: Mapping[str, str]) -> BlendModel:
    """Rebuild the model from `BlendModel.to_numbers` and `BlendModel.to_texts`."""
    folds = range(numbers["n_folds"])
    trees = {
        kind: TreeEnsemble.from_texts([texts[_file_name(kind, fold)] for fold in folds])
        for kind in TREE_KINDS
    }
    members = Members(
        trees=trees,
        inputs=_inputs(numbers["inputs"]),
        all_inputs=_inputs(numbers["all_inputs"]),
        glm=tuple(_linear(model) for model in numbers["glm"]),
        logistic=tuple(_linear(model) for model in numbers["logistic"]),
        unit=numbers["unit"],
    )
    return BlendModel(
        columns=tuple(numbers["columns"]),
        training_horizon_days=numbers["training_horizon_days"],
        horizon_days=numbers["horizon_days"],
        buy_till_you_die=BuyTillYouDie.from_dict(numbers["buy_till_you_die"]),
        members=members,
        mixture=Mixture(**numbers["mixture"]),
        power=numbers["power"],
        scale=numbers["scale"],
        churn=ChurnStack(_linear(numbers["churn"]["model"]), numbers["churn"]["shift"]),
        longest_absence_days=numbers["longest_absence_days"],
    )


def _inputs(numbers: Mapping[str, Any]) -> LinearInputs:
    return LinearInputs(*(tuple(numbers[key]) for key in ("columns", "mean", "deviation")))


def _linear(numbers: Mapping[str, Any]) -> LinearModel:
    return LinearModel(numbers["intercept"], tuple(numbers["coefficients"]))
