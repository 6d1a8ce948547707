"""The drill itself: a year of uploads, looks and acts, under a trickle of requests."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from datasets.simulated_shop.parameters import Parameters
from demo import StepFailedError, demo_key, find_free_port, serving
from drills.parts import Clock, Cost, run_part, write_settings
from drills.script import Planned, Seen, attribute, describe_outcome
from drills.shop import ShopOfTheDrill
from drills.traffic import Tally, Traffic
from features.errors import InputError
from monitoring.verdicts import read_acted

N_CUSTOMERS = 5500
SEED = 5
MOST_ASKED_FOR = 500
TAKE_UP_SECONDS = 10.0
LOG_SECONDS = 1.0
MARK = ".drill"


@dataclass(frozen=True)
class Look:
    """One line of the timeline.

    Attributes
    ----------
    day : date
        The first day that was not looked at.
    happened : tuple of str
        Titles of the incidents that began since the look before.
    act, why, outcome : str
        Of the verdict; the first reason; what the act came to.
    belongs : bool
        Whether the act belongs to an incident of the script.
    cost : Cost
        Of ingesting, looking and acting.
    answered, failed : int
        Requests while that went on.
    n_logged : int
        Answers that the look found in the prediction log.
    swap_seconds : float or None
        From the promotion to the first answer by the new release.
    figures : dict
        Of the newest matured cohort.
    """

    day: date
    happened: tuple[str, ...]
    act: str
    why: str
    outcome: str
    belongs: bool
    cost: Cost
    answered: int
    failed: int
    n_logged: int
    swap_seconds: float | None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Played:
    """Everything that came of a drill."""

    seen: list[Seen]
    looks: list[Look] = field(default_factory=list)
    before: Cost = field(default_factory=Cost)
    tally: Tally = field(default_factory=Tally)
    failures: dict[str, int] = field(default_factory=dict)


class Drill:
    """A shop, a state folder of its own, and the parts that work on it.

    Parameters
    ----------
    folder : Path
        Everything is written below it; what an earlier drill left there is removed.
    planned : sequence of Planned
        The script.
    made_at, start, end : date
        When the first release is made; first day of the shop; the day after the last.
    n_customers : int
        Of the shop.
    """

    def __init__(
        self,
        folder: Path,
        planned: Sequence[Planned],
        start: date,
        made_at: date,
        end: date,
        n_customers: int = N_CUSTOMERS,
    ) -> None:
        self.folder, self.state = folder, folder / "state"
        self.log = folder / "parts.log"
        self.settings = folder / "config.toml"
        self.planned = tuple(planned)
        self.start, self.made_at, self.end = start, made_at, end
        self.n_customers = n_customers
        self.played = Played([Seen(each) for each in self.planned])
        self._looked_on = made_at

    def prepare(self) -> None:
        """Make the shop and the first release, and its look-up.

        Raises
        ------
        InputError
            If the folder holds anything but an earlier drill.
        """
        if (
            self.folder.exists()
            and not (self.folder / MARK).is_file()
            and any(self.folder.iterdir())
        ):
            raise InputError(
                f"{self.folder} holds other files; expected an empty folder or an earlier drill",
                "give another folder with --folder",
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / MARK).touch()
        write_settings(Path("config.toml"), self.settings)
        clock = Clock()
        with clock.timed():
            self.shop = ShopOfTheDrill(
                self.folder,
                Parameters(self.n_customers, self.start, self.end),
                tuple(each.incident for each in self.planned),
                SEED,
            )
            self.shop.upload(self.start, self.made_at)
            self._run("features", "ingest", "--source", str(self.shop.toml))
            self._run("training", "train", "--source", str(self.shop.toml))
            self._run("training", "promote")
            self._run("training", "score")
        self.played.before = clock.cost

    @contextmanager
    def under_traffic(self) -> Iterator[Traffic]:
        """Serve the release, and ask for customers all the while."""
        with ExitStack() as stack:
            key = stack.enter_context(demo_key(self.state))
            port = find_free_port()
            base = stack.enter_context(serving(self.state, port, self.settings))
            traffic = Traffic(base, key, self._customers())
            traffic.start()
            try:
                yield traffic
            finally:
                self.played.tally = traffic.stop()
                self.played.failures = dict(traffic.failures)

    def look(self, day: date, traffic: Traffic) -> Look:
        """Upload up to a day, look, act, and return the line of the timeline."""
        before, clock, swap = traffic.tally(), Clock(), None
        served = self._served()
        with clock.timed():
            self.shop.upload(self._looked_on, day, is_wrong=True)
            self._ingest()
            self._file_answers(day)
            told = self._monitor(day)
            if told["quarantine"]:  # the shop sends the same days again, rightly
                self.shop.upload(self._looked_on, day)
                self._ingest()
        if self._served() != served:
            swap = self._wait_for(self._served(), traffic)
        after = traffic.tally()
        self.played.seen, belongs = attribute(self.played.seen, told)
        look = Look(
            day,
            tuple(
                each.title for each in self.planned if self._looked_on <= each.incident.day < day
            ),
            told["act"],
            str(told["reasons"][0]) if told["act"] != "none" else "",
            describe_outcome(told) if told["act"] != "none" else "",
            belongs,
            clock.cost,
            after.answered - before.answered,
            after.failed - before.failed,
            int(told["answers"]["n_of_release"] + told["answers"]["n_of_others"]),
            swap,
            dict(told["performances"][0]["figures"]) if told["performances"] else {},
        )
        self.played.looks.append(look)
        self._looked_on = day
        return look

    def draw_dashboard(self) -> None:
        """Draw what was decided, as ``make dashboard`` does."""
        self._run("monitoring", "dashboard", "--source", str(self.shop.toml))

    def _ingest(self) -> None:
        self._run("features", "ingest", "--source", str(self.shop.toml))

    def _monitor(self, day: date) -> dict[str, Any]:
        """Look, let what is decided be carried out, and return the verdict with its outcome."""
        self._run(
            "monitoring", "run", "--source", str(self.shop.toml),
            "--act", "--now", f"{day.isoformat()}T04:00:00+00:00", codes=(0, 10, 20),
        )  # fmt: skip
        (path,) = (self.state / "monitoring" / "verdicts").glob(f"{day.isoformat()}-*.json")
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**told, "acted": read_acted(self.state, told)}

    def _run(self, package: str, job: str, *options: str, codes: Sequence[int] = (0,)) -> int:
        common = ("--state", str(self.state), "--config", str(self.settings))
        return run_part(["-m", package, job, *common, *options], self.log, codes)

    def _served(self) -> str:
        return (self.state / "releases" / "current").read_text(encoding="ascii").strip()

    def _wait_for(self, release: str, traffic: Traffic) -> float:
        """Return the seconds from a promotion to the first answer by the release.

        Raises
        ------
        StepFailedError
            If there is none in time.
        """
        promoted = (self.state / "releases" / "current").stat().st_mtime
        offset = time.time() - time.monotonic()
        deadline = time.monotonic() + TAKE_UP_SECONDS
        while time.monotonic() < deadline:
            at = traffic.first_answered_at(release)
            if at is not None:
                return max(at + offset - promoted, 0.0)
            time.sleep(0.1)
        raise StepFailedError(
            1, f"the service did not take up {release[:12]} within {TAKE_UP_SECONDS:g} s"
        )

    def _file_answers(self, day: date) -> None:
        """File what was answered since the last look under the last day of the window.

        The service dates its log by the clock; the days of the script are others.
        """
        time.sleep(LOG_SECONDS)
        log = self.state / "predictions"
        target = log / (day - timedelta(days=1)).isoformat()
        for path in sorted(log.glob("*/[!.]*.parquet")):
            if date.fromisoformat(path.parent.name) > self.end:
                target.mkdir(exist_ok=True)
                path.rename(target / path.name)

    def _customers(self) -> list[str]:
        lists = sorted((self.state / "scores").rglob("*.parquet"))
        ids = pq.read_table(lists[-1], columns=["customer_id"])["customer_id"].to_pylist()
        return [str(each) for each in ids[:: max(len(ids) // MOST_ASKED_FOR, 1)]]
