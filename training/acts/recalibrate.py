"""Recalibrate: the level of value and of p_active learned again on the newest matured cohort."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from features.errors import InputError
from training.acts.correct import correct_unseen, figures_of, learn_correction
from training.acts.derive import cohort_of, prediction_of, write_derived
from training.acts.gate import judge_recalibration
from training.acts.order import Acted, Order, Shop, find_acted
from training.acts.quarantine import learn_before
from training.acts.settle import register_derived, settle
from training.artifact import RELEASES
from training.boundaries import Tier
from training.cohort import Cohort, CohortSource
from training.derived import level_from, matured_cutoffs
from training.judge.evaluate import quota_tiers
from training.models.matrix import Array
from training.models.model import Prediction
from training.policy import TierPolicy, at_level, cut_again
from training.release import Release, load_current, load_release
from training.tiers.shares import with_outcomes


def recalibrate(shop: Shop, order: Order) -> Acted:
    """Derive a release with the level of the newest matured cohort, and promote it if that helps.

    The trees stay. Value is multiplied and the logit of p_active moved so that they hold on that
    cohort; boundaries are cut again at the agreed shares on the customers of the new cutoff, and
    what each tier brought is told of the matured cohort.

    Raises
    ------
    InputError
        If no cohort that the level had not seen has matured, or the day cannot be learned from.
    """
    done = find_acted(shop.state, order)
    if done is not None:
        return done
    parent = load_current(shop.state / RELEASES)
    as_of = learn_before(shop.state, shop.tables, order)
    cutoff = newest_unseen(parent, as_of)
    shop.tell(f"outcomes of {cutoff}")
    cohort = CohortSource(shop.tables, shop.state, shop.config.features).labelled(
        cohort_of(shop, parent, cutoff), as_of
    )
    outcome = _outcome(cohort)
    said = prediction_of(parent, cohort)
    before = figures_of(said, outcome)
    unseen = correct_unseen(cohort.customer_ids, said, outcome)
    after = figures_of(unseen, outcome)
    level = parent.policy.level.after(learn_correction(said, outcome))
    today = cohort_of(shop, parent, as_of)
    why = f"recalibrated on the cohort of {cutoff}"
    bare = at_level(parent.policy, level, why)
    now = prediction_of(replace(parent, policy=bare), today)
    policy = _with_money(cut_again(bare, now.value, 1.0 - now.p_active, why), said, outcome)
    release = write_derived(
        shop,
        parent,
        policy,
        today,
        {
            "act": "recalibrate",
            "cohort": cutoff.isoformat(),
            "level_from": (cutoff + timedelta(days=1)).isoformat(),
            "before": before,
            "after": after,
        },
    )
    loaded = load_release(shop.state / RELEASES / release.digest)
    was = prediction_of(parent, today)
    ruling = judge_recalibration(
        before,
        after,
        [(was.value, now.value), (was.p_active, now.p_active)],
        moved_share(parent, loaded, today),
    )
    version = register_derived(shop, release, ruling)
    return settle(shop, order, release, version, ruling, parent.digest)


def newest_unseen(release: Release, as_of: date) -> date:
    """Return the newest matured cutoff whose outcomes the level was not read from.

    Raises
    ------
    InputError
        If there is none.
    """
    matured = [each for each in matured_cutoffs(release, as_of) if each >= level_from(release)]
    if matured:
        return matured[0]
    raise InputError(
        f"no cohort from {level_from(release)} on, where the level of the release ends, has "
        f"matured by {as_of}; expected one {release.horizon_days} days old",
        "wait until its outcomes are known, or retrain: python -m training retrain",
    )


def moved_share(parent: Release, child: Release, cohort: Cohort) -> float:
    """Return the share of a cohort whom two releases of one scheme put into different tiers."""
    rows = cohort.features.values
    return float((parent.score(rows).tier != child.score(rows).tier).mean())


def _outcome(cohort: Cohort) -> Array:
    if cohort.net_value is None:
        raise ValueError(f"the outcomes of {cohort.snapshot.cutoff} have not matured")
    return cohort.net_value


def _with_money(policy: TierPolicy, said: Prediction, net_value: Array) -> TierPolicy:
    """Return the policy with what each tier brought on the matured cohort, at the same shares.

    The certification stays that of the ranks, which have not changed; intervals that were learned
    with it would be of another cohort and are left out.
    """
    member = quota_tiers(said.value, [tier.share for tier in policy.tiers])
    tiers: list[Tier] = []
    for place, tier in enumerate(policy.tiers):
        mine = np.asarray(net_value[member == place])
        bare = replace(
            tier,
            realised_mean_low95=None,
            realised_mean_high95=None,
            realised_active_low95=None,
            realised_active_high95=None,
        )
        tiers.append(with_outcomes(bare, mine, net_value))
    return replace(policy, tiers=tuple(tiers))
