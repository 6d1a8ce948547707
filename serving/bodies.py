"""Strict reading of JSON bodies: the quick way for what is right, the exact way for what is not.

msgspec reads and checks a body in a microsecond, but is silent on duplicate keys, stops at the
first fault (so broken JSON behind a wrong type looks like a wrong type) and does not name the
offending key of a map. A body that msgspec refuses, or that has more colons than its keys
explain, is therefore read a second time, slowly, to say exactly what is wrong.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import UnsetType

from serving import refusals
from serving.schemas import BatchItem, TierRequest

T = TypeVar("T")

_REQUEST = msgspec.json.Decoder(TierRequest)
_BATCH = msgspec.json.Decoder(list[BatchItem])
_KINDS = {
    "object": "an object",
    "array": "an array",
    "str": "a string",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
}
_MAP_VALUE = re.compile(r"(?:\[(?P<position>\d+)\]\.)?features\[\.\.\.\]")
_UNKNOWN_OR_MISSING = re.compile(
    r"Object (?:contains|missing) (?P<what>unknown|required) field `(?P<name>.*)`$", re.DOTALL
)


class _DuplicateKeyError(ValueError):
    """A key stands twice in one object."""


def read_request(body: bytes) -> TierRequest:
    """Read the body of POST /v1/tier.

    Raises
    ------
    Refused
        400 for what is not JSON, 422 naming the field for what is not a request.
    """
    request = _decode(_REQUEST, body)
    if body.count(b":") != _n_keys(request):
        _read_exactly(body)
    return request


def read_batch(body: bytes, max_batch: int) -> list[BatchItem]:
    """Read the body of POST /v1/tiers: 1 to `max_batch` items, each with an id or features.

    Raises
    ------
    Refused
        400 for what is not JSON, 413 for too many items, 422 naming the field.
    """
    items = _decode(_BATCH, body)
    if body.count(b":") != sum(_n_keys(item) for item in items):
        _read_exactly(body)
    if not items:
        raise refusals.bad_field("$", "an empty batch", f"1 to {max_batch} items")
    if len(items) > max_batch:
        raise refusals.batch_too_large(len(items), max_batch)
    for position, item in enumerate(items):
        if isinstance(item.customer_id, UnsetType) and isinstance(item.features, UnsetType):
            raise refusals.empty_item(position)
    return items


def _decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode, or find out exactly what is wrong."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as cause:
        raise _explained(_read_exactly(body), str(cause)) from cause
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        _read_exactly(body)
        raise refusals.invalid_json(str(cause)) from cause


def _n_keys(item: TierRequest | BatchItem) -> int:
    """Return how many keys the item's JSON has if none stands twice."""
    n_keys = 0 if isinstance(item.customer_id, UnsetType) else 1
    return n_keys if isinstance(item.features, UnsetType) else n_keys + 1 + len(item.features)


def _read_exactly(body: bytes) -> Any:
    """Read JSON slowly, refusing duplicate keys, non-finite numbers and too deep a nesting."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_int=float)
    except _DuplicateKeyError as cause:
        raise refusals.duplicate_key(str(cause)) from cause
    except UnicodeDecodeError as cause:
        raise refusals.invalid_json("bytes that are not UTF-8") from cause
    except RecursionError as cause:
        raise refusals.invalid_json("arrays or objects nested too deep") from cause
    except json.JSONDecodeError as cause:
        found = f"{cause.msg} at character {cause.pos}" if body else "an empty body"
        raise refusals.invalid_json(found) from cause
    for path, number in _numbers(value):
        if not math.isfinite(number):
            raise refusals.not_finite(path)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of `pairs`; its keys must be distinct."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKeyError(key[:100])
        found[key] = value
    return found


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield each number with its path, such as ``[3].features.net_spend``."""
    if isinstance(value, float):
        yield path or "$", value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _numbers(inner, f"{path}[{position}]")


def _explained(value: Any, message: str) -> refusals.Refused:
    """Turn msgspec's message into a refusal that names the field, keys of maps included."""
    text, _, where = message.partition(" - at `")
    path = where.rstrip("`").removeprefix("$").removeprefix(".")
    if inside := _MAP_VALUE.fullmatch(path):
        path = path.replace("[...]", f".{_first_not_number(value, inside['position'])}")
    if missing := _UNKNOWN_OR_MISSING.match(text):
        name = missing["name"]
        path = f"{path}.{name}" if path else name
        if missing["what"] == "unknown":
            expected = "customer_id and features, nothing else"
            return refusals.bad_field(path, f'an unknown field "{name}"', expected, "unknown_field")
        return refusals.bad_field(path, f"no {name}", f"a field {name}")
    expected, _, got = text.removeprefix("Expected ").replace("`", "").partition(", got ")
    found = f"is {_KINDS.get(got, got)}" if got else "is out of range"
    return refusals.bad_field(path or "$", f"{path or 'the body'} {found}", expected)


def _first_not_number(value: Any, position: str | None) -> str:
    """Return the first feature whose value is neither a number nor null."""
    item = value if position is None else value[int(position)]
    features: dict[str, Any] = item["features"]
    return next(name for name, given in features.items() if not isinstance(given, float | None))
