"""Who is in which tier from a re-tier date on, why, and since when.

The way through: `rules` and `assign` (pure: seats, bonus, one level down), `overrides` and `claw_back`
(what stands outside the rules), `calendar` (when), `attribution` (why each customer moved), `propose`
(all of it for one date), `history` (what was published, append-only), `in_force` (as it is served).
"""

from training.assignment.assign import assign_tiers
from training.assignment.rules import (
    REASONS,
    Assignment,
    AssignmentPolicy,
    Override,
    Seats,
    Standing,
    assignment_policy,
    check_policy,
)
from training.scores import NO_TIER

__all__ = [
    "NO_TIER",
    "REASONS",
    "Assignment",
    "AssignmentPolicy",
    "Override",
    "Seats",
    "Standing",
    "assign_tiers",
    "assignment_policy",
    "check_policy",
]
