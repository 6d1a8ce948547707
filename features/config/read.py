"""Read config.toml as frozen, checked values; every refusal names the key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from features.config.of_features import FeatureSettings
from features.config.of_monitoring import MonitoringSettings
from features.config.of_playbook import DEFAULT_PLAYBOOK, PlaybookRow, check_playbook
from features.config.of_pruning import PruningSettings
from features.config.of_serving import ServingSettings
from features.config.of_training import TrainingSettings
from features.config.section import Section
from features.errors import ConfigError
from features.refusals import word_refusal

S = TypeVar("S", bound=BaseModel)


class Config(Section):
    """The whole of config.toml."""

    lang: Literal["en", "zh"] = Field("en", description="language of messages and reports")
    features: FeatureSettings = FeatureSettings()
    training: TrainingSettings = TrainingSettings()
    serving: ServingSettings = ServingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    pruning: PruningSettings = PruningSettings()
    playbook: tuple[PlaybookRow, ...] = Field(
        DEFAULT_PLAYBOOK, description="what to do with whom: rows of tier x lifecycle x risk"
    )

    @model_validator(mode="after")
    def _check_playbook(self) -> Self:
        check_playbook(self.playbook, self.training.tiers.ids, self.training.risk.ids)
        return self


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it does not exist, is not UTF-8 or is not TOML; the message names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as cause:
        raise ConfigError.of("no_settings_file", path=path, why=cause.strerror) from cause
    except UnicodeDecodeError as cause:
        raise ConfigError.of("settings_not_utf8", path=path) from cause
    except (tomllib.TOMLDecodeError, RecursionError) as cause:
        raise ConfigError.of("settings_not_toml", path=path, why=cause) from cause


def check_settings(model: type[S], values: dict[str, Any], path: Path) -> S:
    """Turn raw TOML into checked settings of the type `model`.

    Raises
    ------
    ConfigError
        Naming the first offending key, what was found and what was expected.
    """
    try:
        return model.model_validate(values)
    except ValidationError as cause:
        raise word_refusal(model, cause.errors(include_url=False), path) from cause


def read_config(path: Path) -> Config:
    """Read and check config.toml.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key is unknown or out of range.
    """
    return check_settings(Config, read_toml(path), path)
