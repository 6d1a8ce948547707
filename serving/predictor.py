"""From an id or a feature vector to a tier: pure, and without any knowledge of HTTP or BentoML.

One predictor holds one release and its look-up store; both never change, so a service swaps
releases by swapping one reference to a predictor.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType

from features.catalogue import feature_named
from features.config.of_playbook import LIFECYCLE
from features.errors import ReleaseError
from serving import refusals
from serving.schemas import (
    BatchItem,
    FeatureName,
    PlaybookAction,
    Scheme,
    SchemeTier,
    TierAnswer,
    TierLabel,
    TierRequest,
)

if TYPE_CHECKING:
    from features.online import OnlineStore
    from training.release import Release
    from training.scores import RowScore

Row = npt.NDArray[np.float64]
Record = Callable[[TierAnswer, Row | None], None]
"""Takes each answer with the features it rests on; None where those stand in the store."""

RELEASE_DIGITS = 12
NO_CUSTOMER = "no customer of this id had an order before the cutoff"
NO_ORDERS = 0
NO_SCORE = "no score can be made of this customer's features"


class Predictor:
    """Answers of one release.

    Parameters
    ----------
    release : Release
        What scores.
    store : OnlineStore or None
        Feature rows by customer, as of the release's cutoff; without one only vectors are scored.
    record : callable, optional
        The prediction log.

    Raises
    ------
    ReleaseError
        If the store lacks a column of the release, or was made for another release.
    """

    def __init__(
        self, release: Release, store: OnlineStore | None, record: Record | None = None
    ) -> None:
        self.release = release
        self._record: Record = _forget if record is None else record
        self.store = store
        self.release_id: str = release.digest[:RELEASE_DIGITS]
        """First 12 hex digits of the release's digest."""
        self._stored_positions = None if store is None else _positions_in(store, release)
        self._has_scores = store is not None and _has_scores(store, release)
        self._scorer = release.row_scorer()
        self._score_type = release.row_score
        self._rungs = release.rungs
        self._one_at_a_time = threading.Lock()  # the scorer's buffers belong to one thread
        self._cutoff = release.cutoff.isoformat()
        self._currency, self._horizon_days = release.currency, release.horizon_days
        self._policy = release.policy.id[:RELEASE_DIGITS]
        self._tiers = _scheme_tiers(release)
        self._levels = tuple(level.id for level in release.policy.risk)
        # A release without levels tells none, nor a score without a state: its place is -1.
        self._risk_levels = self._levels or (None,)
        self._states = (*LIFECYCLE, None)
        self._in_force = _tiers_in_force(store)
        self._days: dict[float, str] = {}
        self._actions: dict[tuple[str, int, int], list[str]] = {}
        self._features = [_described(name, release.required) for name in release.columns]
        self._position = {name: i for i, name in enumerate(release.columns)}
        self._required = tuple((name, self._position[name]) for name in release.required)
        self._never_negative = frozenset(
            known.name for known in self._features if known.unit == "days"
        )

    def answer_for(self, customer_id: str) -> TierAnswer | None:
        """Return the tier of a customer, or None if the store does not know the id.

        Raises
        ------
        Refused
            503 if there is no look-up store.
        """
        answer = self._stored_answer(customer_id)
        if answer is None:
            row = self._stored_row(customer_id)
            if row is None:
                return None
            answer = self._answer_row(_Case(customer_id, row))
        self._record(answer, None)
        return answer

    def answer_vector(self, request: TierRequest) -> TierAnswer:
        """Return the tier of one feature vector.

        Raises
        ------
        Refused
            422 naming the field: an unknown feature, a required one without a number, a value
            that cannot be.
        """
        row = self._given_row(request.features, "features")
        answer = self._answer_row(_Case(_known_id(request.customer_id), row, "features"))
        self._record(answer, row)
        return answer

    def answer_batch(self, items: Sequence[BatchItem]) -> list[TierAnswer]:
        """Return one answer for each item, in their order.

        An id that the store does not know gets status ``unknown_customer``; it does not fail the
        batch. An item with features is scored on them, and its id is only echoed.

        Raises
        ------
        Refused
            422 naming the first bad item; 503 if an item needs a look-up store and there is none.
        """
        prepared = [self._case(item, position) for position, item in enumerate(items)]
        cases = [case for case, _ in prepared if case is not None]
        scored = iter(self._answers(cases) if cases else [])
        answers = []
        for case, answer in prepared:
            answers.append(next(scored) if answer is None else answer)
            self._record(answers[-1], case.row if case is not None and case.path else None)
        return answers

    def scheme(self) -> Scheme:
        """Return the tiers in force, bottom to top, and what they rest on."""
        release = self.release
        return Scheme(
            release=self.release_id,
            model=release.model.name,
            source=release.source,
            currency=release.currency,
            horizon_days=release.horizon_days,
            cutoff=self._cutoff,
            tiers=list(self._tiers),
            playbook=[
                PlaybookAction(id=one, zh=label["zh"], en=label["en"])
                for one, label in release.policy.playbook.labels.items()
            ],
            features=self._features,
        )

    def _case(self, item: BatchItem, position: int) -> tuple[_Case | None, TierAnswer | None]:
        """Return an item of a batch as a case to score, or else its answer."""
        customer_id = _known_id(item.customer_id)
        if not isinstance(item.features, UnsetType):
            path = f"[{position}].features"
            return _Case(customer_id, self._given_row(item.features, path), path), None
        if customer_id is None:
            raise refusals.empty_item(position)
        stored = self._stored_answer(customer_id)
        if stored is not None:
            return None, stored
        row = self._stored_row(customer_id)
        if row is None:
            return None, self._no_tier(customer_id, "unknown_customer", NO_CUSTOMER)
        return _Case(customer_id, row), None

    def _stored_answer(self, customer_id: str) -> TierAnswer | None:
        """Return the answer whose score stands in the store, or None if one has to be made."""
        if self.store is None or not self._has_scores:
            return None
        stored = self.store.read_scores(customer_id)
        if stored is None:
            return None
        value, p_churn, at_risk, tier, risk, low, high, rung, probability, near, state, *told = (
            stored
        )
        if tier < 0 or not math.isfinite(value + p_churn + at_risk):
            return None
        score = self._score_type(
            value, p_churn, at_risk, int(tier), int(risk), low, high, int(rung), probability,
            near, int(state),
        )  # fmt: skip
        place, since = told
        standing = None if place < 0 else (self._in_force[int(place)], self._iso_day(since))
        return self._ok(customer_id, score, standing)

    def _iso_day(self, ordinal: float) -> str:
        """Return a stored day; there are few of them, one for each re-tier date."""
        told = self._days.get(ordinal)
        if told is None:
            told = self._days[ordinal] = date.fromordinal(int(ordinal)).isoformat()
        return told

    def _stored_row(self, customer_id: str) -> Row | None:
        """Return the stored features of a customer, or None."""
        if self.store is None:
            raise refusals.not_ready(
                f"no look-up store beside release {self.release_id}",
                "build it: python -m training score; or send features to POST /v1/tier",
            )
        row = self.store.read(customer_id)
        return None if row is None else row[self._stored_positions]

    def _given_row(self, features: Mapping[str, float | None], path: str) -> Row:
        """Return a feature vector in the release's order; missing and null become NaN."""
        row = [math.nan] * len(self._position)
        for name, value in features.items():
            position = self._position.get(name)
            if position is None:
                raise refusals.unknown_feature(f"{path}.{name}", name, self._position)
            if value is None:
                continue
            if value < 0 and name in self._never_negative:
                raise refusals.negative(f"{path}.{name}", value)
            row[position] = value
        for name, position in self._required:
            if math.isnan(row[position]):
                raise refusals.missing_feature(f"{path}.{name}", name)
        return np.array(row, dtype=np.float64)

    def _answer_row(self, case: _Case) -> TierAnswer:
        """Score one case with features and put it in words."""
        with self._one_at_a_time:
            scored = self._scorer.score(case.row)
        return self._answer(case, scored)

    def _answers(self, cases: Sequence[_Case]) -> list[TierAnswer]:
        """Score cases with features, all in one call, and put each score in words."""
        with np.errstate(all="ignore"):
            scores = self.release.score(np.array([case.row for case in cases]))
        columns = (getattr(scores, name).tolist() for name in self.release.stored_scores)
        return [
            self._answer(case, self._score_type(*numbers))
            for case, *numbers in zip(cases, *columns, strict=True)
        ]

    def _answer(self, case: _Case, score: RowScore) -> TierAnswer:
        """Put one score in words.

        Raises
        ------
        Refused
            422 for a given vector that no order history can have: its score is not a number.
        """
        if score.tier < 0:
            reason = self.release.insufficient_reason(case.row) or NO_SCORE
            return self._no_tier(case.customer_id, "insufficient_data", reason, score.rung)
        if not _is_number(score):
            if case.path is not None:
                raise refusals.impossible_vector(case.path)
            return self._no_tier(case.customer_id, "insufficient_data", NO_SCORE, score.rung)
        return self._ok(case.customer_id, score)

    def _ok(
        self,
        customer_id: str | None,
        score: RowScore,
        standing: tuple[_InForce, str] | None = None,
    ) -> TierAnswer:
        indicated, value = self._tiers[score.tier], score.expected_value
        above = indicated.boundary_above
        counts: SchemeTier | _InForce = indicated
        in_force = since = None
        if standing is not None:
            counts, since = standing
            in_force = counts.tier
        return TierAnswer(
            customer_id=customer_id,
            status="ok",
            tier=counts.tier,
            tier_in_force=in_force,
            tier_since=since,
            indicated_tier=indicated.tier,
            tier_label=counts.tier_label,
            tier_probability=_finite(score.tier_probability),
            borderline=score.borderline > 0,
            expected_value=value,
            expected_value_low90=_finite(score.expected_value_low90),
            expected_value_high90=_finite(score.expected_value_high90),
            rung=self._rungs[score.rung],
            currency=self._currency,
            p_churn=score.p_churn,
            horizon_days=self._horizon_days,
            value_at_risk=score.value_at_risk,
            risk_level=self._risk_levels[score.risk],
            lifecycle=self._states[score.lifecycle],
            playbook=self._actions_of(counts.tier, score.lifecycle, score.risk),
            boundary_below=indicated.boundary_below,
            boundary_above=above,
            value_to_next_tier=None if above is None else above - value,
            cutoff=self._cutoff,
            release=self.release_id,
            policy=self._policy,
        )

    def _actions_of(self, tier: str, state: int, risk: int) -> list[str]:
        """Return what is to be done; each combination is looked up in the playbook once."""
        actions = self._actions.get((tier, state, risk))
        if actions is None:
            level = self._levels[risk] if self._levels else None
            told = () if state < 0 else (tier, LIFECYCLE[state], level)
            found = self.release.policy.playbook.actions_for(*told) if told else ()
            actions = self._actions[tier, state, risk] = list(found)
        return actions

    def _no_tier(
        self,
        customer_id: str | None,
        status: Literal["insufficient_data", "unknown_customer"],
        reason: str,
        rung: int = NO_ORDERS,
    ) -> TierAnswer:
        return TierAnswer(
            customer_id=customer_id,
            status=status,
            reason=reason,
            tier=None,
            tier_in_force=None,
            tier_since=None,
            indicated_tier=None,
            tier_label=None,
            tier_probability=None,
            borderline=None,
            expected_value=None,
            expected_value_low90=None,
            expected_value_high90=None,
            rung=self._rungs[rung],
            currency=self._currency,
            p_churn=None,
            horizon_days=self._horizon_days,
            value_at_risk=None,
            risk_level=None,
            lifecycle=None,
            playbook=[],
            boundary_below=None,
            boundary_above=None,
            value_to_next_tier=None,
            cutoff=self._cutoff,
            release=self.release_id,
            policy=self._policy,
        )


@dataclass(frozen=True)
class _Case:
    """One customer to score: features as stored, or as given (with their path)."""

    customer_id: str | None
    row: Row
    path: str | None = None


@dataclass(frozen=True)
class _InForce:
    """A tier of the published assignment, whose scheme may be older than the release's."""

    tier: str
    tier_label: TierLabel


def _tiers_in_force(store: OnlineStore | None) -> tuple[_InForce, ...]:
    """Return the scheme of the published assignment; empty where there is none."""
    told = [] if store is None else store.meta.get("tiers_in_force", [])
    return tuple(_InForce(row["id"], TierLabel(row["zh"], row["en"])) for row in told)


def _is_number(score: RowScore) -> bool:
    return math.isfinite(score.expected_value + score.p_churn + score.value_at_risk)


def _forget(answer: TierAnswer, row: Row | None) -> None:
    """Record nothing."""


def _known_id(given: str | UnsetType) -> str | None:
    return None if isinstance(given, UnsetType) else given


def _scheme_tiers(release: Release) -> tuple[SchemeTier, ...]:
    """Return the release's tiers, bottom to top, with the boundaries on both sides."""
    above = [tier.boundary_below for tier in release.tiers[1:]] + [math.inf]
    return tuple(
        SchemeTier(
            tier=tier.id,
            tier_label=TierLabel(zh=tier.label["zh"], en=tier.label["en"]),
            boundary_below=_finite(tier.boundary_below),
            boundary_above=_finite(next_boundary),
            share=tier.share,
            realised_mean=tier.realised_mean,
            revenue_share=tier.revenue_share,
        )
        for tier, next_boundary in zip(release.tiers, above, strict=True)
    )


def _positions_in(store: OnlineStore, release: Release) -> npt.NDArray[np.intp]:
    """Return where in a stored row each column of the release stands.

    Raises
    ------
    ReleaseError
        If a column is not there, or the store says it was made for another release.
    """
    place = {name: i for i, name in enumerate(store.columns)}
    missing = [name for name in release.columns if name not in place]
    if missing:
        raise ReleaseError(
            f"the look-up store lacks {', '.join(missing)}; expected every column of release "
            f"{release.digest[:RELEASE_DIGITS]}",
            "build it again: python -m training score",
        )
    made_for = store.meta.get("release", release.digest)
    if made_for != release.digest:
        raise ReleaseError(
            f"the look-up store was made for release {str(made_for)[:RELEASE_DIGITS]}; "
            f"expected {release.digest[:RELEASE_DIGITS]}",
            "build it again: python -m training score",
        )
    return np.array([place[name] for name in release.columns], dtype=np.intp)


def _has_scores(store: OnlineStore, release: Release) -> bool:
    """Whether the store holds this very release's scores."""
    return (
        tuple(store.score_names) == (*release.stored_scores, *release.stored_standing)
        and store.meta.get("release") == release.digest
    )


def _described(name: str, required: Sequence[str]) -> FeatureName:
    """Return what a caller has to know of a feature."""
    known = feature_named(name)
    return FeatureName(name=name, unit=known.unit, meaning=known.meaning, required=name in required)


def _finite(boundary: float) -> float | None:
    """Return a boundary, or None where there is none."""
    return boundary if math.isfinite(boundary) else None
