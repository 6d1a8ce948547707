"""Why a customer moved: one thing after another is put in place, and each is charged its step.

Sequential substitution: from what was indicated on the last date, first the customer's behaviour is
today's, then the model, then its level, then the boundaries. What capacities, the bonus, the stay and
people added to or took from the indicated tier, then and now, is the rules' part. The steps add up
to the move, for every customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.errors import InputError
from training.assignment.rules import IntArray

CAUSES = ("behaviour", "model", "calibration", "boundary", "rule", "untold")
"""What a move is charged to, in the order of substitution; `untold`: the release of the last date is
no longer kept, so the first four cannot be told apart."""


@dataclass(frozen=True)
class Steps:
    """The indicated tier as one thing after another is put in place; places in today's scheme.

    Attributes
    ----------
    then : int array (n,)
        On the last date.
    behaviour, model, calibration : int array (n,) or None
        With today's features; then with today's model, too; then with its level. None where the
        release of the last date is no longer kept.
    now : int array (n,)
        With today's boundaries.
    """

    then: IntArray
    behaviour: IntArray | None
    model: IntArray | None
    calibration: IntArray | None
    now: IntArray


def attribute_moves(before: IntArray, steps: Steps, after: IntArray) -> dict[str, IntArray]:
    """Return the levels that each cause moved each customer by; they add up to `after - before`.

    Parameters
    ----------
    before, after : int array (n,)
        The tier that was in force and the one that will be; places in today's scheme.
    steps : Steps
        The indicated tiers between them.

    Raises
    ------
    InputError
        If the steps are not of the same customers.

    Examples
    --------
    >>> one = np.array
    >>> moved = attribute_moves(one([1]), Steps(one([1]), one([3]), one([2]), one([2]), one([2])), one([1]))
    >>> {cause: int(levels[0]) for cause, levels in moved.items() if levels[0]}
    {'behaviour': 2, 'model': -1, 'rule': -1}
    """
    nothing = np.zeros(len(before), np.int64)
    if {len(steps.then), len(steps.now), len(after)} != {len(before)}:
        raise InputError(
            f"{len(before)} customers before, {len(after)} after; expected the same ones",
            "attribute the moves of customers who had a tier before",
        )
    if steps.behaviour is None or steps.model is None or steps.calibration is None:
        parts = [nothing, nothing, nothing, nothing]
        untold = steps.now - steps.then
    else:
        path = [steps.then, steps.behaviour, steps.model, steps.calibration, steps.now]
        parts = [late - early for early, late in pairwise(path)]
        untold = nothing
    rule = (after - steps.now) - (before - steps.then)
    return dict(zip(CAUSES, (*parts, rule, untold), strict=True))


def summarise_causes(moved: Mapping[str, IntArray]) -> dict[str, dict[str, int]]:
    """Return for each cause how many moves it had a part in, and the levels up and down.

    Parameters
    ----------
    moved : mapping of str to int array (n,)
        Of those who moved, as `attribute_moves`.
    """
    return {
        cause: {
            "n_moves": int(np.count_nonzero(levels)),
            "levels_up": int(levels[levels > 0].sum()),
            "levels_down": int(-levels[levels < 0].sum()),
        }
        for cause, levels in moved.items()
    }
