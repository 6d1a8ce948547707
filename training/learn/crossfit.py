"""Learn the members from several cohorts, cross-fitted so that every row has an unseen score."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, TweedieRegressor

from features.catalogue import FEATURES
from features.config import TrainingSettings
from features.errors import NoSkillError
from training.cohort import Cohort
from training.learn.kept import fit_or_read, kept_folder
from training.models.booster import AnyBooster
from training.models.btyd import BuyTillYouDie
from training.models.matrix import Array, FeatureMatrix, stack_rows
from training.models.members import Members, TreeEnsemble, combine_raw, raw_score
from training.models.transform import (
    EXPECTATIONS,
    LinearModel,
    base_value,
    expectations_of,
    learn_linear_inputs,
    with_expectations,
)
from training.split import fold_of

WINSOR_QUANTILE = 0.995
SMALLEST_KNOWN_SHARE = 0.02  # a column known for fewer rows is left out
TWEEDIE_POWER = 1.5
GLM_ALPHA = 0.02
LOGISTIC_C = 0.001  # on every column
ONE_CLASS_LOGIT = 9.0  # where every training row is active, or none
MAX_BIN = 127
# Without path_smooth: LightGBM smooths leaves after it has constrained them, and more spend could
# lower a value. Without it none does, and nGini on the public shops stays within .0001.
TREE_PARAMETERS = {
    "verbose": -1,
    "learning_rate": 0.04,
    "num_leaves": 15,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": MAX_BIN,
    "extra_trees": True,  # random thresholds: better probabilities on every shop measured
    "deterministic": True,
    "force_row_wise": True,
    "monotone_constraints_method": "basic",  # the others let joint moves slip through
    "tweedie_variance_power": TWEEDIE_POWER,
}
MONOTONE = {feature.name: feature.monotone for feature in FEATURES} | {
    name: 1 for name in EXPECTATIONS if name != "mbgnbd_p_alive"
}
"""+1 where more of a column can only raise the value, -1 where it can only lower it."""
OBJECTIVES = {
    "active": "binary",
    "log_value": "regression",
    "gamma_value": "gamma",
    "tweedie_value": "tweedie",
}


@dataclass(frozen=True)
class TrainingCohort:
    """A labelled cohort with the expectations of the buy-till-you-die fit of its own past."""

    cohort: Cohort
    expected: dict[str, Array]
    weight: float

    @property
    def level(self) -> float:
        """Realised value per unit of base value; divided out of the targets."""
        return max(float(self.cohort.value.sum()), 1e-9) / float(base_value(self.expected).sum())


@dataclass(frozen=True)
class CrossFit:
    """What was learned, and what it says of each training row that it has not seen.

    Attributes
    ----------
    members : Members
        The served members.
    columns : tuple of str
        Catalogue features in use.
    unseen : list of dict
        For each training cohort, newest first: keys as `Members.predict`, arrays (n,).
    """

    members: Members
    columns: tuple[str, ...]
    unseen: list[dict[str, Array]]


def training_cohort(cohort: Cohort, model: BuyTillYouDie, weight: float) -> TrainingCohort:
    """Compute the expectations of a cohort under the fit of its own past."""
    expected = expectations_of(cohort.features, model, cohort.snapshot.horizon_days)
    return TrainingCohort(cohort, expected, weight)


def usable_columns(cohorts: Sequence[TrainingCohort], target: FeatureMatrix) -> tuple[str, ...]:
    """Return the catalogue features known often enough in training and at the target cutoff."""
    known = np.mean(~np.isnan(np.vstack([c.cohort.features.values for c in cohorts])), axis=0)
    at_target = np.any(~np.isnan(target.values), axis=0)
    return tuple(
        name
        for name, share, there in zip(
            target.columns, known.tolist(), at_target.tolist(), strict=True
        )
        if share > SMALLEST_KNOWN_SHARE and there
    )


@dataclass(frozen=True)
class _Rows:
    """All training rows, one cohort below the other."""

    design: FeatureMatrix
    active: NDArray[np.bool_]
    target: Array  # winsorised, level-free, floored value in currency
    weight: Array
    fold: NDArray[np.int64]


def fit_members(
    cohorts: Sequence[TrainingCohort], target: FeatureMatrix, settings: TrainingSettings
) -> CrossFit:
    """Learn every member, cross-fitted by a hash of the customer.

    Parameters
    ----------
    cohorts : sequence of TrainingCohort
        Newest first; equal feature columns.
    target : FeatureMatrix
        Catalogue features of the cohort that will be scored (to know which columns exist).
    settings : TrainingSettings
        Folds, seed and threads.

    Raises
    ------
    NoSkillError
        If without some fold not one customer is left who was active.
    """
    columns = usable_columns(cohorts, target)
    rows = _training_rows(cohorts, columns, settings)
    _check_every_fold(rows)
    unit = float(rows.target.mean())
    inputs = learn_linear_inputs(rows.design)
    all_inputs = learn_linear_inputs(rows.design, rows.design.columns)
    standard = np.column_stack(inputs.transform(rows.design))
    all_standard = np.column_stack(all_inputs.transform(rows.design))
    jobs = [(kind, fold) for fold in range(settings.n_folds) for kind in OBJECTIVES]

    folder = kept_folder()

    def fit(job: tuple[str, int]) -> AnyBooster:
        return _fit_trees(*job, rows, unit, settings, folder)

    with ThreadPoolExecutor(settings.num_threads) as pool:
        fitted = dict(zip(jobs, pool.map(fit, jobs), strict=True))
    boosters = {kind: [fitted[kind, f] for f in range(settings.n_folds)] for kind in OBJECTIVES}
    unseen = {name: np.zeros(len(rows.target)) for name in (*OBJECTIVES, "glm", "logistic")}
    glm: list[LinearModel] = []
    logistic: list[LinearModel] = []
    for fold in range(settings.n_folds):
        seen, held = rows.fold != fold, rows.fold == fold
        for kind in OBJECTIVES:
            unseen[kind][held] = raw_score(boosters[kind][fold], rows.design.values[held])
        glm.append(_fit_glm(standard[seen], rows.target[seen] / unit, rows.weight[seen]))
        logistic.append(_fit_logistic(all_standard[seen], rows.active[seen], rows.weight[seen]))
        unseen["glm"][held] = glm[-1].predict(list(standard[held].T))
        unseen["logistic"][held] = logistic[-1].predict(list(all_standard[held].T))
    members = Members(
        trees={kind: TreeEnsemble(tuple(each)) for kind, each in boosters.items()},
        inputs=inputs,
        all_inputs=all_inputs,
        glm=tuple(glm),
        logistic=tuple(logistic),
        unit=unit,
    )
    return CrossFit(members, columns, _unseen_by_cohort(cohorts, unseen, unit))


def _training_rows(
    cohorts: Sequence[TrainingCohort], columns: tuple[str, ...], settings: TrainingSettings
) -> _Rows:
    value = np.concatenate([c.cohort.value for c in cohorts])
    level = np.concatenate([np.full(len(c.cohort), c.level) for c in cohorts])
    cap = np.quantile(value[value > 0], WINSOR_QUANTILE)
    design = [with_expectations(c.cohort.features.select(columns), c.expected) for c in cohorts]
    return _Rows(
        design=stack_rows(design),
        active=value > 0,
        target=np.minimum(value, cap) / level,
        weight=np.concatenate([np.full(len(c.cohort), c.weight) for c in cohorts]),
        fold=np.concatenate([fold_of(c.cohort.customer_ids, settings.n_folds) for c in cohorts]),
    )


def _check_every_fold(rows: _Rows) -> None:
    n_folds = len(np.unique(rows.fold[rows.active]))
    if n_folds < 2:
        raise NoSkillError(
            "the customers who bought again in the training cohorts lie in one cross-fitting fold; "
            "expected them in two or more",
            "wait for more repeat purchases, or shorten training.horizon_days",
        )


def _fit_trees(
    kind: str,
    fold: int,
    rows: _Rows,
    unit: float,
    settings: TrainingSettings,
    folder: Path | None,
) -> AnyBooster:
    """Fit one booster without one fold; conditional values learn from active customers only.

    One thread each: boosters side by side keep the cores busier than threads within one.
    """
    seen = rows.fold != fold
    target, mask = {
        "active": (rows.active.astype(np.float64), seen),
        "log_value": (np.log(np.maximum(rows.target, 1e-9)), seen & rows.active),
        "gamma_value": (rows.target / unit, seen & rows.active),
        "tweedie_value": (rows.target / unit, seen),
    }[kind]
    parameters = TREE_PARAMETERS | {
        "objective": OBJECTIVES[kind],
        "min_child_samples": int(np.clip(len(rows.target) / 300, 20, 100)),
        "monotone_constraints": [MONOTONE.get(name, 0) for name in rows.design.columns],
        "seed": settings.seed,
        "num_threads": 1,
    }
    data = rows.design.values[mask], target[mask], rows.weight[mask]
    return fit_or_read(folder, parameters, data, settings.n_rounds)


def _fit_glm(standard: Array, target: Array, weight: Array) -> LinearModel:
    model = TweedieRegressor(power=TWEEDIE_POWER, alpha=GLM_ALPHA, link="log", max_iter=300)
    model.fit(standard, target, sample_weight=weight)
    return LinearModel(float(model.intercept_), tuple(float(c) for c in model.coef_))


def _fit_logistic(standard: Array, active: NDArray[np.bool_], weight: Array) -> LinearModel:
    if active.all() or not active.any():
        return LinearModel(
            ONE_CLASS_LOGIT if active.all() else -ONE_CLASS_LOGIT, (0.0,) * standard.shape[1]
        )
    model = LogisticRegression(C=LOGISTIC_C, max_iter=200)
    model.fit(standard, active, sample_weight=weight)
    return LinearModel(float(model.intercept_[0]), tuple(float(c) for c in model.coef_[0]))


def _unseen_by_cohort(
    cohorts: Sequence[TrainingCohort], raw: dict[str, Array], unit: float
) -> list[dict[str, Array]]:
    """Split the unseen raw scores by cohort and bring them to the form of `Members.predict`."""
    split: list[dict[str, Array]] = []
    start = 0
    for cohort in cohorts:
        part = slice(start, start + len(cohort.cohort))
        start = part.stop
        mine = {name: values[part] for name, values in raw.items()}
        split.append(combine_raw(mine, unit, cohort.expected["mbgnbd_value"]))
    return split
