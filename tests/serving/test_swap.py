"""Taking up releases while serving: only whole, signed, checked ones; the one before goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from features.errors import ReleaseError
from features.online import write_online
from serving.application import Application
from serving.check import check_in_child
from serving.metrics import Metrics
from serving.swap import LAST_GOOD, ReleaseWatch
from tests.serving.conftest import CUSTOMERS, LIMITS, Shop
from training.artifact import point_to, roll_back
from training.models.formulas import COLUMNS
from training.pointers import POINTERS, read_pointer
from training.promotion import Note, roll_back_release
from training.release import Release, load_release, write_release
from training.signing import PRIVATE_KEY, PUBLIC_KEY

ROOT = Path(__file__).resolve().parents[2]


def trust(folder: Path) -> None:
    """Check nothing: what a child process finds is tested by itself."""


class Place:
    """A state folder with two releases, the first promoted, and an application on it."""

    def __init__(self, state: Path, first: Release) -> None:
        self.state = state
        self.releases = state / "releases"
        self.first = first
        rows = CUSTOMERS[list(COLUMNS)].to_numpy(np.float64)
        self.second = write_release(replace(first, currency="EUR", digest=""), rows, self.releases)
        self.application = Application(Metrics())
        self.watch = self.new_watch()

    def new_watch(self) -> ReleaseWatch:
        return ReleaseWatch(self.application, self.state, LIMITS, check=trust)

    def begin(self) -> None:
        self.watch.begin()
        self.watch.stop()

    @property
    def served(self) -> str:
        return self.application.release_id

    def refused(self) -> float:
        for line in self.application.metrics.exposition().decode().splitlines():
            if line.startswith("tierwise_refused_releases_total "):
                return float(line.split()[1])
        return 0.0


@pytest.fixture
def place(shop: Shop, tmp_path: Path) -> Place:
    state = Path(shutil.copytree(shop.state, tmp_path / "state"))
    return Place(state, shop.release)


def test_a_promotion_is_taken_up_and_a_rollback_goes_back(place: Place):
    place.begin()
    assert place.served == place.first.digest[:12]
    point_to(place.releases, place.second.digest)
    place.watch.look()
    assert place.served == place.second.digest[:12]
    assert roll_back(place.releases) == place.first.digest
    place.watch.look()
    assert place.served == place.first.digest[:12]
    last = read_pointer(place.releases, place.state / "keys")
    assert (last.number, last.act) == (3, "roll back")


def test_r17_a_rollback_is_answered_within_five_seconds_also_without_a_registry(place: Place):
    point_to(place.releases, place.second.digest)
    place.watch.begin()
    assert place.served == place.second.digest[:12]
    assert not (place.state / "mlflow.db").exists()
    begun = monotonic()
    roll_back_release(place.state, Note(datetime(2024, 5, 1, tzinfo=UTC), ("it is worse",), {}))
    while place.served != place.first.digest[:12] and monotonic() - begun < 5:
        sleep(0.02)
    place.watch.stop()
    assert place.served == place.first.digest[:12]


def test_a_release_is_checked_elsewhere_once_so_a_rollback_takes_no_time(place: Place):
    checked: list[str] = []
    watch = ReleaseWatch(
        place.application, place.state, LIMITS, check=lambda folder: checked.append(folder.name)
    )
    watch.begin()
    watch.stop()
    for digest in (place.second.digest, place.first.digest, place.second.digest):
        point_to(place.releases, digest)
        watch.look()
        assert place.served == digest[:12]
    assert checked == [place.first.digest, place.second.digest]


def test_what_was_damaged_after_its_check_is_refused_without_one(place: Place):
    place.begin()
    for digest in (place.second.digest, place.first.digest):
        point_to(place.releases, digest)
        place.watch.look()
    damage_file(place)
    point_to(place.releases, place.second.digest)
    place.watch.look()
    assert place.served == place.first.digest[:12]
    assert place.refused() == 1


def test_nothing_before_the_first_promotion_can_be_gone_back_to(place: Place):
    with pytest.raises(ReleaseError, match="nothing was served before"):
        roll_back(place.releases)


def test_a_new_store_is_taken_up_with_the_same_release(place: Place):
    place.begin()
    folder = place.state / "online" / place.first.digest
    richer = CUSTOMERS.assign(net_spend=CUSTOMERS["net_spend"] + 100)
    write_online(folder, place.first.columns, richer, {})
    place.watch.look()
    serving = place.application._serving
    assert serving is not None
    answer = serving.predictor.answer_for("123")
    assert answer is not None
    assert answer.expected_value == 105.0


def damage_file(place: Place) -> None:
    path = place.releases / place.second.digest / "release.json"
    path.write_text(path.read_text().replace("EUR", "USD"))


def damage_manifest(place: Place) -> None:
    (place.releases / place.second.digest / "manifest.json").write_text("{}")


def remove_file(place: Place) -> None:
    (place.releases / place.second.digest / "golden.json").unlink()


def add_file(place: Place) -> None:
    (place.releases / place.second.digest / "more.pkl").write_bytes(b"\x80\x04.")


def link_file(place: Place) -> None:
    path = place.releases / place.second.digest / "golden.json"
    path.rename(place.state / "golden.json")
    path.symlink_to(place.state / "golden.json")


@pytest.mark.parametrize("damage", [damage_file, damage_manifest, remove_file, add_file, link_file])
def test_a_damaged_release_is_refused_and_the_one_before_goes_on(place: Place, damage: object):
    place.begin()
    point_to(place.releases, place.second.digest)
    damage(place)  # type: ignore[operator]
    place.watch.look()
    place.watch.look()
    assert place.served == place.first.digest[:12]
    assert place.refused() == 1
    roll_back(place.releases)
    place.watch.look()
    assert place.served == place.first.digest[:12]


def unsign(place: Place) -> None:
    (place.releases / "current").write_text(place.second.digest)


def forge(place: Place) -> None:
    unsign(place)
    line = {"number": 9, "digest": place.second.digest, "act": "promote", "signature": "00" * 64}
    with (place.state / POINTERS).open("a") as file:
        file.write(json.dumps(line) + "\n")


def sign_with_another_key(place: Place) -> None:
    (place.state / "keys" / PRIVATE_KEY).unlink()
    public = (place.state / "keys" / PUBLIC_KEY).read_bytes()
    point_to(place.releases, place.second.digest)
    (place.state / "keys" / PUBLIC_KEY).write_bytes(public)


def move_signature(place: Place) -> None:
    """Another digest under a good signature."""
    unsign(place)
    line = json.loads((place.state / POINTERS).read_text().splitlines()[-1])
    line["digest"] = place.second.digest
    (place.state / POINTERS).write_text(json.dumps(line) + "\n")


def remove_public_key(place: Place) -> None:
    point_to(place.releases, place.second.digest)
    (place.state / "keys" / PUBLIC_KEY).unlink()


@pytest.mark.parametrize(
    "attack", [unsign, forge, sign_with_another_key, move_signature, remove_public_key]
)
def test_what_nobody_with_the_key_signed_is_refused(place: Place, attack: object):
    place.begin()
    attack(place)  # type: ignore[operator]
    place.watch.look()
    assert place.served == place.first.digest[:12]
    assert place.refused() == 1


def test_an_old_pointer_put_back_is_refused_also_after_a_restart(place: Place):
    old = (place.state / POINTERS).read_bytes()
    place.begin()
    point_to(place.releases, place.second.digest)
    place.watch.look()
    (place.state / POINTERS).write_bytes(old)
    (place.releases / "current").write_text(place.first.digest)
    place.watch.look()
    assert place.served == place.second.digest[:12]
    place.application = Application(Metrics())
    place.watch = place.new_watch()
    place.begin()
    assert place.served == place.second.digest[:12]


def test_the_last_good_release_is_served_at_a_start_with_a_damaged_one(place: Place):
    place.begin()
    point_to(place.releases, place.second.digest)
    damage_file(place)
    place.application = Application(Metrics())
    place.watch = place.new_watch()
    place.begin()
    assert place.served == place.first.digest[:12]


def test_with_nothing_to_serve_the_reason_is_told(tmp_path: Path):
    application = Application(Metrics())
    watch = ReleaseWatch(application, tmp_path, LIMITS, check=trust)
    watch.begin()
    watch.stop()
    assert not application.is_ready
    assert application._why_not.detail.found.startswith("no promoted release in ")


def test_what_was_served_is_remembered(place: Place):
    place.begin()
    told = json.loads((place.state / LAST_GOOD).read_text())
    assert told == {"digest": place.first.digest, "number": 1}


def test_the_private_key_is_for_its_owner_only(place: Place):
    assert (place.state / "keys" / PRIVATE_KEY).stat().st_mode & 0o777 == 0o600
    (place.state / "keys" / PRIVATE_KEY).chmod(0o640)
    with pytest.raises(ReleaseError, match="can be read by others; expected mode 0600"):
        point_to(place.releases, place.second.digest)


def test_a_line_cut_short_by_a_kill_has_never_counted(place: Place):
    with (place.state / POINTERS).open("ab") as file:
        file.write(b'{"number": 2, "dig')
    assert read_pointer(place.releases, place.state / "keys").number == 1
    point_to(place.releases, place.second.digest)
    assert read_pointer(place.releases, place.state / "keys").number == 2


def test_a_child_says_what_is_wrong_and_a_good_release_passes(place: Place):
    check_in_child(place.releases / place.first.digest)
    damage_file(place)
    with pytest.raises(ReleaseError, match=r"release\.json has been changed"):
        check_in_child(place.releases / place.second.digest)


HOOKED = """
import io, pickle, sys
from serving.audit import harden_interpreter
import numpy, pandas, joblib, cloudpickle
payload = pickle.dumps(print)
harden_interpreter()
buffer = io.BytesIO()
numpy.save(buffer, numpy.array([print], dtype=object), allow_pickle=True)
buffer.seek(0)
tried = {
    "pickle": lambda: pickle.loads(payload),
    "python pickle": lambda: pickle._loads(payload),
    "cloudpickle": lambda: cloudpickle.loads(payload),
    "joblib": lambda: joblib.load(io.BytesIO(payload)),
    "pandas": lambda: pandas.read_pickle(io.BytesIO(payload)),
    "numpy": lambda: numpy.load(buffer, allow_pickle=True),
}
for name, load in tried.items():
    try:
        load()
        print("ran", name)
    except Exception as error:
        print("refused", name, type(error).__name__)
"""


@pytest.mark.slow
def test_unpickling_is_impossible_after_the_hook():
    done = subprocess.run(
        [sys.executable, "-c", HOOKED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 6
    assert all(line.startswith("refused ") for line in done.stdout.splitlines())


def test_a_release_says_its_digest(place: Place):
    assert load_release(place.releases / place.second.digest).currency == "EUR"
