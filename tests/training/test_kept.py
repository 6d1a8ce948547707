"""Boosters kept while a training lasts: read back to the bit, never of other inputs, gone at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.learn.kept import fit_or_read, keep_boosters, kept_folder

PARAMETERS = {"objective": "regression", "verbose": -1, "num_threads": 1, "max_bin": 31, "seed": 1}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    return rows, rows[:, 0] * 2 + rng.normal(size=300), np.ones(300)


def test_what_is_read_back_predicts_and_is_written_to_the_same_bits(tmp_path: Path, data):
    fitted = fit_or_read(tmp_path, PARAMETERS, data, 10)
    read = fit_or_read(tmp_path, PARAMETERS, data, 10)
    assert len(list(tmp_path.glob("*.txt"))) == 1
    assert type(read) is not type(fitted)
    told = [each.predict(data[0], raw_score=True, num_threads=1) for each in (fitted, read)]
    assert told[0].tobytes() == told[1].tobytes()
    assert fitted.model_to_string(num_iteration=-1) == read.model_to_string(num_iteration=-1)


def test_another_input_is_another_booster(tmp_path: Path, data):
    rows, target, weight = data
    fit_or_read(tmp_path, PARAMETERS, data, 5)
    fit_or_read(tmp_path, PARAMETERS, data, 6)
    fit_or_read(tmp_path, PARAMETERS | {"seed": 2}, data, 5)
    fit_or_read(tmp_path, PARAMETERS, (rows, target + 1e-9, weight), 5)
    fit_or_read(tmp_path, PARAMETERS, (rows, target, weight * 2), 5)
    assert len(list(tmp_path.glob("*.txt"))) == 5


def test_they_stay_when_the_block_is_cut_short_and_go_when_it_ends_well(tmp_path: Path, data):
    folder = tmp_path / "boosters"

    def cut_short() -> None:
        with keep_boosters(folder):
            fit_or_read(kept_folder(), PARAMETERS, data, 5)
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        cut_short()
    assert len(list(folder.iterdir())) == 1
    assert kept_folder() is None
    with keep_boosters(folder):
        assert kept_folder() == folder
    assert not folder.exists()


def test_without_a_folder_nothing_is_kept(data):
    assert fit_or_read(None, PARAMETERS, data, 5).model_to_string(num_iteration=-1)
