"""The tier policy: all of a release that can change without a refit, as one versioned part.

``policy.json`` in the release's folder holds the level, the boundaries with their labels and
capacities, the levels of churn, the rules of a re-tier date, and the playbook. Its own digest is the
policy's id, so boundaries can be cut again, or the level set anew, over the same model files, and
each answer names the policy it was given under. Pure: numbers in, numbers out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from training.artifact import finite_or_none, json_bytes
from training.boundaries import RiskLevel, Tier, TierBoundaries, cut_at_shares
from training.lifecycle import LifecycleRule, lifecycle_from
from training.models.matrix import Array
from training.models.model import Prediction
from training.playbook import Playbook, playbook_from

POLICY = "policy.json"
NO_PLAYBOOK = Playbook()


@dataclass(frozen=True)
class LevelCorrection:
    """What brings a model's predictions to the level of a season.

    Attributes
    ----------
    value_factor : float
        c of expected value = c * p_active * value if active; multiplies the model's value.
    active_logit_shift, active_logit_slope : float
        The logit of the model's p_active is multiplied by the slope, and the shift added to it; 0
        and 1 as it was learned. The slope is above 0, so no rank changes.
    """

    value_factor: float = 1.0
    active_logit_shift: float = 0.0
    active_logit_slope: float = 1.0

    def correct(self, prediction: Prediction) -> Prediction:
        """Return the prediction at this level."""
        p_active = prediction.p_active
        if self.active_logit_slope != 1.0:
            lost = (1.0 - p_active) ** self.active_logit_slope
            kept = p_active**self.active_logit_slope
            p_active = kept / (kept + lost * self._odds_factor())
        elif self.active_logit_shift:
            p_active = p_active / (p_active + (1.0 - p_active) * self._odds_factor())
        return Prediction(value=prediction.value * self.value_factor, p_active=p_active)

    def correct_one(self, value: float, p_active: float) -> tuple[float, float]:
        """As `correct`, for one customer and to the same bits."""
        if self.active_logit_slope != 1.0:  # a power of numpy's, not the processor's: same bits
            many = self.correct(Prediction(np.array([value]), np.array([p_active])))
            return float(many.value[0]), float(many.p_active[0])
        if self.active_logit_shift:
            p_active = p_active / (p_active + (1.0 - p_active) * self._odds_factor())
        return value * self.value_factor, p_active

    def after(self, correction: LevelCorrection) -> LevelCorrection:
        """Return this level with another correction laid over it."""
        slope = correction.active_logit_slope
        return LevelCorrection(
            self.value_factor * correction.value_factor,
            slope * self.active_logit_shift + correction.active_logit_shift,
            slope * self.active_logit_slope,
        )

    def _odds_factor(self) -> float:
        return math.exp(-self.active_logit_shift)


@dataclass(frozen=True)
class AssignmentRules:
    """How a re-tier date treats who has a tier already: keys of ``[training.assignment]``.

    Attributes
    ----------
    bonus : float
        By how much a customer counts for more where they are already: .25 is a quarter.
    most_levels_down : int
        At one date.
    minimum_stay_days : int
        Before a customer may fall at all; 0 for none.
    claw_back_share : float
        Refunds since the tier began, as a share of what was paid in the horizon before it, from
        which a tier loses its protection.
    """

    bonus: float = 0.25
    most_levels_down: int = 1
    minimum_stay_days: int = 0
    claw_back_share: float = 0.5


@dataclass(frozen=True)
class TierPolicy:
    """What a release's predictions mean for a customer.

    Attributes
    ----------
    tiers : tuple of Tier
        Bottom to top, with boundaries in currency and labels.
    risk : tuple of RiskLevel
        Levels of churn, the lowest first; empty where none were made.
    level : LevelCorrection
        Of the model's predictions.
    capacities : tuple of float
        Share of customers at or above each tier but the bottom one, at most; falling. By default
        the shares that the tiers were made for.
    rules : AssignmentRules
        Of a re-tier date.
    playbook : Playbook
        What to do for whom.
    lifecycle : LifecycleRule or None
        Where a customer stands, by the own cadence.
    lineage : dict
        Where it comes from: the policy that was the incumbent, or that this one replaces and why.
    """

    tiers: tuple[Tier, ...]
    risk: tuple[RiskLevel, ...] = ()
    level: LevelCorrection = LevelCorrection()
    capacities: tuple[float, ...] = ()
    rules: AssignmentRules = AssignmentRules()
    playbook: Playbook = NO_PLAYBOOK
    lifecycle: LifecycleRule | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.capacities) != len(self.tiers) - 1:
            object.__setattr__(self, "capacities", shares_at_or_above(self.tiers))

    @property
    def id(self) -> str:
        """sha256 of the policy as it is written."""
        return hashlib.sha256(policy_bytes(self)).hexdigest()

    @property
    def boundaries(self) -> TierBoundaries:
        """The cuts of expected value between the tiers."""
        return TierBoundaries(tuple(tier.boundary_below for tier in self.tiers[1:]))

    @property
    def risk_boundaries(self) -> TierBoundaries:
        """The cuts of p_churn between the levels of churn."""
        return TierBoundaries(tuple(level.boundary_below for level in self.risk[1:]))


def shares_at_or_above(tiers: tuple[Tier, ...] | tuple[RiskLevel, ...]) -> tuple[float, ...]:
    """Return the cumulative share at or above each tier, or level of churn, but the bottom one.

    >>> name = {"zh": "", "en": ""}
    >>> shares_at_or_above((Tier("a", name, -np.inf, 0.75), Tier("b", name, 9.0, 0.25)))
    (0.25,)
    """
    shares = np.array([tier.share for tier in tiers])
    return tuple(np.cumsum(shares[::-1])[::-1][1:].tolist())


def cut_again(policy: TierPolicy, expected_value: Array, p_churn: Array, why: str) -> TierPolicy:
    """Return the policy with its shares as they were agreed and its boundaries on another cohort.

    Parameters
    ----------
    policy : TierPolicy
        Whose shares, of tiers and of levels of churn, are kept.
    expected_value, p_churn : array (n,)
        Of the cohort that is served now: currency, and probabilities.
    why : str
        For the lineage.
    """
    cuts = cut_at_shares(expected_value, [tier.share for tier in policy.tiers]).cuts
    tiers = zip(policy.tiers, (-math.inf, *cuts), strict=True)
    levels = policy.risk
    if levels:
        lower = (-math.inf, *cut_at_shares(p_churn, [level.share for level in levels]).cuts)
        pairs = zip(levels, lower, strict=True)
        levels = tuple(replace(level, boundary_below=below) for level, below in pairs)
    return replace(
        policy,
        tiers=tuple(replace(tier, boundary_below=below) for tier, below in tiers),
        risk=levels,
        lineage=_replacing(policy, why),
    )


def at_level(policy: TierPolicy, level: LevelCorrection, why: str) -> TierPolicy:
    """Return the policy at another level; its boundaries, in money, are those of the old one.

    As shares are what was agreed, `cut_again` belongs after it, on values at the new level.
    """
    return replace(policy, level=level, lineage=_replacing(policy, why))


def _replacing(policy: TierPolicy, why: str) -> dict[str, Any]:
    return {**policy.lineage, "replaces": policy.id, "why": why}


def policy_bytes(policy: TierPolicy) -> bytes:
    """Return the policy as it is written: canonical JSON."""
    return json_bytes(
        {
            "tiers": [_open_below(asdict(tier)) for tier in policy.tiers],
            "risk": [_open_below(asdict(level)) for level in policy.risk],
            "level": asdict(policy.level),
            "capacities": list(policy.capacities),
            "rules": asdict(policy.rules),
            "playbook": policy.playbook.to_rows(),
            "lifecycle": policy.lifecycle.to_numbers() if policy.lifecycle else None,
            "lineage": dict(policy.lineage),
        }
    )


def policy_from(told: Mapping[str, Any]) -> TierPolicy:
    """Return the policy of a parsed ``policy.json``."""
    return TierPolicy(
        tiers=tuple(Tier(**_closed_below(tier)) for tier in told["tiers"]),
        risk=tuple(RiskLevel(**_closed_below(level)) for level in told["risk"]),
        level=LevelCorrection(**told["level"]),
        capacities=tuple(told["capacities"]),
        rules=AssignmentRules(**told["rules"]),
        playbook=playbook_from(told["playbook"]),
        lifecycle=lifecycle_from(told.get("lifecycle")),
        lineage=dict(told["lineage"]),
    )


def _open_below(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "boundary_below": finite_or_none(told["boundary_below"])}


def _closed_below(told: Mapping[str, Any]) -> dict[str, Any]:
    below = told["boundary_below"]
    return {**told, "boundary_below": -math.inf if below is None else below}
