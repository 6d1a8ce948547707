"""From shares to tiers as they are served: shares are the contract, money is derived from them.

The shares are learned, or fixed in the configuration; the boundaries in money are cut anew on each
cohort that is served.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.config import RiskSettings, TierSettings
from training.boundaries import RiskLevel, Tier, TierBoundaries, cut_at_shares
from training.judge.evaluate import quota_tiers
from training.models.matrix import Array
from training.tiers.learn import LearnedTiers
from training.tiers.risk import LearnedRisk


def serve_tiers(
    settings: TierSettings, learned: LearnedTiers, expected_value: Array
) -> tuple[Tier, ...]:
    """Return learned tiers with their boundaries on the cohort that is served, bottom to top.

    Parameters
    ----------
    settings : TierSettings
        Labels.
    learned : LearnedTiers
        Shares, and what members of each tier brought.
    expected_value : array (n,)
        Of the cohort that is served, currency.
    """
    labels = settings.labels
    lower = (-np.inf, *cut_at_shares(expected_value, learned.shares).cuts)
    return tuple(
        Tier(
            id=tier.id,
            label=labels[tier.id],
            boundary_below=low,
            share=tier.share,
            realised_mean=tier.realised_mean,
            realised_active_share=tier.active_share,
            revenue_share=tier.revenue_share,
            n_customers=tier.n_customers,
            realised_mean_low95=tier.realised_mean_low95,
            realised_mean_high95=tier.realised_mean_high95,
            realised_active_low95=tier.active_share_low95,
            realised_active_high95=tier.active_share_high95,
            p_value=tier.p_value,
        )
        for tier, low in zip(learned.tiers, lower, strict=True)
    )


def serve_risk(
    settings: RiskSettings, learned: LearnedRisk, p_churn: Array
) -> tuple[RiskLevel, ...]:
    """Return learned levels of churn with their boundaries on the cohort that is served.

    None where one level alone remains: it would tell nobody from anybody.

    Parameters
    ----------
    settings : RiskSettings
        Labels.
    learned : LearnedRisk
        Shares, and how many members of each level churned.
    p_churn : array (n,)
        Of the cohort that is served.
    """
    if len(learned.levels) < 2:
        return ()
    labels = settings.labels
    shares = [level.share for level in learned.levels]
    lower = (-np.inf, *cut_at_shares(p_churn, shares).cuts)
    return tuple(
        RiskLevel(
            id=level.id,
            label=labels[level.id],
            boundary_below=low,
            share=level.share,
            churned_share=level.churned_share,
            churned_share_low95=level.churned_share_low95,
            churned_share_high95=level.churned_share_high95,
            n_customers=level.n_customers,
            p_value=level.p_value,
        )
        for level, low in zip(learned.levels, lower, strict=True)
    )


def describe_tiers(
    settings: TierSettings,
    boundaries: TierBoundaries,
    backtest_score: Array | None = None,
    backtest_net_value: Array | None = None,
) -> tuple[Tier, ...]:
    """Return the scheme with what each tier turned out to be worth, bottom to top.

    Parameters
    ----------
    settings : TierSettings
        Ids, labels and shares.
    boundaries : TierBoundaries
        In money, on the cohort that is served.
    backtest_score, backtest_net_value : array (n,), optional
        Score and signed outcome of a cohort that the model had not seen.
    """
    lower = (-np.inf, *boundaries.cuts)
    tiers = tuple(
        Tier(tier_id, {"zh": zh, "en": en}, low, share)
        for tier_id, zh, en, low, share in zip(
            settings.ids,
            settings.labels_zh,
            settings.labels_en,
            lower,
            settings.shares,
            strict=True,
        )
    )
    if backtest_score is None or backtest_net_value is None:
        return tiers
    member = quota_tiers(backtest_score, settings.shares)
    return tuple(
        with_outcomes(tier, backtest_net_value[member == k], backtest_net_value)
        for k, tier in enumerate(tiers)
    )


def with_outcomes(tier: Tier, mine: Array, everyone: Array) -> Tier:
    """Return a tier with what its members brought: net value, signed, of them and of everyone."""
    revenue = max(float(np.maximum(everyone, 0).sum()), 1e-9)
    return replace(
        tier,
        realised_mean=float(mine.mean()) if len(mine) else None,
        realised_active_share=float((mine > 0).mean()) if len(mine) else None,
        revenue_share=float(np.maximum(mine, 0).sum()) / revenue,
        n_customers=len(mine),
    )
