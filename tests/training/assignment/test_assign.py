"""A re-tier date, by hand and by its promises."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from training.assignment import (
    NO_TIER,
    REASONS,
    AssignmentPolicy,
    Override,
    Standing,
    assign_tiers,
)

TODAY = date(2026, 1, 1)
POLICY = AssignmentPolicy(boundaries=(100.0, 1000.0), capacities=(0.5, 0.2), bonus=0.25)
NAMES = tuple(f"C{i}" for i in range(10))


def stand(*tiers: int, days: float = 400.0) -> Standing:
    n = len(tiers)
    return Standing(np.array(tiers, np.int64), np.full(n, days), np.zeros(n, bool))


def told(assignment) -> list[str]:
    return [REASONS[reason] for reason in assignment.reason]


def test_first_date_by_value_within_capacity():
    value = np.array([2000, 1500, 1200, 400, 300, 200, 150, 50, 20, 0.0])
    done = assign_tiers(NAMES, value, Standing.none(10), POLICY, TODAY)
    assert done.tier.tolist() == [2, 2, 1, 1, 1, 0, 0, 0, 0, 0]
    assert (
        told(done) == ["value"] * 2 + ["no_seat"] + ["value"] * 2 + ["no_seat"] * 2 + ["value"] * 3
    )
    assert [(s.tier, s.capacity, s.n_members, s.n_overflow) for s in done.seats] == [
        (1, 5, 5, 0),
        (2, 2, 2, 0),
    ]
    assert done.move.tolist() == [0] * 10


def test_who_is_there_keeps_the_seat_by_the_bonus():
    value = np.array([1000, 1100, 900, 10, 10, 10, 10, 10, 10, 10.0])
    before = stand(2, 0, 2, 0, 0, 0, 0, 0, 0, 0)
    done = assign_tiers(NAMES, value, before, POLICY, TODAY)
    # worth 1250, 1100 and 1125 for two seats
    assert done.tier[:3].tolist() == [2, 1, 2]
    assert told(done)[:3] == ["value", "no_seat", "kept_by_bonus"]
    free = assign_tiers(NAMES, value, before, replace(POLICY, bonus=0.0), TODAY)
    assert free.tier[:3].tolist() == [2, 2, 1]


def test_nobody_falls_more_than_one_level():
    value = np.zeros(10)
    done = assign_tiers(NAMES, value, stand(2, 1, 0, 0, 0, 0, 0, 0, 0, 0), POLICY, TODAY)
    assert done.tier[:3].tolist() == [1, 0, 0]
    assert told(done)[:3] == ["one_level_down", "value", "value"]
    assert done.move[:3].tolist() == [-1, -1, 0]


def test_a_minimum_stay_protects_until_it_is_over():
    value = np.zeros(10)
    stays = replace(POLICY, minimum_stay_days=90)
    before = stand(2, 1, *[0] * 8)
    done = assign_tiers(NAMES, value, replace(before, days_in_tier=np.full(10, 89.0)), stays, TODAY)
    assert done.tier[:2].tolist() == [2, 1]
    assert told(done)[:2] == ["minimum_stay"] * 2
    over = assign_tiers(NAMES, value, replace(before, days_in_tier=np.full(10, 90.0)), stays, TODAY)
    assert over.tier[:2].tolist() == [1, 0]


def test_protected_people_over_the_capacity_admit_nobody_and_are_reported():
    value = np.array([0, 0, 0, 5000, 0, 0, 0, 0, 0, 0.0])
    stays = replace(POLICY, minimum_stay_days=90)
    before = stand(2, 2, 2, *[0] * 7, days=10.0)
    done = assign_tiers(NAMES, value, before, stays, TODAY)
    assert done.tier.tolist() == [2, 2, 2, 1, 0, 0, 0, 0, 0, 0]
    assert done.seats[1].n_overflow == 1
    assert done.seats[0].n_overflow == 0


def test_a_claw_back_takes_protection_and_bonus():
    value = np.array([900.0] + [0.0] * 9)
    before = stand(2, *[0] * 9)
    clawed = replace(before, clawed_back=np.arange(10) == 0)
    assert assign_tiers(NAMES, value, before, POLICY, TODAY).tier[0] == 2
    assert assign_tiers(NAMES, value, clawed, POLICY, TODAY).tier[0] == 1
    nothing = assign_tiers(NAMES, np.zeros(10), clawed, POLICY, TODAY)
    assert nothing.tier[0] == 0
    assert told(nothing)[0] == "claw_back"


def test_an_override_holds_until_it_expires_and_takes_no_seat():
    value = np.array([2000, 1500, 0, 0, 0, 0, 0, 0, 0, 0.0])
    pinned = {"C9": Override(2, date(2026, 1, 2), "strategic account")}
    done = assign_tiers(NAMES, value, Standing.none(10), POLICY, TODAY, pinned)
    assert done.tier.tolist() == [2, 1, *[0] * 7, 2]  # one seat of the nine others' 20 %
    assert told(done)[9] == "override"
    assert done.overrides == pinned
    over = assign_tiers(NAMES, value, Standing.none(10), POLICY, date(2026, 1, 2), pinned)
    assert over.tier.tolist() == [2, 2, *[0] * 8]
    assert over.overrides == {}


def test_ties_for_the_last_seat_go_by_a_stable_hash_and_are_counted():
    value = np.full(10, 2000.0)
    done = assign_tiers(NAMES, value, Standing.none(10), POLICY, TODAY)
    assert np.bincount(done.tier).tolist() == [5, 3, 2]
    assert [seat.n_tied for seat in done.seats] == [5, 8]
    order = np.random.default_rng(0).permutation(10)
    again = assign_tiers(tuple(NAMES[i] for i in order), value, Standing.none(10), POLICY, TODAY)
    assert again.tier.tolist() == done.tier[order].tolist()


@pytest.mark.parametrize(
    ("policy", "match"),
    [
        (replace(POLICY, boundaries=(1000.0, 100.0)), "boundaries rising"),
        (replace(POLICY, boundaries=(100.0,)), "one of each"),
        (replace(POLICY, capacities=(0.2, 0.5)), "shares that fall"),
        (replace(POLICY, bonus=-0.1), "at least 0, 1 and 0"),
        (replace(POLICY, most_levels_down=0), "at least 0, 1 and 0"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(policy: AssignmentPolicy, match: str):
    with pytest.raises(InputError, match=match):
        assign_tiers(NAMES, np.zeros(10), Standing.none(10), policy, TODAY)


def test_an_override_to_no_tier_of_the_scheme_is_refused():
    with pytest.raises(InputError, match="C3 names tier 7; expected 0 to 2"):
        assign_tiers(
            NAMES,
            np.zeros(10),
            Standing.none(10),
            POLICY,
            TODAY,
            {"C3": Override(7, date(2027, 1, 1), "typed wrong")},
        )


def test_a_value_that_is_not_a_number_is_refused():
    with pytest.raises(InputError, match="not finite"):
        assign_tiers(NAMES, np.full(10, np.nan), Standing.none(10), POLICY, TODAY)


@given(st.integers(0, 2**31), st.integers(1, 60), st.sampled_from([0.0, 0.25, 1.0]))
@settings(max_examples=150, deadline=None)
def test_promises_of_every_date(seed: int, n: int, bonus: float):
    rng = np.random.default_rng(seed)
    names = tuple(f"C{i}" for i in range(n))
    value = np.round(rng.lognormal(5, 2, n), -1) - 20
    before = Standing(rng.integers(-1, 4, n), rng.uniform(0, 200, n), rng.random(n) < 0.1)
    seats = tuple(np.sort(rng.uniform(0, 1, 3))[::-1].tolist())
    cuts = tuple(np.sort(rng.lognormal(5, 2, 3)).tolist())
    policy = AssignmentPolicy(cuts, seats, bonus, minimum_stay_days=int(rng.choice([0, 90])))
    done = assign_tiers(names, value, before, policy, TODAY)
    protected = (before.tier != NO_TIER) & ~before.clawed_back
    assert (done.tier[protected] >= before.tier[protected] - 1).all()
    for seat in done.seats:
        assert (done.tier >= seat.tier).sum() == seat.n_members
        assert seat.n_members - seat.n_overflow <= seat.capacity
    # among equals in standing, more value never means a lower tier
    for tier in range(-1, 4):
        for clawed in (True, False):
            same = (before.tier == tier) & (before.clawed_back == clawed)
            same &= before.days_in_tier >= 90
            ranked = done.tier[same][np.argsort(value[same], kind="stable")]
            distinct = np.sort(value[same])
            falls = (np.diff(ranked) < 0) & (np.diff(distinct) > 0)
            assert not (falls & (distinct[:-1] >= 0)).any()
