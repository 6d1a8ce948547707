"""From an id or a feature vector to a tier: pure, and without any knowledge of HTTP or BentoML.

One predictor holds one release and its look-up store; both never change, so a service swaps
releases by swapping one reference to a predictor.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType

from features.errors import ReleaseError
from serving import refusals
from serving.given import GivenVectors, Row
from serving.schemas import BatchItem, Scheme, TierAnswer, TierRequest
from serving.wording import RELEASE_DIGITS, Wording

if TYPE_CHECKING:
    from features.online import OnlineStore
    from training.release import Release
    from training.scores import RowScore

Record = Callable[[TierAnswer, Row | None], None]
"""Takes each answer with the features it rests on; None where those stand in the store."""

NO_CUSTOMER = "no customer of this id had an order before the cutoff"
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
        self._one_at_a_time = threading.Lock()  # the scorer's buffers belong to one thread
        self._wording = Wording(release, store)
        self._given = GivenVectors(self._wording.features)

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
        row = self._given.read(request.features, "features")
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
        return self._wording.scheme()

    def _case(self, item: BatchItem, position: int) -> tuple[_Case | None, TierAnswer | None]:
        """Return an item of a batch as a case to score, or else its answer."""
        customer_id = _known_id(item.customer_id)
        if not isinstance(item.features, UnsetType):
            path = f"[{position}].features"
            return _Case(customer_id, self._given.read(item.features, path), path), None
        if customer_id is None:
            raise refusals.empty_item(position)
        stored = self._stored_answer(customer_id)
        if stored is not None:
            return None, stored
        row = self._stored_row(customer_id)
        if row is None:
            return None, self._wording.no_tier(customer_id, "unknown_customer", NO_CUSTOMER)
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
        return self._wording.tier(customer_id, score, self._wording.standing(*told))

    def _stored_row(self, customer_id: str) -> Row | None:
        """Return the stored features of a customer, or None."""
        if self.store is None:
            raise refusals.not_ready(
                f"no look-up store beside release {self.release_id}",
                "build it: python -m training score; or send features to POST /v1/tier",
            )
        row = self.store.read(customer_id)
        return None if row is None else row[self._stored_positions]

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
            return self._wording.no_tier(case.customer_id, "insufficient_data", reason, score.rung)
        if not _is_number(score):
            if case.path is not None:
                raise refusals.impossible_vector(case.path)
            return self._wording.no_tier(
                case.customer_id, "insufficient_data", NO_SCORE, score.rung
            )
        return self._wording.tier(case.customer_id, score)


@dataclass(frozen=True)
class _Case:
    """One customer to score: features as stored, or as given (with their path)."""

    customer_id: str | None
    row: Row
    path: str | None = None


def _is_number(score: RowScore) -> bool:
    return math.isfinite(score.expected_value + score.p_churn + score.value_at_risk)


def _forget(answer: TierAnswer, row: Row | None) -> None:
    """Record nothing."""


def _known_id(given: str | UnsetType) -> str | None:
    return None if isinstance(given, UnsetType) else given


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
