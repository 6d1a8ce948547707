"""Who is in which tier from a re-tier date on: capacities held exactly, moves damped, each explained.

Tiers are filled from the top. A seat at tier k or above belongs first to those already seated
above it, to those who may not fall below it, and then to the best by expected value, where a
customer who is there already counts for a little more. Pure: arrays in, arrays out.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from features.errors import InputError
from training.assignment.rules import (
    CLAW_BACK,
    KEPT_BY_BONUS,
    MINIMUM_STAY,
    NO_SEAT,
    ONE_LEVEL_DOWN,
    OVERRIDE,
    VALUE,
    Assignment,
    AssignmentPolicy,
    IntArray,
    Override,
    Seats,
    Standing,
    check_policy,
)
from training.models.matrix import Array
from training.scores import NO_TIER


def assign_tiers(
    customer_ids: Sequence[str],
    expected_value: Array,
    standing: Standing,
    policy: AssignmentPolicy,
    today: date,
    overrides: Mapping[str, Override] | None = None,
) -> Assignment:
    """Assign every customer a tier.

    Parameters
    ----------
    customer_ids : sequence of str
        Decide ties, by a hash.
    expected_value : array (n,)
        Currency.
    standing : Standing
        Before the date.
    policy : AssignmentPolicy
        The rules.
    today : date
        The re-tier date.
    overrides : mapping of str to Override, optional
        By customer; those that have expired are left out.

    Raises
    ------
    InputError
        If the rules contradict themselves, an override names no tier of the scheme, or a value is
        not finite.
    """
    check_policy(policy)
    if not np.isfinite(expected_value).all():
        raise InputError(
            "an expected value is not finite; expected numbers",
            "leave out customers without a score",
        )
    given = _in_force(customer_ids, overrides or {}, today, len(policy.boundaries))
    stands_outside = np.array([one in given for one in customer_ids], dtype=bool)
    floor, held_by = _floor(standing, policy)
    value = np.maximum(expected_value, 0.0)
    order_of_ties = np.array([zlib.crc32(one.encode()) for one in customer_ids], np.int64)
    n_counted = int(np.count_nonzero(~stands_outside))
    tier = np.zeros(len(value), np.int64)
    seats = []
    for k in range(len(policy.boundaries), 0, -1):
        there = standing.tier >= k
        worth = value * np.where(there & ~standing.clawed_back, 1 + policy.bonus, 1.0)
        seated = ((tier >= k) | (floor >= k)) & ~stands_outside
        capacity = int(np.floor(policy.capacities[k - 1] * n_counted + 1e-9))
        admitted, n_tied = _admit(
            np.flatnonzero(~seated & ~stands_outside & (worth >= policy.boundaries[k - 1])),
            worth,
            order_of_ties,
            capacity - int(np.count_nonzero(seated)),
        )
        seated[admitted] = True
        tier[seated] = np.maximum(tier[seated], k)
        n_members = int(np.count_nonzero(seated))
        seats.append(Seats(k, capacity, n_members, max(n_members - capacity, 0), n_tied))
    reason = _reasons(tier, value, floor, held_by, standing, policy)
    for i in np.flatnonzero(stands_outside).tolist():
        tier[i], reason[i] = given[customer_ids[i]].tier, OVERRIDE
    return Assignment(tier, standing.tier, reason, tuple(reversed(seats)), given)


def _in_force(
    customer_ids: Sequence[str], overrides: Mapping[str, Override], today: date, top: int
) -> dict[str, Override]:
    known = set(customer_ids)
    held = {c: one for c, one in overrides.items() if today < one.expires and c in known}
    wrong = sorted(customer for customer, one in held.items() if not 0 <= one.tier <= top)
    if wrong:
        raise InputError(
            f"the override of customer {wrong[0]} names tier {held[wrong[0]].tier}; expected 0 to "
            f"{top}",
            "mend or withdraw that override",
        )
    return held


def _floor(standing: Standing, policy: AssignmentPolicy) -> tuple[IntArray, IntArray]:
    """Return the lowest tier each customer may have, and the rule that says so."""
    held = (standing.tier != NO_TIER) & ~standing.clawed_back
    stays = held & (policy.minimum_stay_days > 0)
    stays &= standing.days_in_tier < policy.minimum_stay_days
    one_down = np.where(held, np.maximum(standing.tier - policy.most_levels_down, 0), 0)
    floor = np.where(stays, standing.tier, one_down)
    return floor, np.where(stays, MINIMUM_STAY, ONE_LEVEL_DOWN)


def _admit(
    candidates: IntArray, worth: Array, order_of_ties: IntArray, n_seats: int
) -> tuple[IntArray, int]:
    """Return the best candidates for the seats left, and how many tie with the last of them."""
    if n_seats <= 0:
        return candidates[:0], 0
    best_first = candidates[np.lexsort((order_of_ties[candidates], -worth[candidates]))]
    admitted, turned_away = best_first[:n_seats], best_first[n_seats:]
    if not len(turned_away):
        return admitted, 0
    return admitted, int(np.count_nonzero(worth[turned_away] == worth[admitted[-1]]))


def _reasons(
    tier: IntArray,
    value: Array,
    floor: IntArray,
    held_by: IntArray,
    standing: Standing,
    policy: AssignmentPolicy,
) -> IntArray:
    by_value = np.searchsorted(policy.boundaries, value, side="right")
    reason = np.full(len(tier), VALUE, np.int64)
    reason[by_value > tier] = NO_SEAT
    reason[by_value < tier] = KEPT_BY_BONUS
    held = (by_value < tier) & (floor == tier)
    reason[held] = held_by[held]
    reason[standing.clawed_back & (tier < standing.tier)] = CLAW_BACK
    return reason
