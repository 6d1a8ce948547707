"""Who is in which tier from a re-tier date on: capacities held exactly, moves damped, each explained.

Tiers are filled from the top. A seat at tier k or above belongs first to those already seated
above it, to those who may not fall below it, and then to the best by expected value, where a
customer who is there already counts for a little more. Pure: arrays in, arrays out.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from training.models.matrix import Array

NO_TIER = -1
REASONS = (
    "value",
    "kept_by_bonus",
    "no_seat",
    "one_level_down",
    "minimum_stay",
    "claw_back",
    "override",
)
"""Why a customer has the tier: by expected value alone; by the bonus of who is there already;
worth more but without a seat; held because nobody falls further at once; held for the minimum
stay; by value without protection, since refunds took back what earned the tier; by a person."""
VALUE, KEPT_BY_BONUS, NO_SEAT, ONE_LEVEL_DOWN, MINIMUM_STAY, CLAW_BACK, OVERRIDE = range(7)

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Override:
    """A tier that a person gave, outside the capacities.

    Attributes
    ----------
    tier : int
        0 at the bottom.
    expires : date
        First day it no longer holds.
    reason : str
        For the record.
    """

    tier: int
    expires: date
    reason: str


@dataclass(frozen=True)
class AssignmentPolicy:
    """The rules of a re-tier date.

    Attributes
    ----------
    boundaries : tuple of float
        Least expected value of each tier but the bottom one, currency, rising.
    capacities : tuple of float
        Share of customers at or above each tier but the bottom one, at most; falling.
    bonus : float
        By how much a customer counts for more where they are already: .25 is a quarter.
    most_levels_down : int
        At one date.
    minimum_stay_days : int
        Before a customer may fall at all; 0 for none.
    """

    boundaries: tuple[float, ...]
    capacities: tuple[float, ...]
    bonus: float = 0.25
    most_levels_down: int = 1
    minimum_stay_days: int = 0


@dataclass(frozen=True)
class Standing:
    """Where customers stand before the date.

    Attributes
    ----------
    tier : int array (n,)
        0 at the bottom, `NO_TIER` for who has none yet.
    days_in_tier : array (n,)
        Since they came to it.
    clawed_back : bool array (n,)
        Who loses the protection because refunds took back what earned the tier.
    """

    tier: IntArray
    days_in_tier: Array
    clawed_back: BoolArray

    @classmethod
    def none(cls, n: int) -> Standing:
        """Nobody has a tier yet."""
        return cls(np.full(n, NO_TIER, np.int64), np.zeros(n), np.zeros(n, bool))


@dataclass(frozen=True)
class Seats:
    """How one tier and those above it were filled.

    Attributes
    ----------
    capacity, n_members : int
        Seats at this tier or above, and who has one, overrides aside.
    n_overflow : int
        Members beyond the capacity, all of them protected; nobody was admitted then.
    n_tied : int
        Customers without a seat whose value equals that of the last admitted: a stable hash of
        the id decided.
    """

    tier: int
    capacity: int
    n_members: int
    n_overflow: int
    n_tied: int


@dataclass(frozen=True)
class Assignment:
    """The tiers from a date on.

    Attributes
    ----------
    tier, previous : int array (n,)
        0 at the bottom; `NO_TIER` in `previous` for who had none.
    reason : int array (n,)
        Index into `REASONS`.
    seats : tuple of Seats
        Bottom to top, without the bottom tier.
    overrides : dict of str to Override
        Those that held, by customer.
    """

    tier: IntArray
    previous: IntArray
    reason: IntArray
    seats: tuple[Seats, ...]
    overrides: dict[str, Override] = field(default_factory=dict)

    @property
    def move(self) -> IntArray:
        """Levels up (positive) or down; 0 for who is new."""
        return np.where(self.previous == NO_TIER, 0, self.tier - self.previous)


def check_policy(policy: AssignmentPolicy) -> None:
    """Refuse rules that contradict themselves.

    Raises
    ------
    InputError
        If boundaries do not rise, capacities do not fall, or their numbers differ.
    """
    cuts, seats = policy.boundaries, policy.capacities
    if len(cuts) != len(seats) or list(cuts) != sorted(cuts):
        raise InputError(
            f"boundaries {cuts} with capacities {seats}; expected one of each for every tier but "
            "the bottom one, boundaries rising",
            "take both from one learned scheme",
        )
    if list(seats) != sorted(seats, reverse=True) or not all(0 <= one <= 1 for one in seats):
        raise InputError(
            f"cumulative capacities {seats}; expected shares that fall from tier to tier",
            "give the share of customers at or above each tier",
        )
    if policy.bonus < 0 or policy.most_levels_down < 1 or policy.minimum_stay_days < 0:
        raise InputError(
            f"bonus {policy.bonus}, most_levels_down {policy.most_levels_down}, minimum_stay_days "
            f"{policy.minimum_stay_days}; expected at least 0, 1 and 0",
            "mend the rules of the re-tier date",
        )


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
