"""Shops that monitoring is tried on: a release, and then a year of looks at what came after it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datasets.simulated_shop.export import write_shop
from datasets.simulated_shop.incidents import Incident
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.world import World, build_world
from features.config import Config
from features.identity import hash_bucket
from features.ingestion.ingest import ingest
from features.progress import Progress
from features.tables import Tables, read_tables
from monitoring.drift import Window
from monitoring.ladder import Memory
from monitoring.look import feature_rows, judge, read_days, score_window
from monitoring.performance import Performance
from monitoring.watch import Verdict, watch
from training.artifact import read_files
from training.cohort import CohortSource
from training.derived import matured_cutoffs
from training.models.matrix import Array
from training.reference import FILE, Reference, reference_from
from training.release import Release, load_release
from training.run import TrainingResult, train

SOURCE = Path("datasets/simulated_shop.toml")
MADE_AT = date(2024, 1, 1)
START, END = date(2022, 1, 1), date(2025, 1, 1)
N_CUSTOMERS = 9000
WEEK = timedelta(days=7)
STRUCK_AT = date(2024, 3, 4)

INCIDENTS = {
    "price_unit_slip": Incident("price_unit_slip", STRUCK_AT, 100, 3),
    "upload_nulls": Incident("upload_nulls", STRUCK_AT, 0.6, 2),
    "upload_duplicates": Incident("upload_duplicates", STRUCK_AT, 0.5, 1),
    "upload_half_day": Incident("upload_half_day", STRUCK_AT, 0.5, 1),
    "new_channel": Incident("new_channel", STRUCK_AT, 0.3),
    "changed_season": Incident("changed_season", STRUCK_AT, 45),
    "satisfaction_slump": Incident("satisfaction_slump", STRUCK_AT, 2.5),
    "slow_decay": Incident("slow_decay", STRUCK_AT, 0.9, 90),
}
DATA_FAULTS = ("price_unit_slip", "upload_nulls", "upload_duplicates", "upload_half_day")


def write_simulated(
    folder: Path, seed: int, incidents: tuple[Incident, ...]
) -> tuple[World, Tables]:
    """Generate and ingest a shop below a folder; the same seed is the same shop before incidents."""
    parameters = Parameters(N_CUSTOMERS, START, END, incidents=incidents)
    world = build_world(parameters, np.random.default_rng(seed))
    write_shop(world, folder / "simulated", None, seed)
    text = SOURCE.read_text(encoding="utf-8")
    toml = folder / "simulated_shop.toml"
    toml.write_text(text.replace("../state/simulated", str((folder / "simulated").resolve())))
    ingest(toml, folder)
    return world, read_tables(folder / "tables" / "simulated_shop")


@dataclass(frozen=True)
class Shop:
    """A shop with a release that was made at a moment of its history."""

    tables: Tables
    state: Path
    config: Config
    release: Release
    reference: Reference
    happened_column: str | None = None
    result: TrainingResult | None = None

    @cached_property
    def _judged(self) -> dict[date, Performance]:
        return {}

    def window(self, as_of: date) -> tuple[tuple[str, ...], Array]:
        """Return ids and rows of everybody known before a day."""
        return feature_rows(self.tables, self.release, as_of, self.config, self.state)

    def performances(self, as_of: date) -> Sequence[Performance]:
        """Return the newest cohort of the release that has matured by a day."""
        cutoffs = matured_cutoffs(self.release, as_of)[:1]
        for cutoff in cutoffs:
            if cutoff not in self._judged:
                self._judged[cutoff] = judge(
                    self.tables, self.release, cutoff, as_of, self.config, self.state
                )
        return [self._judged[cutoff] for cutoff in cutoffs]

    def look(self, window: Window, n_new_days: int, memory: Memory | None = None) -> Verdict:
        """Look at a window as the monitoring job does."""
        return watch(
            window,
            self.reference,
            read_days(self.tables, window.as_of, n_new_days, self.happened_column),
            self.performances(window.as_of),
            memory or Memory(),
            self.config.monitoring,
            n_new_days=n_new_days,
        )


def open_shop(
    tables: Tables, state: Path, config: Config, made_at: date, happened_column: str | None = None
) -> Shop:
    """Train a release for a moment and return the shop that goes on after it."""
    source = CohortSource(tables, state, config.features)
    result = train(source, config, made_at, state, Progress(time.monotonic))
    folder = state / "releases" / result.release.digest
    reference = reference_from(read_files(folder)[1][FILE])
    return Shop(tables, state, config, load_release(folder), reference, happened_column, result)


def weeks(first: date, last: date) -> Iterator[date]:
    """Yield the days a week apart in (first, last]."""
    day = first + WEEK
    while day <= last:
        yield day
        day += WEEK


def halves(ids: Sequence[str], rows: Array) -> tuple[Array, Array]:
    """Return the rows of two disjoint halves of the customers, by a hash of their ids."""
    half = np.array([hash_bucket(one, 2, "monitoring") for one in ids])
    return rows[half == 0], rows[half == 1]


def count_false_triggers(shops: Sequence[Shop], n_windows: int) -> dict[str, Any]:
    """Look at weekly windows of shops in which nothing goes wrong, each without any memory."""
    acts: list[str] = []
    kinds: dict[str, int] = {}
    for shop in shops:
        for as_of in weeks(MADE_AT, END):
            ids, rows = shop.window(as_of)
            for part in halves(ids, rows):
                verdict = shop.look(score_window(shop.release, part, as_of), 7)
                acts.append(verdict.decision.act)
                if verdict.decision.act != "none":
                    for name in {reason.split(" ")[0] for reason in verdict.decision.reasons}:
                        kinds[name] = kinds.get(name, 0) + 1
    acts = acts[:n_windows]
    wrong = [act for act in acts if act != "none"]
    return {
        "windows": len(acts),
        "share": len(wrong) / len(acts),
        "triggers": len(wrong),
        "by": kinds,
    }


def play_incident(shop: Shop, folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Play one incident into a shop whose release was made before it; stop at the first act.

    Data faults are looked for every day, changes of behaviour every fortnight until the data ends.
    """
    _, tables = write_simulated(folder, seed, (INCIDENTS[name],))
    struck = Shop(tables, folder, shop.config, shop.release, shop.reference, "happened_at")
    step, n_days = (1, 14) if name in DATA_FAULTS else (14, (END - STRUCK_AT).days)
    memory = Memory()
    for passed in range(step, n_days + 1, step):
        as_of = STRUCK_AT + timedelta(days=passed)
        _, rows = struck.window(as_of)
        verdict = struck.look(score_window(struck.release, rows, as_of), step, memory)
        memory = verdict.decision.memory
        if verdict.decision.act != "none":
            return {
                "days_to_verdict": passed,
                "act": verdict.decision.act,
                "why": "; ".join(verdict.decision.reasons[:3]),
            }
    return {"days_to_verdict": None, "act": "none", "why": "nothing was beyond its limit"}
