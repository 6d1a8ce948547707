import struct
import zlib
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from features.errors import InputError
from training.judge.pictures import calibration_curve, decile_bars, gain_curve, value_by_rank

RNG_SEED = 4


def _cohort(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(RNG_SEED)
    strength = rng.gamma(0.7, 1.0, n)
    p = strength / (strength + 0.6)
    return np.where(rng.random(n) < p, 30 * strength, 0.0), 20 * strength, p


def _draw(name: str, path: Path) -> Path:
    y, value, p = _cohort()
    if name == "gain":
        return gain_curve(y, {"champion": value, "recency": p**2, "constant": 0 * y}, path)
    if name == "deciles":
        return decile_bars(y, value, path)
    if name == "calibration":
        return calibration_curve(y > 0, p, path)
    return value_by_rank(
        value, [5.0, 20.0, 60.0], ["Regular", "Silver", "Gold", "Diamond"], path, y=y
    )


def _chunks(png: bytes) -> dict[bytes, bytes]:
    """Chunks of a PNG by name; fails where a check sum does not hold."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, {}
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        name, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            name + body
        )
        found[name] = found.get(name, b"") + body
        at += 12 + size
    return found


@pytest.mark.parametrize("name", ["gain", "deciles", "calibration", "ranks"])
def test_a_picture_is_a_png_with_the_same_bytes_each_time_and_no_metadata(name, tmp_path):
    first = _draw(name, tmp_path / "first.png")
    assert first == tmp_path / "first.png"
    chunks = _chunks(first.read_bytes())
    assert set(chunks) == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert min(width, height) > 600
    assert _draw(name, tmp_path / "second.png").read_bytes() == first.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.png", "second.png"]


def test_drawing_leaves_the_settings_of_matplotlib_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    _draw("gain", tmp_path / "gain.png")
    assert dict(matplotlib.rcParams) == before


def test_small_and_flat_cohorts_can_be_drawn(tmp_path):
    gain_curve([0, 5], {"champion": [1, 1]}, tmp_path / "gain.png")
    decile_bars([0, 5, 3], [1, 1, 1], tmp_path / "deciles.png")
    calibration_curve([True, False], [0.5, 0.5], tmp_path / "calibration.png")
    value_by_rank([7.0], [], ["Everyone"], tmp_path / "one.png")
    value_by_rank([0.0, 0.0], [1.0], ["Low", "High"], tmp_path / "zeros.png", y=[0, -4])
    value_by_rank([-5.0, 3.0, 8.0], [-9.0], ["Low", "High"], tmp_path / "all_high.png")
    for path in tmp_path.iterdir():
        assert b"IDAT" in _chunks(path.read_bytes())


def test_a_gain_curve_of_nobody_who_bought_is_refused(tmp_path):
    with pytest.raises(InputError, match="no customer with a value above 0"):
        gain_curve([0, -1], {"champion": [1, 2]}, tmp_path / "gain.png")
    assert not (tmp_path / "gain.png").exists()


@pytest.mark.parametrize("boundaries", [[20.0, 5.0], [5.0]])
def test_boundaries_that_do_not_ascend_or_do_not_fit_the_tiers_are_refused(boundaries, tmp_path):
    with pytest.raises(InputError, match="expected one boundary fewer than tiers, ascending"):
        value_by_rank([1.0, 2.0], boundaries, ["C", "B", "A"], tmp_path / "ranks.png")
