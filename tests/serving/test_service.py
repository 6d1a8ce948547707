"""The BentoML service: our application at "/", BentoML's health checks, readiness that means it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from features.errors import ReleaseError
from serving import service
from serving.current import load_current, read_current
from serving.keys import KEYS, add_key
from serving.predictor import Predictor
from tests.serving.conftest import Shop
from training.artifact import point_to, write_files

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config.toml"
FORBIDDEN = {"pandas", "mlflow", "sklearn", "torch", "ibis", "duckdb", "evidently", "pickle"}


def served_client(state: Path) -> Iterator[TestClient]:
    """The whole service on a state folder, asked with a key that may ask everything of customers."""
    key = add_key(state / KEYS, "test", "application", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(service.STATE_VARIABLE, str(state))
        monkeypatch.setenv(service.CONFIG_VARIABLE, str(CONFIG))
        made = service.TierService.to_asgi()
        with TestClient(made, base_url="http://127.0.0.1", headers=bearer(key)) as client:
            yield client


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def client(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("served") / "state"
    shutil.copytree(shop.state, state)
    yield from served_client(state)


@pytest.fixture
def empty_client(tmp_path: Path) -> Iterator[TestClient]:
    yield from served_client(tmp_path)


def test_the_service_answers_as_the_application_does(client: TestClient, shop: Shop):
    answer = client.get("/v1/customers/00123/tier")
    predicted = shop.predictor.answer_for("00123")
    assert predicted is not None
    assert answer.json()["expected_value"] == predicted.expected_value
    assert client.get("/v1/customers/a%2Fb%20100%25/tier").status_code == 200
    assert client.post("/v1/tiers", json=[{"customer_id": "x"}]).status_code == 200
    assert client.delete("/v1/scheme").status_code == 405


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz"])
def test_health_checks_are_bentoml_s_and_need_no_key(client: TestClient, path: str):
    answer = client.get(path, headers={"authorization": ""})
    assert (answer.status_code, answer.text.strip()) == (200, "")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.post(path).status_code == 405


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/static_content/index.html"])
def test_pages_of_bentoml_s_own_are_covered(client: TestClient, path: str):
    assert client.get(path, headers={"authorization": ""}).status_code == 401
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_path")


def test_metrics_are_ours_and_only_ours(client: TestClient):
    client.get("/v1/customers/secret-person/tier")
    assert client.get("/metrics").status_code == 403
    text = TestClient(service.application).get("/metrics").text
    assert "tierwise_requests_total" in text
    assert "bentoml" not in text
    assert "secret-person" not in text


def test_without_a_release_the_service_lives_but_is_not_ready(empty_client: TestClient):
    assert empty_client.get("/livez").status_code == 200
    assert empty_client.get("/readyz").status_code == 503
    answer = empty_client.get("/v1/customers/00123/tier")
    assert answer.status_code == 503
    assert answer.json()["error"]["found"].startswith("no promoted release in ")


def test_a_setting_that_is_not_there_keeps_the_service_from_being_ready(shop: Shop, tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text("[serving]\nprot = 3000\n")
    assert service.begin(shop.state, config) is None
    answer = TestClient(service.application).get("/v1/scheme")
    assert answer.status_code == 503
    assert "unknown key serving.prot" in answer.json()["error"]["found"]
    assert TestClient(service.guard).get("/v1/scheme").status_code == 503


@pytest.fixture
def copied_state(shop: Shop, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shop.state, tmp_path / "state"))


def test_the_pointer_names_what_is_loaded(shop: Shop):
    assert read_current(shop.state).digest == shop.release.digest
    assert load_current(shop.state).release_id == shop.release.digest[:12]


def test_a_release_without_a_store_is_served_for_vectors(copied_state: Path):
    shutil.rmtree(copied_state / "online")
    assert isinstance(load_current(copied_state), Predictor)
    assert load_current(copied_state).store is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no promoted release in .*expected the file .*current"),
        (b"", "holds ''; expected 64 hex digits"),
        (b"../../etc/passwd", "expected 64 hex digits"),
        (b"0" * 64, "names a release that is not there"),
        (b"\xff\xff", "cannot be read"),
    ],
)
def test_a_pointer_that_leads_nowhere_is_refused(
    copied_state: Path, content: bytes | None, message: str
):
    pointer = copied_state / "releases" / "current"
    pointer.unlink()
    if content is not None:
        pointer.write_bytes(content)
    with pytest.raises(ReleaseError, match=message):
        load_current(copied_state)


def test_a_changed_release_is_refused_and_the_service_says_so(copied_state: Path, shop: Shop):
    policy = copied_state / "releases" / shop.release.digest / "policy.json"
    policy.write_text(policy.read_text().replace("230.0", "130.0"))
    with pytest.raises(ReleaseError, match=r"policy\.json has been changed"):
        load_current(copied_state)
    for client in served_client(copied_state):
        assert client.get("/readyz").status_code == 503
        assert "has been changed" in client.get("/v1/scheme").json()["error"]["found"]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"not JSON", b'{"format": 1}'])
def test_a_manifest_that_cannot_be_parsed_is_refused(
    copied_state: Path, shop: Shop, content: bytes
):
    manifest = copied_state / "releases" / shop.release.digest / "manifest.json"
    manifest.write_bytes(content)
    with pytest.raises(ReleaseError, match="expected"):
        load_current(copied_state)


def test_a_release_under_another_digest_is_refused(copied_state: Path, shop: Shop):
    other = "0" * 64
    releases = copied_state / "releases"
    (releases / shop.release.digest).rename(releases / other)
    point_to(releases, other)
    with pytest.raises(ReleaseError, match="expected the digest that is the folder's name"):
        load_current(copied_state)


def imported_names(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize(
    "path", sorted((ROOT / "serving").glob("*.py")), ids=lambda path: path.name
)
def test_serving_imports_neither_frames_nor_trackers(path: Path):
    names = imported_names(path)
    assert not {name.partition(".")[0] for name in names} & FORBIDDEN
    assert {name for name in names if name.startswith("training")} <= {
        "training.release",
        "training.pointers",
        "training.scores",
    }


def test_only_the_service_module_and_nothing_pure_knows_bentoml():
    knowing = {
        path.name
        for path in (ROOT / "serving").glob("*.py")
        if any(name.startswith(("bentoml", "_bentoml")) for name in imported_names(path))
    }
    assert knowing == {"service.py"}


LOADED = """
import sys
from pathlib import Path
from serving.service import application, begin
running = begin(Path(sys.argv[1]), Path("config.toml"))
running.stop()
heavy = ("pandas", "sklearn", "lightgbm", "mlflow", "torch", "ibis", "duckdb", "evidently", "transformers", "pyspark", "matplotlib")
print(application.is_ready, *(name for name in heavy if name in sys.modules))
"""


@pytest.mark.slow
def test_a_worker_with_a_release_has_loaded_no_tracker_engine_or_deep_learning(shop: Shop):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(shop.state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True"]


def test_customers_under_contract_are_refused_with_the_way_to_score_them(tmp_path: Path):
    contract = tmp_path / "contracts" / "telco"
    with pytest.raises(ReleaseError, match="no promoted release") as nothing:
        read_current(tmp_path)
    assert "contract" not in nothing.value.do
    digest = write_files({"contract.json": b"{}"}, contract / "releases")
    point_to(contract / "releases", digest)
    for state, found in (
        (tmp_path, "has releases of customers under contract only; expected one of tiers"),
        (contract, "tells who leaves a contract; expected a release of tiers"),
    ):
        with pytest.raises(ReleaseError, match=found) as refused:
            read_current(state)
        assert "python -m training score --source" in refused.value.do
