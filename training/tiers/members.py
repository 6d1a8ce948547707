"""What the members of each tier brought: means and shares with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from training.models.matrix import Array
from training.tiers.scheme import Scheme

CONFIDENCE = 0.95


@dataclass(frozen=True)
class LearnedTier:
    """One tier with what its members brought, on the whole cohort it was learned from.

    Attributes
    ----------
    id : str
        Of the scheme.
    boundary_below : float
        Least expected value that belongs to it, currency; -inf at the bottom.
    share : float
        Of customers: the contract.
    n_customers : int
        Members.
    realised_mean, realised_mean_low95, realised_mean_high95 : float or None
        Mean signed net value of a member, currency, with its Student interval.
    active_share, active_share_low95, active_share_high95 : float or None
        Share with a positive net value, with its Wilson interval.
    revenue_share : float
        Of the cohort's positive net value.
    p_value : float or None
        Of its boundary's certification; None at the bottom.
    """

    id: str
    boundary_below: float
    share: float
    n_customers: int
    realised_mean: float | None
    realised_mean_low95: float | None
    realised_mean_high95: float | None
    active_share: float | None
    active_share_low95: float | None
    active_share_high95: float | None
    revenue_share: float
    p_value: float | None


def describe_members(
    scheme: Scheme, expected_value: Array, net_value: Array
) -> tuple[LearnedTier, ...]:
    """Return each tier of a scheme with what its members brought, bottom to top.

    Parameters
    ----------
    scheme : Scheme
        Its boundaries, shares and certificates.
    expected_value, net_value : array (n,)
        Score and signed outcome of the whole cohort, currency.
    """
    k = len(scheme.ids)
    member = scheme.boundaries.assign(expected_value)
    n = np.bincount(member, minlength=k)
    mean = np.bincount(member, net_value, minlength=k) / np.maximum(n, 1)
    spread = np.bincount(member, (net_value - mean[member]) ** 2, minlength=k)
    positive = np.bincount(member, np.maximum(net_value, 0), minlength=k)
    active = np.bincount(member, net_value > 0, minlength=k)
    revenue = max(float(positive.sum()), 1e-300)
    tiers = []
    for i, tier in enumerate(scheme.ids):
        low, high = mean_interval(int(n[i]), float(mean[i]), float(spread[i]))
        least, most = wilson_interval(int(n[i]), int(active[i]))
        tiers.append(
            LearnedTier(
                id=tier,
                boundary_below=scheme.boundaries.cuts[i - 1] if i else -np.inf,
                share=scheme.shares[i],
                n_customers=int(n[i]),
                realised_mean=float(mean[i]) if n[i] else None,
                realised_mean_low95=low,
                realised_mean_high95=high,
                active_share=float(active[i] / n[i]) if n[i] else None,
                active_share_low95=least,
                active_share_high95=most,
                revenue_share=float(positive[i]) / revenue,
                p_value=scheme.p_values[i - 1] if i else None,
            )
        )
    return tuple(tiers)


def mean_interval(n: int, mean: float, spread: float) -> tuple[float | None, float | None]:
    """Return Student's 95 % interval of a mean from the sum of squares about it.

    >>> [round(end, 3) for end in mean_interval(3, 2.0, 2.0)]
    [-0.484, 4.484]
    """
    if n < 2:
        return None, None
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * np.sqrt(spread / (n - 1) / n)
    return mean - float(half), mean + float(half)


def wilson_interval(n: int, n_positive: int) -> tuple[float | None, float | None]:
    """Return Wilson's 95 % interval (1927) of a share.

    >>> [round(end, 3) for end in wilson_interval(10, 5)]
    [0.237, 0.763]
    """
    if n == 0:
        return None, None
    z = float(stdtrit(1e12, (1 + CONFIDENCE) / 2))
    share = n_positive / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(centre - float(half), 0.0), min(centre + float(half), 1.0)
