"""What the gate asks of a derived release: it loads, ranks as before, and mends what it is for. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from training.gate import Ruling
from training.models.matrix import Array

LEAST_GAIN = 0.01
"""By so much the level (its logarithm) or the calibration error must come nearer to right."""
MAY_WORSEN = 0.005
TIED = 1e-9


def keeps_ranks(before: Array, after: Array) -> bool:
    """Return whether no pair of customers changes its order.

    >>> keeps_ranks(np.array([1.0, 3.0, 2.0]), np.array([2.0, 9.0, 2.5]))
    True
    >>> keeps_ranks(np.array([1.0, 3.0, 2.0]), np.array([2.0, 2.4, 2.5]))
    False
    """
    order = np.argsort(before, kind="stable")
    ranked = after[order]
    steps = np.diff(ranked)
    return bool((steps >= -TIED * np.maximum(np.abs(ranked[1:]), 1.0)).all())


def judge_recalibration(
    before: Mapping[str, float],
    after: Mapping[str, float],
    ranks: Sequence[tuple[Array, Array]],
    moved_share: float,
) -> Ruling:
    """Judge a level that was learned again.

    Parameters
    ----------
    before, after : mapping
        ``level_bias`` and ``ece`` of the newest matured cohort; after it on customers whose
        outcomes the correction had not seen.
    ranks : sequence of pairs of arrays
        Scores of the same customers by parent and child, whose order must agree.
    moved_share : float
        Of today's customers, who would change their tier; told, not judged.
    """
    figures = {
        "level_before": before["level_bias"],
        "level_after": after["level_bias"],
        "ece_before": before["ece"],
        "ece_after": after["ece"],
        "moved_share": moved_share,
    }
    level = _gain(_off(before["level_bias"]), _off(after["level_bias"]))
    calibration = _gain(before["ece"], after["ece"])
    reasons = []
    if not all(keeps_ranks(old, new) for old, new in ranks):
        reasons.append("it changes ranks, and a recalibration must not")
    if not max(level, calibration) >= LEAST_GAIN:
        reasons.append("neither the level nor the calibration comes nearer to right")
    if min(level, calibration) < -MAY_WORSEN:
        reasons.append("the level or the calibration becomes worse")
    told = (
        f"level {before['level_bias']:.2f} to {after['level_bias']:.2f}, calibration error "
        f"{before['ece']:.3f} to {after['ece']:.3f} on customers it had not seen"
    )
    return Ruling(not reasons, (*reasons, told), figures)


def judge_recut(
    before: Sequence[float],
    after: Sequence[float],
    agreed: Sequence[float],
    ranks: Sequence[tuple[Array, Array]],
    moved_share: float,
) -> Ruling:
    """Judge boundaries that were cut again: shares nearer to what was agreed, ranks as before.

    Parameters
    ----------
    before, after : sequence of float
        Share of today's customers in each tier, bottom to top.
    agreed : sequence of float
        What the tiers were made for.
    ranks, moved_share
        As `judge_recalibration`.
    """
    was, now = (float(np.abs(np.subtract(each, agreed)).sum()) / 2 for each in (before, after))
    figures = {"misplaced_before": was, "misplaced_after": now, "moved_share": moved_share}
    reasons = []
    if not all(keeps_ranks(old, new) for old, new in ranks):
        reasons.append("it changes ranks, and a cut must not")
    if not now < was:
        reasons.append("the shares come no nearer to what was agreed")
    told = f"customers outside the agreed shares: {was:.1%} to {now:.1%}; {moved_share:.1%} move"
    return Ruling(not reasons, (*reasons, told), figures)


def _off(level: float) -> float:
    """Return how far a level is from right; without one it is as far as can be."""
    return abs(math.log(level)) if level > 0 and math.isfinite(level) else math.inf


def _gain(before: float, after: float) -> float:
    """Return by how much an error fell; 0 where neither is known."""
    if not (math.isfinite(before) or math.isfinite(after)):
        return 0.0
    return before - after
