"""The TOML of customers under contract: one file, one row a customer, and who of them left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from features.config import Section, check_settings, read_toml
from features.errors import InputError, WrongValue
from features.ingestion.file_settings import RawFile, check_below_root

KIND = "contract"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _as_texts(value: object) -> object:
    listed = _listed(value)
    return [str(v) for v in listed] if isinstance(listed, list) else listed


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts)]


class ContractFile(RawFile):
    """``[table]``: the raw file and what its columns mean. Columns not named are not read."""

    path: str = Field(description="file, relative to root")
    customer_id: str = Field(description="column of the customer's id")
    customer_id_pattern: str | None = Field(
        None, description="an expression the whole id must match; replaces the usual suspicions"
    )
    label: str = Field(description="column that says who left; blank where it is not known yet")
    churned: Texts = Field(min_length=1, description="values of the label of those who left")
    stayed: Texts = Field(min_length=1, description="values of the label of those who stayed")
    numbers: Names = Field((), description="columns that are amounts, counts or durations")
    categories: Names = Field((), description="columns of a few distinct values")
    audit_only: Names = Field((), description="gender, age, family and the like: never features")
    missing: Texts = Field((), description="texts that mean no value, beside a blank cell")
    decimal: Literal[".", ","] = Field(".", description="parts decimals")
    thousands: Literal["", ",", ".", " ", "'"] = Field("", description="groups thousands")

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        check_below_root(path)
        return path

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        named = [self.customer_id, self.label, *self.numbers, *self.categories, *self.audit_only]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise WrongValue(
                f"{twice[0]} is named twice; a column has one meaning",
                f"{twice[0]} 出现了两次；一列只能有一种含义",
            )
        if not self.numbers and not self.categories:
            raise WrongValue(
                "numbers or categories must name a column",
                "numbers 或 categories 须至少给出一列",
            )
        both = sorted(set(self.churned) & set(self.stayed))
        if both:
            raise WrongValue(
                f'"{both[0]}" is named under churned and stayed',
                f"“{both[0]}”同时出现在 churned 与 stayed 中",
            )
        return self

    @property
    def columns(self) -> list[str]:
        """The columns that are read, in a fixed order."""
        return [
            self.customer_id, self.label, *self.numbers, *self.categories, *self.audit_only,
        ]  # fmt: skip


class ContractSource(Section):
    """A whole source of customers under contract."""

    kind: Literal["contract"] = Field(description="one row a customer with a label, no orders")
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
    root: str = Field(".", description="folder of the file, relative to the TOML")
    table: ContractFile


def is_contract_source(path: Path) -> bool:
    """Return whether a source's TOML tells of customers under contract.

    Raises
    ------
    ConfigError
        If the file is missing or is not TOML.
    """
    return read_toml(path).get("kind") == KIND


def check_has_reviews(path: Path) -> None:
    """Refuse a source of customers under contract where reviews are to be read.

    Raises
    ------
    InputError
        If the TOML tells of customers under contract.
    ConfigError
        If the file is missing or is not TOML.
    """
    if is_contract_source(path):
        raise InputError(
            f"{path} tells of customers under contract, one row each without reviews; expected a "
            "source of orders with a table of reviews",
            "give what they wrote as a column of numbers in their own table",
        )


def read_contract_source(path: Path) -> ContractSource:
    """Read and check the TOML of customers under contract.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key is unknown or wrong; the key is named.
    """
    return check_settings(ContractSource, read_toml(path), path)
