"""One scheme from score to certificate: what the value tiers and the levels of churn share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.config import TierSettings
from training.boundaries import TierBoundaries, cut_at_shares
from training.models.matrix import Array
from training.tiers.cells import Cells, candidate_cuts, count_cells
from training.tiers.certify import holm, rise_p_values
from training.tiers.guard import Guarded, guard
from training.tiers.incumbent import Incumbent, Kept, keep_near
from training.tiers.limits import TierLimits
from training.tiers.programme import Programme, build_programme
from training.tiers.steady import mean_of_resamples

T = TypeVar("T")
Cause = Literal["cells", "gaps", "rise", "counts", "shares", "no_rise", "not_certified"]


@dataclass(frozen=True)
class Merge:
    """A tier that the data did not carry: its members belong to the one below.

    Attributes
    ----------
    tier, into : str
        Ids.
    cause : str
        ``cells`` too few distinct scores; infeasible unless the named limit is lifted: ``gaps``,
        ``rise``, ``counts``, ``shares``; ``no_rise`` not even then; ``not_certified``.
    detail : str
        For people.
    p_value : float or None
        Of the certification.
    """

    tier: str
    into: str
    cause: Cause
    detail: str
    p_value: float | None = None


@dataclass(frozen=True)
class SearchSettings:
    """How a scheme is searched: keys of ``[training.tiers]``."""

    n_candidate_cuts: int
    certification_level: float
    incumbent_standard_errors: float


def search_settings(settings: TierSettings) -> SearchSettings:
    """Return how a scheme is searched, from ``[training.tiers]``."""
    return SearchSettings(
        settings.n_candidate_cuts,
        settings.certification_level,
        settings.incumbent_standard_errors,
    )


@dataclass(frozen=True)
class Scheme:
    """Learned and certified boundaries, bottom to top; without a boundary where nothing held.

    Attributes
    ----------
    ids : tuple of str
        Of the tiers that stay.
    boundaries : TierBoundaries
        In units of the score.
    shares_at_or_above : tuple of float
        Of the customers learned from, one a boundary: the contract.
    p_values : tuple of float
        Of the certification, one a boundary.
    merges : tuple of Merge
        Why the other tiers do not.
    guarded : Guarded or None
        How the boundaries were chosen; None where there is no scheme.
    kept : Kept or None
        How they were drawn to the incumbent, or without one to the mean of resamples.
    """

    ids: tuple[str, ...]
    boundaries: TierBoundaries
    shares_at_or_above: tuple[float, ...]
    p_values: tuple[float, ...]
    merges: tuple[Merge, ...]
    guarded: Guarded | None
    kept: Kept | None

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of customers of each tier, bottom to top."""
        ends = (1.0, *self.shares_at_or_above, 0.0)
        return tuple(a - b for a, b in pairwise(ends))


def learn_scheme(
    score: Array,
    outcome: Array,
    learning: NDArray[np.bool_],
    limits: TierLimits,
    search: SearchSettings,
    incumbent: Incumbent | None = None,
) -> Scheme:
    """Learn boundaries on one part of the customers and certify them on the other.

    Parameters
    ----------
    score : array (n,)
        What tiers are cut on.
    outcome : array (n,)
        What was realised, at least 0, capped.
    learning : bool array (n,)
        Who is learned from; the others certify.
    limits : TierLimits
        Of the scheme.
    search : SearchSettings
        How it is searched.
    incumbent : Incumbent, optional
        The scheme in force.
    """
    proposed = propose_scheme(score[learning], outcome[learning], limits, search, incumbent)
    if proposed.kept is None:
        return proposed
    # shares are what was learned; the scores of everybody say where they lie
    ids, boundaries = proposed.ids, cut_at_shares(score, proposed.shares)
    tier = boundaries.assign(score[~learning])
    p_values = rise_p_values(tier, outcome[~learning], len(ids))
    holds = holm(p_values, search.certification_level)
    return replace(
        proposed,
        ids=(ids[0], *_only(ids[1:], holds)),
        boundaries=TierBoundaries(tuple(_only(boundaries.cuts, holds))),
        shares_at_or_above=tuple(_only(proposed.shares_at_or_above, holds)),
        p_values=tuple(_only(p_values.tolist(), holds)),
        merges=(*proposed.merges, *_uncertified(ids, p_values, holds, search)),
    )


def propose_scheme(
    score: Array,
    outcome: Array,
    limits: TierLimits,
    search: SearchSettings,
    incumbent: Incumbent | None = None,
) -> Scheme:
    """Learn boundaries from all customers given, without a certificate: `p_values` is empty.

    Parameters as `learn_scheme`.
    """
    cuts = candidate_cuts(score, search.n_candidate_cuts, *limits.outermost_shares)
    cells = count_cells(score, outcome, cuts)
    found = _find(cells, limits)
    if found.guarded is None or found.programme is None:
        return Scheme(limits.ids[:1], TierBoundaries(()), (), (), tuple(found.merges), None, None)
    near = incumbent or mean_of_resamples(found.programme, found.limits, found.guarded)
    kept = keep_near(
        found.programme, found.limits.ids, found.guarded, near, search.incumbent_standard_errors
    )
    return Scheme(
        ids=found.limits.ids,
        boundaries=TierBoundaries(cells.boundaries(kept.inner)),
        shares_at_or_above=tuple(cells.share_above[kept.inner].tolist()),
        p_values=(),
        merges=tuple(found.merges),
        guarded=found.guarded,
        kept=kept,
    )


def _only(values: Sequence[T], holds: NDArray[np.bool_]) -> list[T]:
    return [value for value, stays in zip(values, holds.tolist(), strict=True) if stays]


def _uncertified(
    ids: tuple[str, ...], p_values: Array, holds: NDArray[np.bool_], search: SearchSettings
) -> list[Merge]:
    merges, into = [], ids[0]
    for tier, p, stays in zip(ids[1:], p_values.tolist(), holds.tolist(), strict=True):
        if stays:
            into = tier
            continue
        detail = (
            f"the mean outcome of {tier} is not certainly above that of the tier below on the "
            f"customers it was not learned from (p = {p:.3g}; Holm at "
            f"{search.certification_level:g} over {len(p_values)} boundaries)"
        )
        merges.append(Merge(tier, into, "not_certified", detail, p))
    return merges


# ---- the search, with fewer tiers where the limits cannot be met ------------------------------


@dataclass(frozen=True)
class _Found:
    limits: TierLimits
    programme: Programme | None
    guarded: Guarded | None
    merges: list[Merge]


def _find(cells: Cells, limits: TierLimits) -> _Found:
    """Return the best scheme with as many tiers as the limits and the data allow."""
    reasons: list[tuple[Cause, str]] = []
    for n_tiers in range(len(limits), 1, -1):
        candidates = limits.merged_to(n_tiers)
        if len(cells) < n_tiers:
            reasons.append(("cells", f"only {len(cells)} distinct cells of the score"))
            continue
        best = _best(cells, candidates)
        if best is not None:
            chosen, programme, guarded = best
            return _Found(chosen, programme, guarded, _dropped(limits.ids, chosen.ids, reasons))
        reasons.append(_diagnose(cells, candidates))
    bottom = limits.ids[:1]
    return _Found(limits, None, None, _dropped(limits.ids, bottom, reasons))


def _best(
    cells: Cells, candidates: list[TierLimits]
) -> tuple[TierLimits, Programme, Guarded] | None:
    """Return the candidate whose scheme explains most of the score, the first of equals."""
    best, most = None, -np.inf
    for limits in candidates:
        programme = build_programme(cells, limits)
        inner = programme.solve(programme.score_gain)
        if inner is None:
            continue
        explained = programme.score_between(inner)
        if explained > most:
            best, most = (limits, programme), explained
    if best is None:
        return None
    guarded = guard(best[1])
    return None if guarded is None else (*best, guarded)


def _diagnose(cells: Cells, candidates: list[TierLimits]) -> tuple[Cause, str]:
    """Return the first limit without which, and without those before it, a scheme exists."""

    def feasible(trial: list[TierLimits]) -> bool:
        programmes = (build_programme(cells, limits) for limits in trial)
        return any(one.solve(one.score_gain) is not None for one in programmes)

    first = candidates[0]
    relaxed: list[tuple[Cause, str, list[TierLimits]]] = []
    if any(first.gaps):
        trial = [one.without_gaps() for one in candidates]
        relaxed.append(("gaps", f"minimum_gaps of {first.gaps}", trial))
    trial = [one.without_rises() for one in candidates]
    told = f"a rise of the mean outcome by {first.rise_standard_errors:g} standard errors"
    relaxed.append(("rise", told, trial))
    trial = [one.without_counts() for one in trial]
    told = f"{first.n_customers_min} customers and {first.n_payers_min} payers in each tier"
    relaxed.append(("counts", told + _too_small(first, cells.n_customers), trial))
    trial = [one.without_shares() for one in trial]
    relaxed.append(("shares", "the minimum and maximum shares", trial))
    for cause, limit, trial in relaxed:
        if feasible(trial):
            return cause, f"no scheme of {len(first)} tiers meets {limit}"
    return "no_rise", f"the mean outcome does not rise over any {len(first)} tiers of the score"


def _too_small(limits: TierLimits, n_customers: float) -> str:
    """Say which tier can never hold the customers it needs, if there is one."""
    for tier, most in zip(limits.ids, limits.maximum_shares, strict=True):
        capacity = int(np.floor(most * n_customers + 1e-9))
        if capacity < limits.n_customers_min:
            return f" ({tier} holds at most {capacity} of the {n_customers:.0f} learned from)"
    return ""


def _dropped(
    wanted: tuple[str, ...], kept: tuple[str, ...], reasons: list[tuple[Cause, str]]
) -> list[Merge]:
    """Return a merge for each tier that is not kept; reasons in the order tiers were given up."""
    merges, into = [], wanted[0]
    left = iter(reasons)
    for tier in wanted:
        if tier in kept:
            into = tier
            continue
        cause, detail = next(left)
        merges.append(Merge(tier, into, cause, detail))
    return merges
