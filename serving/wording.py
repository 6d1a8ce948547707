"""Scores put in words: the answer to one customer, with the tiers and texts of one release."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from features.catalogue import feature_named
from features.config.of_playbook import LIFECYCLE
from serving.schemas import FeatureName, PlaybookAction, Scheme, SchemeTier, TierAnswer, TierLabel

if TYPE_CHECKING:
    from features.online import OnlineStore
    from training.release import Release
    from training.scores import RowScore

RELEASE_DIGITS = 12
NO_ORDERS = 0


@dataclass(frozen=True)
class InForce:
    """A tier of the published assignment, whose scheme may be older than the release's."""

    tier: str
    tier_label: TierLabel


Standing = tuple[InForce, str]
"""A customer's tier in force, and the day since when it is (ISO)."""


class Wording:
    """What one release says of a score.

    Parameters
    ----------
    release : Release
        Whose tiers, levels and playbook are told.
    store : OnlineStore or None
        Knows the scheme of the published assignment.

    Attributes
    ----------
    features : tuple of FeatureName
        What a caller has to know of each column of the release.
    """

    def __init__(self, release: Release, store: OnlineStore | None) -> None:
        self._release = release
        self._id = release.digest[:RELEASE_DIGITS]
        self._policy = release.policy.id[:RELEASE_DIGITS]
        self._cutoff = release.cutoff.isoformat()
        self._currency, self._horizon_days = release.currency, release.horizon_days
        self._tiers = _scheme_tiers(release)
        self._rungs = release.rungs
        self._levels = tuple(level.id for level in release.policy.risk)
        # A release without levels tells none, nor a score without a state: its place is -1.
        self._risk_levels = self._levels or (None,)
        self._states = (*LIFECYCLE, None)
        self._in_force = _tiers_in_force(store)
        self._days: dict[float, str] = {}
        self._actions: dict[tuple[str, int, int], list[str]] = {}
        self.features = tuple(_described(name, release.required) for name in release.columns)

    def standing(self, place: float, since: float) -> Standing | None:
        """Return the tier in force of a stored place and day, or None if nothing is in force."""
        if place < 0:
            return None
        told = self._days.get(since)  # there are few of them, one for each re-tier date
        if told is None:
            told = self._days[since] = date.fromordinal(int(since)).isoformat()
        return self._in_force[int(place)], told

    def tier(
        self, customer_id: str | None, score: RowScore, standing: Standing | None = None
    ) -> TierAnswer:
        """Return the answer to a customer whose score indicates a tier."""
        indicated, value = self._tiers[score.tier], score.expected_value
        above = indicated.boundary_above
        counts: SchemeTier | InForce = indicated
        in_force = since = None
        if standing is not None:
            counts, since = standing
            in_force = counts.tier
        return TierAnswer(
            customer_id=customer_id,
            status="ok",
            tier=counts.tier,
            tier_in_force=in_force,
            tier_since=since,
            indicated_tier=indicated.tier,
            tier_label=counts.tier_label,
            tier_probability=_finite(score.tier_probability),
            borderline=score.borderline > 0,
            expected_value=value,
            expected_value_low90=_finite(score.expected_value_low90),
            expected_value_high90=_finite(score.expected_value_high90),
            rung=self._rungs[score.rung],
            currency=self._currency,
            p_churn=score.p_churn,
            horizon_days=self._horizon_days,
            value_at_risk=score.value_at_risk,
            risk_level=self._risk_levels[score.risk],
            lifecycle=self._states[score.lifecycle],
            playbook=self._actions_of(counts.tier, score.lifecycle, score.risk),
            boundary_below=indicated.boundary_below,
            boundary_above=above,
            value_to_next_tier=None if above is None else above - value,
            cutoff=self._cutoff,
            release=self._id,
            policy=self._policy,
        )

    def no_tier(
        self,
        customer_id: str | None,
        status: Literal["insufficient_data", "unknown_customer"],
        reason: str,
        rung: int = NO_ORDERS,
    ) -> TierAnswer:
        """Return the answer to a customer who gets no tier, and why."""
        return TierAnswer(
            customer_id=customer_id,
            status=status,
            reason=reason,
            tier=None,
            tier_in_force=None,
            tier_since=None,
            indicated_tier=None,
            tier_label=None,
            tier_probability=None,
            borderline=None,
            expected_value=None,
            expected_value_low90=None,
            expected_value_high90=None,
            rung=self._rungs[rung],
            currency=self._currency,
            p_churn=None,
            horizon_days=self._horizon_days,
            value_at_risk=None,
            risk_level=None,
            lifecycle=None,
            playbook=[],
            boundary_below=None,
            boundary_above=None,
            value_to_next_tier=None,
            cutoff=self._cutoff,
            release=self._id,
            policy=self._policy,
        )

    def scheme(self) -> Scheme:
        """Return the tiers of the release, bottom to top, and what they rest on."""
        release = self._release
        return Scheme(
            release=self._id,
            model=release.model.name,
            source=release.source,
            currency=release.currency,
            horizon_days=release.horizon_days,
            cutoff=self._cutoff,
            tiers=list(self._tiers),
            playbook=[
                PlaybookAction(id=one, zh=label["zh"], en=label["en"])
                for one, label in release.policy.playbook.labels.items()
            ],
            features=list(self.features),
        )

    def _actions_of(self, tier: str, state: int, risk: int) -> list[str]:
        """Return what is to be done; each combination is looked up in the playbook once."""
        actions = self._actions.get((tier, state, risk))
        if actions is None:
            level = self._levels[risk] if self._levels else None
            told = () if state < 0 else (tier, LIFECYCLE[state], level)
            found = self._release.policy.playbook.actions_for(*told) if told else ()
            actions = self._actions[tier, state, risk] = list(found)
        return actions


def _tiers_in_force(store: OnlineStore | None) -> tuple[InForce, ...]:
    """Return the scheme of the published assignment; empty where there is none."""
    told = [] if store is None else store.meta.get("tiers_in_force", [])
    return tuple(InForce(row["id"], TierLabel(row["zh"], row["en"])) for row in told)


def _scheme_tiers(release: Release) -> tuple[SchemeTier, ...]:
    """Return the release's tiers, bottom to top, with the boundaries on both sides."""
    above = [tier.boundary_below for tier in release.tiers[1:]] + [math.inf]
    return tuple(
        SchemeTier(
            tier=tier.id,
            tier_label=TierLabel(zh=tier.label["zh"], en=tier.label["en"]),
            boundary_below=_finite(tier.boundary_below),
            boundary_above=_finite(next_boundary),
            share=tier.share,
            realised_mean=tier.realised_mean,
            revenue_share=tier.revenue_share,
        )
        for tier, next_boundary in zip(release.tiers, above, strict=True)
    )


def _described(name: str, required: Sequence[str]) -> FeatureName:
    """Return what a caller has to know of a feature."""
    known = feature_named(name)
    return FeatureName(name=name, unit=known.unit, meaning=known.meaning, required=name in required)


def _finite(number: float) -> float | None:
    """Return a number, or None where there is none."""
    return number if math.isfinite(number) else None
