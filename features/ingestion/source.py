"""One TOML a source: where its files lie and what their columns mean, as checked values."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from features.config import Name, Section, check_settings, read_toml
from features.errors import ConfigError, did_you_mean
from features.ingestion.currencies import ISO_4217

TABLE_COLUMNS: dict[str, tuple[str, ...]] = {
    "order_lines": (
        "customer_id", "occurred_at", "known_at", "order_id", "amount", "quantity", "unit_price",
        "margin", "unit_cost", "discount", "product_id", "category", "channel",
    ),
    "customers": ("customer_id", "signed_up_at", "region"),
    "reviews": (
        "customer_id", "occurred_at", "known_at", "review_id", "order_id", "stars", "text",
    ),
    "interactions": ("customer_id", "occurred_at", "known_at", "kind"),
}  # fmt: skip
"""Which canonical names a file of each table may map to its own columns."""

SUMMED = frozenset({"amount", "discount"})  # a list of columns is added up
JOINED = frozenset({"occurred_at", "known_at"})  # a list of columns is joined by a space
CONSTANT = frozenset({"kind", "channel", "category", "region"})

Format = Literal["csv", "tsv", "parquet"]
Encoding = Literal["utf-8", "gb18030", "big5", "shift_jis", "cp1252", "latin-1"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _named(value: object) -> object:
    return {name: name for name in value} if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class RawFile(Section):
    """How one kind of raw file is written down."""

    format: Format = Field("csv", description="csv, tsv or parquet")
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="between fields; a comma, of tsv a tab"
    )
    quote: Literal['"', ""] = Field('"', description="quotes a field; empty where none does")
    encoding: Encoding = Field("utf-8", description="of the text; a UTF-8 BOM is taken off")
    header: tuple[str, ...] | None = Field(
        None, description="names of the columns of a file that has no header row"
    )

    @property
    def separator(self) -> str:
        """The delimiter in force."""
        return self.delimiter or ("\t" if self.format == "tsv" else ",")


class Lookup(RawFile):
    """``[[files.lookup]]``: columns fetched from another file, many rows to one of its rows.

    `key` is a column here, `file_key` its name there (the same by default); `columns` are the
    names there, as a list or as a table ``name_here = "name there"``. The key must be unique
    there; rows without a match get nothing and are counted.
    """

    path: str
    key: str
    file_key: str | None = None
    columns: Annotated[dict[str, str], BeforeValidator(_named), Field(min_length=1)]


class Drop(Section):
    """``[[files.drop]]``: rows left out on purpose, counted under the name `rule`.

    Exactly one of `blank`, `equals`, `prefix`, `at_most` says which rows of `column`.
    """

    rule: Name
    column: str
    blank: bool = False
    equals: Names = ()
    prefix: str | None = Field(None, min_length=1)
    at_most: float | None = None

    @model_validator(mode="after")
    def _check_one_condition(self) -> Self:
        given = [self.blank, bool(self.equals), self.prefix is not None, self.at_most is not None]
        if sum(given) != 1:
            raise ValueError("exactly one of blank, equals, prefix, at_most must be given")
        return self


class Returns(Section):
    """``[files.returns]``: what marks a line as a return; without it a negative amount does.

    With `unsigned` the amounts and quantities of marked lines come without a sign and are made
    negative.
    """

    order_id_prefix: str | None = Field(None, min_length=1)
    negative_quantity: bool = False
    column: str | None = None
    equals: Names = ()
    unsigned: bool = False

    @model_validator(mode="after")
    def _check_mark(self) -> Self:
        if (self.column is None) != (not self.equals):
            raise ValueError("column and equals belong together")
        if self.column is None and self.order_id_prefix is None and not self.negative_quantity:
            raise ValueError("one of order_id_prefix, negative_quantity, column must be given")
        return self


class Files(RawFile):
    """``[[files]]``: raw files of one canonical table, all written the same way."""

    table: Literal["order_lines", "customers", "reviews", "interactions"]
    paths: Annotated[Names, Field(min_length=1, description="names or globs below root")]
    columns: dict[str, Names] = Field(description="canonical name = column of the file")
    constants: dict[str, str] = Field({}, description="canonical name = the same text everywhere")
    attributes: Names = Field((), description="other columns of customers to keep")
    audit_only: Names = Field((), description="gender, age, income and the like: never features")
    customer_id_pattern: str | None = Field(
        None, description="an expression the whole id must match; replaces the usual suspicions"
    )
    date_format: str = Field(
        "iso", description="iso, unix_seconds, unix_milliseconds or a format such as %d/%m/%Y"
    )
    date_only: bool = Field(False, description="the times of day in the file mean nothing")
    times_in: str | None = Field(None, description="time zone of times; the shop's by default")
    decimal: Literal[".", ","] = Field(".", description="parts decimals")
    thousands: Literal["", ",", ".", " ", "'"] = Field("", description="groups thousands")
    returns: Returns | None = None
    drop: tuple[Drop, ...] = ()
    lookup: tuple[Lookup, ...] = ()

    @field_validator("paths")
    @classmethod
    def _check_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise ValueError(f"{path} leaves the root; paths are relative to root")
        return paths

    @field_validator("customer_id_pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as cause:
                raise ValueError(f"not a regular expression: {cause}") from cause
        return pattern

    @field_validator("times_in")
    @classmethod
    def _check_times_in(cls, zone: str | None) -> str | None:
        return None if zone is None else check_time_zone(zone)

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        known = TABLE_COLUMNS[self.table]
        for name, columns in self.columns.items():
            if name not in known:
                raise ValueError(f'no canonical column "{name}"; {did_you_mean(name, known)}')
            if len(columns) > 1 and name not in SUMMED | JOINED:
                raise ValueError(f"{name} takes one column, not {len(columns)}")
        for name in self.constants:
            if name not in CONSTANT & set(known):
                raise ValueError(f"{name} of {self.table} cannot be a constant")
        self._check_required()
        if (self.attributes or self.audit_only) and self.table != "customers":
            raise ValueError("attributes and audit_only belong to the table customers")
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must differ")
        return self

    def _check_required(self) -> None:
        required = ["customer_id"]
        if self.table != "customers":
            required.append("occurred_at")
        if self.table == "interactions" and "kind" not in self.constants:
            required.append("kind")
        for name in required:
            if name not in self.columns:
                raise ValueError(f"the column {name} is required of {self.table}")
        if self.table == "order_lines" and "amount" not in self.columns:
            lacking = {"quantity", "unit_price"} - set(self.columns)
            if lacking:
                raise ValueError("amount, or quantity and unit_price, must be given")

    def column(self, name: str) -> str | None:
        """Return the file's column for a canonical name (the first of a list), or None."""
        columns = self.columns.get(name)
        return columns[0] if columns else None

    def needed_columns(self) -> list[str]:
        """Return the columns to be read from the file itself, in a fixed order."""
        wanted = [column for columns in self.columns.values() for column in columns]
        wanted += [drop.column for drop in self.drop]
        if self.returns and self.returns.column:
            wanted.append(self.returns.column)
        wanted += [*self.attributes, *self.audit_only]
        fetched = {name for lookup in self.lookup for name in lookup.columns}
        wanted = [name for name in wanted if name not in fetched]
        wanted += [lookup.key for lookup in self.lookup if lookup.key not in fetched]
        return list(dict.fromkeys(wanted))


class Source(Section):
    """A whole source: its name, money, clock and files."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
    currency: str = Field(description="ISO 4217 code of every amount")
    time_zone: str = Field(description="IANA name of the shop's time zone")
    data_complete_before: date = Field(description="midnight up to which the data is complete")
    data_starts_on: date = Field(date(1971, 1, 1), description="rows dated earlier are set aside")
    value: Literal["amount", "margin"] = Field("amount", description="what a customer is worth")
    root: str = Field(".", description="folder of the files, relative to the TOML")
    files: Annotated[tuple[Files, ...], Field(min_length=1)]

    @field_validator("currency")
    @classmethod
    def _check_currency(cls, currency: str) -> str:
        if currency not in ISO_4217:
            hint = "RMB is CNY" if currency in {"RMB", "CNH"} else "such as EUR, USD, GBP or CNY"
            raise ValueError(f"no ISO 4217 code ({hint})")
        return currency

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        return check_time_zone(zone)

    @model_validator(mode="after")
    def _check_dates_and_files(self) -> Self:
        if self.data_starts_on >= self.data_complete_before:
            raise ValueError("data_starts_on must lie before data_complete_before")
        if not any(files.table == "order_lines" for files in self.files):
            raise ValueError("a [[files]] with table = order_lines is required")
        return self


def check_time_zone(zone: str) -> str:
    """Return `zone` if it is an IANA time zone.

    Raises
    ------
    ValueError
        If it is none.
    """
    if zone not in zoneinfo.available_timezones():
        raise ValueError("no IANA time zone, such as Europe/London or Asia/Shanghai")
    return zone


def read_source(path: Path) -> Source:
    """Read and check the TOML of a source.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key is unknown or wrong; the key is named.
    """
    source = check_settings(Source, read_toml(path), path)
    for files in source.files:
        _check_lookup_names(files, path)
    return source


def _check_lookup_names(files: Files, path: Path) -> None:
    taken: set[str] = set()
    for lookup in files.lookup:
        for name in lookup.columns:
            if name in taken:
                raise ConfigError(
                    f"{path}: two look-ups bring a column {name}; expected distinct names",
                    'name one of them anew: columns = { new_name = "column there" }',
                )
            taken.add(name)
