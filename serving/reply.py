"""Answers on their way out: status, body, and the headers that every answer has."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from serving.framing import Send
from serving.refusals import JSON_ALLOWED, Refused
from serving.schemas import ErrorBody

_JSON_HEADER = (b"content-type", JSON_ALLOWED.encode())
SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_CLOSE = (b"connection", b"close")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Reply:
    """An answer: status, body and headers beside the common ones."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON_HEADER,)
    code: str = ""
    """The stable word of a refusal."""


async def send_reply(send: Send, reply: Reply, close: bool = False) -> None:
    """Send a reply with the headers that every answer has; the last one of a connection closes."""
    length = (b"content-length", str(len(reply.body)).encode())
    headers = [*reply.headers, length, *SECURITY_HEADERS]
    if close and _CLOSE not in headers:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def refusal(refused: Refused) -> Reply:
    """Return the reply that says what was found, what was expected and what to do."""
    body = _encode(ErrorBody(refused.detail))
    return Reply(refused.status, body, (_JSON_HEADER, *refused.headers), refused.detail.code)
