"""Whether groups of customers are told as well as everybody: by region, tenure, audited columns. Pure.

A group may hold fewer upper tiers because it brings less; that is shown and is no breach. A breach is
an error: the group is told less (or more) than it brings, is said to leave more often than it does,
or the value it brings is found less often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.config import FairnessSettings
from training.judge.evaluate import ece
from training.judge.ranking import FloatArray, IntArray

DRAWS = 200
Z = 2.576  # of a 99 % interval: many groups are looked at
GROUP_OF_NOBODY = ""


class Gap(NamedTuple):
    """How a group differs from everybody, with a 99 % interval over customers."""

    value: float
    low99: float
    high99: float


@dataclass(frozen=True)
class Judged:
    """What is held against what came: arrays (n,), one entry a customer.

    Attributes
    ----------
    y : array
        Outcome, floored at 0, currency.
    value, p_active : array
        As predicted; currency, probability.
    tier : int array
        0 at the bottom.
    """

    y: FloatArray
    value: FloatArray
    p_active: FloatArray
    tier: IntArray


@dataclass(frozen=True)
class GroupFigures:
    """One group of customers.

    Attributes
    ----------
    attribute, group : str
        Such as ``region`` and ``north``.
    n_customers, n_payers : int
        All, and those with a positive outcome.
    tier_shares : tuple of float
        Of the group's customers in each tier, bottom to top.
    mean_value, mean_outcome : float
        Predicted and realised, currency.
    level : Gap
        log of (predicted over realised) of the group, less that of everybody: 0 is as everybody.
    p_active : Gap
        Mean p_active less share active, less the same of everybody.
    capture : Gap
        Share of the group's value brought by its members above the bottom tier, less the same of
        everybody.
    ece : float
        Calibration error of p_active in the group.
    """

    attribute: str
    group: str
    n_customers: int
    n_payers: int
    tier_shares: tuple[float, ...]
    mean_value: float
    mean_outcome: float
    level: Gap
    p_active: Gap
    capture: Gap
    ece: float


def measure_groups(
    judged: Judged,
    groups: Mapping[str, Sequence[str]],
    limits: FairnessSettings,
    n_tiers: int,
    seed: int,
) -> tuple[GroupFigures, ...]:
    """Return the figures of every group that is large enough to be told.

    Parameters
    ----------
    judged : Judged
        A cohort whose outcomes the model had not seen.
    groups : mapping of str to sequence of str
        By attribute: the group of each customer; an empty name for not known.
    limits : FairnessSettings
        For the least customers and payers of a group.
    n_tiers : int
        Of the scheme.
    seed : int
        Of the bootstrap.
    """
    found = []
    for attribute in sorted(groups):
        names = np.asarray(groups[attribute], dtype=object)
        for group in sorted(set(groups[attribute]) - {GROUP_OF_NOBODY}):
            mine = np.asarray(names == group)
            n_payers = int(np.count_nonzero(judged.y[mine] > 0))
            if mine.sum() < limits.minimum_customers or n_payers < limits.minimum_payers:
                continue
            if mine.all():
                continue
            found.append(_measure(judged, attribute, group, mine, n_tiers, seed))
    return tuple(found)


def _measure(
    judged: Judged, attribute: str, group: str, mine: NDArray[np.bool_], n_tiers: int, seed: int
) -> GroupFigures:
    y, value = judged.y[mine], judged.value[mine]
    miss = judged.p_active - (judged.y > 0)
    missed = float(miss[mine].mean() - miss.mean())
    error = Z * float(np.std(miss[mine])) / np.sqrt(mine.sum())
    level, capture = _resampled(judged, mine, seed)
    return GroupFigures(
        attribute=attribute,
        group=group,
        n_customers=int(mine.sum()),
        n_payers=int(np.count_nonzero(y > 0)),
        tier_shares=tuple(
            (np.bincount(judged.tier[mine], minlength=n_tiers) / mine.sum()).tolist()
        ),
        mean_value=float(value.mean()),
        mean_outcome=float(y.mean()),
        level=level,
        p_active=Gap(missed, missed - error, missed + error),
        capture=capture,
        ece=ece(y, judged.p_active[mine]),
    )


def _resampled(judged: Judged, mine: NDArray[np.bool_], seed: int) -> tuple[Gap, Gap]:
    """Return the gaps of level and capture; their errors come from resamples of the group."""
    rows = np.column_stack([judged.value, judged.y, judged.y * (judged.tier > 0)])
    everybody = _level_and_capture(rows.sum(axis=0)[np.newaxis])[0]
    held = rows[mine]
    rng = np.random.default_rng(seed)
    n = len(held)
    sums = np.array([np.bincount(rng.integers(0, n, n), minlength=n) @ held for _ in range(DRAWS)])
    told = _level_and_capture(held.sum(axis=0)[np.newaxis])[0] - everybody
    errors = Z * np.nanstd(_level_and_capture(sums), axis=0, ddof=1)
    level, capture = (
        Gap(float(gap), float(gap - error), float(gap + error))
        for gap, error in zip(told, errors, strict=True)
    )
    return level, capture


def _level_and_capture(sums: FloatArray) -> FloatArray:
    """Return log(predicted / realised) and the share of value held, of rows of sums."""
    value, y, held = np.maximum(sums, 1e-9).T
    return np.column_stack([np.log(value / y), held / y])


def decide_fairness(figures: Sequence[GroupFigures], limits: FairnessSettings) -> tuple[str, ...]:
    """Return why a release is unfair to a group; nothing if it is not.

    A gap is a breach where it is over its limit and its 99 % interval is too: what may be the noise of
    a small group is none.
    """
    reasons = []
    for group in figures:
        told = f"{group.attribute} {group.group} ({group.n_customers} customers)"
        level = np.log1p(limits.largest_level_gap)
        if _is_over(group.level, level):
            reasons.append(
                f"{told}: the value told is {np.exp(group.level.value):.2f} times that of everybody "
                f"for what they bring, 99 % [{np.exp(group.level.low99):.2f}, "
                f"{np.exp(group.level.high99):.2f}]; expected within a factor of "
                f"{1 + limits.largest_level_gap:g}"
            )
        if _is_over(group.p_active, limits.largest_p_active_gap):
            reasons.append(
                f"{told}: P(active) is off by {group.p_active.value:+.3f} more than everybody's, "
                f"99 % [{group.p_active.low99:+.3f}, {group.p_active.high99:+.3f}]; expected within "
                f"{limits.largest_p_active_gap:g}"
            )
        if group.capture.high99 < -limits.largest_capture_gap:
            reasons.append(
                f"{told}: {-group.capture.value:.2f} less of their value is found above the bottom "
                f"tier than of everybody's, 99 % [{-group.capture.high99:.2f}, "
                f"{-group.capture.low99:.2f}]; expected at most {limits.largest_capture_gap:g}"
            )
    return tuple(reasons)


def _is_over(gap: Gap, limit: float) -> bool:
    return gap.low99 > limit or gap.high99 < -limit


def worst_gaps(figures: Sequence[GroupFigures]) -> dict[str, float]:
    """Return the largest gaps over all groups, for the record of a run."""
    if not figures:
        return {}
    return {
        "fairness_worst_level_gap": max(float(np.expm1(abs(g.level.value))) for g in figures),
        "fairness_worst_p_active_gap": max(abs(g.p_active.value) for g in figures),
        "fairness_worst_capture_gap": max(-g.capture.value for g in figures),
        "fairness_worst_ece": max(g.ece for g in figures),
        "fairness_n_groups": float(len(figures)),
    }
