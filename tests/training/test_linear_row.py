"""Linear models for one row: the bits of the array form, whatever the groups share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.linear_row import LinearRow
from training.models.matrix import FeatureMatrix
from training.models.members import mean_prediction
from training.models.transform import LinearInputs, LinearModel

DESIGN = tuple("abcdefgh")
numbers = st.floats(-1e6, 1e6)


@st.composite
def groups(draw: st.DrawFn) -> tuple[LinearInputs, tuple[LinearModel, ...]]:
    columns = tuple(draw(st.permutations(DESIGN))[: draw(st.integers(1, len(DESIGN)))])
    mean = {name: draw(st.sampled_from([0.0, 0.3])) for name in columns}
    deviation = {name: draw(st.sampled_from([0.7, 3.1])) for name in columns}
    inputs = LinearInputs(columns, tuple(mean.values()), tuple(deviation.values()))
    coefficients = st.tuples(*[numbers for _ in columns])
    models = st.lists(st.builds(LinearModel, numbers, coefficients), min_size=1, max_size=4)
    return inputs, tuple(draw(models))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(groups(), min_size=1, max_size=3),
    st.lists(
        st.tuples(*[st.one_of(numbers, st.sampled_from([0.0, -0.0, np.nan, 1e300]))] * len(DESIGN)),
        min_size=1,
        max_size=3,
    ),
)
def test_each_row_gives_the_bits_of_the_array_form(made: list, rows: list):
    alone = LinearRow(made, DESIGN)
    matrix = FeatureMatrix(DESIGN, np.array(rows))
    together = np.array(
        [mean_prediction(models, inputs.transform(matrix)) for inputs, models in made]
    )
    for place, row in enumerate(matrix.values):
        assert np.array_equal(np.array(alone.predict(row)), together[:, place])


def test_a_group_of_two_models_by_hand():
    inputs = LinearInputs(("b", "a"), (0.0, 1.0), (1.0, 2.0))
    models = (LinearModel(1.0, (2.0, 3.0)), LinearModel(0.0, (0.0, 1.0)))
    row = np.array([np.expm1(5.0), np.nan, *[9.0] * 6])
    # b is missing: 0; a is (5 - 1) / 2 = 2: the mean of 1 + 6 and 2
    assert LinearRow([(inputs, models)], DESIGN).predict(row) == pytest.approx([4.5])
