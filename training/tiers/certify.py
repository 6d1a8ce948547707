"""Certified on customers the boundaries were not learned from: is each tier worth more than the next?"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from training.models.matrix import Array

LEARNING_PERCENT = 60
_SALT = zlib.crc32(b"tier:")


def learning_part(customer_ids: Sequence[str]) -> NDArray[np.bool_]:
    """Return who is learned from (60 %); the others certify.

    By a hash of the id alone (CRC-32 of ``tier:ID``, mixed by splitmix64), so a customer stays on
    the same side for ever, on every machine.

    >>> learning_part(["12346", "12347", "12348", "12349"]).tolist()
    [False, True, True, True]
    """
    checksums = [zlib.crc32(one.encode(), _SALT) for one in customer_ids]
    mixed = np.array(checksums, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed % np.uint64(100) < LEARNING_PERCENT)


def rise_p_values(tier: NDArray[np.int64], outcome: Array, n_tiers: int) -> Array:
    """Return for each boundary, bottom to top, the one-sided Welch p of a higher mean above it.

    1 where a tier beside it has fewer than two customers. Welch (1947); of the outcome as it is,
    since the same test of its logarithm rejects too often.
    """
    n = np.bincount(tier, minlength=n_tiers).astype(np.float64)
    held = np.maximum(n, 1)
    mean = np.bincount(tier, outcome, minlength=n_tiers) / held
    spread = np.bincount(tier, (outcome - mean[tier]) ** 2, minlength=n_tiers)
    squared_error = spread / np.maximum(n - 1, 1) / held
    rise = np.diff(mean)
    below, above = squared_error[:-1], squared_error[1:]
    enough = (n[:-1] > 1) & (n[1:] > 1)
    total = below + above
    freedom = below**2 / np.maximum(n[:-1] - 1, 1) + above**2 / np.maximum(n[1:] - 1, 1)
    safe = np.where(total > 0, total, 1.0)
    degrees = safe**2 / np.where(freedom > 0, freedom, 1.0)
    by_test = stdtr(degrees, -rise / np.sqrt(safe))
    p = np.where(total > 0, by_test, np.where(rise > 0, 0.0, 1.0))
    return np.where(enough, p, 1.0)


def holm(p_values: Array, level: float) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's procedure (1979) rejects at a level over all of them.

    >>> holm(np.array([0.03, 0.001, 0.2]), 0.05).tolist()
    [False, True, False]
    """
    order = np.argsort(p_values, kind="stable")
    limits = level / (len(p_values) - np.arange(len(p_values)))
    passed = np.logical_and.accumulate(p_values[order] <= limits)
    rejected = np.zeros(len(p_values), bool)
    rejected[order] = passed
    return rejected
