"""From a training run to the facts of its tier report. Pure: cohorts and a release in, facts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.config import LIFECYCLE, TierSettings
from training.backtest import Backtest
from training.boundaries import TierBoundaries, cut_at_shares
from training.cohort import Cohort
from training.models.matrix import Array, FeatureMatrix
from training.release import Release
from training.scores import Scores
from training.tier_report.facts import (
    ActionFacts,
    CertificationFacts,
    CurveFacts,
    LevelFacts,
    MergeFacts,
    MigrationFacts,
    ModelFacts,
    RivalFacts,
    TierFacts,
    TierReport,
)
from training.tiers.rival_table import Rival

CURVE_POINTS = 160
CURVE_GROUPS = 22
FEWEST_MIGRANTS = 20
RELEASE_DIGITS = 12
STARS, SENTIMENT = "mean_stars", "mean_sentiment"
CAUSES = ("behaviour", "model", "boundary")

IntArray = NDArray[np.int64]


def gather_report(
    release: Release,
    backtest: Backtest,
    today: Cohort,
    rivals: Sequence[Rival],
    settings: TierSettings,
) -> TierReport:
    """Return what the report of a release says, before anything has been published under it.

    Parameters
    ----------
    release : Release
        With its tiers and lineage.
    backtest : Backtest
        Whose cohort the tiers were learned on.
    today : Cohort
        Everybody known at the release's cutoff, with all features.
    rivals : sequence of Rival
        The scheme first.
    settings : TierSettings
        Names of the tiers that were asked for.
    """
    then, winner = backtest.cohort, backtest.predictions[backtest.winner]
    shares = [tier.share for tier in release.tiers]
    cuts_then = cut_at_shares(winner.value, shares)
    rows = today.features.select(release.columns)
    scores = release.score(rows.values)
    member = np.asarray(scores.tier)
    return TierReport(
        source=release.source,
        currency=release.currency,
        release=release.digest[:RELEASE_DIGITS],
        model=backtest.winner,
        cutoff=release.cutoff.isoformat(),
        backtest_cutoff=then.snapshot.cutoff.isoformat(),
        horizon_days=release.horizon_days,
        backtest_horizon_days=then.snapshot.horizon_days,
        season_unseen=release.season_unseen,
        n_then=len(then),
        n_now=len(today),
        n_without_tier=int((member < 0).sum()),
        tiers=_tiers(release, today.features, member),
        certification=certification_of(release.lineage.get("tiers", {})),
        curve=_curve(winner.value, then.value, cuts_then),
        rivals=tuple(
            RivalFacts(
                one.name,
                one.shares,
                one.eta_squared,
                one.top_revenue_share,
                one.breach_points,
                one.n_certified,
            )
            for one in rivals
        ),
        models=_models(backtest),
        labels=settings.labels,
        migration=_migration(release, backtest, today, member, cuts_then),
        **_standing(release, member, scores),
    )


def _tiers(release: Release, features: FeatureMatrix, member: IntArray) -> tuple[TierFacts, ...]:
    return tuple(
        TierFacts(
            id=tier.id,
            label=dict(tier.label),
            boundary=None if tier.boundary_below == -np.inf else tier.boundary_below,
            share=tier.share,
            n_then=tier.n_customers or 0,
            n_now=int((member == k).sum()),
            mean=tier.realised_mean,
            mean_low95=tier.realised_mean_low95,
            mean_high95=tier.realised_mean_high95,
            active=tier.realised_active_share,
            active_low95=tier.realised_active_low95,
            active_high95=tier.realised_active_high95,
            revenue_share=tier.revenue_share,
            p_value=tier.p_value,
            returned=returned_share(features.take(member == k)),
            stars=_mean_of(features, STARS, member == k),
            sentiment=_mean_of(features, SENTIMENT, member == k),
        )
        for k, tier in enumerate(release.tiers)
    )


def returned_share(features: FeatureMatrix) -> float | None:
    """Return the value returned by customers over what they bought, None without purchases.

    From each customer's net spend and share returned: gross is net / (1 - share). Who returned
    exactly everything tells no gross and is left out.
    """
    share, net = features["return_share"], features["net_spend"]
    told = np.isfinite(share) & np.isfinite(net) & (np.abs(1 - share) > 1e-9)
    gross = net[told] / (1 - share[told])
    total = float(gross.sum())
    return float((share[told] * gross).sum()) / total if total > 0 else None


def _mean_of(features: FeatureMatrix, column: str, rows: NDArray[np.bool_]) -> float | None:
    if column not in features.columns:
        return None
    known = features[column][rows]
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None


def certification_of(told: Mapping[str, Any]) -> CertificationFacts:
    """Return how the boundaries came about, from a release's lineage."""
    return CertificationFacts(
        method=str(told.get("method", "shares")),
        status=str(told.get("status", "learned")),
        reason=str(told.get("reason", "")),
        n_learning=int(told.get("n_learning", 0)),
        n_certifying=int(told.get("n_certifying", 0)),
        level=float(told.get("certification_level", 0.05)),
        merges=tuple(
            MergeFacts(one["tier"], one["into"], one["cause"], one["detail"], one["p_value"])
            for one in told.get("merges", ())
        ),
        flags=tuple(str(one["code"]) for one in told.get("flags", ())),
    )


def _curve(expected: Array, realised: Array, cuts: TierBoundaries) -> CurveFacts:
    order = np.argsort(-expected, kind="stable")
    best, brought = expected[order], realised[order]
    n = len(best)
    at = np.unique(np.round(np.geomspace(1, n, CURVE_POINTS)).astype(np.int64)) - 1
    ends = np.unique(np.round(np.geomspace(min(10, n), n, CURVE_GROUPS)).astype(np.int64))
    starts = np.concatenate(([0], ends[:-1]))
    return CurveFacts(
        n=n,
        rank=tuple((at + 1.0).tolist()),
        expected=tuple(best[at].tolist()),
        group_rank=tuple(np.sqrt((starts + 1.0) * ends).tolist()),
        group_mean=tuple((np.add.reduceat(brought, starts) / (ends - starts)).tolist()),
        boundaries=cuts.cuts,
    )


def _models(backtest: Backtest) -> tuple[ModelFacts, ...]:
    names = sorted(
        (name for name in backtest.metrics if np.isfinite(backtest.metrics[name]["ngini"])),
        key=lambda name: (name != backtest.winner, -backtest.metrics[name]["ngini"]),
    )
    return tuple(
        ModelFacts(
            name,
            backtest.metrics[name]["ngini"],
            backtest.metrics[name]["capture_top10"],
            backtest.metrics[name]["eta_squared"],
        )
        for name in names
    )


def _migration(
    release: Release,
    backtest: Backtest,
    today: Cohort,
    member: IntArray,
    cuts_then: TierBoundaries,
) -> MigrationFacts | None:
    """Where customers of the backtest cohort were placed then, and where they are placed now.

    A move is put down to what moved it first when one part after the other is exchanged: the
    customer's behaviour, then the model with its level, then the boundaries.
    """
    then = backtest.cohort
    place = {customer: i for i, customer in enumerate(today.customer_ids)}
    pairs = [(i, place[c]) for i, c in enumerate(then.customer_ids) if c in place]
    pairs = [(i, j) for i, j in pairs if member[j] >= 0]
    if len(pairs) < FEWEST_MIGRANTS:
        return None
    before, now = np.array(pairs, np.int64).T
    old = backtest.models[backtest.winner]
    features = today.features.take(now)
    tier_then = cuts_then.assign(backtest.predictions[backtest.winner].value[before])
    behaved = cuts_then.assign(old.predict(features.select(old.columns)).value)
    rescored = cuts_then.assign(
        release.score(features.select(release.columns).values).expected_value
    )
    tier_now = member[now]
    n_tiers = len(release.tiers)
    counts = np.zeros((n_tiers, n_tiers), np.int64)
    np.add.at(counts, (tier_then, tier_now), 1)
    return MigrationFacts(
        kind="backtest",
        day_then=then.snapshot.cutoff.isoformat(),
        day_now=release.cutoff.isoformat(),
        ids=tuple(tier.id for tier in release.tiers),
        counts=tuple(tuple(row) for row in counts.tolist()),
        n_new=len(today) - len(pairs),
        causes=count_causes(np.stack([tier_then, behaved, rescored, tier_now])),
    )


def count_causes(steps: IntArray) -> dict[str, int]:
    """Return how many moves each part caused.

    Parameters
    ----------
    steps : int array (4, n)
        Tiers then; with the new behaviour; with the new model too; with the new boundaries too.

    Examples
    --------
    >>> count_causes(np.array([[0, 0, 1, 2], [1, 0, 2, 2], [1, 0, 1, 2], [1, 1, 0, 2]]))
    {'behaviour': 1, 'model': 1, 'boundary': 1}
    """
    net = np.sign(steps[-1] - steps[0])
    forward = np.diff(steps, axis=0) * net > 0
    first = np.where(net != 0, np.argmax(forward, axis=0), -1)
    return {cause: int((first == k).sum()) for k, cause in enumerate(CAUSES)}


def _standing(release: Release, member: IntArray, scores: Scores) -> dict[str, Any]:
    """Return lifecycle, risk and playbook: whatever of them the release has."""
    n_tiers = len(release.tiers)

    def by_tier(where: NDArray[np.bool_]) -> tuple[int, ...]:
        counted = np.bincount(member[where & (member >= 0)], minlength=n_tiers)
        return tuple(counted.tolist())

    policy = release.policy
    labels = policy.playbook.labels
    told: dict[str, Any] = {"playbook": tuple(ActionFacts(*pair) for pair in labels.items())}
    if policy.lifecycle is not None:
        state = np.asarray(scores.lifecycle)
        told["lifecycle"] = {name: by_tier(state == k) for k, name in enumerate(LIFECYCLE)}
        told["usual_gap_days"] = policy.lifecycle.usual_gap_days
    if len(policy.risk) > 1:
        level = np.asarray(scores.risk)
        told["risk"] = tuple(
            LevelFacts(one.id, dict(one.label), by_tier(level == k))
            for k, one in enumerate(policy.risk)
        )
    return told
