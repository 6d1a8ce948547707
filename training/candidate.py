"""A registered version before the gate: what is known of it, what is served, and the decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from features.config import Config
from features.tables import read_tables
from training.artifact import RELEASES
from training.gate import Ruling
from training.promote import Decision, Standing, decide_promotion
from training.promotion import judge_release
from training.registry import Version
from training.release import Release, load_release


@dataclass(frozen=True)
class Judged:
    """What the gate says of a version.

    Attributes
    ----------
    decision : Decision
        Promote or not, with every reason.
    ruling : Ruling or None
        Of a trial on one cohort; None where no fair one exists.
    has_champion : bool
        Whether another release of the same source is served.
    breaches : tuple of str
        To which groups of customers it is unfair.
    """

    decision: Decision
    ruling: Ruling | None
    has_champion: bool
    breaches: tuple[str, ...]

    @property
    def figures(self) -> dict[str, float]:
        """What was measured."""
        return self.ruling.figures if self.ruling else {}


def judge_version(
    challenger: Version,
    champion: Version | None,
    config: Config,
    state: Path,
    *,
    replace_source: bool = False,
    accept_unfair: str | None = None,
) -> Judged:
    """Hold a version against the champion, on one cohort where there is such a trial.

    Parameters
    ----------
    challenger, champion : Version
        To judge, and what is served.
    config : Config
        For features and seed.
    state : Path
        The state folder.
    replace_source : bool
        Whether a champion of another data source may be replaced.
    accept_unfair : str, optional
        Why a release that is unfair to a group is promoted all the same.

    Raises
    ------
    ReleaseError
        If one of the releases is damaged.
    """
    release = load_release(state / RELEASES / challenger.digest)
    breaches = tuple(release.lineage.get("fairness", {}).get("breaches", ()))
    rival = champion
    if rival is not None and (
        rival.digest == challenger.digest or rival.tags["source"] != challenger.tags["source"]
    ):
        rival = None
    ruling = None
    if rival is not None:
        tables = read_tables(state / "tables" / challenger.tags["source"])
        ruling = judge_release(
            release, load_release(state / RELEASES / rival.digest), tables, config, state
        )
    decision = decide_promotion(
        replace(standing_of(challenger), breaches=breaches),
        standing_of(champion) if champion else None,
        replace_source=replace_source,
        accept_unfair=accept_unfair,
        ruling=ruling,
    )
    return Judged(decision, ruling, rival is not None, breaches)


def standing_of(version: Version) -> Standing:
    """Return what the registry tells of a version."""
    return Standing(version.digest, version.tags["source"], float(version.tags["ngini"]))


def version_of(release: Release) -> Version:
    """Return a release as a version, for what is served counts whether the registry knows it or not."""
    ngini = release.lineage.get("backtest", {}).get("metrics", {}).get("ngini", float("nan"))
    return Version("", release.digest, "", {"source": release.source, "ngini": repr(ngini)})
