"""How raw files are written down and what their columns mean: the ``[[files]]`` of a source."""

from __future__ import annotations

import re
import zoneinfo
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from features.config import Name, Section
from features.errors import WrongValue, hint

TABLE_COLUMNS: dict[str, tuple[str, ...]] = {
    "order_lines": (
        "customer_id", "account", "occurred_at", "known_at", "order_id", "amount", "quantity",
        "unit_price", "margin", "unit_cost", "discount", "currency", "product_id", "category",
        "channel",
    ),
    "customers": ("customer_id", "account", "signed_up_at", "region"),
    "reviews": (
        "customer_id", "account", "occurred_at", "known_at", "review_id", "order_id", "stars",
        "text",
    ),
    "interactions": ("customer_id", "account", "occurred_at", "known_at", "kind"),
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
            raise WrongValue(
                "exactly one of blank, equals, prefix, at_most must be given",
                "blank、equals、prefix、at_most 中须恰好给出一个",
            )
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
            raise WrongValue("column and equals belong together", "column 与 equals 须同时给出")
        if self.column is None and self.order_id_prefix is None and not self.negative_quantity:
            raise WrongValue(
                "one of order_id_prefix, negative_quantity, column must be given",
                "order_id_prefix、negative_quantity、column 中须给出一个",
            )
        return self


class Files(RawFile):
    """``[[files]]``: raw files of one canonical table, all written the same way."""

    table: Literal["order_lines", "customers", "reviews", "interactions"]
    paths: Annotated[Names, Field(min_length=1, description="names, globs or folders below root")]
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
    duplicates: Literal["keep", "drop"] = Field(
        "keep",
        description="rows equal to an earlier one of their file in every column that is read",
    )
    returns: Returns | None = None
    drop: tuple[Drop, ...] = ()
    lookup: tuple[Lookup, ...] = ()

    @field_validator("paths")
    @classmethod
    def _check_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            check_below_root(path)
        return paths

    @field_validator("customer_id_pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as cause:
                raise WrongValue(
                    f"not a regular expression: {cause}", f"不是正则表达式：{cause}"
                ) from cause
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
                close = hint(name, known)
                raise WrongValue(
                    f'no canonical column "{name}"; {close["en"]}',
                    f"没有标准列“{name}”；{close['zh']}",
                )
            if len(columns) != 1 and (not columns or name not in SUMMED | JOINED):
                raise WrongValue(
                    f"{name} takes one column, not {len(columns)}",
                    f"{name} 只能对应一列，而不是 {len(columns)} 列",
                )
        for name in self.constants:
            if name not in CONSTANT & set(known):
                raise WrongValue(
                    f"{name} of {self.table} cannot be a constant",
                    f"{self.table} 的 {name} 不能是常量",
                )
        self._check_required()
        if (self.attributes or self.audit_only) and self.table != "customers":
            raise WrongValue(
                "attributes and audit_only belong to the table customers",
                "attributes 与 audit_only 只属于 customers 表",
            )
        if self.decimal == self.thousands:
            raise WrongValue("decimal and thousands must differ", "decimal 与 thousands 不能相同")
        return self

    def _check_required(self) -> None:
        required = ["customer_id"]
        if self.table != "customers":
            required.append("occurred_at")
        if self.table == "interactions" and "kind" not in self.constants:
            required.append("kind")
        for name in required:
            if name not in self.columns:
                raise WrongValue(
                    f"the column {name} is required of {self.table}",
                    f"{self.table} 必须给出列 {name}",
                )
        if self.table == "order_lines" and "amount" not in self.columns:
            lacking = {"quantity", "unit_price"} - set(self.columns)
            if lacking:
                raise WrongValue(
                    "amount, or quantity and unit_price, must be given",
                    "须给出 amount，或同时给出 quantity 与 unit_price",
                )

    @property
    def has_margin(self) -> bool:
        """Whether the margin of a line is given or can be made."""
        return "margin" in self.columns or {"unit_cost", "quantity"} <= set(self.columns)

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


def check_below_root(path: str) -> None:
    """Check that a path or glob of a source stays below its root.

    Raises
    ------
    WrongValue
        If it is absolute, empty or climbs.
    """
    pure = PurePosixPath(path.replace("\\", "/"))
    if not path.strip() or pure.is_absolute() or ".." in pure.parts or "\x00" in path:
        raise WrongValue(
            f"{path!r} leaves the root; paths are relative to root",
            f"{path!r} 越出 root；路径须相对于 root",
        )


@cache
def _list_time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def check_time_zone(zone: str) -> str:
    """Return `zone` if it is an IANA time zone.

    Raises
    ------
    WrongValue
        If it is none.
    """
    if zone not in _list_time_zones():
        raise WrongValue(
            "no IANA time zone, such as Europe/London or Asia/Shanghai",
            "不是 IANA 时区，例如 Europe/London 或 Asia/Shanghai",
        )
    return zone
