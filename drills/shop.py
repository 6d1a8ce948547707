"""The shop of the drill: what it uploads each week, rightly and, where something goes wrong, wrongly.

A file of order lines, of reviews and of interactions each week, as they were recorded; the list of
customers whole each time. An upload that was bad is asked for again, and the file of that week is
then replaced by the right one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.simulated_shop.export import build_files
from datasets.simulated_shop.incidents import KINDS, Incident
from datasets.simulated_shop.parameters import Parameters
from datasets.simulated_shop.world import World, build_world

SOURCE = Path("datasets/simulated_shop.toml")
CLOCKS = {
    "order_lines": "recorded_at",
    "reviews": "written_at",
    "interactions": "happened_at",
}
"""The column by which each table is cut into uploads."""
OF_RECORDS = tuple(kind for kind in KINDS if kind.startswith(("price_", "upload_")))
"""Kinds of incidents that change only what is written down."""


class ShopOfTheDrill:
    """The raw files of a simulated shop, uploaded step by step.

    Parameters
    ----------
    folder : Path
        Where the raw files and the source's TOML go.
    parameters : Parameters
        Of the shop, without incidents.
    incidents : tuple of Incident
        What goes wrong.
    seed : int
        Of every draw.
    """

    def __init__(
        self, folder: Path, parameters: Parameters, incidents: tuple[Incident, ...], seed: int
    ) -> None:
        self.folder = folder
        self.toml = folder / SOURCE.name
        self._raw = folder / "raw"
        behaviour = tuple(each for each in incidents if each.kind not in OF_RECORDS)
        world = build_world(replace(parameters, incidents=behaviour), np.random.default_rng(seed))
        self.right = build_files(world)
        self.wrong = build_files(_with_incidents(world, incidents))["order_lines.csv"]
        self.start = parameters.start

    def upload(self, first: date, before: date, *, is_wrong: bool = False) -> None:
        """Write the files of the days [first, before), and say that the data goes up to there.

        Parameters
        ----------
        first, before : date
            First day, and the day after the last.
        is_wrong : bool
            With the faults of recording in them.
        """
        for table, clock in CLOCKS.items():
            frame = (
                self.wrong if table == "order_lines" and is_wrong else self.right[f"{table}.csv"]
            )
            known = frame[clock].to_numpy("datetime64[D]")
            chosen = frame[(known >= np.datetime64(first)) & (known < np.datetime64(before))]
            _write(chosen, self._raw / table / f"{first.isoformat()}.csv")
        customers = self.right["customers.csv"]
        _write(
            customers[customers["signed_up_on"] < before.isoformat()],
            self._raw / "customers" / "all.csv",
        )
        self._describe(before)

    def _describe(self, before: date) -> None:
        """Write the source's TOML: that of the simulated shop, with a folder a table."""
        text = SOURCE.read_text(encoding="utf-8")
        text = re.sub(r'paths = "(\w+)\.csv"', r'paths = "\1/*.csv"', text)
        text = re.sub(r'root = "[^"]*"', f'root = "{self._raw.resolve()}"', text)
        text = re.sub(
            r"data_complete_before = \S+", f"data_complete_before = {before.isoformat()}", text
        )
        self.toml.write_text(text, encoding="utf-8")


def _with_incidents(world: World, incidents: tuple[Incident, ...]) -> World:
    """Return the same world with other incidents: only what is written down differs."""
    return replace(world, parameters=replace(world.parameters, incidents=incidents))


def _write(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S")


def weeks_between(first: date, last: date) -> list[date]:
    """Return the days a week apart in (first, last].

    >>> [day.day for day in weeks_between(date(2024, 1, 1), date(2024, 1, 15))]
    [8, 15]
    """
    n_weeks = (last - first).days // 7
    return [first + timedelta(days=7 * k) for k in range(1, n_weeks + 1)]
