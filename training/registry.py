"""The registry: runs, figures, versions and the champion alias. The only importer of mlflow."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.errors import InputError

MODEL = "tiers"
CHAMPION = "champion"
EXPERIMENT = "tiers"
RELEASE_PATH = "release"
DIGEST_TAG = "release_digest"


def _mlflow() -> Any:
    """Import mlflow, which takes seconds, only when it is needed; without telemetry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    import mlflow

    for name in ("alembic", "mlflow.store.db.utils", "mlflow.utils.environment"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


@dataclass(frozen=True)
class Version:
    """A registered version of the model.

    Attributes
    ----------
    number : str
        MLflow's version.
    digest : str
        Of the release it holds.
    run_id : str
        The run that made it.
    tags : dict
        Its tags.
    """

    number: str
    digest: str
    run_id: str
    tags: dict[str, str]


class Registry:
    """Runs and versions in ``STATE/mlflow.db``, artifacts in ``STATE/mlruns``."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._mlflow = _mlflow()
        self.uri = f"sqlite:///{(state / 'mlflow.db').resolve()}"
        self._mlflow.set_tracking_uri(self.uri)
        self._mlflow.set_registry_uri(self.uri)
        self._client = self._mlflow.MlflowClient(self.uri, self.uri)
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            artifacts = (state / "mlruns").resolve().as_uri()
            self._experiment_id = self._client.create_experiment(EXPERIMENT, artifacts)
        else:
            self._experiment_id = experiment.experiment_id

    @contextmanager
    def run(self, name: str, *, nested: bool = False) -> Iterator[str]:
        """Open a run and yield its id; under ``mlflow run`` the outer run is the project's.

        A nested run belongs to the experiment of the run that is open, wherever that is.
        """
        resumed = None if nested else os.environ.pop("MLFLOW_RUN_ID", None)
        outer = self._mlflow.active_run() if nested else None
        experiment_id = outer.info.experiment_id if outer else self._experiment_id
        with self._mlflow.start_run(
            run_id=resumed,
            experiment_id=None if resumed else experiment_id,
            run_name=name,
            nested=nested,
        ) as active:
            yield active.info.run_id

    def log(
        self,
        *,
        parameters: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log to the run that is open.

        Under ``mlflow run`` the run bears the command line's parameters already, and MLflow lets
        none be changed: where ours has another value it gets the name with ``_used`` behind it.
        """
        if parameters:
            self._mlflow.log_params(self._beside(parameters))
        if metrics:
            self._mlflow.log_metrics({k: float(v) for k, v in metrics.items() if v == v})
        if tags:
            self._mlflow.set_tags(dict(tags))

    def _beside(self, parameters: Mapping[str, Any]) -> dict[str, str]:
        """Return parameters under names that the open run has not given another value."""
        borne = self._client.get_run(self._mlflow.active_run().info.run_id).data.params
        told = {name: str(value) for name, value in parameters.items()}
        return {
            name if borne.get(name, value) == value else f"{name}_used": value
            for name, value in told.items()
        }

    def log_folder(self, folder: Path, path: str) -> None:
        """Log every file of a folder below `path` of the open run."""
        self._mlflow.log_artifacts(str(folder), path)

    def log_json(self, value: Any, path: str) -> None:
        """Log a JSON document to the open run."""
        self._mlflow.log_dict(value, path)

    def register(
        self, run_id: str, folder: Path, tags: Mapping[str, str], model: str = MODEL
    ) -> Version:
        """Register the release in `folder` as a version; the same digest makes no second one."""
        digest = folder.name
        if not self._client.search_registered_models(f"name='{model}'"):
            self._client.create_registered_model(model)
        for version in self.versions(model):
            if version.digest == digest:
                return version
        self._mlflow.log_artifacts(str(folder), RELEASE_PATH)
        source = f"{self._client.get_run(run_id).info.artifact_uri}/{RELEASE_PATH}"
        made = self._client.create_model_version(
            model, source, run_id, tags={**tags, DIGEST_TAG: digest}
        )
        return Version(str(made.version), digest, run_id, {**tags, DIGEST_TAG: digest})

    def versions(self, model: str = MODEL) -> list[Version]:
        """Return every registered version, the newest first."""
        found = self._client.search_model_versions(f"name='{model}'")
        return sorted(map(_version, found), key=lambda version: -int(version.number))

    def champion(self, model: str = MODEL) -> Version | None:
        """Return the version that the alias names, or None."""
        models = self._client.search_registered_models(f"name='{model}'")
        if not models or CHAMPION not in models[0].aliases:
            return None
        return _version(self._client.get_model_version_by_alias(model, CHAMPION))

    def tag(self, version: Version, name: str, value: str) -> None:
        """Write a fact beside a version."""
        self._client.set_model_version_tag(MODEL, version.number, name, value)

    def set_champion(self, version: Version, model: str = MODEL) -> None:
        """Move the alias: the one switch of a promotion."""
        self._client.set_registered_model_alias(model, CHAMPION, version.number)

    def failed_runs(self, before: datetime) -> list[str]:
        """Return the ids of the runs that failed or were killed before a moment, without a version."""
        held = {version.run_id for version in self.versions()}
        cut = int(before.timestamp() * 1000)
        query = f"attributes.status != 'FINISHED' and attributes.start_time < {cut}"
        found = self._client.search_runs([self._experiment_id], query, max_results=1000)
        return [run.info.run_id for run in found if run.info.run_id not in held]

    def remove_run(self, run_id: str) -> None:
        """Mark a run as removed; `mlflow gc` takes its files."""
        self._client.delete_run(run_id)

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the figures of a run."""
        return dict(self._client.get_run(run_id).data.metrics)

    def fetch_champion(self, destination: Path) -> Path:
        """Copy the champion's release folder to `destination` and return it.

        Raises
        ------
        InputError
            If there is no champion.
        """
        if self.champion() is None:
            raise InputError(
                f"no champion in {self.uri}; expected the alias {CHAMPION} of {MODEL}",
                "run: python -m training train, then python -m training promote",
            )
        path = self._mlflow.artifacts.download_artifacts(
            f"models:/{MODEL}@{CHAMPION}", dst_path=str(destination)
        )
        return Path(path)


def move_champion(state: Path, digest: str) -> str:
    """Let the alias follow a rollback and say what came of it; what is served does not wait for it."""
    mlflow = _mlflow()
    try:
        registry = Registry(state)
        known = {version.digest: version for version in registry.versions()}
        if digest not in known:
            return f"the registry knows no version of {digest[:12]}; its alias stays"
        registry.set_champion(known[digest])
    except mlflow.exceptions.MlflowException as cause:
        line = str(cause).splitlines()[0]
        return f"the registry could not be reached ({line}); its alias stays until a promotion"
    return f"the registry's {CHAMPION} is version {known[digest].number} again"


def _version(found: Any) -> Version:
    tags = dict(found.tags)
    return Version(str(found.version), tags.get(DIGEST_TAG, ""), found.run_id, tags)
