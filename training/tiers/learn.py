"""Learn the tiers of value: boundaries of expected value, certified on what customers then brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.config import TierSettings
from features.errors import InputError
from training.boundaries import TierBoundaries
from training.models.matrix import Array
from training.tiers.certify import learning_part
from training.tiers.incumbent import Incumbent, unit_slip
from training.tiers.limits import check_limits, tier_limits
from training.tiers.members import LearnedTier, describe_members
from training.tiers.scheme import Merge, Scheme, learn_scheme, search_settings

OUTCOME_CAP_QUANTILE = 0.98  # of positive outcomes: one giant may not make a tier
WORTH_TELLING_TIES = 0.01  # of all customers, at one boundary


@dataclass(frozen=True)
class Flag:
    """Something a person should look at.

    Attributes
    ----------
    code : str
        ``unit_slip``: the boundaries in money moved by more than a factor of 3;
        ``ties``: many customers lie exactly on a boundary;
        ``realised_value``: expected value alone would have cost too much realised value.
    detail : str
        For people.
    """

    code: Literal["unit_slip", "ties", "realised_value"]
    detail: str


@dataclass(frozen=True)
class LearnedTiers:
    """What was learned from one cohort.

    Attributes
    ----------
    status : str
        ``learned``, or ``insufficient_data``: then everybody is in the bottom tier.
    reason : str
        Why the data is insufficient; otherwise empty.
    tiers : tuple of LearnedTier
        Bottom to top; fewer than the scheme's where `merges` says so.
    merges : tuple of Merge
        Tiers of the scheme that the data did not carry, with the reason.
    flags : tuple of Flag
        For a person.
    n_learning, n_certifying : int
        Customers learned from, and customers the boundaries were certified on.
    outcome_cap : float
        Realised value above which a customer counted as this, currency; NaN where there is none.
    weight_of_score : float
        Of expected value against realised value in the objective; infinite: alone.
    steadying_weight, steadying_loss : float
        How far the scheme could be drawn to the last one (to the mean of resamples where there is
        none), in units of what it explains, and the share of it that this costs. NaN without a
        scheme.
    """

    status: Literal["learned", "insufficient_data"]
    reason: str
    tiers: tuple[LearnedTier, ...]
    merges: tuple[Merge, ...]
    flags: tuple[Flag, ...]
    n_learning: int
    n_certifying: int
    outcome_cap: float
    weight_of_score: float
    steadying_weight: float
    steadying_loss: float

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the tiers, bottom to top."""
        return tuple(tier.id for tier in self.tiers)

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of customers of each tier, bottom to top; with `cut_at_shares`, the contract."""
        return tuple(tier.share for tier in self.tiers)

    @property
    def shares_at_or_above(self) -> tuple[float, ...]:
        """Cumulative share at or above each boundary, bottom to top."""
        return tuple(np.cumsum(self.shares[::-1])[::-1][1:].tolist())

    @property
    def boundaries(self) -> TierBoundaries:
        """The cuts on the cohort learned from, currency."""
        return TierBoundaries(tuple(tier.boundary_below for tier in self.tiers[1:]))

    def as_incumbent(self) -> Incumbent:
        """Return the scheme as the one the next is kept near."""
        upper = self.tiers[1:]
        shares = zip((tier.id for tier in upper), self.shares_at_or_above, strict=True)
        return Incumbent(dict(shares), {tier.id: tier.boundary_below for tier in upper})


def learn_tiers(
    customer_ids: Sequence[str],
    expected_value: Array,
    net_value: Array,
    settings: TierSettings,
    incumbent: Incumbent | None = None,
) -> LearnedTiers:
    """Learn, guard, keep near the last scheme, and certify.

    Parameters
    ----------
    customer_ids : sequence of str
        Of a cohort whose outcomes have matured; decide who is learned from.
    expected_value : array (n,)
        Score of each customer by a model that has not seen the outcomes, currency.
    net_value : array (n,)
        Signed realised net value, currency.
    settings : TierSettings
        The scheme and its limits.
    incumbent : Incumbent, optional
        The scheme in force.

    Raises
    ------
    InputError
        If the three differ in length, a number is not finite, or no shares could add to 1.
    """
    limits = tier_limits(settings)
    check_limits(limits)
    _check_customers(customer_ids, expected_value, net_value)
    value = np.maximum(net_value, 0.0)
    learning = learning_part(customer_ids)
    reason = _insufficient(expected_value, value, learning)
    if reason:
        nothing = Scheme(settings.ids[:1], TierBoundaries(()), (), (), (), None, None)
        return _told(nothing, reason, expected_value, net_value, learning, np.nan, ())
    payers = value[learning & (value > 0)]
    cap = float(np.quantile(payers, OUTCOME_CAP_QUANTILE))
    scheme = learn_scheme(
        expected_value,
        np.minimum(value, cap),
        learning,
        limits,
        search_settings(settings),
        incumbent,
    )
    flags = _flags(scheme, expected_value, incumbent)
    return _told(scheme, "", expected_value, net_value, learning, cap, flags)


def _check_customers(customer_ids: Sequence[str], expected_value: Array, net_value: Array) -> None:
    n = len(customer_ids)
    if expected_value.shape != (n,) or net_value.shape != (n,):
        raise InputError(
            f"{n} customers, expected values of shape {expected_value.shape} and outcomes of shape "
            f"{net_value.shape}; expected one of each for every customer",
            "score the customers of the label table, in its order",
        )
    bad = int((~np.isfinite(expected_value)).sum() + (~np.isfinite(net_value)).sum())
    if bad:
        raise InputError(
            f"{bad} expected values or outcomes are not finite; expected numbers",
            "leave out customers without a score before learning tiers",
        )


def _insufficient(expected_value: Array, value: Array, learning: NDArray[np.bool_]) -> str:
    """Say why nothing can be learned, or return an empty text."""
    if len(value) < 2:
        return f"{len(value)} customers; tiers need more than one"
    n_payers = int(np.count_nonzero(value))
    if n_payers < 2:
        return f"{n_payers} customers with a positive outcome; tiers need more than one"
    if expected_value.min() == expected_value.max():
        return "every customer has the same expected value; there is no order to cut"
    if not value[learning].any() or learning.all():
        return (
            f"{int(learning.sum())} customers to learn from, {int(np.count_nonzero(value[learning]))}"
            f" of them with a positive outcome, and {int((~learning).sum())} to certify on; "
            "each part needs some"
        )
    return ""


def _flags(scheme: Scheme, expected_value: Array, incumbent: Incumbent | None) -> tuple[Flag, ...]:
    flags: list[Flag] = []
    cuts = dict(zip(scheme.ids[1:], scheme.boundaries.cuts, strict=True))
    factor = unit_slip(incumbent, cuts) if incumbent else None
    if factor is not None:
        flags.append(
            Flag(
                "unit_slip",
                f"the boundaries are {factor:.3g} times those of the last scheme; "
                "look whether a currency or a unit has changed",
            )
        )
    for tier, cut in cuts.items():
        tied = int((expected_value == cut).sum())
        if tied > WORTH_TELLING_TIES * len(expected_value):
            flags.append(Flag("ties", f"{tied} customers lie exactly on the boundary of {tier}"))
    guarded = scheme.guarded
    if guarded is not None and np.isfinite(guarded.weight_of_score):
        flags.append(
            Flag(
                "realised_value",
                f"boundaries of expected value alone explain {guarded.loss:.1%} less of the "
                f"realised value than others would (standard error "
                f"{guarded.loss_standard_error:.1%}), so realised value was weighed in",
            )
        )
    return tuple(flags)


def _told(
    scheme: Scheme,
    reason: str,
    expected_value: Array,
    net_value: Array,
    learning: NDArray[np.bool_],
    cap: float,
    flags: tuple[Flag, ...],
) -> LearnedTiers:
    n_learning = int(np.count_nonzero(learning))
    return LearnedTiers(
        status="insufficient_data" if reason else "learned",
        reason=reason,
        tiers=describe_members(scheme, expected_value, net_value),
        merges=scheme.merges,
        flags=flags,
        n_learning=n_learning,
        n_certifying=len(learning) - n_learning,
        outcome_cap=cap,
        weight_of_score=np.nan if scheme.guarded is None else scheme.guarded.weight_of_score,
        steadying_weight=np.nan if scheme.kept is None else scheme.kept.weight,
        steadying_loss=np.nan if scheme.kept is None else scheme.kept.loss,
    )
