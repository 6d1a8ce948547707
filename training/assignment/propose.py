"""What one re-tier date would do: everybody's tier, who moves and why. Nothing is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import InputError
from features.snapshot import Snapshot
from features.tables import Tables
from training.assignment.assign import assign_tiers
from training.assignment.attribution import CAUSES, Steps, attribute_moves, summarise_causes
from training.assignment.claw_back import find_clawed_back
from training.assignment.history import Published, digest_of
from training.assignment.rules import REASONS, IntArray, Override, Standing, assignment_policy
from training.models.matrix import Array, FeatureMatrix
from training.policy import TierPolicy
from training.release import Release
from training.scores import NO_TIER

FeaturesAt = Callable[[Snapshot], pd.DataFrame]
"""Returns the feature table of a snapshot."""


@dataclass(frozen=True)
class Proposal:
    """One re-tier date, not yet published.

    Attributes
    ----------
    source : str
        Whose customers.
    day : date
        From which the tiers hold.
    tiers : DataFrame
        customer_id, tier (id), since (date), previous_tier (id or None), indicated_tier (id),
        expected_value (currency), reason; in order of customer_id.
    moves : DataFrame
        Of those with another tier than before: customer_id, from_tier, to_tier, levels (up is
        positive), one column a cause with the levels it is charged, expected_value, reason.
    summary : dict
        What it rests on and what it does, as JSON values.
    """

    source: str
    day: date
    tiers: pd.DataFrame
    moves: pd.DataFrame
    summary: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of all of it."""
        return digest_of(self.tiers, self.moves, self.summary)


def propose(
    release: Release,
    tables: Tables,
    features_at: FeaturesAt,
    day: date,
    previous: Published | None,
    previous_release: Release | None,
    overrides: Mapping[str, Override],
) -> Proposal:
    """Assign everybody a tier from a day on, and say why each customer moves.

    Parameters
    ----------
    release : Release
        What scores, and whose policy holds.
    tables : Tables
        Of the same source.
    features_at : callable
        Returns the feature table of a snapshot.
    day : date
        The re-tier date; nothing known on or after it counts.
    previous : Published, optional
        The last assignment.
    previous_release : Release, optional
        The release it was made with, where it is still kept.
    overrides : mapping of str to Override
        Tiers that people gave.

    Raises
    ------
    InputError
        If the release knows what came after the day, the data does not reach it, an assignment
        of this or a later day is published, or nobody can be placed.
    """
    _check_day(release, tables, day, previous)
    frame = features_at(_snapshot(release, day))
    scores = release.score(_rows(frame, release))
    enough = scores.tier != NO_TIER
    if not enough.any():
        raise InputError(
            f"nobody of {len(frame)} customers before {day} can be placed; expected some",
            "ingest more orders, or lower training.minimum_orders",
        )
    placed = frame[enough].reset_index(drop=True)
    ids = placed["customer_id"].tolist()
    value, indicated = scores.expected_value[enough], scores.tier[enough]
    held = _Held.of(ids, previous, release.policy, day)
    clawed = _clawed_back(release, tables, day, held, ids)
    standing = Standing(held.place, held.days, clawed)
    policy = assignment_policy(release.policy)
    done = assign_tiers(ids, value, standing, policy, day, overrides)
    names = np.array([tier.id for tier in release.tiers], dtype=object)
    stays = (held.name == names[done.tier]) & held.known
    tiers = pd.DataFrame(
        {
            "customer_id": ids,
            "tier": names[done.tier],
            "since": [then if same else day for then, same in zip(held.since, stays, strict=True)],
            "previous_tier": held.name,
            "indicated_tier": names[indicated],
            "expected_value": value,
            "reason": np.array(REASONS, dtype=object)[done.reason],
        }
    )
    known = np.flatnonzero(held.known)
    steps = _steps(
        release, previous_release, features_at, day, placed.iloc[known], held, known, indicated
    )
    moved = attribute_moves(held.place[known], steps, done.tier[known])
    moves = _moves(tiers.iloc[known], held.place[known], done.tier[known], moved)
    summary = _summary(release, day, previous, tiers, moves, done.overrides, clawed, held, frame)
    summary["seats"] = [
        {
            "tier": names[seat.tier],
            "capacity": seat.capacity,
            "n_members": seat.n_members,
            "n_overflow": seat.n_overflow,
            "n_tied": seat.n_tied,
        }
        for seat in done.seats
    ]
    by_id = tiers.sort_values("customer_id", kind="stable", ignore_index=True)
    return Proposal(tables.source, day, by_id, moves, summary)


def _check_day(release: Release, tables: Tables, day: date, previous: Published | None) -> None:
    if release.source != tables.source:
        raise InputError(
            f"the release was learned on {release.source}, the tables are of {tables.source}; "
            "expected one source",
            "promote a release of that source, or leave --source out",
        )
    if release.cutoff > day:
        raise InputError(
            f"the release knows what came until {release.cutoff}; expected a re-tier date on or "
            f"after it, found {day}",
            f"train for the date: python -m training train --cutoff {day}, or take a later one",
        )
    if day > tables.data_complete_before:
        raise InputError(
            f"the data of {tables.source} is complete before {tables.data_complete_before}; "
            f"expected it to reach the re-tier date {day}",
            "ingest newer orders first",
        )
    if previous is not None and previous.day >= day:
        raise InputError(
            f"tiers from {previous.day} on are published; expected a later re-tier date than "
            f"that, found {day}",
            "the history is append-only: take the next date",
        )


@dataclass(frozen=True)
class _Held:
    """What each customer had before: place in today's scheme, its id then, and since when."""

    place: IntArray
    name: NDArray[np.object_]
    since: list[date]
    days: Array
    indicated: IntArray

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.asarray(self.place != NO_TIER)

    @classmethod
    def of(
        cls, ids: Sequence[str], previous: Published | None, policy: TierPolicy, day: date
    ) -> _Held:
        n = len(ids)
        place, indicated = np.full(n, NO_TIER, np.int64), np.full(n, NO_TIER, np.int64)
        name = np.full(n, None, dtype=object)
        since = [day] * n
        if previous is not None:
            now = places_in(policy, [row["id"] for row in previous.scheme])
            rows = dict(zip(previous.tiers["customer_id"], previous.tiers.index, strict=True))
            tier, then = previous.tiers["tier"], previous.tiers["indicated_tier"]
            began = previous.tiers["since"]
            for i, customer in enumerate(ids):
                row = rows.get(customer)
                if row is not None:
                    name[i], since[i] = tier[row], began[row]
                    place[i], indicated[i] = now[tier[row]], now[then[row]]
        days = np.array([(day - one).days for one in since], dtype=np.float64)
        return cls(place, name, since, days, indicated)


def places_in(policy: TierPolicy, old_ids: Sequence[str]) -> dict[str, int]:
    """Return the place in a policy's scheme of each tier of an older scheme, bottom to top.

    A tier that the scheme no longer has becomes the next lower one that it has.
    """
    now = {tier.id: place for place, tier in enumerate(policy.tiers)}
    places, below = {}, 0
    for old in old_ids:
        below = now.get(old, below)
        places[old] = below
    return places


def _clawed_back(
    release: Release, tables: Tables, day: date, held: _Held, ids: Sequence[str]
) -> NDArray[np.bool_]:
    since = {ids[i]: held.since[i] for i in np.flatnonzero(held.place > 0).tolist()}
    share = release.policy.rules.claw_back_share
    found = find_clawed_back(tables, since, day, release.horizon_days, share)
    return np.array([customer in found for customer in ids], dtype=bool)


def _snapshot(release: Release, day: date) -> Snapshot:
    return replace(release.feature_snapshot(), cutoff=day)


def _rows(frame: pd.DataFrame, release: Release) -> Array:
    return np.ascontiguousarray(frame[list(release.columns)].to_numpy(dtype=np.float64))


def _raw_value(release: Release, frame: pd.DataFrame) -> Array:
    """Return what a release's model says before its policy's level."""
    return release.model.predict(FeatureMatrix(release.columns, _rows(frame, release))).value


def _steps(
    release: Release,
    before: Release | None,
    features_at: FeaturesAt,
    day: date,
    known: pd.DataFrame,
    held: _Held,
    place: IntArray,
    indicated: IntArray,
) -> Steps:
    """Return the indicated tiers of who had a tier, as one thing after another is today's."""
    then, now = held.indicated[place], indicated[place]
    if before is None:
        return Steps(then, None, None, None, now)
    ids = [tier.id for tier in before.tiers]
    into = np.array([places_in(release.policy, ids)[one] for one in ids], np.int64)

    def by_old_cuts(value: Array) -> IntArray:
        return np.asarray(into[before.boundaries.assign(value)], dtype=np.int64)

    old_frame = features_at(_snapshot(before, day)).set_index("customer_id")
    old_frame = old_frame.loc[known["customer_id"]].reset_index()
    old_value, new_value = _raw_value(before, old_frame), _raw_value(release, known)
    old_factor = before.policy.level.value_factor
    return Steps(
        then=then,
        behaviour=by_old_cuts(old_value * old_factor),
        model=by_old_cuts(new_value * old_factor),
        calibration=by_old_cuts(new_value * release.policy.level.value_factor),
        now=now,
    )


def _moves(
    tiers: pd.DataFrame, before: IntArray, after: IntArray, moved: Mapping[str, IntArray]
) -> pd.DataFrame:
    moves = pd.DataFrame(
        {
            "customer_id": tiers["customer_id"].to_numpy(),
            "from_tier": tiers["previous_tier"].to_numpy(),
            "to_tier": tiers["tier"].to_numpy(),
            "levels": after - before,
            **{cause: moved[cause] for cause in CAUSES},
            "expected_value": tiers["expected_value"].to_numpy(),
            "reason": tiers["reason"].to_numpy(),
        }
    )
    moves = moves[moves["from_tier"] != moves["to_tier"]]
    return moves.sort_values(
        ["levels", "expected_value", "customer_id"],
        ascending=[False, False, True],
        ignore_index=True,
    )


def _summary(
    release: Release,
    day: date,
    previous: Published | None,
    tiers: pd.DataFrame,
    moves: pd.DataFrame,
    overrides: Mapping[str, Override],
    clawed: NDArray[np.bool_],
    held: _Held,
    frame: pd.DataFrame,
) -> dict[str, Any]:
    n_gone = 0
    if previous is not None:
        n_gone = len(previous.tiers) - int(held.known.sum())
    pairs = Counter(zip(moves["from_tier"], moves["to_tier"], strict=True))
    return {
        "source": release.source,
        "day": day.isoformat(),
        "release": release.digest,
        "policy": release.policy.id,
        "previous": None if previous is None else previous.digest,
        "previous_day": None if previous is None else previous.day.isoformat(),
        "currency": release.currency,
        "scheme": [{"id": tier.id, **tier.label} for tier in release.tiers],
        "n_customers": len(tiers),
        "n_too_little_data": len(frame) - len(tiers),
        "n_new": int((~held.known).sum()),
        "n_gone": n_gone,
        "n_clawed_back": int(clawed.sum()),
        "members": {tier.id: int((tiers["tier"] == tier.id).sum()) for tier in release.tiers},
        "moves": [
            {"from": early, "to": late, "n": n} for (early, late), n in sorted(pairs.items())
        ],
        "causes": summarise_causes(
            {cause: moves[cause].to_numpy(dtype=np.int64) for cause in CAUSES}
        ),
        "reasons": dict(sorted(Counter(tiers["reason"]).items())),
        "overrides": [
            {
                "customer_id": customer,
                "tier": release.tiers[one.tier].id,
                "expires": one.expires.isoformat(),
                "reason": one.reason,
            }
            for customer, one in sorted(overrides.items())
        ],
    }
