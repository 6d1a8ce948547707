"""How good, how sure and how steady the tiers are: ``make bench-tiers`` (needs TIERWISE_DATA).

Boundaries are learned on one cohort of each shop and applied to the next. ``regret`` is the
eta-squared of the best cuts in hindsight under the same limits less that of the scheme. Monthly
figures start at the earlier cohort, with its model and the shares learned on it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.record import write_benchmark
from benchmarks.tier_months import figures_of_months, score_dates, score_dates_before
from benchmarks.tier_shops import (
    figures_of_intervals,
    figures_of_methods,
    figures_of_rankings,
    outcomes,
)
from benchmarks.tier_worlds import (
    certified_shares_of_noise,
    recovered_share,
    seconds_of_learning,
)
from features.cli import DEFAULT_CONFIG, DEFAULT_STATE, exit_with
from features.config import Config, read_config
from features.ingestion.ingest import ingest
from features.progress import Progress
from features.snapshot import Snapshot
from features.tables import read_tables
from training.backtest import LEARNED, Backtest, run_backtest
from training.cohort import CohortSource
from training.tiers import learn_tiers


@dataclass(frozen=True)
class Shop:
    """A public shop: learned on the cohort of one cutoff, applied to that of the next."""

    source: str
    learned_at: date
    applied_at: date
    horizon_days: int


SHOPS = (
    Shop("online_retail_II", date(2010, 12, 15), date(2011, 6, 13), 180),
    Shop("cdnow", date(1997, 6, 30), date(1997, 12, 27), 180),
    Shop("complete_journey", date(2017, 7, 5), date(2017, 10, 3), 90),
)
NULL_SHOP = "online_retail_II"


def figures_of_shop(
    source: CohortSource, earlier: Backtest, applied: Backtest, config: Config
) -> dict[str, Any]:
    """Return the whole tree of one shop."""
    settings, seed = config.training.tiers, config.training.seed
    score = earlier.predictions[LEARNED].value
    learned = learn_tiers(earlier.cohort.customer_ids, score, outcomes(earlier), settings)
    return {
        "n_learned": len(earlier.cohort),
        "n_applied": len(applied.cohort),
        **figures_of_rankings(applied, seed),
        **figures_of_methods(earlier, applied, settings, seed),
        **figures_of_intervals(earlier, applied),
        "assignment_monthly": figures_of_months(
            score_dates_before(source, earlier), score_dates(source, earlier), learned
        ),
    }


def main(arguments: list[str]) -> int:
    """Run the benchmark on every shop; return 0 when it has been written."""
    config = read_config(DEFAULT_CONFIG)
    seed = config.training.seed
    figures: dict[str, Any] = {"cpu_seconds": seconds_of_learning(seed)}
    for shop in SHOPS:
        print(shop.source, file=sys.stderr, flush=True)
        if not (DEFAULT_STATE / "tables" / shop.source).is_dir():
            ingest(Path("datasets") / f"{shop.source}.toml", DEFAULT_STATE)
        tables = read_tables(DEFAULT_STATE / "tables" / shop.source)
        source = CohortSource(tables, DEFAULT_STATE, config.features)
        earlier, applied = (
            run_backtest(
                source,
                Snapshot(cutoff, shop.horizon_days, tables.history_start),
                config.training,
                Progress(time.monotonic),
            )
            for cutoff in (shop.learned_at, shop.applied_at)
        )
        figures[shop.source] = figures_of_shop(source, earlier, applied, config)
        if shop.source == NULL_SHOP:
            figures["null"] = certified_shares_of_noise(
                earlier.cohort.customer_ids,
                earlier.predictions[LEARNED].value,
                outcomes(earlier),
                seed,
            )
    figures["planted"] = {
        "recovered_share": recovered_share(1.0),
        "recovered_share_half_active": recovered_share(0.5),
    }
    write_benchmark("tiers", figures, seed, DEFAULT_STATE)
    return 0


if __name__ == "__main__":
    exit_with(lambda arguments: main(list(arguments)))
