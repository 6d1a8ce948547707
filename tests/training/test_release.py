"""A release folder: whole, checked before it is parsed, and the same for the same inputs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import ReleaseError
from training.artifact import CURRENT, MANIFEST, current_release, point_to, read_files, write_files
from training.golden import golden_sample
from training.release import Release, load_current, load_release, write_release
from training.scores import NO_TIER


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def written(make_release: Any, five_customers: Any, releases: Path) -> Release:
    return write_release(make_release(), five_customers.values, releases)


@pytest.fixture
def folder(written: Release, releases: Path) -> Path:
    return releases / written.digest


@pytest.fixture
def trained_folder(small_world: Any, tmp_path: Path) -> Path:
    """A copy of a release with trees, free to be damaged."""
    folder = tmp_path / "copy" / small_world.release_folder.name
    shutil.copytree(small_world.release_folder, folder)
    return folder


def rewrite(folder: Path, name: str, change: Any) -> Path:
    """Write a release whose file `name` was changed by someone who mended the manifest too."""
    _, files = read_files(folder)
    files[name] = change(files[name])
    return folder.parent / write_files(files, folder.parent)


# --- what is written -------------------------------------------------------------------------


def test_whole_scores_of_five_customers(written: Release, five_customers: Any):
    scores = written.score(five_customers.values)
    assert scores.expected_value == pytest.approx([150.0, 5.0, 180.0, -20.0, 900.0])
    # the fourth has no order day with a positive value; 900 lies on diamond's boundary
    assert scores.tier.tolist() == [1, 0, 1, NO_TIER, 3]
    p_active = 1 - scores.p_churn
    assert scores.value_if_active * p_active == pytest.approx(scores.expected_value)
    assert scores.value_at_risk == pytest.approx(scores.p_churn * scores.value_if_active)


def test_too_little_data_is_told_with_its_reason(written: Release, five_customers: Any):
    reasons = [written.insufficient_reason(row) for row in five_customers.values]
    reason = "0 order days with a positive value before 2011-06-13; a tier needs 1"
    assert reasons == [None, None, None, reason, None]


def test_a_release_comes_back_as_it_was_written(written: Release, folder: Path):
    assert load_release(folder) == written
    assert written.boundaries.cuts == (60.0, 230.0, 900.0)
    assert written.tiers[0].boundary_below == -np.inf
    assert re.fullmatch("[0-9a-f]{64}", written.digest)


def test_a_trained_release_comes_back_and_scores_bit_for_bit(
    small_world: Any, trained_folder: Path
):
    release = load_release(trained_folder)
    made = small_world.result.release
    rows = small_world.features[list(release.columns)].to_numpy(np.float64)
    before, after = made.score(rows), release.score(rows)
    for field in dataclasses.fields(before):
        assert np.array_equal(getattr(before, field.name), getattr(after, field.name))
    assert release.tiers == made.tiers
    assert release.lineage == made.lineage
    assert release.feature_snapshot() == made.feature_snapshot()


def test_the_same_inputs_have_the_same_digest_wherever_they_are_written(
    written: Release, make_release: Any, five_customers: Any, tmp_path: Path
):
    again = write_release(make_release(), five_customers.values, tmp_path / "elsewhere")
    assert again.digest == written.digest


def test_anything_else_has_another_digest(
    written: Release, make_release: Any, five_customers: Any, releases: Path
):
    others = [
        dataclasses.replace(make_release(), minimum_orders=2),
        dataclasses.replace(make_release(), lineage={"data": "e" * 64}),
    ]
    digests = {write_release(other, five_customers.values, releases).digest for other in others}
    assert len({written.digest, *digests}) == 3


def test_writing_what_is_there_leaves_it_alone(
    written: Release, make_release: Any, five_customers: Any, releases: Path, folder: Path
):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_release(make_release(), five_customers.values, releases)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert [path.name for path in releases.iterdir()] == [written.digest]


def test_a_release_holds_json_and_lightgbm_texts_and_no_pickle_and_no_moment(trained_folder: Path):
    files = [path for path in trained_folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(trained_folder)) for path in files}
    trees = {name for name in names if re.fullmatch(r"trees/[a-z_]+_\d\.txt", name)}
    own = {"release.json", "policy.json", "golden.json", "reference.json"}
    assert names - trees == {MANIFEST, *own}
    assert len(trees) == 12
    for path in files:
        text = path.read_bytes().decode("utf-8")
        assert not re.search(r"pickle|joblib|\d\d:\d\d:\d\d|T\d\d:\d\d", text)
        if path.suffix == ".txt":
            assert text.startswith("tree\n")
        else:
            json.loads(text)


def test_golden_rows_are_spread_over_the_ranking_ends_included():
    value = np.random.default_rng(0).permutation(1000).astype(float)
    golden = np.sort(value[golden_sample(value)])
    assert (len(golden), golden[0], golden[-1]) == (24, 0, 999)
    assert np.ptp(np.diff(golden)) <= 1
    assert sorted(golden_sample(np.array([3.0, 1.0])).tolist()) == [0, 1]


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["release.json", "golden.json", "trees/tweedie_value_1.txt"])
def test_a_changed_byte_is_refused(trained_folder: Path, name: str):
    content = bytearray((trained_folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (trained_folder / name).write_bytes(content)
    with pytest.raises(ReleaseError, match=f"{name} has been changed; expected sha256"):
        load_release(trained_folder)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_model_is_refused_before_lightgbm_sees_it(trained_folder: Path, share: float):
    tree = trained_folder / "trees" / "active_0.txt"
    tree.write_bytes(tree.read_bytes()[: int(tree.stat().st_size * share)])
    with pytest.raises(ReleaseError, match=r"active_0\.txt has been changed"):
        load_release(trained_folder)


@pytest.mark.parametrize("name", ["release.json", "trees/active_0.txt"])
def test_a_missing_file_is_refused(trained_folder: Path, name: str):
    (trained_folder / name).unlink()
    with pytest.raises(ReleaseError, match=f"missing or foreign files: {name}; expected those"):
        load_release(trained_folder)


@pytest.mark.parametrize("name", ["extra.pkl", "trees/active_9.txt", ".hidden"])
def test_a_foreign_file_is_refused(trained_folder: Path, name: str):
    (trained_folder / name).write_bytes(b"x")
    with pytest.raises(ReleaseError, match=f"missing or foreign files: {re.escape(name)};"):
        load_release(trained_folder)


@pytest.mark.parametrize("name", ["release.json", MANIFEST])
def test_a_symlink_is_refused_even_to_the_right_bytes(folder: Path, tmp_path: Path, name: str):
    aside = tmp_path / "aside"
    (folder / name).rename(aside)
    (folder / name).symlink_to(aside)
    with pytest.raises(ReleaseError, match=f"no file .*{name}; expected a release folder"):
        load_release(folder)


def test_a_symlinked_folder_of_trees_is_refused(trained_folder: Path, tmp_path: Path):
    (trained_folder / "trees").rename(tmp_path / "trees")
    (trained_folder / "trees").symlink_to(tmp_path / "trees", target_is_directory=True)
    with pytest.raises(ReleaseError, match="missing or foreign files: trees/"):
        load_release(trained_folder)


def test_no_folder_is_refused(releases: Path):
    with pytest.raises(ReleaseError, match=r"no file .*manifest\.json; expected a release folder"):
        load_release(releases / "nothing")


def test_an_unknown_format_is_refused(folder: Path, tmp_path: Path):
    told = json.loads((folder / MANIFEST).read_text())
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / MANIFEST).write_text(json.dumps(told | {"format": 99}))
    with pytest.raises(ReleaseError, match="has format 99; expected 2"):
        load_release(copy)


@pytest.mark.parametrize("manifest", [b"\xff", b"[]", b"{", b'{"format": 1}', b'{"files": {}}'])
def test_a_manifest_that_is_none_is_refused(folder: Path, tmp_path: Path, manifest: bytes):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / MANIFEST).write_bytes(manifest)
    with pytest.raises(ReleaseError, match="is not JSON with a format and files"):
        load_release(copy)


def test_a_folder_named_after_another_digest_is_refused(folder: Path, tmp_path: Path):
    other = rewrite(folder, "release.json", lambda text: text.replace(b'"GBP"', b'"EUR"'))
    shutil.rmtree(folder)
    other.rename(folder)
    with pytest.raises(ReleaseError, match="expected the digest that is the folder's name"):
        load_release(folder)


def test_golden_rows_that_do_not_come_out_as_they_were_are_refused(folder: Path):
    def change(text: bytes) -> bytes:
        told = json.loads(text)
        told["expected_value"][0] = float(np.nextafter(told["expected_value"][0], np.inf))
        return json.dumps(told).encode()

    with pytest.raises(ReleaseError, match="does not reproduce its golden rows"):
        load_release(rewrite(folder, "golden.json", change))


def test_a_model_that_was_exchanged_does_not_reproduce_the_golden_rows(trained_folder: Path):
    _, files = read_files(trained_folder)
    other = files["trees/active_1.txt"]
    exchanged = rewrite(trained_folder, "trees/active_0.txt", lambda _: other)
    with pytest.raises(ReleaseError, match="does not reproduce its golden rows"):
        load_release(exchanged)


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("release.json", b"{", "JSONDecodeError"),
        ("release.json", b"{}", "KeyError"),
        ("golden.json", b"{}", "KeyError"),
        ("release.json", b"\xff", "UnicodeDecodeError"),
    ],
)
def test_whole_files_of_nonsense_are_refused(folder: Path, name: str, content: bytes, cause: str):
    broken = rewrite(folder, name, lambda _: content)
    with pytest.raises(ReleaseError, match=rf"cannot be read \({cause}: .*a whole release"):
        load_release(broken)


def test_an_empty_tree_is_refused(trained_folder: Path):
    broken = rewrite(trained_folder, "trees/active_0.txt", lambda _: b"")
    with pytest.raises(ReleaseError, match=r"cannot be read \(BoosterError"):
        load_release(broken)


# --- which one is served ---------------------------------------------------------------------


def test_the_pointer_names_the_release_that_is_served(
    written: Release, make_release: Any, five_customers: Any, releases: Path
):
    other = write_release(
        dataclasses.replace(make_release(), currency="EUR"), five_customers.values, releases
    )
    for digest in (written.digest, other.digest, written.digest):
        point_to(releases, digest)
        assert load_current(releases).digest == digest
        assert current_release(releases) == releases / digest
    assert (releases / CURRENT).read_text() == f"{written.digest}\n"
    names = {path.name for path in releases.iterdir()}
    assert names == {CURRENT, written.digest, other.digest}


def test_a_pointer_to_no_release_is_refused_and_changes_nothing(written: Release, releases: Path):
    point_to(releases, written.digest)
    with pytest.raises(ReleaseError, match=r"no release aaaaaaaaaaaa in .*; expected a folder"):
        point_to(releases, "a" * 64)
    assert load_current(releases) == written


def test_nothing_promoted_is_told(written: Release, releases: Path):
    with pytest.raises(
        ReleaseError, match=r"nothing is promoted in .*; expected a file named curr"
    ):
        load_current(releases)
