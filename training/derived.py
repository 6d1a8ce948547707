"""What a release that was derived from another one remembers: where its ranks and level come from.

A recalibration and a cut keep the trees, so the derived release may be judged on every cohort its
trees had not seen, though its own cutoff is newer. ``lineage["derived"]`` holds the last act:
``act``, ``parent`` (digest), ``as_of``, ``ranks_from`` and ``level_from``. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from training.release import Release

DERIVED = "derived"
COHORT_DAYS = 30
"""Between two cohorts on which a release is judged."""


def derived_of(release: Release) -> Mapping[str, Any]:
    """Return what is known of the act that made a release; empty for a trained one."""
    told: Mapping[str, Any] = release.lineage.get(DERIVED, {})
    return told


def ranks_from(release: Release) -> date:
    """Return the first cutoff whose outcomes the trees had not seen."""
    told = derived_of(release).get("ranks_from")
    return release.cutoff if told is None else date.fromisoformat(told)


def level_from(release: Release) -> date:
    """Return the first cutoff whose outcomes the level was not read from."""
    told = derived_of(release).get("level_from")
    return release.cutoff if told is None else date.fromisoformat(told)


def matured_cutoffs(release: Release, as_of: date) -> list[date]:
    """Return the monthly cutoffs whose outcomes are known on a day, newest first.

    They begin where the trees end: the release ranks customers of whom it had seen no outcome.
    """
    first = ranks_from(release)
    n = (as_of - timedelta(days=release.horizon_days) - first).days // COHORT_DAYS
    return [first + timedelta(days=COHORT_DAYS * k) for k in range(n, -1, -1)]
