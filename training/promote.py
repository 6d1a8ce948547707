"""Promotion: whether a challenger may take the champion's place. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from training.gate import Ruling

NGINI_MAY_FALL = 0.005


@dataclass(frozen=True)
class Standing:
    """What the gate knows of a release.

    Attributes
    ----------
    digest : str
        Of the release.
    source : str
        Data source it was learned on.
    ngini : float
        Of its backtest.
    breaches : tuple of str
        To which groups of customers it is unfair, and how; see `training.judge.fairness`.
    """

    digest: str
    source: str
    ngini: float
    breaches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Promote or not, and why."""

    promote: bool
    reasons: tuple[str, ...]


def decide_promotion(
    challenger: Standing,
    champion: Standing | None,
    *,
    replace_source: bool = False,
    accept_unfair: str | None = None,
    ruling: Ruling | None = None,
) -> Decision:
    """Decide whether a challenger becomes the champion. Pure.

    Parameters
    ----------
    challenger : Standing
        The release to judge; it has skill and beats its baselines, or training had not made it.
    champion : Standing or None
        The release that is served.
    replace_source : bool
        Whether a champion of another data source may be replaced.
    accept_unfair : str, optional
        Why a release that is unfair to a group is promoted all the same.
    ruling : Ruling, optional
        Of the gate, where both could be held against each other on one cohort that neither had
        seen; without it only the figures of two backtests are compared.
    """
    decision = _decide_on_figures(challenger, champion, ruling, replace_source=replace_source)
    if not challenger.breaches or (champion and champion.digest == challenger.digest):
        return decision
    if accept_unfair is None:
        return Decision(False, (*decision.reasons, *challenger.breaches))
    accepted = f"accepted as unfair: {accept_unfair}"
    return Decision(decision.promote, (*decision.reasons, *challenger.breaches, accepted))


def _decide_on_figures(
    challenger: Standing,
    champion: Standing | None,
    ruling: Ruling | None,
    *,
    replace_source: bool,
) -> Decision:
    if champion is None:
        return Decision(True, ("there is no champion yet",))
    if champion.digest == challenger.digest:
        return Decision(True, ("it is the champion already",))
    if champion.source != challenger.source:
        if not replace_source:
            return Decision(
                False,
                (
                    f"the champion was learned on {champion.source}, the challenger on "
                    f"{challenger.source}; pass --replace-source if that is meant",
                ),
            )
        return Decision(True, (f"replaces {champion.source} by {challenger.source}, as asked",))
    if ruling is not None:
        return Decision(ruling.passes, ruling.reasons)
    change = challenger.ngini - champion.ngini
    told = f"nGini {challenger.ngini:.4f}, champion {champion.ngini:.4f}"
    if change < -NGINI_MAY_FALL:
        return Decision(False, (f"{told}: falls by more than {NGINI_MAY_FALL}",))
    return Decision(True, (told,))
