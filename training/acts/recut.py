"""Recut: the boundaries cut again at the agreed shares, on the customers of today."""

from __future__ import annotations

import numpy as np

from training.acts.derive import cohort_of, prediction_of, write_derived
from training.acts.gate import judge_recut
from training.acts.order import Acted, Order, Shop, find_acted
from training.acts.quarantine import learn_before
from training.acts.recalibrate import moved_share
from training.acts.settle import register_derived, settle
from training.artifact import RELEASES
from training.cohort import Cohort
from training.policy import cut_again
from training.release import Release, load_current, load_release
from training.scores import NO_TIER


def recut(shop: Shop, order: Order) -> Acted:
    """Derive a release whose tiers hold the agreed shares of today's customers, and promote it.

    Trees and level stay. Cutoff, look-up, reference and golden rows are those of the day.

    Raises
    ------
    InputError
        If the day cannot be learned from.
    """
    done = find_acted(shop.state, order)
    if done is not None:
        return done
    parent = load_current(shop.state / RELEASES)
    as_of = learn_before(shop.state, shop.tables, order)
    shop.tell(f"customers of {as_of}")
    today = cohort_of(shop, parent, as_of)
    now = prediction_of(parent, today)
    why = f"cut again on the customers of {as_of}"
    policy = cut_again(parent.policy, now.value, 1.0 - now.p_active, why)
    release = write_derived(shop, parent, policy, today, {"act": "recut"})
    loaded = load_release(shop.state / RELEASES / release.digest)
    then = prediction_of(loaded, today)
    ruling = judge_recut(
        tier_shares(parent, today),
        tier_shares(loaded, today),
        [tier.share for tier in parent.tiers],
        [(now.value, then.value), (now.p_active, then.p_active)],
        moved_share(parent, loaded, today),
    )
    version = register_derived(shop, release, ruling)
    return settle(shop, order, release, version, ruling, parent.digest)


def tier_shares(release: Release, cohort: Cohort) -> list[float]:
    """Return the share of each tier among the customers of a cohort who have one."""
    tier = release.score(cohort.features.values).tier
    placed = tier[tier != NO_TIER]
    counts = np.bincount(placed, minlength=len(release.tiers))
    return [float(count) / max(placed.size, 1) for count in counts]
