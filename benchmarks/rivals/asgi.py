"""The floor: a raw ASGI application that decodes, predicts and encodes, and does nothing else."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from serving.current import load_current
from serving.schemas import BatchItem, TierRequest

Message = MutableMapping[str, Any]
PREDICTOR = load_current(Path(os.environ["TIERWISE_STATE"]))
HEADERS = [(b"content-type", b"application/json")]
_request = msgspec.json.Decoder(TierRequest).decode
_batch = msgspec.json.Decoder(list[BatchItem]).decode
_encode = msgspec.json.Encoder().encode


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer POST /v1/tier and POST /v1/tiers."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer: Any
    if scope["path"] == "/v1/tier":
        answer = PREDICTOR.answer_vector(_request(body))
    else:
        answer = PREDICTOR.answer_batch(_batch(body))
    content = _encode(answer)
    headers = [*HEADERS, (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
