"""The candidates for customers under contract and how each is fitted, the simplest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from training.contract.design import Design, one_hot
from training.contract.models import (
    DEGREE,
    ConstantLogit,
    LogitModel,
    MeanLogit,
    SplineLogit,
    StepLogit,
    TreesLogit,
)
from training.judge.evaluate import auc_active
from training.models.matrix import Array, FeatureMatrix

Bools = NDArray[np.bool_]
N_STEPS = 10
STEP_PRIOR = 10.0  # customers' worth of the base rate that each step begins with
N_KNOTS = 6
FEWEST_KNOTS = 4
LOGISTIC_C = 1.0
SPLINE_C = 0.05
LARGEST_SHARE = 1 - 1e-6
TREES: dict[str, Any] = {
    "objective": "binary",
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "bagging_freq": 1,
    "bagging_fraction": 0.7,
}
SHALLOW = TREES | {
    "learning_rate": 0.03, "max_depth": 2, "num_leaves": 4, "min_data_in_leaf": 30,
    "lambda_l2": 5.0, "feature_fraction": 0.4,
}  # fmt: skip
LARGE = TREES | {
    "learning_rate": 0.1, "num_leaves": 63, "min_data_in_leaf": 3, "lambda_l2": 1.0,
    "feature_fraction": 0.6,
}  # fmt: skip
SHALLOW_ROUNDS, SHALLOW_SEEDS = 400, 3
LARGE_ROUNDS, LARGE_SEEDS = 600, 1


def to_logit(share: float) -> float:
    """Return the logit of a share, held away from 0 and 1."""
    held = min(max(share, 1 - LARGEST_SHARE), LARGEST_SHARE)
    return float(np.log(held / (1 - held)))


def fit_constant(design: Design, matrix: FeatureMatrix, churned: Bools, seed: int) -> LogitModel:
    """Fit the share that churned."""
    return ConstantLogit(to_logit(float(churned.mean())))


def fit_single_column(
    design: Design, matrix: FeatureMatrix, churned: Bools, seed: int
) -> LogitModel:
    """Fit the column that tells most by itself: rates by step or value, drawn to the base rate."""
    found: list[tuple[float, StepLogit]] = []
    for name in design.numbers:
        model = _steps(name, matrix[name], churned)
        found.append((auc_active(churned, model.logits(matrix)), model))
    for name, known in design.levels.items():
        columns = [one_hot(name, level) for level in (*known, "?")]
        values = {column: _rate_logit(matrix[column] > 0, churned) for column in columns}
        model = StepLogit(name, values=values)
        found.append((auc_active(churned, model.logits(matrix)), model))
    return max(found, key=lambda pair: pair[0])[1]


def _steps(name: str, x: Array, churned: Bools) -> StepLogit:
    known = ~np.isnan(x)
    inner = np.linspace(0, 1, N_STEPS + 1)[1:-1]
    cuts = np.unique(np.quantile(x[known], inner, method="higher")) if known.any() else np.empty(0)
    place = np.searchsorted(cuts, x, side="right")
    steps = [_rate_logit(known & (place == i), churned) for i in range(len(cuts) + 1)]
    return StepLogit(name, tuple(cuts.tolist()), tuple(steps), _rate_logit(~known, churned))


def _rate_logit(rows: Bools, churned: Bools) -> float:
    prior = STEP_PRIOR * float(churned.mean())
    return to_logit((float(churned[rows].sum()) + prior) / (float(rows.sum()) + STEP_PRIOR))


def fit_logistic(design: Design, matrix: FeatureMatrix, churned: Bools, seed: int) -> LogitModel:
    """Fit a logistic regression."""
    return _fit_additive(design, matrix, churned, LOGISTIC_C, n_knots=0)


def fit_spline_logistic(
    design: Design, matrix: FeatureMatrix, churned: Bools, seed: int
) -> LogitModel:
    """Fit a logistic regression with a cubic spline of each number, knots at its quantiles."""
    return _fit_additive(design, matrix, churned, SPLINE_C, N_KNOTS)


def _fit_additive(
    design: Design, matrix: FeatureMatrix, churned: Bools, c: float, n_knots: int
) -> SplineLogit:
    blocks: list[Array] = []
    places: dict[tuple[str, str], slice] = {}
    knots: dict[str, Array] = {}
    fills: dict[str, float] = {}

    def add(what: str, name: str, block: Array) -> None:
        start = sum(b.shape[1] for b in blocks)
        blocks.append(block)
        places[what, name] = slice(start, start + block.shape[1])

    for name in matrix.columns:
        x = matrix[name]
        if name in design.numbers:
            absent = np.isnan(x)
            fills[name] = 0.0 if absent.all() else float(np.nanmedian(x))
            x = np.where(absent, fills[name], x)
            if absent.any():
                add("missing", name, absent[:, None].astype(np.float64))
            at = np.unique(np.quantile(x, np.linspace(0, 1, n_knots))) if n_knots else np.empty(0)
            if len(at) >= FEWEST_KNOTS:
                spline = SplineTransformer(degree=DEGREE, knots=at[:, None])
                add("spline", name, spline.fit_transform(x[:, None]))
                knots[name] = spline.bsplines_[0].t
        add("linear", name, x[:, None])
    stacked = np.hstack(blocks)
    scaler = StandardScaler().fit(stacked)
    model = LogisticRegression(C=c, max_iter=2000).fit(scaler.transform(stacked), churned)
    weights = model.coef_[0] / scaler.scale_
    intercept = float(model.intercept_[0] - (weights * scaler.mean_).sum())

    def told(what: str) -> dict[str, float]:
        return {n: float(weights[p][0]) for (kind, n), p in places.items() if kind == what}

    return SplineLogit(
        intercept=intercept,
        linear=told("linear"),
        fills=fills,
        missing=told("missing"),
        splines={
            name: (tuple(at.tolist()), tuple(weights[places["spline", name]].tolist()))
            for name, at in knots.items()
        },
    )


def fit_shallow_trees(
    design: Design, matrix: FeatureMatrix, churned: Bools, seed: int
) -> LogitModel:
    """Fit boosted trees of two splits: additive but for pairs."""
    return _fit_trees("shallow", SHALLOW, SHALLOW_ROUNDS, SHALLOW_SEEDS, matrix, churned, seed)


def fit_large_trees(design: Design, matrix: FeatureMatrix, churned: Bools, seed: int) -> LogitModel:
    """Fit boosted trees that may learn single customers by heart: good where rows come again."""
    return _fit_trees("large", LARGE, LARGE_ROUNDS, LARGE_SEEDS, matrix, churned, seed)


def _fit_trees(
    name: str,
    parameters: dict[str, Any],
    rounds: int,
    n_seeds: int,
    matrix: FeatureMatrix,
    churned: Bools,
    seed: int,
) -> TreesLogit:
    texts = {}
    for i in range(n_seeds):
        data = lgb.Dataset(matrix.values, churned.astype(np.float64), params={"verbosity": -1})
        booster = lgb.train(parameters | {"seed": seed + i}, data, rounds)
        texts[f"{name}_{i}.txt"] = booster.model_to_string(num_iteration=-1)
    return TreesLogit(texts)


Fit = Callable[[Design, FeatureMatrix, Bools, int], LogitModel]
FITS: dict[str, Fit] = {
    "constant": fit_constant,
    "single_column": fit_single_column,
    "logistic": fit_logistic,
    "spline_logistic": fit_spline_logistic,
    "shallow_trees": fit_shallow_trees,
    "large_trees": fit_large_trees,
}
MEANS: dict[str, tuple[str, ...]] = {
    "spline_and_shallow": ("spline_logistic", "shallow_trees"),
    "spline_shallow_and_large": ("spline_logistic", "shallow_trees", "large_trees"),
}
CANDIDATES = (*FITS, *MEANS)
BASELINES = ("constant", "single_column", "logistic")


def fit_candidate(
    name: str, design: Design, matrix: FeatureMatrix, churned: Bools, seed: int
) -> LogitModel:
    """Fit one candidate."""
    with threadpool_limits(1):  # sums in one order, so that the digest does not hang on the cores
        if name in MEANS:
            parts = [FITS[part](design, matrix, churned, seed) for part in MEANS[name]]
            return MeanLogit(tuple(parts))
        return FITS[name](design, matrix, churned, seed)


def fit_all(
    design: Design, matrix: FeatureMatrix, churned: Bools, seed: int
) -> dict[str, LogitModel]:
    """Fit every candidate; a mean takes the parts that were fitted anyway."""
    models: dict[str, LogitModel] = {
        name: fit_candidate(name, design, matrix, churned, seed) for name in FITS
    }
    for name, parts in MEANS.items():
        models[name] = MeanLogit(tuple(models[part] for part in parts))
    return models
