"""A setting that pydantic refuses, in the words of the house: its key, what was found, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard, get_args

from pydantic import BaseModel

from features.errors import ConfigError, WrongValue, hint
from features.messages import Words

CHINESE = {
    "greater_than_equal": "应不小于 {ge}",
    "greater_than": "应大于 {gt}",
    "less_than_equal": "应不大于 {le}",
    "less_than": "应小于 {lt}",
    "literal_error": "应为 {expected}",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "finite_number": "应为有限的数字",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "string_type": "应为文本",
    "string_pattern_mismatch": "应符合 {pattern}",
    "string_too_short": "至少需要 {min_length} 个字符",
    "string_too_long": "最多 {max_length} 个字符",
    "too_short": "至少需要 {min_length} 项",
    "too_long": "最多 {max_length} 项",
    "tuple_type": "应为列表",
    "dict_type": "应为表",
    "model_type": "应为表",
    "date_type": "应为日期，例如 2025-01-31",
    "date_parsing": "应为日期，例如 2025-01-31",
    "date_from_datetime_parsing": "应为日期，例如 2025-01-31",
    "date_from_datetime_inexact": "应为不带时刻的日期",
}
"""The refusals of pydantic that our settings can meet, with its names for the limits."""


def word_refusal(model: type[BaseModel], errors: list[Any], path: Path) -> ConfigError:
    """Return the error that names the first offending key of a file of settings.

    Parameters
    ----------
    model : type[BaseModel]
        What the file was checked against.
    errors : list
        What ``ValidationError.errors()`` lists.
    path : Path
        The file.
    """
    # A misspelt key explains the missing one, so it comes first.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"]) or "(top level)"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        close = hint(str(first["loc"][-1]), known)
        return ConfigError.of("unknown_key", path=path, key=key, hint=close)
    if first["type"] == "missing":
        return ConfigError.of("missing_key", path=path, key=key)
    why = _reason(first)
    if isinstance(first["input"], dict):
        return ConfigError.of("wrong_table", path=path, key=key, why=why)
    return ConfigError.of("wrong_key", path=path, key=key, value=_short(first["input"]), why=why)


def _reason(error: Mapping[str, Any]) -> Words:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, WrongValue):
        return cause.words
    english = error["msg"].removeprefix("Value error, ")
    english = f"{english[:1].lower()}{english[1:]}"
    chinese = CHINESE.get(error["type"], english)
    return {"en": english, "zh": chinese.format(**error.get("ctx", {}))}


def _short(value: object) -> str:
    told = repr(value)
    return told if len(told) <= 200 else f"{told[:200]}..."


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
