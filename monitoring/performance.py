"""How a release did: predictions against outcomes that have matured, and no others. Pure.

Every figure names its cohort and the day its labels matured. Before that day there is no figure:
labels that have not matured are never called performance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

import numpy as np

from features.config import MonitoringSettings
from monitoring.finding import Finding
from training.judge.evaluate import evaluate_predictions
from training.judge.resample import bootstrap_standard_errors
from training.models.matrix import Array

SURE = 1.96
DRAWS = 100
SEASON_SLACK = 1.25
"""By so much the band of the level is wider where the season was never seen in training."""
TOLD = ("ngini", "auc_active", "capture_top10", "level_bias", "brier", "ece", "decile_mape")
RANKS = ("ngini", "auc_active")


@dataclass(frozen=True)
class Performance:
    """One cohort, predicted by a release that had not seen its outcomes.

    Attributes
    ----------
    cutoff, matured_on : date
        Of the cohort; the day by which its labels are whole.
    horizon_days, n_customers : int
        Of the cohort.
    status : str
        ``immature``: no figure exists yet; ``insufficient``: too few customers or payers.
    figures, standard_errors, backtest : dict
        By metric: of the cohort, its bootstrap error, and what the release's backtest showed.
    findings : tuple of Finding
        Beyond their limits.
    """

    cutoff: date
    matured_on: date
    horizon_days: int
    n_customers: int
    status: Literal["immature", "insufficient", "judged"]
    figures: dict[str, float] = field(default_factory=dict)
    standard_errors: dict[str, float] = field(default_factory=dict)
    backtest: dict[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Predicted:
    """What a release said of a cohort.

    Attributes
    ----------
    cutoff : date
        Of the cohort; the release had seen nothing known at or after it.
    horizon_days : int
        What was predicted.
    value, p_active : array (n,)
        Expected value in currency, and probability of activity.
    """

    cutoff: date
    horizon_days: int
    value: Array
    p_active: Array


def judge_cohort(
    predicted: Predicted,
    outcome: Array | None,
    complete_before: date,
    backtest: Mapping[str, float],
    settings: MonitoringSettings,
    *,
    season_unseen: bool = False,
    level_was_seen: bool = False,
    seed: int = 0,
) -> Performance:
    """Hold predictions against matured outcomes, paired with the release's own backtest.

    Parameters
    ----------
    predicted : Predicted
        Of the cohort.
    outcome : array (n,) or None
        Net value in the outcome window, signed; None before it has matured.
    complete_before : date
        The midnight up to which outcomes are known.
    backtest : mapping
        The figures the release was made with.
    settings : MonitoringSettings
        Limits.
    season_unseen : bool
        Whether the release had seen no outcome of this season: its level may then be further off.
    level_was_seen : bool
        Whether the release's level was read from outcomes of this cohort: then only its ranks are
        judged.
    seed : int
        Of the bootstrap.
    """
    matured_on = predicted.cutoff + timedelta(days=predicted.horizon_days)
    n = len(predicted.value)
    named = predicted.cutoff, matured_on, predicted.horizon_days, n
    if matured_on > complete_before or outcome is None:
        return Performance(*named, "immature")
    payers = int((outcome > 0).sum())
    if n < settings.minimum_rows or payers < settings.minimum_rows // 10 or payers == n:
        return Performance(*named, "insufficient")
    figures = evaluate_predictions(outcome, predicted.value, predicted.p_active)
    errors = bootstrap_standard_errors(
        outcome, predicted.value, predicted.p_active, draws=DRAWS, seed=seed
    )
    told = {name: figures[name] for name in TOLD}
    findings = [
        *_rank_findings(predicted, told, errors, backtest, settings),
    ]
    if not level_was_seen:
        findings += _level_findings(predicted, told, errors, backtest, settings, season_unseen)
    return Performance(
        *named,
        "judged",
        told,
        {name: errors[name] for name in TOLD},
        {name: backtest[name] for name in TOLD if name in backtest},
        tuple(findings),
    )


def _rank_findings(
    predicted: Predicted,
    figures: Mapping[str, float],
    errors: Mapping[str, float],
    backtest: Mapping[str, float],
    settings: MonitoringSettings,
) -> list[Finding]:
    """Return the rankings that fell surely: both cohorts are samples, so both errors count."""
    found = []
    for name in RANKS:
        if name not in backtest or not np.isfinite(figures[name]):
            continue
        limit = backtest[name] - settings.rank_may_fall
        if figures[name] + SURE * np.sqrt(2) * errors[name] < limit:
            found.append(Finding("rank", f"{name} of {predicted.cutoff}", figures[name], limit))
    return found


def _level_findings(
    predicted: Predicted,
    figures: Mapping[str, float],
    errors: Mapping[str, float],
    backtest: Mapping[str, float],
    settings: MonitoringSettings,
    season_unseen: bool,
) -> list[Finding]:
    """Return a level and probabilities that are surely off.

    A calibration error is held against what the release itself told when it was made, too: what
    was known and accepted then is no news.
    """
    slack = SEASON_SLACK if season_unseen else 1.0
    low, high = settings.level_low / slack, settings.level_high * slack
    level, error = figures["level_bias"], SURE * errors["level_bias"]
    found = []
    if level + error < low:
        found.append(Finding("level", f"cohort {predicted.cutoff}", level, low))
    elif level - error > high:
        found.append(Finding("level", f"cohort {predicted.cutoff}", level, high))
    known = backtest.get("ece", 0.0)
    limit = max(settings.ece_alarm * slack, known + settings.ece_may_rise)
    if figures["ece"] - SURE * errors["ece"] > limit:
        found.append(
            Finding("calibration", f"p_active of {predicted.cutoff}", figures["ece"], limit)
        )
    return found
