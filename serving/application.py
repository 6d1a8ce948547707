"""The ASGI application: routes, bodies in, answers out. It knows no BentoML.

A raw ASGI application rather than a framework: with msgspec it takes a third of the CPU of a
FastAPI route for the same answer. What it serves (a predictor and its limits) is one reference
to one immutable value, so another release is taken up between two requests, never within one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec

from serving import refusals
from serving.bodies import read_batch, read_request
from serving.framing import ClientGoneError, Receive, Scope, Send, check_framing, read_body
from serving.metrics import CONTENT_TYPE, Metrics
from serving.openapi import build_openapi
from serving.predictor import Predictor
from serving.refusals import Refused
from serving.reply import Reply, refusal, send_reply
from serving.schemas import MAX_ID_LENGTH

if TYPE_CHECKING:
    from training.release import Release

logger = logging.getLogger("tierwise.serving")

CUSTOMER_ROUTE = "/v1/customers/{customer_id}/tier"
CUSTOMER_PREFIX = b"/v1/customers/"
CUSTOMER_SUFFIX = b"/tier"
NO_ROUTE = "(none)"
CLIENT_GONE = 499

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for."""

    max_batch: int
    max_body_bytes: int


@dataclass(frozen=True)
class Serving:
    """What answers: one release with its store, and the limits."""

    predictor: Predictor
    limits: Limits


@dataclass(frozen=True)
class Call:
    """One request on its way through a handler."""

    scope: Scope
    receive: Receive
    serving: Serving | None
    why_not: Refused
    customer_id: str = ""

    def ready(self) -> Serving:
        """Return what answers.

        Raises
        ------
        Refused
            503 as long as no release is loaded.
        """
        if self.serving is None:
            raise self.why_not
        return self.serving


Route = tuple[str, bytes | None]
"""A template, and the id in the path of a request where the template has one."""

Handler = Callable[["Application", Call], Awaitable[Reply]]


class Application:
    """The HTTP API as an ASGI application.

    Parameters
    ----------
    metrics : Metrics
        Where requests and answers are counted.

    Notes
    -----
    Until `serve` was called every answer but the document's and the metrics' is 503.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._serving: Serving | None = None
        self._why_not = refusals.not_ready("no release is loaded yet", "try again soon")
        self._document = _encode(build_openapi())

    @property
    def is_ready(self) -> bool:
        """Whether a release is loaded."""
        return self._serving is not None

    @property
    def release_id(self) -> str:
        """First digits of the release that answers now, empty while there is none."""
        return "" if self._serving is None else self._serving.predictor.release_id

    def release(self) -> Release:
        """Return the release that answers now.

        Raises
        ------
        Refused
            503 as long as none is loaded.
        """
        if self._serving is None:
            raise self._why_not
        return self._serving.predictor.release

    def serve(self, predictor: Predictor, limits: Limits) -> None:
        """Answer with this predictor from the next request on."""
        self._serving = Serving(predictor, limits)
        self.metrics.set_release(predictor.release_id)

    def withhold(self, found: str, do: str) -> None:
        """Answer 503 with this reason from the next request on."""
        self._serving = None
        self._why_not = refusals.not_ready(found, do)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await _answer_other(scope, receive, send)
            return
        started = perf_counter()
        template, status = NO_ROUTE, CLIENT_GONE
        try:
            found = find_route(scope)
            template = found[0]
            reply = await self.reply(scope, receive, found)
        except Refused as refused:
            reply = refusal(refused)
        except ClientGoneError:
            reply = None
        if reply is not None:
            status = reply.status
            await send_reply(send, reply)
        self.metrics.count_request(template, scope["method"], status, perf_counter() - started)

    async def reply(self, scope: Scope, receive: Receive, route: Route) -> Reply:
        """Return the reply to a request on a route.

        Raises
        ------
        ClientGoneError
            If the client has closed the connection.
        """
        template, raw_id = route
        try:
            handler = _find_handler(template, scope)
            customer_id = "" if raw_id is None else _decoded_id(raw_id)
            call = Call(scope, receive, self._serving, self._why_not, customer_id)
            return await handler(self, call)
        except Refused as refused:
            return refusal(refused)
        except ClientGoneError:
            raise
        except Exception:
            logger.exception("%s %s failed", scope["method"], template)
            return refusal(refusals.internal())

    async def _customer_tier(self, call: Call) -> Reply:
        answer = call.ready().predictor.answer_for(call.customer_id)
        if answer is None:
            self.metrics.count_store_miss()
            raise refusals.unknown_customer(call.customer_id)
        self.metrics.count_answers((answer,))
        return Reply(200, _encode(answer))

    async def _vector_tier(self, call: Call) -> Reply:
        serving = call.ready()
        body = await _read_json_body(call, serving.limits.max_body_bytes)
        answer = serving.predictor.answer_vector(read_request(body))
        self.metrics.count_answers((answer,))
        return Reply(200, _encode(answer))

    async def _batch_tiers(self, call: Call) -> Reply:
        serving = call.ready()
        body = await _read_json_body(call, serving.limits.max_body_bytes)
        answers = serving.predictor.answer_batch(read_batch(body, serving.limits.max_batch))
        self.metrics.count_answers(answers)
        return Reply(200, _encode(answers))

    async def _scheme(self, call: Call) -> Reply:
        return Reply(200, _encode(call.ready().predictor.scheme()))

    async def _openapi(self, call: Call) -> Reply:
        return Reply(200, self._document)

    async def _metrics(self, call: Call) -> Reply:
        return Reply(200, self.metrics.exposition(), ((b"content-type", CONTENT_TYPE.encode()),))


# Every route of the service; a test holds the OpenAPI document to this table.
ROUTES: dict[str, dict[str, Handler]] = {
    CUSTOMER_ROUTE: {"GET": Application._customer_tier},
    "/v1/tier": {"POST": Application._vector_tier},
    "/v1/tiers": {"POST": Application._batch_tiers},
    "/v1/scheme": {"GET": Application._scheme},
    "/openapi.json": {"GET": Application._openapi},
    "/metrics": {"GET": Application._metrics},
}


def find_route(scope: Scope) -> Route:
    """Return the route's template and the id in its path, still percent-encoded.

    The path is split before it is decoded, so an encoded slash belongs to the id.

    Raises
    ------
    Refused
        404 if nothing lives at this path.
    """
    path = scope["path"]
    if path in ROUTES and path != CUSTOMER_ROUTE:
        return path, None
    raw: bytes = scope.get("raw_path") or path.encode()
    if raw.startswith(CUSTOMER_PREFIX) and raw.endswith(CUSTOMER_SUFFIX):
        raw_id = raw[len(CUSTOMER_PREFIX) : -len(CUSTOMER_SUFFIX)]
        if b"/" not in raw_id and len(raw) >= len(CUSTOMER_PREFIX) + len(CUSTOMER_SUFFIX):
            return CUSTOMER_ROUTE, raw_id
    raise refusals.no_route(path, ROUTES)


def _find_handler(template: str, scope: Scope) -> Handler:
    """Return what answers this method on this route."""
    handlers = ROUTES[template]
    handler = handlers.get(scope["method"])
    if handler is None:
        raise refusals.wrong_method(scope["method"], handlers)
    return handler


def _decoded_id(raw_id: bytes) -> str:
    """Return a customer's id from its path segment, percent-decoded exactly once."""
    try:
        customer_id = unquote_to_bytes(raw_id).decode()
    except UnicodeDecodeError as cause:
        raise refusals.bad_id("customer_id", "bytes that are not UTF-8") from cause
    if not 1 <= len(customer_id) <= MAX_ID_LENGTH:
        raise refusals.bad_id("customer_id", f"an id of {len(customer_id)} characters")
    return customer_id


async def _read_json_body(call: Call, max_body_bytes: int) -> bytes:
    """Return the body; the guard has read it already if there is one."""
    there: bytes | None = call.scope.get("body")
    if there is not None:
        return there
    check_framing(call.scope, max_body_bytes)
    return await read_body(call.receive, max_body_bytes)


async def _answer_other(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what is not HTTP: the server's own start and stop, or a websocket, which is closed."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
