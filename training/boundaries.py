"""Tiers as they are served: names, boundaries in money, and which value belongs where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array


@dataclass(frozen=True)
class Tier:
    """One tier of a scheme.

    Attributes
    ----------
    id : str
        Stable id, such as ``gold``.
    label : dict
        ``zh`` and ``en``.
    boundary_below : float
        Least expected value that belongs to it, in currency; -inf for the bottom tier.
    share : float
        Share of customers it is made for.
    realised_mean : float or None
        Mean signed net value of the backtest cohort's members, in currency.
    realised_active_share : float or None
        Share of them with a positive net value.
    revenue_share : float or None
        Their share of the cohort's positive net value.
    n_customers : int or None
        Members in the backtest cohort.
    realised_mean_low95, realised_mean_high95 : float or None
        Student's interval of `realised_mean`.
    realised_active_low95, realised_active_high95 : float or None
        Wilson's interval of `realised_active_share`.
    p_value : float or None
        Of the certification of its lower boundary; None at the bottom and where shares are fixed.
    """

    id: str
    label: dict[str, str]
    boundary_below: float
    share: float
    realised_mean: float | None = None
    realised_active_share: float | None = None
    revenue_share: float | None = None
    n_customers: int | None = None
    realised_mean_low95: float | None = None
    realised_mean_high95: float | None = None
    realised_active_low95: float | None = None
    realised_active_high95: float | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class RiskLevel:
    """One level of churn, as it is served.

    Attributes
    ----------
    id : str
        Stable id, such as ``high``.
    label : dict
        ``zh`` and ``en``.
    boundary_below : float
        Least p_churn that belongs to it; -inf for the lowest level.
    share : float
        Share of customers it is made for.
    churned_share, churned_share_low95, churned_share_high95 : float or None
        Share of the backtest cohort's members without a positive net value, with its Wilson interval.
    n_customers : int or None
        Members in the backtest cohort.
    p_value : float or None
        Of the certification of its lower boundary; None for the lowest level.
    """

    id: str
    label: dict[str, str]
    boundary_below: float
    share: float
    churned_share: float | None = None
    churned_share_low95: float | None = None
    churned_share_high95: float | None = None
    n_customers: int | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class TierBoundaries:
    """Cuts of expected value, rising; a customer at a cut belongs to the tier above it."""

    cuts: tuple[float, ...]

    def assign(self, expected_value: Array) -> NDArray[np.int64]:
        """Return each customer's tier, 0 at the bottom.

        >>> TierBoundaries((10.0, 50.0)).assign(np.array([9.9, 10.0, 50.0])).tolist()
        [0, 1, 2]
        """
        return np.searchsorted(self.cuts, expected_value, side="right").astype(np.int64)


def borderlands(cuts: Sequence[float], factors: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return, for each boundary with a factor, from and up to which value one is borderline."""
    return tuple((cut / factor, cut * factor) for cut, factor in zip(cuts, factors, strict=False))


def is_borderline(
    expected_value: Array, cuts: Sequence[float], factors: Sequence[float]
) -> NDArray[np.bool_]:
    """Return who lies within the factor of a boundary."""
    near = np.zeros(len(expected_value), bool)
    for low, high in borderlands(cuts, factors):
        near |= (expected_value >= low) & (expected_value < high)
    return near


def cut_at_shares(expected_value: Array, shares: Sequence[float]) -> TierBoundaries:
    """Return the boundaries that give each tier its share as nearly as can be, bottom to top.

    A boundary is an observed value; customers who tie with it all belong to the upper tier, so
    among equal values the nearer end of their ranks is taken.

    Parameters
    ----------
    expected_value : array (n,)
        Of the cohort that is cut, currency.
    shares : sequence of float
        Of customers, one a tier.

    Examples
    --------
    >>> cut_at_shares(np.arange(10.0), (0.7, 0.3)).cuts
    (7.0,)
    >>> cut_at_shares(np.array([1.0, 1.0, 1.0, 5.0]), (0.7, 0.3)).cuts
    (5.0,)
    """
    ranked = np.sort(expected_value)
    n = len(ranked)
    below = np.round(np.cumsum(shares)[:-1] * n).astype(np.int64)
    value = ranked[np.minimum(below, n - 1)]
    first = np.searchsorted(ranked, value, side="left")
    after = np.searchsorted(ranked, value, side="right")
    rather_above = (after < n) & ((after - below < below - first) | (first == 0) & (below > 0))
    cuts = np.where(rather_above, ranked[np.minimum(after, n - 1)], value)
    return TierBoundaries(tuple(cuts.tolist()))
