"""For any shop on any re-tier date: seats are kept exactly, and order and equals do not matter."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.assignment import (
    NO_TIER,
    Assignment,
    AssignmentPolicy,
    Override,
    Standing,
    assign_tiers,
)

TODAY = date(2026, 1, 1)
POLICY = AssignmentPolicy(boundaries=(10.0, 100.0, 1000.0), capacities=(0.5, 0.2, 0.05))
many = settings(max_examples=100, deadline=None)


def names_of(n: int) -> tuple[str, ...]:
    return tuple(f"C{i}" for i in range(n))


def standing_of(rng: np.random.Generator, n: int) -> Standing:
    return Standing(rng.integers(-1, 4, n), rng.uniform(0, 200, n), rng.random(n) < 0.1)


@many
@given(st.integers(0, 2**31), st.integers(1, 80), st.floats(0, 0.5))
def test_capacities_are_exact_with_overrides(seed: int, n: int, pinned_share: float):
    rng = np.random.default_rng(seed)
    names, value = names_of(n), rng.lognormal(4, 2, n)
    pinned = {
        names[i]: Override(int(rng.integers(0, 4)), TODAY + timedelta(days=1), "a person")
        for i in np.flatnonzero(rng.random(n) < pinned_share).tolist()
    }
    before = standing_of(rng, n)
    done = assign_tiers(names, value, before, POLICY, TODAY, pinned)
    outside = np.array([one in pinned for one in names], dtype=bool)
    for one, override in pinned.items():
        assert done.tier[names.index(one)] == override.tier
    protected = (before.tier != NO_TIER) & ~before.clawed_back & ~outside
    for k, seat in enumerate(done.seats, start=1):
        capacity = int(np.floor(POLICY.capacities[k - 1] * (n - len(pinned)) + 1e-9))
        members = int(((done.tier >= k) & ~outside).sum())
        worth = value * np.where((before.tier >= k) & ~before.clawed_back, 1.25, 1.0)
        owed = ((before.tier - 1 >= k) & protected) | ((done.tier > k) & ~outside)
        willing = int(((worth >= POLICY.boundaries[k - 1]) & ~outside).sum())
        assert members == seat.n_members
        assert seat.capacity == capacity
        # never above but by who is owed a seat, and never a seat left while somebody is worth it
        assert members <= max(capacity, int(owed.sum()))
        assert members >= min(capacity, willing)


@many
@given(st.integers(0, 2**31), st.integers(1, 60))
def test_the_order_of_rows_does_not_matter(seed: int, n: int):
    rng = np.random.default_rng(seed)
    names, value, before = names_of(n), np.round(rng.lognormal(4, 2, n), -1), standing_of(rng, n)
    order = rng.permutation(n)
    one = assign_tiers(names, value, before, POLICY, TODAY)
    shuffled = Standing(before.tier[order], before.days_in_tier[order], before.clawed_back[order])
    other = assign_tiers([names[i] for i in order], value[order], shuffled, POLICY, TODAY)
    assert other.tier.tolist() == one.tier[order].tolist()
    assert other.reason.tolist() == one.reason[order].tolist()
    assert other.seats == one.seats


@many
@given(st.integers(0, 2**31), st.integers(2, 60), st.floats(1.0, 1e4))
def test_more_value_never_means_a_lower_tier(seed: int, n: int, more: float):
    rng = np.random.default_rng(seed)
    names, value, before = names_of(n), rng.lognormal(4, 2, n), standing_of(rng, n)
    who = int(rng.integers(0, n))
    richer = value.copy()
    richer[who] += more
    then = assign_tiers(names, value, before, POLICY, TODAY)
    now = assign_tiers(names, richer, before, POLICY, TODAY)
    assert now.tier[who] >= then.tier[who]


def first_date(value: list[float]) -> Assignment:
    n = len(value)
    return assign_tiers(names_of(n), np.array(value), Standing.none(n), POLICY, TODAY)


@pytest.mark.parametrize("value", [0.0, 50.0, 5000.0])
def test_one_customer_fills_no_half_seat(value: float):
    assert first_date([value]).tier.tolist() == [0]
    whole = AssignmentPolicy((10.0, 100.0, 1000.0), (1.0, 1.0, 1.0))
    alone = assign_tiers(["C0"], np.array([value]), Standing.none(1), whole, TODAY)
    assert alone.tier.tolist() == [int(np.searchsorted(whole.boundaries, value, side="right"))]


def test_fewer_customers_than_tiers_leave_tiers_empty():
    done = first_date([5000.0, 4000.0, 3000.0])
    assert np.bincount(done.tier, minlength=4).tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize(("value", "counts"), [(5.0, [40, 0, 0, 0]), (5000.0, [20, 12, 6, 2])])
def test_all_equal_are_told_apart_by_the_hash_alone_and_counted(value: float, counts: list[int]):
    done = first_date([value] * 40)
    assert np.bincount(done.tier, minlength=4).tolist() == counts
    assert [seat.n_tied for seat in done.seats] == ([0, 0, 0] if value < 10 else [20, 32, 38])


def test_who_lies_on_a_boundary_belongs_above_it():
    done = first_date([10.0, np.nextafter(10.0, 0), *[0.0] * 8])
    assert done.tier[:2].tolist() == [1, 0]
