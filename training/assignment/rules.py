"""The rules of a re-tier date, and what they give: standing, seats, tiers and reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from training.models.matrix import Array
from training.policy import TierPolicy
from training.scores import NO_TIER

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


def assignment_policy(policy: TierPolicy) -> AssignmentPolicy:
    """Return what a release's tier policy says of a re-tier date."""
    return AssignmentPolicy(
        boundaries=policy.boundaries.cuts,
        capacities=policy.capacities,
        bonus=policy.rules.bonus,
        most_levels_down=policy.rules.most_levels_down,
        minimum_stay_days=policy.rules.minimum_stay_days,
    )
