"""Uniform numbers that belong to a customer, an order and a purpose, whatever else is drawn.

A counter-based generator (the finaliser of SplitMix64: Steele, Lea and Flood 2014) keyed by one
number from the caller's generator. So the first thousand customers are the same people in a shop
of a hundred thousand, and an incident changes nothing before its date.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_GOLDEN = 0x9E3779B97F4A7C15


class Draws:
    """Random numbers by name, customer and counter.

    Parameters
    ----------
    generator : numpy.random.Generator
        Asked once, for the key.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._key = int(generator.integers(2**63))

    def uniform(self, purpose: str, customer: ArrayLike, counter: ArrayLike = 0) -> Floats:
        """Return numbers in (0, 1), one for each customer and counter (broadcast)."""
        word = int.from_bytes(purpose.encode().ljust(8, b"\0")[:8], "little")
        for more in range(8, len(purpose), 8):
            word ^= int.from_bytes(purpose.encode()[more : more + 8], "little") * _GOLDEN % 2**64
        first = np.array([(self._key ^ word) % 2**64], dtype=np.uint64)
        mixed = _mix(_mix(first) + np.asarray(customer, dtype=np.uint64))
        mixed = _mix(mixed + np.asarray(counter, dtype=np.uint64))
        return np.asarray(((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)

    def normal(self, purpose: str, customer: ArrayLike, counter: ArrayLike = 0) -> Floats:
        """Return standard normal numbers (Box and Muller)."""
        radius = np.sqrt(-2 * np.log(self.uniform(purpose + ".radius", customer, counter)))
        angle = 2 * np.pi * self.uniform(purpose + ".angle", customer, counter)
        return np.asarray(radius * np.cos(angle))


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values scrambled, each bit depending on every bit."""
    z = values + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def pick(uniform: Floats, shares: ArrayLike) -> Ints:
    """Return the index drawn by each uniform number from (unnormalised) shares.

    >>> pick(np.array([0.1, 0.5, 0.99]), [0.2, 0.7, 0.1]).tolist()
    [0, 1, 2]
    """
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    index = np.searchsorted(edges[:-1] / edges[-1], uniform, side="right")
    return np.asarray(index, dtype=np.int64)


def pick_by_row(uniform: Floats, shares: Floats) -> Ints:
    """Return the index drawn from each row's own shares (rows add to 1)."""
    edges = np.cumsum(shares, axis=1)[:, :-1]
    return np.asarray((uniform[:, None] >= edges).sum(axis=1), dtype=np.int64)


def poisson(uniform: Floats, mean: Floats) -> Ints:
    """Return Poisson counts by inversion, one for each uniform number and mean (below 700)."""
    count = np.zeros(len(mean), dtype=np.int64)
    mass = np.exp(-mean)
    left = uniform - mass
    open_ = np.flatnonzero(left > 0)
    while open_.size:
        count[open_] += 1
        mass[open_] *= mean[open_] / count[open_]
        left[open_] -= mass[open_]
        open_ = open_[(left[open_] > 0) & (mass[open_] > 1e-300)]
    return count
