"""Every way in which a request is refused: status, code, what was found and expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from features.errors import did_you_mean
from serving.schemas import MAX_ID_LENGTH, ErrorDetail

JSON_ALLOWED = "application/json"


class Refused(Exception):
    """A request that gets an error for an answer.

    Parameters
    ----------
    status : int
        HTTP status, 400 or above.
    detail : ErrorDetail
        The body.
    headers : tuple of (bytes, bytes)
        Headers beside those of every answer.
    """

    def __init__(
        self,
        status: int,
        detail: ErrorDetail,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(f"{status} {detail.code}")
        self.status = status
        self.detail = detail
        self.headers = headers


def _refused(
    status: int, code: str, found: str, expected: str, do: str, field: str | None = None
) -> Refused:
    detail = ErrorDetail(
        code=code,
        found=_sayable(found),
        expected=expected,
        do=_sayable(do),
        field=UNSET if field is None else _sayable(field),
    )
    return Refused(status, detail)


def _sayable(text: str) -> str:
    r"""Return text that UTF-8 can carry: half a surrogate pair (``"\ud800"``) becomes ``?``."""
    return text.encode(errors="replace").decode()


def invalid_json(found: str) -> Refused:
    """400: the body is not JSON as RFC 8259 has it, in UTF-8."""
    return _refused(400, "invalid_json", found, "one JSON value in UTF-8", "mend the request body")


def duplicate_key(key: str) -> Refused:
    """400: an object says the same key twice, so one of the two values would be lost."""
    return _refused(
        400, "duplicate_key", f'the key "{key}" twice in one object', "each key once", "keep one"
    )


def no_route(path: str, routes: Iterable[str]) -> Refused:
    """404: nothing lives at this path."""
    return _refused(
        404,
        "no_such_path",
        f"nothing at {path[:200]}",
        "a path of /openapi.json",
        did_you_mean(path, routes),
    )


def unknown_customer(customer_id: str) -> Refused:
    """404: the look-up store has no such customer."""
    return _refused(
        404,
        "unknown_customer",
        f'no customer "{customer_id}"',
        "a customer with an order before the release's cutoff",
        "check the id (leading zeros count), or send features to POST /v1/tier",
        "customer_id",
    )


def wrong_method(method: str, allowed: Iterable[str]) -> Refused:
    """405: the path exists, with other methods."""
    names = ", ".join(sorted(allowed))
    refused = _refused(405, "wrong_method", method, names, f"use {names}")
    refused.headers = ((b"allow", names.encode()),)
    return refused


def body_too_large(limit_bytes: int) -> Refused:
    """413: the body is longer than ``serving.max_body_bytes``."""
    refused = _refused(
        413,
        "body_too_large",
        f"a body of more than {limit_bytes} bytes",
        f"at most {limit_bytes} bytes",
        "send it in smaller parts",
    )
    refused.headers = ((b"connection", b"close"),)
    return refused


def batch_too_large(found: int, limit: int) -> Refused:
    """413: more items than ``serving.max_batch``."""
    return _refused(
        413,
        "batch_too_large",
        f"a batch of {found} items",
        f"at most {limit} items",
        "send it in smaller parts",
    )


def wrong_content(found: str, header: str = "content-type") -> Refused:
    """415: not JSON, or compressed."""
    return _refused(
        415,
        "wrong_content_type",
        f"{header}: {found[:100]}" if found else f"no {header}",
        f"content-type: {JSON_ALLOWED}, not compressed",
        f"send {JSON_ALLOWED}",
    )


def bad_field(field: str, found: str, expected: str, code: str = "bad_field") -> Refused:
    """422: a field is missing, of the wrong type or out of range."""
    return _refused(422, code, found, expected, f"mend {field}", field)


def not_finite(field: str) -> Refused:
    """422: NaN, Infinity, or a number that no 64-bit float can hold."""
    return bad_field(
        field, f"{field} is not a finite number", "a finite number, or null where not known"
    )


def bad_id(field: str, found: str) -> Refused:
    """422: an id that is empty, too long or not UTF-8."""
    return bad_field(field, found, f"1 to {MAX_ID_LENGTH} characters of UTF-8")


def unknown_feature(field: str, name: str, known: Iterable[str]) -> Refused:
    """422: a feature that this release does not know."""
    refused = _refused(
        422,
        "unknown_feature",
        f'an unknown feature "{name}"',
        "features of GET /v1/scheme",
        did_you_mean(name, known),
        field,
    )
    return refused


def missing_feature(field: str, name: str) -> Refused:
    """422: a feature without which no score means anything."""
    return bad_field(
        field, f"no value for {name}", "a number: this feature is required", "missing_feature"
    )


def negative(field: str, value: float) -> Refused:
    """422: a count of days below 0."""
    return bad_field(field, f"{field} is {value:g}", "0 days or more")


def impossible_vector(field: str) -> Refused:
    """422: features that contradict each other, such as an order before the first order."""
    return bad_field(
        field, "values that no order history can have together", "features of one customer"
    )


def empty_item(position: int) -> Refused:
    """422: an item of a batch that says nothing."""
    return bad_field(
        f"[{position}]", "neither customer_id nor features", "one of them, or both", "empty_item"
    )


def not_ready(found: str, do: str) -> Refused:
    """503: no release is loaded, or it has no look-up store."""
    refused = _refused(503, "not_ready", found, "a loaded release", do)
    refused.headers = ((b"retry-after", b"5"),)
    return refused


def _with_retry(refused: Refused, seconds: int, *headers: tuple[bytes, bytes]) -> Refused:
    refused.headers = ((b"retry-after", str(seconds).encode()), *headers)
    return refused


def bad_framing(found: str) -> Refused:
    """400: headers that contradict what a body can be."""
    return _refused(
        400, "bad_framing", found, "one length, or chunks", "mend the request's headers"
    )


def no_key() -> Refused:
    """401: no key, or none that lives."""
    refused = _refused(
        401,
        "no_key",
        "no living API key",
        "the header Authorization: Bearer KEY",
        "send your key, or have one made: python -m serving keys add",
    )
    refused.headers = ((b"www-authenticate", b"Bearer"),)
    return refused


def wrong_role(role: str, allowed: Iterable[str]) -> Refused:
    """403: the key's role may not ask this route."""
    names = ", ".join(sorted(allowed)) or "none"
    return _refused(
        403, "wrong_role", f"a key of role {role}", f"a key of role {names}", "use another key"
    )


def wrong_host() -> Refused:
    """403: the Host is not one the service goes by; it may be a page that rebinds names."""
    return _refused(
        403,
        "wrong_host",
        "another host, or several",
        "a host of serving.allowed_hosts",
        "ask by the right name, or add it to serving.allowed_hosts",
    )


def body_too_slow(seconds: float) -> Refused:
    """408: the body was not there in time."""
    refused = _refused(
        408,
        "body_too_slow",
        f"a body that is not whole after {seconds:g} s",
        f"the whole body within {seconds:g} s",
        "send it at once",
    )
    refused.headers = ((b"connection", b"close"),)
    return refused


def too_many_bad_keys(seconds: int) -> Refused:
    """429: too many wrong keys of one address."""
    refused = _refused(
        429, "too_many_bad_keys", "too many wrong keys", "a living API key", "wait, then send one"
    )
    return _with_retry(refused, seconds)


def no_room() -> Refused:
    """503: more requests at once than the service takes on."""
    refused = _refused(
        503,
        "no_room",
        "more requests at once than are taken on",
        "fewer at once",
        "try again after the seconds of retry-after",
    )
    return _with_retry(refused, 1)


def internal() -> Refused:
    """500: a fault of ours; the log has its traceback, the answer has nothing of it."""
    return _refused(
        500, "internal_error", "a fault of the service", "an answer", "look in the service's log"
    )
