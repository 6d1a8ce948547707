"""What monitoring can find: each finding names its kind, what it is about, and the number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "no_reference",
    "old_reference",
    "schema",
    "empty",
    "tiny",
    "null_surge",
    "constant",
    "infinite",
    "unit_slip",
    "half_day",
    "refused",
    "duplicates",
    "volume",
    "new_kind",
    "critical_input",
    "inputs",
    "scores",
    "tier_shares",
    "level",
    "calibration",
    "rank",
    "text_volume",
    "text_languages",
    "text_lengths",
    "text_scores",
]
KINDS: tuple[str, ...] = get_args(Kind)
Cause = Literal["data", "reference", "new_kind", "share", "level", "rank", "text"]
CAUSE_OF: dict[str, Cause] = {
    "no_reference": "reference",
    "old_reference": "reference",
    "schema": "data",
    "empty": "data",
    "tiny": "data",
    "null_surge": "data",
    "constant": "data",
    "infinite": "data",
    "unit_slip": "data",
    "half_day": "data",
    "refused": "data",
    "duplicates": "data",
    "volume": "data",
    "new_kind": "new_kind",
    "critical_input": "rank",
    "inputs": "rank",
    "scores": "rank",
    "tier_shares": "share",
    "level": "level",
    "calibration": "level",
    "rank": "rank",
    "text_volume": "text",
    "text_languages": "text",
    "text_lengths": "text",
    "text_scores": "text",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is beyond its limit.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    subject : str
        The column, tier, day or cohort it is about.
    value, limit : float
        What was measured, and what it should not have passed.
    """

    kind: Kind
    subject: str
    value: float
    limit: float

    @property
    def cause(self) -> Cause:
        """Which incident it belongs to."""
        return CAUSE_OF[self.kind]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}: {self.value:.3g} (limit {self.limit:.3g})"
