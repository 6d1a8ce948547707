"""The tiers in force: what was published last, as the look-up and the lists take it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from training.models.matrix import Array
from training.scores import NO_TIER


@dataclass(frozen=True)
class TiersInForce:
    """A published assignment.

    Attributes
    ----------
    scheme : tuple of dict
        Its tiers, bottom to top: ``id``, ``zh`` and ``en``; it may be older than a release's.
    places : mapping of str to int
        Each customer's place in the scheme; who has no tier is not there.
    since : mapping of str to date
        The re-tier date from which it has held.
    """

    scheme: tuple[dict[str, str], ...]
    places: Mapping[str, int]
    since: Mapping[str, date]

    def of(self, customer_ids: Sequence[str]) -> tuple[NDArray[np.int64], Array]:
        """Return each customer's place (`NO_TIER` for none) and the ordinal of the day (0)."""
        places = np.array([self.places.get(one, NO_TIER) for one in customer_ids], np.int64)
        since = np.array(
            [self.since[one].toordinal() if one in self.places else 0 for one in customer_ids],
            np.float64,
        )
        return places, since


NOTHING_IN_FORCE = TiersInForce((), {}, {})
"""Before the first re-tier date."""
