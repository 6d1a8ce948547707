"""Reading a request's body: JSON by its header, not compressed, of either framing, never too long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from serving import refusals
from serving.refusals import JSON_ALLOWED

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_COMMON_TYPES = (b"application/json", b"application/json; charset=utf-8")


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


def check_framing(scope: Scope, max_body_bytes: int) -> None:
    """Check the headers that tell what a body is.

    Raises
    ------
    Refused
        415 for another content type or a content encoding, 400 or 413 for a length that is no
        number or too long.
    """
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise refusals.wrong_content(value.decode("latin-1"), "content-encoding")
        elif name == b"content-length":
            if not value.isdigit():
                raise refusals.bad_framing("a content-length that is no number")
            if len(value) > 18 or int(value) > max_body_bytes:
                raise refusals.body_too_large(max_body_bytes)
    if content_type not in _COMMON_TYPES:
        _check_type(content_type)


def _check_type(content_type: bytes) -> None:
    media_type, _, parameters = content_type.decode("latin-1").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if media_type.strip() != JSON_ALLOWED or charset not in ("", "utf-8"):
        raise refusals.wrong_content(content_type.decode("latin-1"))


async def read_body(receive: Receive, max_body_bytes: int) -> bytes:
    """Return a body; never holds more than `max_body_bytes` and a chunk.

    Raises
    ------
    Refused
        413 for a body that is too long.
    ClientGoneError
        If the client has closed the connection.
    """
    parts: list[bytes] = []
    n_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        n_bytes += len(part)
        if n_bytes > max_body_bytes:
            raise refusals.body_too_large(max_body_bytes)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
