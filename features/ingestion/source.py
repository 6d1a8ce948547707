"""One TOML a source: its money, its clock, its rules and its files, as checked values."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from features.config import Section, check_settings, read_toml
from features.errors import ConfigError, InputError, WrongValue
from features.ingestion.currencies import ISO_4217
from features.ingestion.file_settings import Files, check_below_root, check_time_zone


class Rate(Section):
    """``[[rates]]``: what one unit of another currency is worth in the source's own.

    Where a currency has several rates, that of the latest `starting` on or before a row's day
    counts; without `starting` a rate counts from the beginning.
    """

    currency: str = Field(description="ISO 4217 code that the rows bear")
    rate: float = Field(gt=0, description="units of the source's currency for one unit")
    starting: date = Field(date.min, description="first day of the rate")

    @field_validator("currency")
    @classmethod
    def _check_currency(cls, currency: str) -> str:
        return check_currency(currency)


class Rules(Section):
    """``[rules]``: what becomes of rows that are whole but do not fit the others.

    ``keep`` accepts and counts them, ``quarantine`` sets them aside.
    """

    orders_before_signup: Literal["keep", "quarantine"] = Field(
        "quarantine", description="orders of a day before the customer's signed_up_at"
    )
    unlinked_returns: Literal["keep", "quarantine"] = Field(
        "keep", description="returns without an earlier sale of that order or product"
    )
    unknown_customers: Literal["keep", "quarantine"] = Field(
        "keep", description="orders, reviews and interactions of nobody in the table customers"
    )


class LeftOut(Section):
    """``[left_out]``: files of customer ids, one a line, whose rows are dropped and counted."""

    erased: str | None = Field(None, description="people who had their data erased")
    objecting: str | None = Field(None, description="people who object to being scored")

    @field_validator("erased", "objecting")
    @classmethod
    def _check_path(cls, path: str | None) -> str | None:
        if path is not None:
            check_below_root(path)
        return path


class Source(Section):
    """A whole source: its name, money, clock and files."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
    currency: str = Field(description="ISO 4217 code of every amount")
    time_zone: str = Field(description="IANA name of the shop's time zone")
    data_complete_before: date = Field(description="midnight up to which the data is complete")
    data_starts_on: date = Field(date(1971, 1, 1), description="rows dated earlier are set aside")
    value: Literal["amount", "margin"] = Field("amount", description="what a customer is worth")
    root: str = Field(".", description="folder of the files, relative to the TOML")
    files: Annotated[tuple[Files, ...], Field(min_length=1)]
    rates: tuple[Rate, ...] = Field((), description="other currencies that rows may bear")
    rules: Rules = Rules()
    left_out: LeftOut = LeftOut()

    @field_validator("currency")
    @classmethod
    def _check_currency(cls, currency: str) -> str:
        return check_currency(currency)

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        return check_time_zone(zone)

    @model_validator(mode="after")
    def _check_dates_and_files(self) -> Self:
        if self.data_starts_on >= self.data_complete_before:
            raise WrongValue(
                "data_starts_on must lie before data_complete_before",
                "data_starts_on 必须早于 data_complete_before",
            )
        orders = [files for files in self.files if files.table == "order_lines"]
        if not orders:
            raise WrongValue(
                "a [[files]] with table = order_lines is required",
                "须有一个 table = order_lines 的 [[files]]",
            )
        if self.value == "margin" and not all(files.has_margin for files in orders):
            raise WrongValue(
                'value = "margin" needs margin, or unit_cost and quantity, of every order_lines',
                'value = "margin" 要求每个 order_lines 给出 margin，或 unit_cost 与 quantity',
            )
        if any(rate.currency == self.currency for rate in self.rates):
            raise WrongValue(
                f"rates names the source's own currency {self.currency}",
                f"rates 中出现了数据源自己的货币 {self.currency}",
            )
        return self


def check_currency(currency: str) -> str:
    """Return `currency` if it is an ISO 4217 code.

    Raises
    ------
    WrongValue
        If it is none.
    """
    if currency not in ISO_4217:
        chinese = currency in {"RMB", "CNH"}
        told = ("RMB is CNY", "人民币是 CNY") if chinese else (
            "such as EUR, USD, GBP or CNY", "例如 EUR、USD、GBP 或 CNY")  # fmt: skip
        raise WrongValue(f"no ISO 4217 code ({told[0]})", f"不是 ISO 4217 代码（{told[1]}）")
    return currency


def read_source(path: Path) -> Source:
    """Read and check the TOML of a source.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key is unknown or wrong; the key is named.
    InputError
        If it tells of customers under contract.
    """
    values = read_toml(path)
    if values.get("kind") == "contract":
        raise InputError(
            f"{path} tells of customers under contract, one row each; expected a source of orders",
            "use ingest, train, promote and score, which take both kinds",
        )
    source = check_settings(Source, values, path)
    for files in source.files:
        _check_lookup_names(files, path)
    return source


def _check_lookup_names(files: Files, path: Path) -> None:
    taken: set[str] = set()
    for lookup in files.lookup:
        for name in lookup.columns:
            if name in taken:
                raise ConfigError.of("lookups_bring_one_name", path=path, name=name)
            taken.add(name)
