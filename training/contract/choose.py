"""Which candidate is released, by cross-validation, and how good that choice is, by nesting it.

Folds go by a hash of the customer, and customers who are equal in every feature share a fold: a
copy of a row that was learned from is not unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from features.contract.table import ContractTable
from features.errors import NoSkillError
from features.identity import hash_bucket
from features.progress import Progress
from training.contract.candidates import CANDIDATES, fit_all
from training.contract.design import learn_design
from training.judge.evaluate import auc_active
from training.models.matrix import Array
from training.models.transform import sigmoid

N_OUTER, N_INNER = 5, 3
CHAMPION = "champion"
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """p_churn = sigmoid(intercept + slope * logit), learned on unseen logits (Platt 1999)."""

    intercept: float
    slope: float

    def probabilities(self, logits: Array) -> Array:
        """Return probabilities; their order is that of the logits."""
        p: Array = sigmoid(self.intercept + self.slope * logits)
        return p


@dataclass(frozen=True)
class Nested:
    """What every candidate, and the choice among them, said of customers it had not seen.

    Attributes
    ----------
    fold : int array (n,)
        Outer fold of each customer.
    logits : dict of array
        By candidate: of a model that was fitted on the other outer folds.
    p_churn : dict of array
        Calibrated, by candidate; `CHAMPION` is what the choice inside each outer fold said.
    chosen : tuple of str
        The candidate chosen inside each outer fold.
    """

    fold: Ints
    logits: dict[str, Array]
    p_churn: dict[str, Array]
    chosen: tuple[str, ...]


def twin_keys(table: ContractTable) -> tuple[str, ...]:
    """Return a digest of each customer's features: equal where all of them are equal."""
    both = pd.concat([table.numbers, table.categories.fillna("")], axis=1)
    hashed = pd.util.hash_pandas_object(both, index=False)
    return tuple(hashlib.sha256(str(value).encode()).hexdigest()[:16] for value in hashed)


def twin_share(table: ContractTable) -> float:
    """Return the share of customers who are equal to another in every feature."""
    return float(pd.Series(twin_keys(table)).duplicated(keep=False).mean())


def fold_by_twins(table: ContractTable, n_folds: int, salt: str) -> Ints:
    """Return each customer's fold; those equal in every feature share one."""
    return np.array([hash_bucket(key, n_folds, salt) for key in twin_keys(table)], dtype=np.int64)


def crossfit(table: ContractTable, fold: Ints, seed: int) -> dict[str, Array]:
    """Return each candidate's logits of every customer, by models that had not seen the fold.

    Raises
    ------
    NoSkillError
        If what is left to learn from holds customers of one kind only.
    """
    logits = {name: np.full(len(table), np.nan) for name in CANDIDATES}
    for k in np.unique(fold):
        found = _fit_and_say(table.take(fold != k), table.take(fold == k), seed)
        for name in CANDIDATES:
            logits[name][fold == k] = found[name]
    return logits


def _fit_and_say(seen: ContractTable, unseen: ContractTable, seed: int) -> dict[str, Array]:
    churned = seen.label > 0
    if churned.all() or not churned.any():
        raise NoSkillError(
            f"all {len(churned)} customers of the other folds "
            f"{'left' if churned.all() else 'stayed'}; expected both kinds in every fold",
            "add customers of the other kind",
        )
    design = learn_design(seen)
    models = fit_all(design, design.matrix(seen.numbers, seen.categories), churned, seed)
    matrix = design.matrix(unseen.numbers, unseen.categories)
    return {name: model.logits(matrix) for name, model in models.items()}


def choose(logits: Mapping[str, Array], churned: Bools) -> str:
    """Return the candidate whose unseen logits rank best; of equals the simplest.

    >>> y = np.array([True, False, True, False])
    >>> choose({n: np.zeros(4) for n in CANDIDATES} | {"logistic": 1.0 * y}, y)
    'logistic'
    """
    return max(CANDIDATES, key=lambda name: auc_active(churned, logits[name]))


def calibrate(logits: Array, churned: Bools) -> Calibration:
    """Learn the calibration of a candidate on its unseen logits; the order is never turned."""
    if np.ptp(logits) < 1e-9:
        return Calibration(0.0, 1.0)
    model = LogisticRegression(C=1e6, max_iter=1000).fit(logits[:, None], churned)
    slope = float(model.coef_[0][0])
    if slope <= 0:
        share = float(churned.mean())
        return Calibration(float(np.log(share / (1 - share))), 0.0)
    return Calibration(float(model.intercept_[0]), slope)


def judge_nested(table: ContractTable, seed: int, tell: Progress) -> Nested:
    """Judge every candidate and the choice among them on customers neither had seen.

    Inside each of five outer folds the candidates are cross-fitted in three inner folds of the
    rest, the best is chosen and every one calibrated there; only then the outer fold is scored.

    Parameters
    ----------
    table : ContractTable
        Labelled customers.
    seed : int
        Of the boosters.
    tell : Progress
        Is told each outer fold.

    Raises
    ------
    NoSkillError
        If a fold holds customers of one kind only.
    """
    churned = table.label > 0
    fold = fold_by_twins(table, N_OUTER, "fold")
    p_churn = {name: np.full(len(table), np.nan) for name in (*CANDIDATES, CHAMPION)}
    logits = {name: np.full(len(table), np.nan) for name in CANDIDATES}
    chosen = []
    for k in range(N_OUTER):
        tell(f"outer fold {k + 1} of {N_OUTER}", N_INNER + 1)
        rest, held = table.take(fold != k), fold == k
        inner = crossfit(rest, fold_by_twins(rest, N_INNER, f"inner {k}"), seed)
        best = choose(inner, churned[~held])
        chosen.append(best)
        said = _fit_and_say(rest, table.take(held), seed)
        for name in CANDIDATES:
            logits[name][held] = said[name]
            calibration = calibrate(inner[name], churned[~held])
            p_churn[name][held] = calibration.probabilities(said[name])
        p_churn[CHAMPION][held] = p_churn[best][held]
    return Nested(fold, logits, p_churn, tuple(chosen))
