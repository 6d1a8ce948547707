"""Settings: config.toml as frozen, checked values; every refusal names the key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigError, did_you_mean

Share = Annotated[float, Field(gt=0, lt=1)]
S = TypeVar("S", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    """A table of settings: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FeatureSettings(Section):
    """``[features]``: how feature tables are computed."""

    memory_limit_mb: int = Field(3000, ge=256, description="DuckDB's share of memory, in MB")
    threads: int = Field(2, ge=1, le=64, description="threads of the feature build")


class TierSettings(Section):
    """``[training.tiers]``: the scheme, bottom to top."""

    shares: tuple[Share, ...] = Field((0.70, 0.20, 0.08, 0.02), description="shares of customers")
    ids: tuple[Name, ...] = Field(
        ("regular", "silver", "gold", "diamond"), description="ids of the tiers"
    )
    labels_zh: tuple[str, ...] = Field(
        ("普通", "白银", "黄金", "钻石"), description="Chinese labels"
    )
    labels_en: tuple[str, ...] = Field(
        ("Regular", "Silver", "Gold", "Diamond"), description="English labels"
    )

    @model_validator(mode="after")
    def _check_scheme(self) -> Self:
        lengths = {len(self.shares), len(self.ids), len(self.labels_zh), len(self.labels_en)}
        if len(lengths) != 1:
            raise ValueError("shares, ids, labels_zh and labels_en must have the same length")
        if not 2 <= len(self.ids) <= 10:
            raise ValueError(f"{len(self.ids)} tiers; expected 2 to 10")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ids must be distinct")
        if abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares add to {sum(self.shares):g}; expected 1")
        return self


class TrainingSettings(Section):
    """``[training]``: cohorts, models and the scheme."""

    horizon_days: int = Field(180, ge=7, le=730, description="days predicted")
    seed: int = Field(0, ge=0, description="seed of every random step")
    n_cutoffs: int = Field(6, ge=1, le=24, description="training cohorts, the newest first")
    cutoff_decay: float = Field(0.8, gt=0, le=1, description="weight of each older cohort")
    n_folds: int = Field(
        3, ge=2, le=10, description="cross-fitting folds by a hash of the customer"
    )
    n_rounds: int = Field(100, ge=1, le=5000, description="trees of each LightGBM member")
    num_threads: int = Field(2, ge=1, le=64, description="LightGBM threads")
    minimum_customers: int = Field(
        100, ge=2, description="customers a cohort needs before anything is learned"
    )
    minimum_orders: int = Field(
        1, ge=1, description="order days with a positive value below which no tier is given"
    )
    tiers: TierSettings = TierSettings()


class ServingSettings(Section):
    """``[serving]``: the HTTP service."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(3000, ge=1, le=65535, description="port to listen on")
    workers: int = Field(1, ge=1, le=64, description="processes that answer")
    max_batch: int = Field(1000, ge=1, le=100_000, description="customers in one request")
    max_body_bytes: int = Field(1_000_000, ge=1024, description="longest request body, in bytes")


class MonitoringSettings(Section):
    """``[monitoring]``: when a window may speak, and how loud."""

    minimum_rows: int = Field(200, ge=1, description="rows below which a window is insufficient")
    psi_alarm: float = Field(0.25, gt=0, description="population stability index of an alarm")


class Config(Section):
    """The whole of config.toml."""

    lang: Literal["en", "zh"] = Field("en", description="language of messages and reports")
    features: FeatureSettings = FeatureSettings()
    training: TrainingSettings = TrainingSettings()
    serving: ServingSettings = ServingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it does not exist, is not UTF-8 or is not TOML; the message names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as cause:
        raise ConfigError(
            f"no file {path}; expected a TOML file", "check the path, or copy config.toml"
        ) from cause
    except UnicodeDecodeError as cause:
        raise ConfigError(f"{path} is not UTF-8", "save the file as UTF-8") from cause
    except tomllib.TOMLDecodeError as cause:
        raise ConfigError(f"{path} is not valid TOML: {cause}", "mend that line") from cause


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
        # A misspelt key explains the missing one, so it comes first.
        errors = cause.errors(include_url=False)
        first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        if first["type"] == "extra_forbidden":
            known = _keys_at(model, first["loc"][:-1])
            hint = did_you_mean(str(first["loc"][-1]), known)
            raise ConfigError(f"{path}: unknown key {key}; {hint}", "mend or remove it") from cause
        message = first["msg"].removeprefix("Value error, ")
        message = f"{message[:1].lower()}{message[1:]}"
        if first["type"] == "missing":
            found = f"{key} is missing; expected a value"
        elif isinstance(first["input"], dict):
            found = f"{key}: {message}"
        else:
            found = f"{key} is {first['input']!r}; {message}"
        raise ConfigError(
            f"{path}: {found}",
            f"mend {key} in {path}",
        ) from cause


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the table at `location` may have."""
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        models = [one for one in (inner, *get_args(inner)) if _is_model(one)]
        if not models:
            return []
        model = models[0]
    return list(model.model_fields)


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def read_config(path: Path) -> Config:
    """Read and check config.toml.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key is unknown or out of range.
    """
    return check_settings(Config, read_toml(path), path)
