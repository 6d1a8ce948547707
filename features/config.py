"""Settings: config.toml as frozen, checked values; every refusal names the key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigError
from features.refusals import word_refusal

Share = Annotated[float, Field(gt=0, lt=1)]
LowerShare = Annotated[float, Field(ge=0, lt=1)]
UpperShare = Annotated[float, Field(gt=0, le=1)]
Gap = Annotated[float, Field(ge=0)]
S = TypeVar("S", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    """A table of settings: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class IngestionSettings(Section):
    """``[features.ingestion]``: the largest raw files that are read; larger ones are refused."""

    largest_file_mb: int = Field(4096, ge=1, le=1_000_000, description="bytes of one file, in MB")
    most_rows: int = Field(100_000_000, ge=1, description="records of one file")
    most_columns: int = Field(2000, ge=1, description="columns of one file")
    longest_cell: int = Field(1_000_000, ge=100, description="characters of one cell")
    parquet_memory_mb: int = Field(
        2048, ge=512, description="memory of the process that reads Parquet, in MB"
    )
    unit_slip_ratio: float = Field(
        20.0, gt=1, description="a file's median amount over that of the files before: an alarm"
    )


class OwnColumns(Section):
    """One file of ``features.extra``: a shop's own columns."""

    path: str = Field(
        min_length=1, description="CSV or Parquet of customer_id, known_at and columns"
    )
    columns: tuple[Name, ...] = Field(min_length=1, description="columns of numbers that are taken")


class FeatureSettings(Section):
    """``[features]``: how feature tables are computed."""

    memory_limit_mb: int = Field(3000, ge=256, description="DuckDB's share of memory, in MB")
    threads: int = Field(2, ge=1, le=64, description="threads of the feature build")
    extra: tuple[OwnColumns, ...] = Field((), description="files of the shop's own columns")
    meant: tuple[str, ...] = Field(
        (), description="own columns that tell the outcome alone, and are meant to"
    )
    ingestion: IngestionSettings = IngestionSettings()


def _check_limits(
    ids: tuple[str, ...],
    labels: tuple[tuple[str, ...], tuple[str, ...]],
    minimum: tuple[float, ...],
    maximum: tuple[float, ...],
) -> None:
    """Refuse a scheme whose lists do not fit each other or whose shares cannot add to 1."""
    if {len(ids)} != {len(minimum), len(maximum), *map(len, labels)}:
        raise ValueError(
            "ids, labels_zh, labels_en, minimum_shares and maximum_shares must have the same length"
        )
    if not 2 <= len(ids) <= 10:
        raise ValueError(f"{len(ids)} tiers; expected 2 to 10")
    if len(set(ids)) != len(ids):
        raise ValueError("ids must be distinct")
    for name, low, high in zip(ids, minimum, maximum, strict=True):
        if low > high:
            raise ValueError(f"minimum_shares of {name} is {low:g}; expected at most {high:g}")
    if sum(minimum) > 1 + 1e-9:
        raise ValueError(f"minimum_shares add to {sum(minimum):g}; expected at most 1")
    if sum(maximum) < 1 - 1e-9:
        raise ValueError(f"maximum_shares add to {sum(maximum):g}; expected at least 1")


class TierSettings(Section):
    """``[training.tiers]``: the scheme, bottom to top, and how its boundaries are found."""

    ids: tuple[Name, ...] = Field(
        ("regular", "silver", "gold", "diamond"), description="ids of the tiers"
    )
    labels_zh: tuple[str, ...] = Field(
        ("普通", "白银", "黄金", "钻石"), description="Chinese labels"
    )
    labels_en: tuple[str, ...] = Field(
        ("Regular", "Silver", "Gold", "Diamond"), description="English labels"
    )
    method: Literal["learned", "shares"] = Field(
        "learned", description="boundaries learned and certified, or cut at fixed shares"
    )
    shares: tuple[Share, ...] = Field(
        (0.70, 0.20, 0.08, 0.02), description="shares of customers where they are fixed"
    )
    minimum_shares: tuple[LowerShare, ...] = Field(
        (0.0, 0.05, 0.03, 0.01), description="least share of customers of each learned tier"
    )
    maximum_shares: tuple[UpperShare, ...] = Field(
        (1.0, 0.30, 0.15, 0.05), description="greatest share of customers: its capacity"
    )
    minimum_gaps: tuple[Gap, ...] = Field(
        (), description="least rise of the mean value at each boundary, currency; empty: none"
    )
    n_customers_min: int = Field(50, ge=1, description="customers a tier is learned from")
    n_payers_min: int = Field(30, ge=0, description="of them with a positive outcome")
    rise_standard_errors: float = Field(
        2.33, ge=0, description="least rise of the mean value from tier to tier"
    )
    certification_level: float = Field(
        0.05, gt=0, lt=0.5, description="error of the certification, over all boundaries together"
    )
    incumbent_standard_errors: float = Field(
        1.0, ge=0, le=2, description="realised value given up at most to stay near the last scheme"
    )
    n_candidate_cuts: int = Field(160, ge=10, le=400, description="cuts the programme may choose")

    @model_validator(mode="after")
    def _check_scheme(self) -> Self:
        labels = self.labels_zh, self.labels_en
        _check_limits(self.ids, labels, self.minimum_shares, self.maximum_shares)
        if len(self.shares) != len(self.ids):
            raise ValueError("shares and ids must have the same length")
        if abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares add to {sum(self.shares):g}; expected 1")
        if self.minimum_gaps and len(self.minimum_gaps) != len(self.ids) - 1:
            raise ValueError(
                f"{len(self.minimum_gaps)} minimum_gaps; expected none or {len(self.ids) - 1}, "
                "one a boundary"
            )
        return self


class RiskSettings(Section):
    """``[training.risk]``: levels of churn, bottom to top; a lane of its own beside the tiers."""

    ids: tuple[Name, ...] = Field(("low", "medium", "high"), description="ids of the levels")
    labels_zh: tuple[str, ...] = Field(("低风险", "中风险", "高风险"), description="Chinese labels")
    labels_en: tuple[str, ...] = Field(
        ("Low risk", "Medium risk", "High risk"), description="English labels"
    )
    minimum_shares: tuple[LowerShare, ...] = Field(
        (0.10, 0.10, 0.10), description="least share of customers of each level"
    )
    maximum_shares: tuple[UpperShare, ...] = Field(
        (0.80, 0.80, 0.80), description="greatest share of customers of each level"
    )
    n_customers_min: int = Field(50, ge=1, description="customers a level is learned from")

    @model_validator(mode="after")
    def _check_scheme(self) -> Self:
        labels = self.labels_zh, self.labels_en
        _check_limits(self.ids, labels, self.minimum_shares, self.maximum_shares)
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
    n_rounds: int = Field(200, ge=1, le=5000, description="trees of each LightGBM member")
    num_threads: int = Field(2, ge=1, le=64, description="LightGBM threads")
    minimum_customers: int = Field(
        100, ge=2, description="customers a cohort needs before anything is learned"
    )
    minimum_orders: int = Field(
        1, ge=1, description="order days with a positive value below which no tier is given"
    )
    tiers: TierSettings = TierSettings()
    risk: RiskSettings = RiskSettings()


class ServingSettings(Section):
    """``[serving]``: the HTTP service."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(3000, ge=1, le=65535, description="port to listen on")
    workers: int = Field(1, ge=1, le=64, description="processes that answer")
    max_batch: int = Field(1000, ge=1, le=100_000, description="customers in one request")
    max_body_bytes: int = Field(1_000_000, ge=1024, description="longest request body, in bytes")
    body_seconds: float = Field(5.0, gt=0, description="time in which a body must be there")
    max_bodies: int = Field(128, ge=1, description="bodies on their way at once, a worker")
    max_concurrency: int = Field(
        256, ge=1, description="requests waiting for the processor at once, a worker; more get 503"
    )
    bad_keys_a_minute: int = Field(
        10, ge=1, description="wrong keys of one address a minute that get 401; more get 429"
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="host names the service may be asked by, beside loopback and serving.host"
    )
    drain_seconds: float = Field(
        2.0, ge=0, le=20, description="between 'not ready' and the end of accepting, at a stop"
    )
    log_sample_share: float = Field(
        1.0, ge=0, le=1, description="share of answers the prediction log keeps"
    )
    log_seconds: float = Field(5.0, gt=0, description="between two segments of the prediction log")
    log_queue_rows: int = Field(
        100_000, ge=1, description="answers that may wait to be logged; more are dropped"
    )
    log_retention_days: int = Field(90, ge=1, description="days the prediction log is kept")


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
