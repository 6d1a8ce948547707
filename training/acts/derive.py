"""A release derived from the champion: the same trees under another policy, on today's customers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from features.snapshot import Snapshot
from training.acts.order import Shop
from training.artifact import RELEASES
from training.cohort import Cohort, CohortSource
from training.derived import DERIVED, level_from, ranks_from
from training.freeze import SPACING_DAYS, freeze_cohorts
from training.golden import golden_sample
from training.models.matrix import Array
from training.models.model import Prediction
from training.policy import TierPolicy
from training.reference import FILE, reference_bytes
from training.release import Release, write_release

DAYS_OF_MOMENTS = 450
"""So far back go the cohorts of the reference: the season of a year before is among them."""


def cohort_of(shop: Shop, release: Release, cutoff: date, *, every_column: bool = False) -> Cohort:
    """Return everybody known at a cutoff, with the features that a release reads, or all of them."""
    source = CohortSource(shop.tables, shop.state, shop.config.features)
    cohort = source.cohort(
        Snapshot(cutoff, release.feature_horizon_days, release.history_start),
        Snapshot(cutoff, release.horizon_days, release.history_start),
    )
    if every_column:
        return cohort
    return replace(cohort, features=cohort.features.select(release.columns))


def prediction_of(release: Release, cohort: Cohort) -> Prediction:
    """Return what a release says of a cohort, at its own level."""
    scores = release.score(cohort.features.values)
    return Prediction(scores.expected_value, np.asarray(1.0 - scores.p_churn))


def write_derived(
    shop: Shop, parent: Release, policy: TierPolicy, today: Cohort, told: dict[str, Any]
) -> Release:
    """Write the parent's model under a policy, as of the cohort that is served from now on.

    Reference and golden rows are made anew on that cohort; spread, borderlands and the backtest
    stay those of the parent, whose ranks it has.

    Parameters
    ----------
    shop : Shop
        What is worked on.
    parent : Release
        Whose trees are kept.
    policy : TierPolicy
        The new one.
    today : Cohort
        Everybody known at the new cutoff.
    told : dict
        What the lineage says of the act: at least ``act``; ``level_from`` where the level is new.
    """
    cutoff = today.snapshot.cutoff
    derived = {
        "parent": parent.digest,
        "as_of": cutoff.isoformat(),
        "trained_at": parent.lineage.get(DERIVED, {}).get("trained_at", parent.cutoff.isoformat()),
        "ranks_from": ranks_from(parent).isoformat(),
        "level_from": level_from(parent).isoformat(),
        **told,
    }
    lineage = {**parent.lineage, "data": shop.tables.digest, DERIVED: derived}
    release = replace(
        parent, cutoff=cutoff, policy=policy, lineage=lineage, digest="", golden_rows=_none()
    )
    rows = today.features.values
    golden = rows[golden_sample(release.score(rows).expected_value)]
    shop.tell("reference of the new release")
    cohorts = [today, *_before(shop, parent, cutoff)]
    reference = freeze_cohorts(release, cohorts, shop.tables, shop.config.training)
    return write_release(release, golden, shop.state / RELEASES, {FILE: reference_bytes(reference)})


def _none() -> Array:
    return np.empty((0, 0))


def _before(shop: Shop, release: Release, cutoff: date) -> list[Cohort]:
    """Return the cohorts of the year before, 45 days apart, that have customers enough."""
    earliest = release.history_start + timedelta(days=SPACING_DAYS)
    found = []
    for days in range(SPACING_DAYS, DAYS_OF_MOMENTS + 1, SPACING_DAYS):
        moment = cutoff - timedelta(days=days)
        if moment < earliest:
            break
        cohort = cohort_of(shop, release, moment)
        if len(cohort) >= shop.config.training.minimum_customers:
            found.append(cohort)
    return found
