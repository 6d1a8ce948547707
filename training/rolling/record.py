"""Record a rolling-origin backtest: one parent run, a nested run a cutoff and horizon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from features.config import Config
from training.registry import Registry
from training.rolling.judged import Judged
from training.rolling.picture import backtest_picture
from training.rolling.report import (
    backtest_page,
    mean_metric,
    models_of,
    pool_differences,
    with_figures,
)


def write_backtest(
    source: str, judged: Sequence[Judged], left_out: Sequence[str], folder: Path
) -> Path:
    """Write ``backtest.md`` and ``backtest.png`` and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "backtest.md").write_text(backtest_page(source, judged, left_out), encoding="utf-8")
    known = with_figures(judged)
    if known:
        backtest_picture(known, folder / "backtest.png")
    return folder


def record_backtest(
    source: str, judged: Sequence[Judged], config: Config, registry: Registry, folder: Path
) -> str:
    """Log the backtest and return the id of its parent run.

    Parameters
    ----------
    source : str
        Name of the source.
    judged : sequence of Judged
        Every moment; each becomes one nested run with the figures of all models.
    config : Config
        Logged whole.
    registry : Registry
        Where to.
    folder : Path
        With the page and the picture.
    """
    with registry.run(f"backtest {source}") as run_id:
        for each in judged:
            with registry.run(each.name, nested=True):
                registry.log(
                    parameters={"cutoff": each.cutoff, "horizon_days": each.horizon_days},
                    metrics=_figures(each),
                    tags={"source": source, "season_unseen": str(each.season_unseen).lower()},
                )
        registry.log(
            parameters={
                "source": source,
                "n_moments": len(judged),
                "horizons": sorted({each.horizon_days for each in judged}),
            },
            metrics=_summary(with_figures(judged)),
            tags={"source": source, "kind": "backtest"},
        )
        registry.log_folder(folder, "report")
        registry.log_json(config.model_dump(mode="json"), "configuration.json")
        return run_id


def _figures(judged: Judged) -> dict[str, float]:
    figures = {
        f"{metric}.{model}": value
        for model, metrics in (judged.metrics or {}).items()
        for metric, value in metrics.items()
        if math.isfinite(value)
    }
    for baseline, difference in (judged.differences or {}).items():
        figures[f"ngini_lead.{baseline}"] = difference["value"]
        figures[f"ngini_lead_lower95.{baseline}"] = difference["lower95"]
    return {name: value for name, value in figures.items() if math.isfinite(value)} | {
        "n_customers": float(judged.n_customers)
    }


def _summary(judged: Sequence[Judged]) -> dict[str, float]:
    told: dict[str, float] = {}
    for horizon in sorted({each.horizon_days for each in judged}):
        mine = [each for each in judged if each.horizon_days == horizon]
        learned, *others = models_of(mine)
        told[f"ngini.{horizon}d"] = mean_metric(mine, learned, "ngini")
        for name in others:
            told[f"ngini_lead.{horizon}d.{name}"] = pool_differences(mine, name).value
    return {name: value for name, value in told.items() if math.isfinite(value)}
