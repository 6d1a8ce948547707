"""Tiers as they are served: names, boundaries in money, and which value belongs where. Pure."""

from __future__ import annotations

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
class TierBoundaries:
    """Cuts of expected value, rising; a customer at a cut belongs to the tier above it."""

    cuts: tuple[float, ...]

    def assign(self, expected_value: Array) -> NDArray[np.int64]:
        """Return each customer's tier, 0 at the bottom.

        >>> TierBoundaries((10.0, 50.0)).assign(np.array([9.9, 10.0, 50.0])).tolist()
        [0, 1, 2]
        """
        return np.searchsorted(self.cuts, expected_value, side="right").astype(np.int64)
