"""The door of the service: who is let in, how much at a time, and what is written down of it.

An ASGI layer that stands before everything else of the process, BentoML's own middlewares included.
In this order: the Host, the key, the path, the method, the role, the body (type, length, time), room.
What the policy does not name is refused.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter, time

from serving import refusals
from serving.access_log import AccessLine, AccessLog
from serving.application import (
    CLIENT_GONE,
    NO_ROUTE,
    ROUTES,
    Application,
    find_route,
)
from serving.framing import (
    Asgi,
    ClientGoneError,
    Message,
    Receive,
    Scope,
    Send,
    check_framing,
    read_body,
)
from serving.keys import ApiKey, KeyRing
from serving.limits import BadKeys, Deadlines, DoorLimits
from serving.metrics import KNOWN_METHODS
from serving.policy import HEALTH_CHECKS, POLICY
from serving.refusals import Refused
from serving.reply import SECURITY_HEADERS, Reply, refusal, send_reply

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
HEALTH_METHODS = frozenset({"GET", "HEAD"})
BEARER = b"bearer "
MOST_TOKEN_BYTES = 200


@dataclass(frozen=True)
class Door:
    """What the guard goes by; replaced as a whole when the settings are read.

    Attributes
    ----------
    keys : KeyRing
        Who has a key.
    hosts : frozenset of bytes
        Host names, without ports, under which the service may be asked.
    limits : DoorLimits
        How much is let in.
    """

    keys: KeyRing
    hosts: frozenset[bytes]
    limits: DoorLimits


def build_hosts(listening: str, allowed: tuple[str, ...]) -> frozenset[bytes]:
    """Return the hosts that may be asked for: loopback's, the address listened on, the allowed.

    >>> sorted(build_hosts("0.0.0.0", ("Tiers.Example",)))
    [b'127.0.0.1', b'[::1]', b'localhost', b'tiers.example']
    """
    own = [] if listening in ("0.0.0.0", "::") else [listening]
    bracketed = [f"[{host}]" if ":" in host and host[0] != "[" else host for host in own]
    return frozenset(host.lower().encode() for host in (*LOOPBACK_HOSTS, *bracketed, *allowed))


class Guard:
    """Lets a request through to the application, or refuses it; logs and counts it either way.

    Parameters
    ----------
    application : Application
        What answers.
    bento : ASGI application
        Starts and stops the service and answers the health checks.
    log : AccessLog
        Where a line of each request goes.

    Attributes
    ----------
    door : Door or None
        What to go by; without one everything but the health checks is refused.
    is_draining : bool
        Whether the process is about to end: it answers, but says that it is not ready.
    """

    def __init__(self, application: Application, bento: Asgi, log: AccessLog) -> None:
        self.application = application
        self.log = log
        self.door: Door | None = None
        self.is_draining = False
        self.bento = bento
        self._bad_keys = BadKeys()
        self._deadlines = Deadlines()
        self._n_this_turn = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is not one."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.bento(scope, receive, send)
            return
        started = perf_counter()
        route, key, release = NO_ROUTE, None, ""
        reply: Reply | None = None
        try:
            authorization = self._check_host(scope)
            if scope["path"] in HEALTH_CHECKS:
                await self._check_health(scope, receive, send)
                return
            door = self._opened()
            key = self._check_key(door, authorization, scope, started)
            found = find_route(scope)
            route = found[0]
            _check_allowed(route, scope["method"], key)
            if scope["method"] == "POST":
                scope["body"] = await self._read(door.limits, scope, receive)
            self._check_room(door.limits)
            release = self.application.release_id
            reply = await self.application.reply(scope, receive, found)
        except Refused as refused:
            reply = refusal(refused)
        except ClientGoneError:
            pass
        await self._answer(scope, send, started, route, key, release, reply)

    async def _answer(
        self,
        scope: Scope,
        send: Send,
        started: float,
        route: str,
        key: ApiKey | None,
        release: str,
        reply: Reply | None,
    ) -> None:
        """Send the reply, count it and write its line."""
        status, code = CLIENT_GONE, ""
        if reply is not None:
            status, code = reply.status, reply.code
            await send_reply(send, reply, self.is_draining)
        seconds = perf_counter() - started
        method = scope["method"]
        self.application.metrics.count_request(route, method, status, seconds)
        self.log.add(
            AccessLine(
                time(),
                route,
                method if method in KNOWN_METHODS else "other",
                status,
                round(seconds * 1000, 3),
                "" if key is None else key.id,
                release,
                code,
            )
        )

    def _opened(self) -> Door:
        if self.door is None:
            raise refusals.not_ready("no settings are read yet", "try again soon")
        return self.door

    def _check_host(self, scope: Scope) -> bytes:
        """Check that the service is asked for by its name; return the Authorization header."""
        host, authorization = None, b""
        n_hosts = n_authorizations = 0
        for name, value in scope["headers"]:
            if name == b"host":
                host, n_hosts = value, n_hosts + 1
            elif name == b"authorization":
                authorization, n_authorizations = value, n_authorizations + 1
        if self.door is not None and (n_hosts != 1 or not _is_host(host, self.door.hosts)):
            raise refusals.wrong_host()
        return authorization if n_authorizations == 1 else b""

    async def _check_health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let BentoML answer a health check, unless this process is about to end."""
        if scope["method"] not in HEALTH_METHODS:
            raise refusals.wrong_method(scope["method"], HEALTH_METHODS)
        if self.is_draining and scope["path"] == "/readyz":
            raise refusals.not_ready("the service is about to stop", "ask another one")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        await self.bento(scope, receive, send_with_headers)

    def _check_key(self, door: Door, authorization: bytes, scope: Scope, now: float) -> ApiKey:
        """Return whose key was sent.

        Raises
        ------
        Refused
            401 without a living key, 429 after too many of them.
        """
        if authorization[:7].lower() == BEARER and len(authorization) <= MOST_TOKEN_BYTES:
            key = door.keys.find(authorization[7:], now)
            if key is not None:
                return key
        client = scope.get("client")
        address = client[0] if client else ""
        if self._bad_keys.count(address, now) > door.limits.bad_keys_a_minute:
            raise refusals.too_many_bad_keys(self._bad_keys.seconds_left(now))
        raise refusals.no_key()

    async def _read(self, limits: DoorLimits, scope: Scope, receive: Receive) -> bytes:
        """Return the body, in time; slow bodies take no room from others."""
        check_framing(scope, limits.max_body_bytes)
        if len(self._deadlines) >= limits.max_bodies:
            raise refusals.no_room()
        return await self._deadlines.within(
            read_body(receive, limits.max_body_bytes), limits.body_seconds
        )

    def _check_room(self, limits: DoorLimits) -> None:
        """Let so many requests through in one turn of the loop; the rest is told to come again.

        Answers are made without waiting, so requests that wait for the processor are those that
        are ready in the same turn of the event loop.
        """
        if self._n_this_turn == 0:
            asyncio.get_running_loop().call_soon(self._begin_turn)
        self._n_this_turn += 1
        if self._n_this_turn > limits.max_concurrency:
            raise refusals.no_room()

    def _begin_turn(self) -> None:
        self._n_this_turn = 0


def _is_host(host: bytes | None, known: frozenset[bytes]) -> bool:
    """Whether a Host header, with or without a port, names one of `known`."""
    if host is None:
        return False
    name, colon, port = host.rpartition(b":")
    if colon and (port.isdigit() or not port) and not port.endswith(b"]"):
        host = name
    return host in known or host.lower() in known


def _check_allowed(route: str, method: str, key: ApiKey) -> None:
    """Raise 405 for a method the route does not have, 403 for a role that may not ask it."""
    if method not in ROUTES[route]:
        raise refusals.wrong_method(method, ROUTES[route])
    allowed = POLICY.get(route, frozenset())
    if key.role not in allowed:
        raise refusals.wrong_role(key.role, allowed)
