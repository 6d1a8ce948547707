"""The programme against every scheme there is, and its parts by hand."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from training.tiers.cells import Cells, candidate_cuts, count_cells
from training.tiers.guard import guard, paired_standard_error
from training.tiers.incumbent import Incumbent, keep_near, unit_slip
from training.tiers.limits import TierLimits
from training.tiers.programme import Programme, build_programme

IDS = ("a", "b", "c", "d", "e")


def limits_of(n_tiers: int, **changes: object) -> TierLimits:
    free = TierLimits(
        ids=IDS[:n_tiers],
        minimum_shares=(0.0,) * n_tiers,
        maximum_shares=(1.0,) * n_tiers,
        gaps=(0.0,) * (n_tiers - 1),
        n_customers_min=1,
        n_payers_min=0,
        rise_standard_errors=0.0,
    )
    return replace(free, **changes)


def keeps(score: np.ndarray, outcome: np.ndarray, cuts: np.ndarray, limits: TierLimits) -> bool:
    """Whether a scheme keeps its limits, from the customers themselves."""
    tier, n_all = np.searchsorted(cuts, score, side="right"), len(score)
    members = [outcome[tier == k] for k in range(len(limits))]
    for k, mine in enumerate(members):
        if not limits.minimum_shares[k] * n_all - 1e-6 <= len(mine):
            return False
        if len(mine) > np.floor(limits.maximum_shares[k] * n_all + 1e-6):
            return False
        if len(mine) < limits.n_customers_min or (mine > 0).sum() < limits.n_payers_min:
            return False
    for k in range(1, len(limits)):
        below, above = members[k - 1], members[k]
        rise = above.mean() - below.mean()
        if rise <= 0 or rise < limits.gaps[k - 1]:
            return False
        z = limits.rise_standard_errors
        if z > 0:
            if min(len(below), len(above)) < 2:
                return False
            error = np.sqrt(below.var(ddof=1) / len(below) + above.var(ddof=1) / len(above))
            if rise < z * error:
                return False
    return True


def explained(value: np.ndarray, score: np.ndarray, cuts: np.ndarray) -> float:
    tier = np.searchsorted(cuts, score, side="right")
    n = np.bincount(tier, minlength=len(cuts) + 1)
    mean = np.bincount(tier, value, minlength=len(cuts) + 1) / np.maximum(n, 1)
    return float((n * (mean - value.mean()) ** 2).sum())


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, TierLimits]:
    """Some 80 customers on at most 12 scores, and limits that bite in different ways."""
    rng = np.random.default_rng(seed)
    n, n_tiers = int(rng.integers(5, 90)), int(rng.integers(2, 5))
    score = rng.integers(0, int(rng.integers(2, 12)), n).astype(float)
    outcome = np.where(rng.random(n) < 0.7, score * rng.gamma(2, 1, n) + rng.exponential(1, n), 0)
    return (
        score,
        outcome,
        limits_of(
            n_tiers,
            minimum_shares=tuple(rng.uniform(0, 0.5 / n_tiers, n_tiers)),
            maximum_shares=(1.0, *rng.uniform(0.2, 0.9, n_tiers - 1)),
            gaps=tuple(rng.choice([0.0, 0.5, 3.0], n_tiers - 1)),
            n_customers_min=int(rng.integers(1, 6)),
            n_payers_min=int(rng.integers(0, 4)),
            rise_standard_errors=float(rng.choice([0.0, 0.5, 2.33])),
        ),
    )


@pytest.mark.parametrize("block", range(3))
def test_the_programme_equals_brute_force_on_300_random_cases(block: int):
    n_feasible = 0
    for seed in range(100 * block, 100 * block + 100):
        score, outcome, limits = random_case(seed)
        cuts = candidate_cuts(score, 60)
        cells = count_cells(score, outcome, cuts)
        capped = np.minimum(score, np.quantile(score, 0.995))
        schemes = [
            np.array(chosen)
            for chosen in combinations(cuts.tolist(), len(limits) - 1)
            if keeps(score, outcome, np.array(chosen), limits)
        ]
        programme = build_programme(cells, limits)
        for gain, value in (
            (programme.score_gain, capped),
            (programme.outcome_gain, outcome),
        ):
            inner = programme.solve(gain)
            if not schemes:
                assert inner is None, seed
                continue
            assert inner is not None, seed
            best = max(explained(value, score, scheme) for scheme in schemes)
            mine = np.array(cells.boundaries(inner))
            assert keeps(score, outcome, mine, limits), seed
            assert explained(value, score, mine) == pytest.approx(best, rel=1e-9, abs=1e-9), seed
        n_feasible += bool(schemes)
    assert 30 < n_feasible < 100


def test_candidate_cuts_are_observed_scores_half_of_them_in_the_upper_fifth():
    score = np.random.default_rng(0).lognormal(2, 1, 5000)
    cuts = candidate_cuts(score, 120)
    assert np.isin(cuts, score).all()
    assert (np.diff(cuts) > 0).all()
    assert cuts[0] > score.min()
    assert 110 <= len(cuts) <= 120
    upper = cuts > np.quantile(score, 0.8)
    assert 55 <= upper.sum() <= 61
    tail = np.array([(score >= cut).sum() for cut in cuts])
    assert 25 <= tail[-1] <= 35


def test_customers_who_tie_are_never_parted():
    score = np.repeat([1.0, 2.0, 3.0], [50, 30, 20])
    cells = count_cells(score, score, candidate_cuts(score, 10))
    assert cells.cuts.tolist() == [2.0, 3.0]
    assert cells.n.tolist() == [0, 50, 80, 100]
    assert cells.share_above.tolist() == pytest.approx([1, 0.5, 0.2, 0])


def programme_of(seed: int, n: int = 2000) -> Programme:
    rng = np.random.default_rng(seed)
    score = rng.lognormal(2, 1, n)
    outcome = np.where(rng.random(n) < 0.6, score * rng.lognormal(0, 0.6, n), 0)
    cells = count_cells(score, outcome, candidate_cuts(score, 60))
    return build_programme(cells, limits_of(3, n_customers_min=20, rise_standard_errors=2.33))


def test_the_closed_standard_error_equals_the_bootstrap_of_customers():
    rng = np.random.default_rng(5)
    score = rng.lognormal(2, 1, 1500)
    outcome = np.where(rng.random(1500) < 0.6, score * rng.lognormal(0, 0.6, 1500), 0)
    cells = count_cells(score, outcome, candidate_cuts(score, 60))
    first, second = np.array([20, 50]), np.array([35, 55])

    def difference(rows: np.ndarray) -> float:
        one, other = (
            explained(outcome[rows], score[rows], np.array(cells.boundaries(inner)))
            for inner in (first, second)
        )
        return one - other

    drawn = [difference(rng.integers(0, 1500, 1500)) for _ in range(400)]
    closed = paired_standard_error(cells, first, second)
    assert closed == pytest.approx(np.std(drawn, ddof=1), rel=0.15)
    assert paired_standard_error(cells, first, first) == 0


def test_the_guard_keeps_boundaries_of_the_score_where_realised_value_does_not_object():
    programme = programme_of(1)
    found = guard(programme)
    assert found is not None
    assert found.weight_of_score == np.inf
    assert found.inner.tolist() == programme.solve(programme.score_gain).tolist()


def test_the_guard_moves_to_where_value_rises_when_the_score_says_nothing_of_it():
    rng = np.random.default_rng(2)
    score = rng.uniform(0, 1, 5000)
    outcome = np.where(score >= 0.9, 100.0, 10.0) * rng.lognormal(0, 0.3, 5000)
    cells = count_cells(score, outcome, candidate_cuts(score, 120))
    found = guard(build_programme(cells, limits_of(2)))
    assert found is not None
    assert found.weight_of_score < np.inf
    assert found.loss > 2 * found.loss_standard_error
    assert cells.boundaries(found.inner)[0] == pytest.approx(0.9, abs=0.01)


def test_a_scheme_stays_where_the_incumbent_is_if_realised_value_allows():
    programme = programme_of(3)
    free = guard(programme)
    assert free is not None
    share = programme.cells.share_above[free.inner]
    near = Incumbent({"b": share[0] * 1.04, "c": share[1] * 1.04}, {})
    kept = keep_near(programme, IDS[:3], free, near, 1.0)
    moved = np.abs(programme.cells.share_above[kept.inner] / (share * 1.04) - 1)
    assert kept.weight > 0
    assert (moved <= np.abs(1 / 1.04 - 1) + 1e-9).all()
    assert keep_near(programme, IDS[:3], free, near, 0.0).loss <= 0


def test_a_foolish_incumbent_draws_only_as_far_as_realised_value_allows():
    programme = programme_of(3)
    free = guard(programme)
    assert free is not None
    far = Incumbent({"b": 0.9, "c": 0.85}, {})
    kept = keep_near(programme, IDS[:3], free, far, 1.0)
    error = paired_standard_error(programme.cells, free.inner, kept.inner)
    lost = programme.outcome_between(free.inner) - programme.outcome_between(kept.inner)
    assert lost <= error


def test_an_incumbent_without_a_tier_leaves_its_boundary_free():
    programme = programme_of(4)
    free = guard(programme)
    assert free is not None
    kept = keep_near(programme, IDS[:3], free, Incumbent({}, {}), 1.0)
    assert kept.inner.tolist() == free.inner.tolist()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"b": 10.0, "c": 50.0}, {"b": 1000.0, "c": 5000.0}, 100.0),
        ({"b": 10.0, "c": 50.0}, {"b": 0.1, "c": 0.5}, 0.01),
        ({"b": 10.0, "c": 50.0}, {"b": 25.0, "c": 100.0}, None),
        ({"b": 10.0, "c": 50.0, "d": 90.0}, {"b": 12.0, "c": 60.0, "d": 900.0}, None),
        ({"b": 10.0}, {"c": 5000.0}, None),
    ],
)
def test_a_unit_slip_is_all_boundaries_moving_by_more_than_a_factor_of_3(old, new, told):
    assert unit_slip(Incumbent({}, old), new) == (None if told is None else pytest.approx(told))


def test_merged_limits_keep_the_cumulative_capacities():
    whole = limits_of(
        4, minimum_shares=(0, 0.05, 0.03, 0.01), maximum_shares=(1, 0.3, 0.15, 0.05), gaps=(1, 2, 3)
    )
    merged = whole.without_boundaries([2])
    assert merged.ids == ("a", "b", "d")
    assert merged.minimum_shares == pytest.approx((0, 0.08, 0.01))
    assert merged.maximum_shares == pytest.approx((1, 0.45, 0.05))
    assert merged.gaps == (1, 3)
    assert [one.ids for one in whole.merged_to(3)] == [
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "c", "d"),
    ]


def test_cells_of_one_customer():
    cells = count_cells(np.array([3.0]), np.array([1.0]), candidate_cuts(np.array([3.0]), 10))
    assert isinstance(cells, Cells)
    assert len(cells) == 1
    assert cells.n.tolist() == [0, 1]
