"""Kept near the last scheme: as few customers as can be change tier without a reason in the data.

The distance of two schemes is that of the logits of their cumulative shares, so a change of level
or of currency moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.models.matrix import Array
from training.tiers.cells import Cells, IntArray
from training.tiers.guard import Guarded, paired_standard_error
from training.tiers.programme import Programme

STEPS_DOWN = tuple(np.geomspace(1e3, 1e-6, 37).tolist())  # of what the free scheme explains
UNIT_SLIP_FACTOR = 3.0


@dataclass(frozen=True)
class Incumbent:
    """The scheme in force.

    Attributes
    ----------
    shares_at_or_above : mapping of str to float
        By tier: the share of customers in it and the tiers above; without the bottom tier.
    boundaries : mapping of str to float
        By tier: the least score that belongs to it, in currency; without the bottom tier.
    """

    shares_at_or_above: Mapping[str, float]
    boundaries: Mapping[str, float]


@dataclass(frozen=True)
class Kept:
    """The scheme after it was drawn to the incumbent.

    Attributes
    ----------
    inner : int array
        Its positions.
    weight : float
        Of the distance, in units of what the free scheme explains; 0 where it was not drawn.
    loss : float
        Of the realised outcome explained, as a share of it.
    """

    inner: IntArray
    weight: float
    loss: float


def keep_near(
    programme: Programme,
    ids: tuple[str, ...],
    guarded: Guarded,
    incumbent: Incumbent,
    standard_errors: float,
) -> Kept:
    """Return the scheme nearest the incumbent whose realised value stays within standard errors.

    The weight of the distance is scanned from large to small, not bisected: what is lost does not
    rise steadily with it.
    """
    distances = [
        _distance(programme.cells, positions, incumbent.shares_at_or_above.get(tier))
        for tier, positions in zip(ids[1:], programme.positions[1:-1], strict=True)
    ]
    free = programme.outcome_between(guarded.inner)
    unit = max(sum(float(gain.max()) for gain in guarded.gain if gain.size), 1e-300)
    for weight in STEPS_DOWN:
        inner = programme.solve(guarded.gain, [weight * unit * one for one in distances])
        if inner is None:
            break
        loss = free - programme.outcome_between(inner)
        error = paired_standard_error(programme.cells, guarded.inner, inner)
        if loss <= standard_errors * error:
            return Kept(inner, weight, loss / max(free, 1e-300))
    return Kept(guarded.inner, 0.0, 0.0)


def _distance(cells: Cells, positions: IntArray, share: float | None) -> Array:
    """Return the squared distance of logits, 0 where the incumbent has no such boundary."""
    if share is None:
        return np.zeros(len(positions))
    smallest = 0.5 / cells.n_customers

    def logit(shares: Array) -> Array:
        inside = np.clip(shares, smallest, 1 - smallest)
        return np.asarray(np.log(inside / (1 - inside)))

    away: Array = logit(cells.share_above[positions]) - logit(np.asarray(share))
    return away * away


def unit_slip(incumbent: Incumbent, boundaries: Mapping[str, float]) -> float | None:
    """Return by which factor the boundaries in money moved, if it is more than 3 either way.

    The median over the boundaries both schemes have: one alone may move for a reason of its own,
    all of them together are a change of unit.

    >>> unit_slip(Incumbent({"gold": 0.1}, {"gold": 5.0}), {"gold": 500.0})
    100.0
    """
    ratios = [
        boundaries[tier] / old
        for tier, old in incumbent.boundaries.items()
        if tier in boundaries and old > 0 and boundaries[tier] > 0
    ]
    if not ratios:
        return None
    factor = float(np.exp(np.median(np.log(ratios))))
    slipped = not 1 / UNIT_SLIP_FACTOR <= factor <= UNIT_SLIP_FACTOR
    return round(factor, 12) if slipped else None
