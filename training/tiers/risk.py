"""The second lane: levels of churn, learned and certified as the tiers are, never mixed with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.config import RiskSettings, TierSettings
from features.errors import InputError
from training.boundaries import TierBoundaries
from training.models.matrix import Array
from training.tiers.certify import learning_part
from training.tiers.incumbent import Incumbent
from training.tiers.limits import check_limits, risk_limits
from training.tiers.members import wilson_interval
from training.tiers.scheme import Merge, learn_scheme, search_settings


@dataclass(frozen=True)
class LearnedRiskLevel:
    """One level of churn.

    Attributes
    ----------
    id : str
        Of the scheme.
    boundary_below : float
        Least p_churn that belongs to it; -inf at the bottom.
    share : float
        Of customers: the contract.
    n_customers : int
        Members.
    churned_share, churned_share_low95, churned_share_high95 : float or None
        Share of them without a positive net value in the outcome window, with Wilson's interval.
    p_value : float or None
        Of its boundary's certification; None at the bottom.
    """

    id: str
    boundary_below: float
    share: float
    n_customers: int
    churned_share: float | None
    churned_share_low95: float | None
    churned_share_high95: float | None
    p_value: float | None


@dataclass(frozen=True)
class LearnedRisk:
    """Levels of churn, lowest first; one level alone where `reason` or `merges` says why."""

    levels: tuple[LearnedRiskLevel, ...]
    merges: tuple[Merge, ...]
    reason: str = ""

    @property
    def boundaries(self) -> TierBoundaries:
        """The cuts of p_churn."""
        return TierBoundaries(tuple(level.boundary_below for level in self.levels[1:]))


def learn_risk(
    customer_ids: Sequence[str],
    p_churn: Array,
    net_value: Array,
    settings: RiskSettings,
    tiers: TierSettings,
    incumbent: Incumbent | None = None,
) -> LearnedRisk:
    """Learn the levels of churn on the cohort the tiers are learned on.

    Parameters
    ----------
    customer_ids : sequence of str
        Of a cohort whose outcomes have matured.
    p_churn : array (n,)
        Probability of no positive net value in the outcome window.
    net_value : array (n,)
        Signed realised net value, currency.
    settings : RiskSettings
        The levels and their limits.
    tiers : TierSettings
        How a scheme is searched and certified.
    incumbent : Incumbent, optional
        The levels in force.

    Raises
    ------
    InputError
        If the three differ in length, or a probability is not within 0 and 1.
    """
    limits = risk_limits(settings, tiers.rise_standard_errors)
    check_limits(limits)
    n = len(customer_ids)
    if p_churn.shape != (n,) or net_value.shape != (n,):
        raise InputError(
            f"{n} customers, probabilities of shape {p_churn.shape} and outcomes of shape "
            f"{net_value.shape}; expected one of each for every customer",
            "score the customers of the label table, in its order",
        )
    if not ((p_churn >= 0) & (p_churn <= 1)).all():
        raise InputError(
            "p_churn holds numbers outside 0 and 1; expected probabilities",
            "give 1 - p_active of the model",
        )
    churned = np.asarray(net_value <= 0, dtype=np.float64)
    learning = learning_part(customer_ids)
    reason = _insufficient(churned, learning)
    if reason:
        level = _level(settings.ids[0], -np.inf, 1.0, churned, None)
        return LearnedRisk((level,), (), reason)
    scheme = learn_scheme(p_churn, churned, learning, limits, search_settings(tiers), incumbent)
    member = scheme.boundaries.assign(p_churn)
    lower = (-np.inf, *scheme.boundaries.cuts)
    levels = tuple(
        _level(
            level,
            lower[i],
            scheme.shares[i],
            churned[member == i],
            scheme.p_values[i - 1] if i else None,
        )
        for i, level in enumerate(scheme.ids)
    )
    return LearnedRisk(levels, scheme.merges)


def _insufficient(churned: Array, learning: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    for part, told in ((learning, "learned from"), (~learning, "certified on")):
        n, n_churned = int(part.sum()), int(churned[part].sum())
        if n_churned in (0, n):
            return f"{n_churned} of the {n} customers {told} have churned; levels need both kinds"
    return ""


def _level(
    level: str, below: float, share: float, churned: Array, p_value: float | None
) -> LearnedRiskLevel:
    n, n_churned = len(churned), int(churned.sum())
    low, high = wilson_interval(n, n_churned)
    return LearnedRiskLevel(
        level, below, share, n, n_churned / n if n else None, low, high, p_value
    )
