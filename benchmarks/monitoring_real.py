"""A year of a real shop, week by week: what monitoring says without memory, or with its acts done."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from benchmarks.monitoring_shops import Shop, open_shop, weeks
from features.config import Config
from features.errors import TierwiseError
from features.ingestion.ingest import ingest
from features.progress import Progress
from features.tables import Tables, read_tables
from monitoring.act import Acting
from monitoring.look import score_window
from monitoring.run import run_monitoring

REAL, REAL_AT, REAL_HORIZON = "online_retail_II", date(2010, 12, 1), 90


def open_real(config: Config, state: Path) -> Shop:
    """Return the real shop with a release of its first year, ingested if it is not."""
    folder = state / "tables" / REAL
    if not folder.is_dir():
        ingest(Path("datasets") / f"{REAL}.toml", state)
    tables = read_tables(folder)
    settings = config.training.model_copy(update={"horizon_days": REAL_HORIZON})
    config = config.model_copy(update={"training": settings})
    return open_shop(tables, state / "bench" / "monitoring_shops" / REAL, config, REAL_AT)


def figures_of_real(config: Config, state: Path) -> dict[str, Any]:
    """Look at a year of a real shop, each week by itself, without memory and without acts.

    What is a false trigger there is not known.
    """
    return _without_memory(open_real(config, state))


def figures_of_acts(config: Config, state: Path) -> dict[str, Any]:
    """Run the job over the same year, with its memory and every act carried out."""
    shop = open_real(config, state)
    return play_acts(shop, shop.tables, shop.config, shop.state)


def _without_memory(shop: Shop) -> dict[str, Any]:
    acts: list[str] = []
    reasons: Counter[str] = Counter()
    for as_of in weeks(REAL_AT, shop.tables.data_complete_before):
        _, rows = shop.window(as_of)
        decision = shop.look(score_window(shop.release, rows, as_of), 7).decision
        acts.append(decision.act)
        if decision.act != "none":
            reasons.update(reason.partition(":")[0] for reason in decision.reasons)
    return {
        "windows": len(acts),
        "false_triggers": sum(act != "none" for act in acts),
        "acts": dict(sorted(Counter(acts).items())),
        "reasons": dict(reasons.most_common(12)),
    }


def play_acts(shop: Shop, tables: Tables, config: Config, state: Path) -> dict[str, Any]:
    """Run the monitoring job every week of the year, each act carried out.

    Parameters
    ----------
    shop : Shop
        Whose result is registered and promoted first.
    tables, config, state
        Of the shop; what lies beyond a week is not looked at in it.
    """
    from training.promotion import Note, promote_version
    from training.record import record_training
    from training.registry import Registry

    if shop.result is None:
        raise ValueError("the shop has no training result")
    shutil.copytree(tables.folder, state / "tables" / tables.folder.name, dirs_exist_ok=True)
    registry = Registry(state)
    version = record_training(shop.result, config, registry, state, REAL_AT)
    promote_version(state, registry, version, Note(_at(REAL_AT), ("the first",), {}))
    told: list[dict[str, Any]] = []
    n_errors = 0
    for as_of in weeks(REAL_AT, tables.data_complete_before):
        tell = Progress(time.monotonic)
        acting = Acting(lambda folder: registry, _at(as_of), tell)
        try:
            outcome = run_monitoring(
                tables, config, state, as_of, shop.happened_column, lambda line: None, acting
            )
        except TierwiseError as error:
            print(f"{as_of}: {error.found}", file=sys.stderr, flush=True)
            n_errors += 1
            continue
        row = {
            "as_of": as_of.isoformat(),
            "act": outcome.told["act"],
            "status": outcome.acted[-1]["status"] if outcome.acted else "",
        }
        told.append(row)
        if row["act"] != "none":
            print(row, outcome.told["reasons"][:2], file=sys.stderr, flush=True)
            for acted in outcome.acted:
                print("   ", acted["reasons"], file=sys.stderr, flush=True)
    return {
        "windows": len(told),
        "triggers": sum(row["act"] != "none" for row in told),
        "acts": dict(sorted(Counter(row["act"] for row in told).items())),
        "outcomes": dict(
            sorted(Counter(f"{r['act']} {r['status']}" for r in told if r["status"]).items())
        ),
        "errors": n_errors,
    }


def _at(day: date) -> datetime:
    return datetime.combine(day, clock_time(4, 30), UTC)
