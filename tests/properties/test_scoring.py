"""For any customer: more spend never lowers the value, and nobody else changes the answer."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import build_features_from
from features.customer_days import LINE_COLUMNS
from training.learn.crossfit import MONOTONE
from training.models.blend import BlendModel
from training.models.matrix import FeatureMatrix
from training.models.members import TreeEnsemble
from training.models.transform import expectations_of, with_expectations

many = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def blend(small_world: Any) -> BlendModel:
    model = small_world.result.backtest.models["blend"]
    assert isinstance(model, BlendModel)
    return model


def design_of(blend: BlendModel, features: FeatureMatrix) -> FeatureMatrix:
    held = features.select(blend.columns)
    expected = expectations_of(held, blend.buy_till_you_die, blend.training_horizon_days)
    return with_expectations(held, expected)


@pytest.fixture(scope="module")
def design(small_world: Any, blend: BlendModel) -> FeatureMatrix:
    """What the trees read of every sixth customer of the backtest cohort."""
    features = small_world.result.backtest.cohort.features
    return design_of(blend, features.take(np.arange(0, len(features), 6)))


def every_tree_score(blend: BlendModel, design: FeatureMatrix) -> dict[str, Any]:
    trees: dict[str, TreeEnsemble] = blend.members.trees
    return {kind: ensemble.raw(design) for kind, ensemble in trees.items()}


@many
@given(data=st.data())
def test_more_of_what_is_held_to_rise_lowers_no_tree_member(
    blend: BlendModel, design: FeatureMatrix, data: st.DataObject
):
    up = [name for name in design.columns if MONOTONE.get(name, 0) > 0]
    down = [name for name in design.columns if MONOTONE.get(name, 0) < 0]
    raised = data.draw(st.lists(st.sampled_from(up), max_size=len(up), unique=True))
    lowered = data.draw(st.lists(st.sampled_from(down), max_size=len(down), unique=True))
    step = data.draw(st.floats(1e-3, 1e3))
    values = design.values.copy()
    for names, sign in ((raised, 1.0), (lowered, -1.0)):
        for name in names:
            values[:, design.columns.index(name)] += sign * step
    before = every_tree_score(blend, design)
    after = every_tree_score(blend, FeatureMatrix(design.columns, values))
    for kind in before:
        assert (after[kind] >= before[kind] - 1e-12).all(), kind


@many
@given(data=st.data())
def test_a_row_alone_scores_bit_for_bit_as_among_any_others(small_world: Any, data: st.DataObject):
    release = small_world.result.release
    rows = small_world.features[list(release.columns)].to_numpy(np.float64)
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=70))
    row = data.draw(st.sampled_from(range(len(picked))))
    scale = data.draw(st.floats(0, 1e4))
    chosen = rows[picked] * scale
    among, alone = release.score(chosen), release.score(chosen[row : row + 1])
    for name in ("expected_value", "p_churn", "value_if_active", "value_at_risk"):
        assert getattr(among, name)[row].tobytes() == getattr(alone, name)[0].tobytes()
    assert among.tier[row] == alone.tier[0]


# Features that are free to move either way (spread, share returned, trend) change with the spend
# too, so a blend cannot be monotone in an order's amount: how often it is not is measured.
@pytest.mark.parametrize(("factor", "largest_share"), [(1.1, 0.15), (2.0, 0.03), (10.0, 0.01)])
def test_a_dearer_last_order_rarely_lowers_the_value(
    small_world: Any,
    blend: BlendModel,
    record_testsuite_property: Any,
    factor: float,
    largest_share: float,
):
    snapshot = small_world.result.release.feature_snapshot()
    lines = pq.read_table(small_world.tables.parts("order_lines")).to_pandas()
    known = lines[(lines["day"] < snapshot.cutoff) & (lines["known_day"] < snapshot.cutoff)]
    sold = known[known["amount"] > 0]
    last_day = sold.groupby("customer_id")["day"].transform("max")
    dearer = lines.copy()
    dearer.loc[sold.index[sold["day"] == last_day], "amount"] *= factor
    before, after = (
        blend.predict(build(table, snapshot, blend)).value for table in (lines, dearer)
    )
    share = float((after < before * (1 - 1e-9)).mean())
    record_testsuite_property(f"share_of_violations_{factor}", share)
    assert share <= largest_share, f"{share:.1%} of customers fall when they spend {factor} times"
    assert after.mean() > before.mean()


def build(lines: pd.DataFrame, snapshot: Any, blend: BlendModel) -> FeatureMatrix:
    assert isinstance(lines["day"].iloc[0], date)
    table = pa.Table.from_pandas(lines, preserve_index=False)
    features = build_features_from(table.select(LINE_COLUMNS), snapshot)
    return FeatureMatrix(blend.columns, features[list(blend.columns)].to_numpy(np.float64))
