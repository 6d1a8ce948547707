"""The facts of a card, gathered by the run that made the release; plain JSON values."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import InputError
from training.artifact import finite_or_none
from training.backtest import LEARNED, Backtest
from training.judge.resample import bootstrap_intervals, permutation_skill
from training.learn.spread import covered_share
from training.run import TrainingResult
from training.spread import RUNGS, rungs_of

FACTS = "card.json"
INTERVAL_DRAWS = 200
SKILL_DRAWS = 300
FEWEST_TO_RANK = 30
SHOWN = (
    "ngini", "capture_top10", "decile_mape", "level_bias", "spearman", "auc_active", "brier", "ece",
)  # fmt: skip


def build_facts(result: TrainingResult, trained_on: date, seed: int) -> dict[str, Any]:
    """Return the facts of a release.

    Parameters
    ----------
    result : TrainingResult
        A run.
    trained_on : date
        The day of the run.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        JSON values. Every metric stands with its bootstrap interval over customers.
    """
    release, backtest = result.release, result.backtest
    lineage = release.lineage
    return {
        "release": release.digest,
        "source": release.source,
        "currency": release.currency,
        "history_start": release.history_start.isoformat(),
        "cutoff": release.cutoff.isoformat(),
        "trained_on": trained_on.isoformat(),
        "horizon_days": release.horizon_days,
        "learned_horizon_days": release.feature_horizon_days,
        "season_unseen": release.season_unseen,
        "minimum_orders": release.minimum_orders,
        "model": backtest.winner,
        "is_learned": backtest.winner == LEARNED,
        "n_features": len(release.columns),
        "lineage": {
            name: lineage[name]
            for name in ("data", "sentiment", "configuration", "code", "versions")
        },
        "level": lineage["level"],
        "cutoffs": lineage["cutoffs"],
        "backtest": {
            "cutoff": backtest.cohort.snapshot.cutoff.isoformat(),
            "horizon_days": backtest.cohort.snapshot.horizon_days,
            "n_customers": len(backtest.cohort),
            "n_active": int(backtest.cohort.active.sum()),
            "best_baseline": backtest.best_baseline,
            "difference": asdict(backtest.difference),
            "skill_p_value": backtest.skill.p_value,
        },
        "metrics": _metrics(backtest, seed),
        "models": {
            name: {metric: finite_or_none(figures[metric]) for metric in SHOWN if metric in figures}
            for name, figures in backtest.metrics.items()
        },
        "tiers": _tiers(result),
        "tiers_method": lineage["tiers"],
        "rungs": _rungs(result, seed),
        "outlook": lineage["outlook"],
        "borderline_factors": list(release.borderline_factors),
        "groups": [asdict(group) for group in result.groups],
        "breaches": lineage["fairness"]["breaches"],
    }


def _metrics(backtest: Backtest, seed: int) -> dict[str, dict[str, float | None]]:
    told, winner = backtest.predictions[backtest.winner], backtest.metrics[backtest.winner]
    p_active = told.p_active if "brier" in winner else None
    intervals = bootstrap_intervals(
        backtest.cohort.value, told.value, p_active, draws=INTERVAL_DRAWS, seed=seed
    )
    return {
        metric: {
            "value": finite_or_none(winner[metric]),
            "low95": finite_or_none(intervals[metric][0]),
            "high95": finite_or_none(intervals[metric][1]),
        }
        for metric in SHOWN
        if metric in winner
    }


def _tiers(result: TrainingResult) -> list[dict[str, Any]]:
    tiers = [asdict(tier) for tier in result.release.tiers]
    for tier in tiers:
        tier["boundary_below"] = finite_or_none(tier["boundary_below"])
    return tiers


def _rungs(result: TrainingResult, seed: int) -> list[dict[str, Any]]:
    """Return how much is known of the customers on each rung of the cold-start ladder."""
    cohort = result.backtest.cohort
    told = result.backtest.predictions[result.backtest.winner]
    rung, spread = rungs_of(cohort.features["n_positive_days"]), result.release.spread
    found = []
    for k, name in enumerate(RUNGS):
        mine = rung == k
        if not mine.any():
            continue
        y, value = cohort.value[mine], told.value[mine]
        row: dict[str, Any] = {
            "rung": name,
            "n_customers": int(mine.sum()),
            "share": float(mine.mean()),
            "n_active": int(np.count_nonzero(y > 0)),
            "mean_value": float(value.mean()),
            "mean_outcome": float(y.mean()),
            "ngini": None,
            "p_value": None,
            "relative_width": None,
            "coverage": None,
        }
        if row["n_active"] >= FEWEST_TO_RANK:
            skill = permutation_skill(y, value, draws=SKILL_DRAWS, seed=seed)
            row["ngini"], row["p_value"] = finite_or_none(skill.ngini), skill.p_value
        if spread is not None:
            low, high = spread.intervals(rung[mine], value, told.p_active[mine])
            row["coverage"] = covered_share(low, high, y)
            width = float((high - low).mean()) / max(row["mean_value"], 1e-9)
            row["relative_width"] = width if math.isfinite(width) else None
        found.append(row)
    return found


def write_facts(facts: dict[str, Any], folder: Path) -> Path:
    """Write the facts to ``card.json`` of a report folder; return its path."""
    path = folder / FACTS
    path.write_text(json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
    return path


def read_facts(folder: Path) -> dict[str, Any]:
    """Read the facts of a release.

    Raises
    ------
    InputError
        If the release has none.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except OSError as cause:
        raise InputError(
            f"no {FACTS} in {folder}; expected the report of a training run",
            "train again: python -m training train --source datasets/SOURCE.toml",
        ) from cause
    except ValueError as cause:
        raise InputError(
            f"{folder / FACTS} is not JSON; expected the facts of a training run",
            "restore it, or train again",
        ) from cause
    return facts
