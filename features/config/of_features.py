"""Settings of the features: ``[features]``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from features.config.section import Name, Section
from features.errors import WrongValue


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


class SentimentSettings(Section):
    """``[features.sentiment]``: how what customers wrote is scored, and whether features see it."""

    enabled: bool = Field(True, description="whether scored reviews bring their features")
    model: str = Field(
        "", description="Hugging Face folder or hub id; empty: the packaged e5 model"
    )
    revision: str = Field("", description="commit or tag of a hub id")
    text_prefix: str = Field("query: ", description="laid before every text; e5 models want it")
    labels: tuple[Literal["negative", "neutral", "positive"], ...] = Field(
        (), description="what each output of a classifying model means; empty: it gives vectors"
    )
    max_tokens: int = Field(128, ge=8, le=512, description="tokens that are read of a text")
    workers: int = Field(2, ge=1, le=64, description="processes that score, one thread each")

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        is_told = {"negative", "positive"} <= set(self.labels)
        if self.labels and not (is_told and len(set(self.labels)) == len(self.labels)):
            raise WrongValue(
                "labels must be distinct, with negative and positive among them",
                "labels 必须互不相同，并包含 negative 和 positive",
            )
        return self


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
    sentiment: SentimentSettings = SentimentSettings()
