"""The rivals of a run: what other ways of making tiers give on the customers that certify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.config import TierSettings
from training.boundaries import TierBoundaries, cut_at_shares
from training.judge.evaluate import eta_squared, quota_tiers
from training.models.matrix import Array
from training.tiers.certify import holm, learning_part, rise_p_values
from training.tiers.learn import OUTCOME_CAP_QUANTILE
from training.tiers.rivals import RIVALS, Shares, breach_points

LEARNED = "learned"
SCORECARD = "weighted_rfm"
PAST_SPEND = "past_spend"
IN_SCORE = {SCORECARD: "weighted_rfm", PAST_SPEND: "past_spend_rate"}
"""Rivals in the score: the name of the baseline that ranks for them."""


@dataclass(frozen=True)
class Rival:
    """One way of making tiers, learned where the scheme was learned and judged where it certifies.

    Attributes
    ----------
    name : str
        ``learned`` for the scheme itself.
    shares : tuple of float
        Of customers, bottom to top.
    eta_squared : float
        Share of the variance of realised value that its tiers explain.
    top_revenue_share : float
        Of all positive net value, held by the top tier.
    breach_points : float
        Largest excess of a share over its maximum, in points.
    n_certified : int
        Boundaries that hold, by Holm's procedure.
    """

    name: str
    shares: Shares
    eta_squared: float
    top_revenue_share: float
    breach_points: float
    n_certified: int

    @property
    def is_within_limits(self) -> bool:
        """Whether no tier holds more than it may."""
        return self.breach_points == 0


def compare_rivals(
    customer_ids: Sequence[str],
    score: Array,
    net_value: Array,
    others: Mapping[str, Array],
    learned: Sequence[float],
    settings: TierSettings,
) -> tuple[Rival, ...]:
    """Return the learned scheme and each rival; empty where no customers certify.

    Parameters
    ----------
    customer_ids : sequence of str
        Of the cohort the scheme was learned on; decide who certifies.
    score, net_value : array (n,)
        What tiers are cut on, and the signed outcome, currency.
    others : mapping of str to array (n,)
        Scores of the baselines named in `IN_SCORE`.
    learned : sequence of float
        Shares of the scheme, bottom to top.
    settings : TierSettings
        Limits, and shares that are fixed.
    """
    learning = learning_part(customer_ids)
    value = np.maximum(net_value, 0.0)
    if learning.all() or not value[learning].any() or not value[~learning].any():
        return ()
    cap = float(np.quantile(value[learning & (value > 0)], OUTCOME_CAP_QUANTILE))
    capped = np.minimum(value, cap)
    plans: list[tuple[str, Array, Shares]] = [(LEARNED, score, tuple(learned))]
    for name, method in RIVALS.items():
        plans.append((name, score, method(score[learning], capped[learning], settings)))
    plans.append((SCORECARD, others[IN_SCORE[SCORECARD]], settings.shares))
    plans.append((PAST_SPEND, others[IN_SCORE[PAST_SPEND]], tuple(learned)))
    return tuple(
        _judge(name, ranked, capped, value, learning, shares, settings)
        for name, ranked, shares in plans
    )


def _judge(
    name: str,
    score: Array,
    capped: Array,
    value: Array,
    learning: NDArray[np.bool_],
    shares: Shares,
    settings: TierSettings,
) -> Rival:
    """Apply shares to the customers that certify, by their own rank."""
    member = quota_tiers(score[~learning], shares)
    mine = value[~learning]
    held = np.bincount(member, mine, minlength=len(shares))
    cuts = TierBoundaries(cut_at_shares(score[learning], shares).cuts)
    p_values = rise_p_values(cuts.assign(score[~learning]), capped[~learning], len(shares))
    whole = len(shares) == len(settings.ids)
    return Rival(
        name=name,
        shares=tuple(shares),
        eta_squared=eta_squared(mine, member),
        top_revenue_share=float(held[-1] / held.sum()),
        breach_points=breach_points(tuple(shares), settings) if whole else 0.0,
        n_certified=int(holm(p_values, settings.certification_level).sum()) if len(p_values) else 0,
    )


def rival_text(rivals: Sequence[Rival]) -> str:
    """Return the comparison as text, the scheme first, then by what is explained."""
    if not rivals:
        return "too few customers who bought certify; no other way was compared"
    rows = [("method", "eta-squared", "top tier's revenue", "certified", "shares", "limits")]
    first, rest = rivals[:1], sorted(rivals[1:], key=lambda one: -one.eta_squared)
    for one in (*first, *rest):
        rows.append(
            (
                one.name,
                f"{one.eta_squared:.3f}",
                f"{one.top_revenue_share:.1%}",
                f"{one.n_certified} of {len(one.shares) - 1}",
                " / ".join(f"{share:.1%}" for share in one.shares),
                "within" if one.is_within_limits else f"out by {one.breach_points:.1f} points",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def rival_figures(rivals: Sequence[Rival]) -> dict[str, float]:
    """Return the figures that a run logs."""
    figures = {}
    for one in rivals:
        figures[f"tiers_eta_squared_{one.name}"] = one.eta_squared
        figures[f"tiers_top_revenue_share_{one.name}"] = one.top_revenue_share
        figures[f"tiers_breach_points_{one.name}"] = one.breach_points
    return figures
