"""The members of the blend once learned: what each predicts for one row, on any number of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.models.booster import AnyBooster, TextBooster
from training.models.matrix import Array, FeatureMatrix
from training.models.transform import LinearInputs, LinearModel, sigmoid

TREE_KINDS = ("active", "log_value", "gamma_value", "tweedie_value")
VALUE_MEMBERS = ("hurdle_log", "hurdle_gamma", "tweedie", "glm", "mbgnbd")
TREE_MEMBERS = VALUE_MEMBERS[:3]


def raw_score(booster: AnyBooster, values: Array) -> Array:
    """Return a booster's raw scores (n,) on one thread."""
    scores: Array = booster.predict(values, raw_score=True, num_threads=1)
    return scores


@dataclass(frozen=True)
class TreeEnsemble:
    """The boosters of one kind, one a cross-fitting fold; the answer averages their raw scores."""

    boosters: tuple[AnyBooster, ...]

    def raw(self, features: FeatureMatrix) -> Array:
        """Return the mean raw score (n,) on the scale of the link."""
        total = np.zeros(len(features))
        for booster in self.boosters:
            total = total + raw_score(booster, features.values)
        return total / len(self.boosters)

    def to_texts(self) -> list[str]:
        """Return LightGBM's text of each booster."""
        return [booster.model_to_string(num_iteration=-1) for booster in self.boosters]

    @classmethod
    def from_texts(cls, texts: list[str]) -> TreeEnsemble:
        """Parse boosters; the caller has checked the digests of the texts."""
        return cls(tuple(TextBooster(text) for text in texts))


@dataclass(frozen=True)
class Members:
    """Everything that was learned from the training cohorts.

    Attributes
    ----------
    trees : dict of str to TreeEnsemble
        One ensemble a kind of `TREE_KINDS`.
    inputs, all_inputs : LinearInputs
        Standardised inputs of the linear value models, and of the logistic ones.
    glm : tuple of LinearModel
        Log-link value models, one a fold.
    logistic : tuple of LinearModel
        Logit-link models of being active, one a fold.
    unit : float
        Mean winsorised, level-free target that gamma, Tweedie and GLM scores are relative to.
    """

    trees: dict[str, TreeEnsemble]
    inputs: LinearInputs
    all_inputs: LinearInputs
    glm: tuple[LinearModel, ...]
    logistic: tuple[LinearModel, ...]
    unit: float

    def predict(self, design: FeatureMatrix, mbgnbd_value: Array) -> dict[str, Array]:
        """Return each value member's level-free score and two probabilities of being active.

        Parameters
        ----------
        design : FeatureMatrix
            Catalogue features with `EXPECTATIONS` beside them.
        mbgnbd_value : array (n,)
            The buy-till-you-die expectation at the horizon that is predicted.

        Returns
        -------
        dict
            Keys `VALUE_MEMBERS`, ``active_trees`` and ``active_logistic``; arrays (n,).
        """
        raw = {kind: ensemble.raw(design) for kind, ensemble in self.trees.items()}
        raw["glm"] = mean_prediction(self.glm, self.inputs.transform(design))
        raw["logistic"] = mean_prediction(self.logistic, self.all_inputs.transform(design))
        return combine_raw(raw, self.unit, mbgnbd_value)


def combine_raw(raw: dict[str, Array], unit: float, mbgnbd_value: Array) -> dict[str, Array]:
    """Turn raw scores on the scale of their links into what `Members.predict` returns.

    Parameters
    ----------
    raw : dict of str to array (n,)
        Keys `TREE_KINDS`, ``glm`` and ``logistic``.
    unit : float
        As `Members.unit`.
    mbgnbd_value : array (n,)
        Passed on as the member of that name.
    """
    active = sigmoid(raw["active"])
    return {
        "hurdle_log": active * np.exp(raw["log_value"]),
        "hurdle_gamma": active * np.exp(raw["gamma_value"]) * unit,
        "tweedie": np.exp(raw["tweedie_value"]) * unit,
        "glm": np.exp(raw["glm"]) * unit,
        "mbgnbd": mbgnbd_value,
        "active_trees": active,
        "active_logistic": sigmoid(raw["logistic"]),
    }


def mean_prediction(models: tuple[LinearModel, ...], inputs: list[Array]) -> Array:
    """Return the mean of the linear predictors, (n,)."""
    total = models[0].predict(inputs)
    for model in models[1:]:
        total = total + model.predict(inputs)
    return total / len(models)
