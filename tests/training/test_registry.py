"""The registry on a real MLflow store: runs, versions, the alias, and the way back to a folder."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from training.record import record_training
from training.registry import Registry
from training.release import Release, load_release, write_release


@pytest.fixture
def registry(mlflow_state: Path) -> Registry:
    return Registry(mlflow_state)


@pytest.fixture
def written(make_release: Any, five_customers: Any, mlflow_state: Path) -> Release:
    return write_release(make_release(), five_customers.values, mlflow_state / "releases")


def register(registry: Registry, state: Path, digest: str, **tags: str) -> Any:
    with registry.run("train") as run_id:
        return registry.register(run_id, state / "releases" / digest, tags)


def other_release(make_release: Any, five_customers: Any, state: Path) -> str:
    made = dataclasses.replace(make_release(), currency="EUR")
    return write_release(made, five_customers.values, state / "releases").digest


def test_a_version_tells_its_digest_and_tags(registry, mlflow_state, written):
    version = register(registry, mlflow_state, written.digest, source="hand_made", ngini="0.5")
    assert (version.number, version.digest) == ("1", written.digest)
    assert version.tags == {
        "source": "hand_made",
        "ngini": "0.5",
        "release_digest": written.digest,
    }
    assert Registry(mlflow_state).versions() == [version]


def test_the_same_digest_makes_no_second_version(registry, mlflow_state, written):
    first = register(registry, mlflow_state, written.digest)
    again = register(registry, mlflow_state, written.digest)
    assert again == first
    assert len(registry.versions()) == 1


def test_versions_come_newest_first(registry, mlflow_state, written, make_release, five_customers):
    other = other_release(make_release, five_customers, mlflow_state)
    register(registry, mlflow_state, written.digest)
    register(registry, mlflow_state, other)
    assert [(v.number, v.digest) for v in registry.versions()] == [
        ("2", other),
        ("1", written.digest),
    ]


def test_one_switch_moves_the_champion_and_its_folder(
    registry, mlflow_state, written, make_release, five_customers, tmp_path
):
    other = other_release(make_release, five_customers, mlflow_state)
    first = register(registry, mlflow_state, written.digest)
    second = register(registry, mlflow_state, other)
    assert registry.champion() is None
    for round_, version in enumerate((first, second, first)):
        registry.set_champion(version)
        assert registry.champion() == version
        fetched = registry.fetch_champion(tmp_path / f"fetched_{round_}")
        assert load_release(fetched).digest == version.digest


def test_a_fetched_champion_is_the_release_byte_for_byte(registry, mlflow_state, written, tmp_path):
    registry.set_champion(register(registry, mlflow_state, written.digest))
    fetched = registry.fetch_champion(tmp_path / "fetched")
    folder = mlflow_state / "releases" / written.digest
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_without_a_champion_nothing_is_fetched(registry, tmp_path):
    assert registry.versions() == []
    with pytest.raises(
        InputError, match=r"no champion in .*; expected the alias champion of tiers"
    ):
        registry.fetch_champion(tmp_path / "fetched")


def test_everything_lies_in_the_state_folder(registry, mlflow_state, written, monkeypatch):
    monkeypatch.chdir(mlflow_state.parent)
    register(registry, mlflow_state, written.digest)
    assert {path.name for path in mlflow_state.parent.iterdir()} == {"state"}
    assert {path.name for path in mlflow_state.iterdir()} == {"mlflow.db", "mlruns", "releases"}


def test_a_training_is_recorded_with_a_run_a_model_figures_pictures_and_the_release(
    registry, mlflow_state, small_world
):
    result, config = small_world.result, small_world.config
    state = mlflow_state.parent / "recorded"
    (state / "releases").mkdir(parents=True)
    (state / "releases" / result.release.digest).symlink_to(small_world.release_folder)
    version = record_training(result, config, registry, state, date(2026, 1, 2))
    backtest = result.backtest
    assert version.digest == result.release.digest
    assert float(version.tags["ngini"]) == backtest.metrics[backtest.winner]["ngini"]
    figures = registry.metrics(version.run_id)
    assert figures["ngini_learned"] == backtest.metrics["blend"]["ngini"]
    assert figures["n_customers"] == len(backtest.cohort)
    client = registry._client
    run = client.get_run(version.run_id)
    assert run.data.params["horizon_days"] == "180"
    assert run.data.tags["release"] == version.digest
    nested = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{version.run_id}'"
    )
    assert {one.data.tags["model"] for one in nested} == set(backtest.models)
    for one in nested:
        model = one.data.tags["model"]
        assert one.data.metrics["ngini"] == backtest.metrics[model]["ngini"]
    kept = {item.path for item in client.list_artifacts(version.run_id, "report")}
    pictures = ("gain.png", "deciles.png", "calibration.png", "value_by_rank.png")
    tables = ("models.txt", "tiers_en.txt", "tiers_zh.txt")
    assert {f"report/{name}" for name in (*pictures, *tables)} <= kept
    reports = state / "reports" / version.digest[:12]
    assert all((reports / name).stat().st_size > 1000 for name in pictures)


def test_under_mlflow_run_the_projects_run_keeps_its_parameters_and_takes_ours_beside(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    from mlflow import MlflowClient

    client = MlflowClient(registry.uri, registry.uri)
    elsewhere = client.create_experiment("of the project")
    project = client.create_run(elsewhere).info.run_id
    client.log_param(project, "source", "datasets/shop.toml")
    client.log_param(project, "cutoffs", "5")
    monkeypatch.setenv("MLFLOW_RUN_ID", project)
    with registry.run("train") as run_id:
        with registry.run("blend", nested=True) as nested:
            registry.log(metrics={"ngini": 0.5})
        registry.log(parameters={"source": "shop", "cutoffs": 5, "seed": 0})
    assert run_id == project
    assert client.get_run(project).data.params == {
        "source": "datasets/shop.toml",
        "source_used": "shop",
        "cutoffs": "5",
        "seed": "0",
    }
    child = client.get_run(nested)
    assert child.info.experiment_id == elsewhere
    assert child.data.tags["mlflow.parentRunId"] == project
