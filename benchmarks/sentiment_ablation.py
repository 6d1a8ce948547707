"""What sentiment adds to value and churn: ``make bench-sentiment-ablation``.

The same backtest with and without the sentiment columns, on the simulated shop (whose satisfaction
moves buying) and on Olist (needs TIERWISE_DATA; nearly all its customers buy once). Differences are
paired over customers, with their bootstrap error, and every run is recorded in MLflow, also where
sentiment adds nothing. The reviews must have been scored: python -m features sentiment.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.record import write_benchmark
from features.cli import DEFAULT_CONFIG, DEFAULT_STATE, exit_with
from features.config import Config, FeatureSettings, read_config
from features.errors import InputError
from features.progress import Progress
from features.sentiment.scores import describe_scores, has_scores
from features.snapshot import Snapshot
from features.tables import Tables, read_tables
from training.backtest import LEARNED, Backtest, run_backtest
from training.cohort import CohortSource
from training.judge.resample import paired_bootstrap
from training.registry import Registry

SOURCES = ("simulated_shop", "olist")
METRICS = ("ngini", "auc_active")
DRAWS = 1_000
SHOWN = ("ngini", "auc_active", "brier", "decile_mape", "level_bias")


def backtest_with(tables: Tables, config: Config, *, sentiment: bool, tell: Progress) -> Backtest:
    """Backtest the newest cohort that has matured, with or without the sentiment columns."""
    settings = config.features.sentiment.model_copy(update={"enabled": sentiment})
    features: FeatureSettings = config.features.model_copy(update={"sentiment": settings})
    horizon = config.training.horizon_days
    cutoff = tables.data_complete_before - timedelta(days=horizon)
    target = Snapshot(cutoff, horizon, tables.history_start)
    return run_backtest(
        CohortSource(tables, DEFAULT_STATE, features), target, config.training, tell
    )


def compare(with_it: Backtest, without: Backtest, seed: int) -> dict[str, Any]:
    """Return each metric with and without, and the paired difference with its error."""
    figures: dict[str, Any] = {}
    for name, backtest in (("with_sentiment", with_it), ("without", without)):
        metrics = backtest.metrics[LEARNED]
        figures[name] = {key: round(metrics[key], 5) for key in SHOWN if key in metrics}
    value = with_it.cohort.value
    mine, other = with_it.predictions[LEARNED], without.predictions[LEARNED]
    pairs = {"ngini": (mine.value, other.value), "auc_active": (mine.p_active, other.p_active)}
    for metric in METRICS:
        found = paired_bootstrap(value, *pairs[metric], metric=metric, draws=DRAWS, seed=seed)
        figures[f"{metric}_difference"] = {
            "value": round(found.value, 5),
            "standard_error": round(found.standard_error, 5),
            "lower95": round(found.lower95, 5),
        }
    figures["n_customers"] = len(with_it.cohort)
    return figures


def main(arguments: list[str]) -> int:
    """Run the ablation on every source whose reviews were scored."""
    config, registry = read_config(DEFAULT_CONFIG), Registry(DEFAULT_STATE)
    figures: dict[str, Any] = {}
    for source in arguments or SOURCES:
        if source == "olist" and not os.environ.get("TIERWISE_DATA"):
            print("olist is left out: TIERWISE_DATA is not set", file=sys.stderr)
            continue
        tables = read_tables(DEFAULT_STATE / "tables" / Path(source).stem)
        if not has_scores(tables):
            raise InputError(
                f"{describe_scores(tables, enabled=True)}; expected scores to ablate",
                f"run: python -m features sentiment --source datasets/{source}.toml",
            )
        tell = Progress(time.monotonic)
        backtests = {
            flag: backtest_with(tables, config, sentiment=flag, tell=tell) for flag in (True, False)
        }
        figures[source] = compare(backtests[True], backtests[False], config.training.seed)
        with registry.run(f"sentiment ablation {source}"):
            for flag, backtest in backtests.items():
                name = "with sentiment" if flag else "without"
                with registry.run(name, nested=True):
                    registry.log(metrics=backtest.metrics[LEARNED], tags={"source": source})
            differences = {
                f"{metric}_difference.{key}": value
                for metric in METRICS
                for key, value in figures[source][f"{metric}_difference"].items()
            }
            registry.log(metrics=differences, tags={"source": source})
        print(source, figures[source])
    write_benchmark("sentiment_ablation", figures, config.training.seed, DEFAULT_STATE)
    return 0


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
