"""The statistic of drift: hand-made shares, what chance gives, and what a window may wander."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.config import MonitoringSettings
from monitoring.drift import (
    MOST_WANDER,
    Window,
    measure_drift,
    same_season,
    stability_index,
    wandered,
)
from training.reference import Moment, Reference, TierReference, describe_column

CUTOFF = date(2024, 1, 1)
SETTINGS = MonitoringSettings()
counts = arrays(np.int64, 8, elements=st.integers(0, 500)).filter(lambda a: a.sum() > 0)


def reference_of(*moments: tuple[date, Any], importance: float = 1.0) -> Reference:
    return Reference(
        moments[0][0],
        tuple(Moment(at, len(values)) for at, values in moments),
        (describe_column("spend", [values for _, values in moments], importance),),
        (),
        (),
    )


def window_of(values: Any, as_of: date = CUTOFF + timedelta(days=30)) -> Window:
    return Window(as_of, ("spend",), np.asarray(values, np.float64).reshape(-1, 1))


def normal(n: int, seed: int, shift: float = 0.0) -> Any:
    return np.random.default_rng(seed).normal(shift, 1, n)


@given(counts, counts)
def test_the_index_is_never_below_zero_and_does_not_care_which_came_first(a: Any, b: Any):
    p, q = a / a.sum(), b / b.sum()
    index = stability_index(p, q, 1000, 1000)
    assert index >= 0
    assert index == pytest.approx(stability_index(q, p, 1000, 1000))
    assert stability_index(p, p, 1000, 1000) == 0


def test_half_a_standard_deviation_of_a_normal_is_a_quarter_as_in_the_textbook():
    """The divergence of two normals half a standard deviation apart is .25; ten bins keep .23."""
    drift = measure_drift(
        window_of(normal(200_000, 1, 0.5)), reference_of((CUTOFF, normal(200_000, 2))), SETTINGS
    )
    assert drift.columns[0].psi == pytest.approx(0.23, abs=0.01)


def test_chance_is_taken_off_small_windows():
    reference = reference_of((CUTOFF, normal(5000, 0)))
    psi = [
        measure_drift(window_of(normal(200, seed)), reference, SETTINGS).columns[0].psi
        for seed in range(100)
    ]
    assert np.mean(psi) < 0.015
    assert max(psi) < SETTINGS.psi_alarm


def test_an_empty_bin_of_the_reference_does_not_blow_the_index_up():
    whole = np.array([0.5, 0.5, 0.0])
    assert stability_index(np.array([0.49, 0.49, 0.02]), whole, 10**9, 10**9) < 0.03


def test_the_same_season_a_year_before_explains_a_move():
    as_of = CUTOFF + timedelta(days=60)
    a_year_before = as_of - timedelta(days=365)
    moved = normal(4000, 5, 1.0)
    lone = reference_of((CUTOFF, normal(4000, 3)))
    both = reference_of((CUTOFF, normal(4000, 3)), (a_year_before, normal(4000, 4, 1.0)))
    assert [f.kind for f in measure_drift(window_of(moved, as_of), lone, SETTINGS).findings] == [
        "critical_input",
        "inputs",
    ]
    explained = measure_drift(window_of(moved, as_of), both, SETTINGS)
    assert explained.status == "steady"
    assert explained.columns[0].compared_with == a_year_before
    assert same_season(both, as_of) == 1
    assert same_season(both, as_of + timedelta(days=90)) is None


def test_what_a_column_wandered_before_it_may_wander_again_but_not_out_of_sight():
    earlier = CUTOFF - timedelta(days=90)
    reference = reference_of((CUTOFF, normal(4000, 3)), (earlier, normal(4000, 4, 0.4)))
    column = reference.columns[0]
    assert wandered(column, reference, 10) == 0  # nothing is known of ten days
    assert 0.05 < wandered(column, reference, 90) < 0.1
    far = reference_of((CUTOFF, normal(4000, 3)), (earlier, normal(4000, 4, 3.0)))
    assert wandered(far.columns[0], far, 90) == MOST_WANDER


def test_a_column_of_little_importance_says_nothing_alone():
    reference = reference_of((CUTOFF, normal(4000, 3)), importance=0.01)
    moved = window_of(normal(4000, 4, 0.5))
    assert measure_drift(moved, reference, SETTINGS).status == "steady"
    named = SETTINGS.model_copy(update={"critical": ("spend",)})
    assert measure_drift(moved, reference, named).status == "drift"


def test_counts_that_are_no_longer_whole_are_found_although_no_bin_edge_lies_between():
    whole = np.random.default_rng(0).integers(0, 4, 5000).astype(float)
    reference = reference_of((CUTOFF, whole))
    assert measure_drift(window_of(whole + 0.3), reference, SETTINGS).columns[0].psi > 1


def test_tiers_within_their_tolerance_are_left_alone():
    column = describe_column("spend", [normal(4000, 3)], 1.0)
    reference = Reference(
        CUTOFF,
        (Moment(CUTOFF, 4000),),
        (column,),
        (),
        (TierReference("low", (0.9,), 0.0, 1.0), TierReference("top", (0.1,), 0.05, 0.10)),
    )

    def kinds(n_top: int) -> list[str]:
        tiers = np.zeros(4000, np.int64)
        tiers[:n_top] = 1
        window = Window(CUTOFF, ("spend",), normal(4000, 4).reshape(-1, 1), {}, tiers)
        return [
            f"{f.kind} {f.subject}" for f in measure_drift(window, reference, SETTINGS).findings
        ]

    assert kinds(400) == kinds(480) == []
    assert kinds(600) == ["tier_shares top"]
    assert kinds(60) == ["tier_shares top"]


def test_a_fading_column_may_shrink_tenfold_without_being_called_a_slip_of_the_unit():
    sizes = np.random.default_rng(0).lognormal(0, 1, 4000)

    def kinds(name: str) -> list[str]:
        reference = Reference(
            CUTOFF, (Moment(CUTOFF, 4000),), (describe_column(name, [sizes], 0.01),), (), ()
        )
        window = Window(CUTOFF, (name,), (sizes / 12).reshape(-1, 1))
        return [f.kind for f in measure_drift(window, reference, SETTINGS).findings]

    assert kinds("mean_day_value") == ["unit_slip"]
    assert kinds("decayed_net_spend_quarter_horizon") == []


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.8))
def test_a_row_that_stands_out_alone_is_as_if_it_had_not_come(seed: int, shift: float):
    reference = reference_of((CUTOFF, normal(2000, 0)))
    values = normal(300, seed, shift)
    struck = np.append(values, 10 * np.abs(values).max())
    without, with_it = (
        measure_drift(window_of(each), reference, SETTINGS) for each in (values, struck)
    )
    assert with_it.columns == without.columns
    assert with_it.findings == without.findings
    assert with_it.n_rows == without.n_rows + 1
