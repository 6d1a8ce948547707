"""Record a training run: figures, pictures and tables for people, the release for the registry."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from features.config import Config
from training.backtest import LEARNED, Backtest
from training.backtest_store import write_backtest
from training.card import build_facts, write_cards
from training.judge.fairness import worst_gaps
from training.judge.pictures import calibration_curve, decile_bars, gain_curve, value_by_rank
from training.models.matrix import Array
from training.registry import Registry, Version
from training.release import Release
from training.report import comparison_table, group_table, tier_table
from training.run import TrainingResult
from training.tier_report.files import write_tier_report
from training.tier_report.gather import gather_report
from training.tiers.rival_table import rival_figures, rival_text

REPORTS = "reports"
RIVALS_FILE = "rivals.txt"


def record_training(
    result: TrainingResult, config: Config, registry: Registry, state: Path, trained_on: date
) -> Version:
    """Log one parent run with a nested run a model, and register the release.

    Parameters
    ----------
    result : TrainingResult
        A written release and its backtest.
    config : Config
        Logged whole.
    registry : Registry
        Where to.
    state : Path
        Pictures, tables and cards are kept in ``state/reports/DIGEST`` too.
    trained_on : date
        The day of the run, for its card.

    Returns
    -------
    Version
        The registered version; the one that is there already for a release made before.
    """
    release, backtest = result.release, result.backtest
    write_backtest(backtest, state, release.digest)
    reports = write_reports(release, backtest, state / REPORTS / release.digest[:12])
    for lang in ("en", "zh"):
        told = group_table(result.groups, release, lang) + "\n"
        (reports / f"groups_{lang}.txt").write_text(told, encoding="utf-8")
    write_cards(build_facts(result, trained_on, config.training.seed), reports)
    report = gather_report(release, backtest, result.today, result.rivals, config.training.tiers)
    write_tier_report(report, reports)
    (reports / RIVALS_FILE).write_text(rival_text(result.rivals) + "\n", encoding="utf-8")
    with registry.run(f"train {release.source} {release.cutoff}") as run_id:
        for name, metrics in backtest.metrics.items():
            with registry.run(name, nested=True):
                registry.log(metrics=metrics, tags={"model": name, "source": release.source})
        registry.log(
            parameters=_parameters(release, config),
            metrics=_figures(backtest)
            | result.outlook.figures
            | worst_gaps(result.groups)
            | rival_figures(result.rivals),
            tags={"source": release.source, "winner": backtest.winner, "release": release.digest},
        )
        registry.log_folder(reports, "report")
        registry.log_json(config.model_dump(mode="json"), "configuration.json")
        return registry.register(
            run_id,
            state / "releases" / release.digest,
            {
                "source": release.source,
                "cutoff": release.cutoff.isoformat(),
                "model": backtest.winner,
                "data": release.lineage["data"],
                "ngini": repr(backtest.metrics[backtest.winner]["ngini"]),
            },
        )


def write_reports(release: Release, backtest: Backtest, folder: Path) -> Path:
    """Write the pictures and tables of a release and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cohort, winner = backtest.cohort, backtest.predictions[backtest.winner]
    others = {name: p.value for name, p in backtest.predictions.items() if name != backtest.winner}
    gain_curve(cohort.value, {backtest.winner: winner.value, **others}, folder / "gain.png")
    decile_bars(cohort.value, winner.value, folder / "deciles.png")
    calibration_curve(cohort.active, winner.p_active, folder / "calibration.png")
    value_by_rank(
        winner.value,
        _backtest_cuts(release, winner.value),
        [tier.label["en"] for tier in release.tiers],
        folder / "value_by_rank.png",
        cohort.value,
    )
    for lang in ("en", "zh"):
        text = tier_table(release, lang) + "\n"
        (folder / f"tiers_{lang}.txt").write_text(text, encoding="utf-8")
    (folder / "models.txt").write_text(comparison_table(backtest) + "\n", encoding="utf-8")
    return folder


def _backtest_cuts(release: Release, value: Array) -> list[float]:
    """Return the boundaries that the release's shares make on the backtest cohort, rising."""
    below = np.cumsum([tier.share for tier in release.tiers])[:-1]
    return [float(cut) for cut in np.quantile(value, below, method="higher")]


def _parameters(release: Release, config: Config) -> dict[str, object]:
    settings = config.training.model_dump(mode="json", exclude={"tiers"})
    return settings | {
        "source": release.source,
        "cutoff": release.cutoff,
        "data": release.lineage["data"][:12],
        "code": release.lineage["code"][:12],
        "season_unseen": release.season_unseen,
        "level_rule": release.lineage["level"]["rule"],
        "tier_shares": config.training.tiers.shares,
        "n_training_cohorts": len(release.lineage["cutoffs"]),
    }


def _figures(backtest: Backtest) -> dict[str, float]:
    figures = dict(backtest.metrics[backtest.winner])
    difference = backtest.difference
    return figures | {
        "ngini_learned": backtest.metrics[LEARNED]["ngini"],
        "ngini_less_best_baseline": difference.value,
        "ngini_less_best_baseline_lower95": difference.lower95,
        "skill_p_value": backtest.skill.p_value,
        "n_customers": float(len(backtest.cohort)),
    }
