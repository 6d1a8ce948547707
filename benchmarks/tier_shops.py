"""The tiers of public shops: learned on one cohort, applied to the next, beside their rivals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from features.config import TierSettings
from training.assignment import AssignmentPolicy, Standing, assign_tiers
from training.backtest import LEARNED, Backtest
from training.boundaries import TierBoundaries
from training.judge.evaluate import eta_squared, eta_squared_quota, quota_tiers
from training.judge.ranking import CAP_QUANTILE, TIER_SHARES
from training.judge.resample import paired_bootstrap
from training.learn.spread import learn_spread
from training.models.matrix import Array
from training.outlook import figures_on
from training.spread import rungs_of
from training.tiers import cut_at_shares, learn_tiers
from training.tiers.cells import candidate_cuts, count_cells
from training.tiers.certify import LEARNING_PERCENT, holm, learning_part, rise_p_values
from training.tiers.learn import OUTCOME_CAP_QUANTILE
from training.tiers.limits import tier_limits
from training.tiers.programme import build_programme
from training.tiers.rivals import RIVALS, Shares, breach_points
from training.tiers.scheme import propose_scheme, search_settings

CV_DRAWS = 200
DIFFERENCE_DRAWS = 1000
RANKINGS = {
    "past_spend": "past_spend_rate",
    "weighted_rfm": "weighted_rfm",
    "bgnbd": "bgnbd_gamma_gamma",
}


def outcomes(backtest: Backtest) -> Array:
    """Return the signed outcomes of the backtest's cohort, which always has them."""
    net_value = backtest.cohort.net_value
    if net_value is None:
        raise ValueError("a backtest holds a cohort whose outcomes have matured")
    return net_value


def figures_of_rankings(applied: Backtest, seed: int) -> dict[str, Any]:
    """Return what rankings explain at 70/20/8/2, and the paired difference to past spend."""
    net, learned = applied.cohort.value, applied.predictions[LEARNED].value
    past = applied.predictions["past_spend_rate"].value
    difference = paired_bootstrap(
        net, learned, past, "eta_squared", draws=DIFFERENCE_DRAWS, seed=seed
    )
    explained = {
        name: eta_squared_quota(net, applied.predictions[model].value)
        for name, model in RANKINGS.items()
    }
    return {
        "eta_squared_70_20_8_2": {
            "learned_score": eta_squared_quota(net, learned),
            **explained,
            "oracle": eta_squared_quota(net, net),
        },
        "learned_minus_past_spend": {"value": difference.value, "lower95": difference.lower95},
    }


def figures_of_intervals(earlier: Backtest, applied: Backtest) -> dict[str, float]:
    """Return how far intervals learned on one cohort miss their coverage on the next."""
    before, now = earlier.predictions[LEARNED], applied.predictions[LEARNED]
    rung = rungs_of(earlier.cohort.features["n_positive_days"])
    spread = learn_spread(rung, before.value, before.p_active, outcomes(earlier))
    covered = figures_on(spread, applied.cohort, now, TIER_SHARES)
    error = 100 * abs(covered["interval_coverage"] - spread.coverage)
    return {**covered, "interval_coverage_error_points": error}


def figures_of_methods(
    earlier: Backtest, applied: Backtest, settings: TierSettings, seed: int
) -> dict[str, Any]:
    """Return the figures of the learned scheme and of each rival on the same score."""
    score, net = earlier.predictions[LEARNED].value, outcomes(earlier)
    ids = earlier.cohort.customer_ids
    learned = learn_tiers(ids, score, net, settings)
    learning = learning_part(ids)
    value = np.maximum(net, 0)
    cap = float(np.quantile(value[learning & (value > 0)], OUTCOME_CAP_QUANTILE))
    capped = np.minimum(value, cap)
    search, limits = search_settings(settings), tier_limits(settings)

    def learn_shares(score: Array, outcome: Array, settings: TierSettings) -> Shares:
        return propose_scheme(score, outcome, limits, search).shares

    methods: dict[str, Callable[[Array, Array, TierSettings], Shares]] = {
        "learned": learn_shares,
        **RIVALS,
    }
    figures = {}
    for name, method in methods.items():
        shares = method(score[learning], capped[learning], settings)
        steadiness = _boundary_cv(method, score, capped, learning, settings, seed)
        n_certified = len(learned.tiers) - 1
        if name == "learned":
            shares = learned.shares
        else:
            n_certified = _certified(shares, score, capped, learning, settings)
        figures[name] = {
            **_applied(shares, applied, settings, exact=name == "learned"),
            **steadiness,
            "certified": n_certified,
        }
    figures["learned"] |= {
        "boundaries": list(learned.boundaries.cuts),
        "weight_of_score_is_infinite": bool(np.isinf(learned.weight_of_score)),
        "merges": [f"{merge.tier}: {merge.cause}" for merge in learned.merges],
    }
    return figures


def _applied(
    shares: Shares, applied: Backtest, settings: TierSettings, *, exact: bool
) -> dict[str, Any]:
    """Return what tiers with these shares turned out to be on the cohort they are applied to."""
    net, score = outcomes(applied), applied.predictions[LEARNED].value
    member = quota_tiers(score, shares)
    held = np.bincount(member, minlength=len(shares)) / len(member)
    if exact:
        held = _assigned_shares(applied.cohort.customer_ids, score, shares)
    positive = np.bincount(member, np.maximum(net, 0), minlength=len(shares))
    n = np.bincount(member, minlength=len(shares))
    explained = eta_squared(net, member)
    best = _best_in_hindsight(score, net, settings)
    breach = (
        breach_points(tuple(held.tolist()), settings) if len(shares) == len(settings.ids) else 0.0
    )
    return {
        "shares": list(shares),
        "realised_means": (
            np.bincount(member, net, minlength=len(shares)) / np.maximum(n, 1)
        ).tolist(),
        "eta_squared": explained,
        "top_revenue_share": float(positive[-1] / positive.sum()),
        "breach_points_at_assignment": breach,
        "regret": best - explained,
    }


def _assigned_shares(customer_ids: tuple[str, ...], score: Array, shares: Shares) -> Array:
    above = np.cumsum(shares[::-1])[::-1][1:]
    policy = AssignmentPolicy(cut_at_shares(score, shares).cuts, tuple(above.tolist()))
    done = assign_tiers(customer_ids, score, Standing.none(len(score)), policy, date(2000, 1, 1))
    return np.bincount(done.tier, minlength=len(shares)) / len(score)


def _best_in_hindsight(score: Array, net_value: Array, settings: TierSettings) -> float:
    """Return what the best cuts of the score under the same limits explain, knowing the outcome.

    Counts are those of the whole cohort as the limits are those of its learning part.
    """
    value = np.maximum(net_value, 0)
    value = np.minimum(value, np.quantile(value[value > 0], CAP_QUANTILE))
    limits = tier_limits(settings)
    limits = replace(
        limits,
        n_customers_min=int(np.ceil(limits.n_customers_min * 100 / LEARNING_PERCENT)),
        n_payers_min=int(np.ceil(limits.n_payers_min * 100 / LEARNING_PERCENT)),
    )
    cuts = candidate_cuts(score, settings.n_candidate_cuts, *limits.outermost_shares)
    programme = build_programme(count_cells(score, value, cuts), limits)
    inner = programme.solve(programme.outcome_gain)
    if inner is None:
        return float("nan")
    return programme.outcome_between(inner) / float(((value - value.mean()) ** 2).sum())


def _boundary_cv(
    method: Callable[[Array, Array, TierSettings], Shares],
    score: Array,
    outcome: Array,
    learning: np.ndarray[tuple[int], np.dtype[np.bool_]],
    settings: TierSettings,
    seed: int,
) -> dict[str, Any]:
    """Return how much boundaries in money vary over resamples of the customers learned from.

    Each resample gives shares; as in `learn_tiers`, money is derived from them on the cohort: the
    resample with the customers who certify. Beside it, money derived on the resample alone.
    """
    rng = np.random.default_rng(seed)
    mine = np.flatnonzero(learning)
    whole = len(method(score[mine], outcome[mine], settings))
    cuts, own_cuts = [], []
    for _ in range(CV_DRAWS):
        rows = rng.choice(mine, len(mine))
        shares = method(score[rows], outcome[rows], settings)
        if len(shares) == whole:
            cohort = np.concatenate([score[rows], score[~learning]])
            cuts.append(cut_at_shares(cohort, shares).cuts)
            own_cuts.append(cut_at_shares(score[rows], shares).cuts)
    varied, own = _variation(cuts), _variation(own_cuts)
    return {
        "boundary_cv": varied.tolist(),
        "boundary_cv_max": float(varied.max()) if varied.size else 0.0,
        "boundary_cv_draws": len(cuts),
        "boundary_cv_on_resample_alone": own.tolist(),
    }


def _variation(cuts: list[tuple[float, ...]]) -> Array:
    drawn = np.array(cuts)
    return np.asarray(drawn.std(axis=0, ddof=1) / np.abs(drawn.mean(axis=0)))


def _certified(
    shares: Shares,
    score: Array,
    outcome: Array,
    learning: np.ndarray[tuple[int], np.dtype[np.bool_]],
    settings: TierSettings,
) -> int:
    """Return how many of a rival's boundaries hold on the certifying customers."""
    boundaries = TierBoundaries(cut_at_shares(score[learning], shares).cuts)
    tier = boundaries.assign(score[~learning])
    p_values = rise_p_values(tier, outcome[~learning], len(shares))
    return int(holm(p_values, settings.certification_level).sum())
