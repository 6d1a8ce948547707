"""The settings as rows: each key of config.toml with its default, its bounds and its meaning."""

from __future__ import annotations

from dataclasses import dataclass

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from features.config import Config

_SIGNS = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt")}


@dataclass(frozen=True)
class SettingRow:
    """One key of config.toml."""

    key: str
    default: str
    bounds: str
    meaning: str


def list_settings(model: type[BaseModel] = Config, prefix: str = "") -> list[SettingRow]:
    """Return every key of a settings model, tables in order.

    >>> list_settings()[0]
    SettingRow(key='lang', default='en', bounds='en, zh', meaning='language of messages and reports')
    """
    rows: list[SettingRow] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            rows += list_settings(inner, f"{prefix}{name}.")
            continue
        rows.append(
            SettingRow(
                f"{prefix}{name}", _plain(field.default), _bounds(field), field.description or ""
            )
        )
    return rows


def _plain(value: object) -> str:
    if isinstance(value, tuple) and any(isinstance(part, BaseModel) for part in value):
        return f"{len(value)} rows"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(part) for part in value) + "]"
    return str(value)


def _bounds(field: FieldInfo) -> str:
    limits = []
    for one in field.metadata:
        for kind, (sign, attribute) in _SIGNS.items():
            if isinstance(one, kind):
                limits.append(f"{sign} {getattr(one, attribute)}")
    choices = getattr(field.annotation, "__args__", ())
    if not limits and choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(choices)
    return ", ".join(limits)


def settings_text(rows: list[SettingRow]) -> str:
    """Return the settings as a table for people."""
    header = SettingRow("key", "default", "bounds", "meaning")
    lines = [(row.key, row.default, row.bounds, row.meaning) for row in [header, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    return "\n".join(
        "  ".join([*(t.ljust(w) for t, w in zip(line[:3], widths, strict=True)), line[3]])
        for line in lines
    )
