"""What a scheme may be: how many customers each tier holds, and how far its mean must rise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from features.config import RiskSettings, TierSettings
from features.errors import InputError


@dataclass(frozen=True)
class TierLimits:
    """Limits of a scheme, bottom to top.

    Attributes
    ----------
    ids : tuple of str
        One a tier.
    minimum_shares, maximum_shares : tuple of float
        Of customers, one a tier.
    gaps : tuple of float
        Least rise of the mean outcome, one a boundary, in units of the outcome.
    n_customers_min, n_payers_min : int
        Customers, and customers with a positive outcome, in each tier.
    rise_standard_errors : float
        Least rise of the mean outcome in standard errors of the difference.
    """

    ids: tuple[str, ...]
    minimum_shares: tuple[float, ...]
    maximum_shares: tuple[float, ...]
    gaps: tuple[float, ...]
    n_customers_min: int
    n_payers_min: int
    rise_standard_errors: float

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def outermost_shares(self) -> tuple[float, float]:
        """Shares that any boundary leaves below itself and above itself, at least."""
        below = max(self.minimum_shares[0], 1 - sum(self.maximum_shares[1:]))
        above = max(self.minimum_shares[-1], 1 - sum(self.maximum_shares[:-1]))
        return max(below, 0.0), max(above, 0.0)

    def without_boundaries(self, dropped: Sequence[int]) -> TierLimits:
        """Return the limits of the scheme where the tiers above some boundaries join those below.

        Boundary k lies below tier k. Shares add up, so the cumulative capacities that remain are
        those of the whole scheme.
        """
        kept = [k for k in range(len(self)) if k not in dropped]
        ends = [*kept[1:], len(self)]
        blocks = list(zip(kept, ends, strict=True))
        return replace(
            self,
            ids=tuple(self.ids[k] for k in kept),
            minimum_shares=tuple(sum(self.minimum_shares[a:b]) for a, b in blocks),
            maximum_shares=tuple(min(sum(self.maximum_shares[a:b]), 1.0) for a, b in blocks),
            gaps=tuple(self.gaps[k - 1] for k in kept[1:]),
        )

    def merged_to(self, n_tiers: int) -> list[TierLimits]:
        """Return the limits of every scheme with that many tiers, the upper ones dropped first."""
        inner = range(len(self) - 1, 0, -1)
        return [
            self.without_boundaries(dropped) for dropped in combinations(inner, len(self) - n_tiers)
        ]

    def without_gaps(self) -> TierLimits:
        """Return the limits with gaps that need only be certain."""
        return replace(self, gaps=(0.0,) * len(self.gaps))

    def without_rises(self) -> TierLimits:
        """Return the limits with means that need only rise at all."""
        return replace(self, gaps=(0.0,) * len(self.gaps), rise_standard_errors=0.0)

    def without_counts(self) -> TierLimits:
        """Return the limits without least numbers of customers and payers."""
        return replace(self, n_customers_min=1, n_payers_min=0)

    def without_shares(self) -> TierLimits:
        """Return the limits with any shares."""
        n = len(self)
        return replace(self, minimum_shares=(0.0,) * n, maximum_shares=(1.0,) * n)


def check_limits(limits: TierLimits) -> None:
    """Refuse limits that no data could meet.

    Raises
    ------
    InputError
        If the minimum shares add to more than 1, or the maximum shares to less.
    """
    least, most = sum(limits.minimum_shares), sum(limits.maximum_shares)
    if least > 1 + 1e-9 or most < 1 - 1e-9:
        raise InputError(
            f"the shares of the tiers cannot add to 1: minima add to {least:g}, maxima to "
            f"{most:g}; expected minima of at most 1 and maxima of at least 1",
            "mend minimum_shares and maximum_shares in config.toml",
        )


def tier_limits(settings: TierSettings) -> TierLimits:
    """Return the limits of the value tiers."""
    return TierLimits(
        ids=settings.ids,
        minimum_shares=settings.minimum_shares,
        maximum_shares=settings.maximum_shares,
        gaps=settings.minimum_gaps or (0.0,) * (len(settings.ids) - 1),
        n_customers_min=settings.n_customers_min,
        n_payers_min=settings.n_payers_min,
        rise_standard_errors=settings.rise_standard_errors,
    )


def risk_limits(settings: RiskSettings, rise_standard_errors: float) -> TierLimits:
    """Return the limits of the levels of churn; a level may hold nobody who churned."""
    return TierLimits(
        ids=settings.ids,
        minimum_shares=settings.minimum_shares,
        maximum_shares=settings.maximum_shares,
        gaps=(0.0,) * (len(settings.ids) - 1),
        n_customers_min=settings.n_customers_min,
        n_payers_min=0,
        rise_standard_errors=rise_standard_errors,
    )
