"""Past re-tier dates played again: who would have moved, who would have come back, by which bonus.

The bonus that keeps a seat is a trade: more of it, and fewer customers go up and down again, but
tiers explain a little less. `learn_bonus` reads the least that a shop needs from its own past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from training.assignment import NO_TIER, AssignmentPolicy, Standing, assign_tiers
from training.boundaries import cut_at_shares
from training.models.matrix import Array

BONUSES = (0.25, 0.4, 0.5)
REVERSALS_LIMIT = 0.02
"""Of the customers of one date, once they have had time to move: docs/decisions/0014."""


@dataclass(frozen=True)
class ScoredDate:
    """One re-tier date: who is known, what they are expected to bring, what they then brought.

    Attributes
    ----------
    day : date
        Of the new tiers.
    customer_ids : array of str (n,)
        Who is known.
    expected_value : array (n,)
        Currency.
    net_value : array (n,) or None
        Signed, currency; None where it has not matured.
    """

    day: date
    customer_ids: NDArray[np.str_]
    expected_value: Array
    net_value: Array | None = None


@dataclass(frozen=True)
class ReplayedDate:
    """What one date did.

    Attributes
    ----------
    n_seen, n_moved, n_reversed : int
        Customers who had a tier before; those of them who moved; those whose move undoes their
        last one, whenever that was.
    overflow_share : float
        Members beyond a capacity, as a share of everybody; the largest of any tier.
    tier : int array (n,)
        0 at the bottom.
    """

    n_seen: int
    n_moved: int
    n_reversed: int
    overflow_share: float
    tier: NDArray[np.int64]


@dataclass(frozen=True)
class LearnedBonus:
    """The bonus a shop needs.

    Attributes
    ----------
    bonus : float
        Of `tried` the least that keeps reversals at or below the limit, else the largest.
    reversals_share : dict of float to float
        By the bonus tried: on the last date.
    n_dates : int
        That were replayed.
    holds : bool
        Whether the limit is kept.
    """

    bonus: float
    reversals_share: dict[float, float]
    n_dates: int
    holds: bool


def replay(
    dates: Sequence[ScoredDate],
    shares: Sequence[float],
    bonus: float,
    most_levels_down: int = 1,
) -> list[ReplayedDate]:
    """Assign tiers on each date, each from where the one before left the customers.

    Parameters
    ----------
    dates : sequence of ScoredDate
        In order of time.
    shares : sequence of float
        Of customers, one a tier, bottom to top; boundaries are cut anew on each date.
    bonus : float
        By how much a customer counts for more where they are already.
    most_levels_down : int
        At one date.
    """
    names = np.unique(np.concatenate([one.customer_ids for one in dates]))
    tier = np.full(len(names), NO_TIER, np.int64)
    last_move = np.zeros(len(names), np.int64)
    capacities = tuple(np.cumsum(shares[::-1])[::-1][1:].tolist())
    played = []
    for one in dates:
        rows = np.searchsorted(names, one.customer_ids)
        cuts = cut_at_shares(one.expected_value, shares).cuts
        done = assign_tiers(
            tuple(one.customer_ids.tolist()),
            one.expected_value,
            Standing(tier[rows], np.zeros(len(rows)), np.zeros(len(rows), bool)),
            AssignmentPolicy(cuts, capacities, bonus, most_levels_down),
            one.day,
        )
        move = np.sign(done.move)
        played.append(
            ReplayedDate(
                n_seen=int((done.previous != NO_TIER).sum()),
                n_moved=int((move != 0).sum()),
                n_reversed=int((move * last_move[rows] < 0).sum()),
                overflow_share=max(
                    (seat.n_overflow / len(rows) for seat in done.seats), default=0.0
                ),
                tier=done.tier,
            )
        )
        last_move[rows] = np.where(move != 0, move, last_move[rows])
        tier[rows] = done.tier
    return played


def learn_bonus(
    dates: Sequence[ScoredDate],
    shares: Sequence[float],
    tried: Sequence[float] = BONUSES,
    limit: float = REVERSALS_LIMIT,
) -> LearnedBonus:
    """Return the least bonus with which few enough customers go up and down again.

    Judged on the last date alone: on the first ones hardly anybody has moved before, so hardly
    anybody can move back, and a mean over them flatters a short past.

    Parameters
    ----------
    dates : sequence of ScoredDate
        Past re-tier dates in order of time, scored without what came after the last of them.
    shares : sequence of float
        Of customers, one a tier, bottom to top.
    tried : sequence of float
        Rising.
    limit : float
        Largest share of customers of one date whose move undoes their last one.
    """
    found: dict[float, float] = {}
    for bonus in tried:
        last = replay(dates, shares, bonus)[-1]
        found[bonus] = last.n_reversed / max(last.n_seen, 1)
        if found[bonus] <= limit:
            return LearnedBonus(bonus, found, len(dates), holds=True)
    return LearnedBonus(max(tried), found, len(dates), holds=False)
