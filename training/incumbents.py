"""The schemes in force that a training run stays near: those of the champion of the same source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from features.errors import ReleaseError
from training.artifact import CURRENT, current_release, read_files
from training.boundaries import RiskLevel, Tier
from training.policy import POLICY, TierPolicy, policy_from, shares_at_or_above
from training.tiers.incumbent import Incumbent

NUMBERS = "release.json"
SAME_RUN = ("data", "sentiment", "configuration", "code", "versions")
"""What of the lineage makes two training runs for one cutoff the same."""


@dataclass(frozen=True)
class Incumbents:
    """The tiers and the levels of churn of the champion.

    Attributes
    ----------
    policy : str
        Id of the policy they stand in.
    tiers, risk : Incumbent
        Shares, and boundaries in currency and in probability.
    """

    policy: str
    tiers: Incumbent
    risk: Incumbent

    def told(self) -> dict[str, Any]:
        """Return them as JSON values, for the lineage of the policy that is learned near them."""
        return asdict(self)


def incumbents_of(policy: TierPolicy, *, same_horizon: bool = True) -> Incumbents:
    """Return the schemes of a policy; money of another horizon is not compared, shares are."""
    return Incumbents(
        policy.id,
        Incumbent(
            _by_id(policy.tiers, shares_at_or_above(policy.tiers)),
            _by_id(policy.tiers, policy.boundaries.cuts) if same_horizon else {},
        ),
        Incumbent(
            _by_id(policy.risk, shares_at_or_above(policy.risk)),
            _by_id(policy.risk, policy.risk_boundaries.cuts),
        ),
    )


def read_incumbents(
    releases: Path, source: str, cutoff: date, horizon_days: int, lineage: Mapping[str, Any]
) -> Incumbents | None:
    """Return what a training run stays near; None without a champion of the same source.

    Where the champion is the very run's own release (the same data, configuration and code for the
    same cutoff), the run stays near what that one stayed near, so training again gives it again.

    Parameters
    ----------
    releases : Path
        Folder of all releases.
    source : str
        Of the run.
    cutoff : date
        Of the run.
    horizon_days : int
        Of the run.
    lineage : mapping
        Of the run, as `training.lineage.describe_lineage`.

    Raises
    ------
    ReleaseError
        If the champion is damaged.
    """
    if not (releases / CURRENT).is_file():
        return None
    folder = current_release(releases)
    _, files = read_files(folder)
    try:
        numbers, policy = json.loads(files[NUMBERS]), policy_from(json.loads(files[POLICY]))
        if numbers["source"] != source:
            return None
        same_horizon = bool(numbers["horizon_days"] == horizon_days)
        own = same_horizon and numbers["cutoff"] == cutoff.isoformat()
        own &= all(numbers["lineage"].get(key) == lineage[key] for key in SAME_RUN)
        if own and "replaces" not in policy.lineage:
            before = policy.lineage.get("incumbent")
            return None if before is None else _from_told(before)
    except (ValueError, LookupError, TypeError, AttributeError) as cause:
        raise ReleaseError(
            f"{folder} cannot be read ({type(cause).__name__}: {cause}); expected a whole release",
            "restore it from the registry, or roll back: python -m training rollback",
        ) from cause
    return incumbents_of(policy, same_horizon=same_horizon)


def _by_id(
    scheme: tuple[Tier, ...] | tuple[RiskLevel, ...], numbers: tuple[float, ...]
) -> dict[str, float]:
    return dict(zip((one.id for one in scheme[1:]), numbers, strict=True))


def _from_told(told: Mapping[str, Any]) -> Incumbents:
    return Incumbents(told["policy"], Incumbent(**told["tiers"]), Incumbent(**told["risk"]))
