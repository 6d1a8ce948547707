"""A client of Tierwise in one file: copy it into your application; it needs Python 3.11 and no package.

>>> client = Client("http://127.0.0.1:3000", key="tw_...")      # doctest: +SKIP
>>> client.tier_of("00123").tier                                # doctest: +SKIP
'gold'

A client keeps one connection open and belongs to one thread. A request that the service has no room
for (429, 503) is sent again after the time it asks for, up to `retries` times; so is one whose
connection broke, for all requests are safe to repeat.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

TOO_MANY, UNAVAILABLE = 429, 503
LONGEST_WAIT_SECONDS = 60.0

Status = Literal["ok", "insufficient_data", "unknown_customer"]
Features = Mapping[str, float | None]
_Row = TypeVar("_Row", bound="_FromJson")


class _FromJson:
    """A row that is read from a JSON object; fields that this client does not know are left out."""

    @classmethod
    def read(cls: type[_Row], told: Mapping[str, Any]) -> _Row:
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in told.items() if name in known})


@dataclass(frozen=True)
class TierAnswer(_FromJson):
    """The tier of one customer, and what it rests on; amounts in `currency`."""

    customer_id: str | None
    status: Status
    tier: str | None
    tier_in_force: str | None
    tier_since: str | None
    indicated_tier: str | None
    tier_label: dict[str, str] | None
    tier_probability: float | None
    borderline: bool | None
    expected_value: float | None
    expected_value_low90: float | None
    expected_value_high90: float | None
    rung: Literal["no_orders", "one_order", "repeat"]
    currency: str
    p_churn: float | None
    horizon_days: int
    value_at_risk: float | None
    risk_level: str | None
    lifecycle: str | None
    playbook: list[str]
    boundary_below: float | None
    boundary_above: float | None
    value_to_next_tier: float | None
    cutoff: str
    release: str
    policy: str
    reason: str | None = None


@dataclass(frozen=True)
class SchemeTier(_FromJson):
    """One tier of the scheme."""

    tier: str
    tier_label: dict[str, str]
    boundary_below: float | None
    boundary_above: float | None
    share: float
    realised_mean: float | None
    revenue_share: float | None


@dataclass(frozen=True)
class PlaybookAction(_FromJson):
    """What is to be done: answers name it by its id."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True)
class FeatureName(_FromJson):
    """One name that a feature vector may hold."""

    name: str
    unit: str
    meaning: str
    required: bool


@dataclass(frozen=True)
class Scheme(_FromJson):
    """The tiers in force, bottom to top, and the features that vectors take."""

    release: str
    model: str
    source: str
    currency: str
    horizon_days: int
    cutoff: str
    tiers: list[SchemeTier]
    playbook: list[PlaybookAction]
    features: list[FeatureName]

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Read a scheme with its rows."""
        tiers = [SchemeTier.read(row) for row in told["tiers"]]
        actions = [PlaybookAction.read(row) for row in told["playbook"]]
        names = [FeatureName.read(row) for row in told["features"]]
        return super().read({**told, "tiers": tiers, "playbook": actions, "features": names})


class TierwiseError(Exception):
    """An answer that is an error.

    Attributes
    ----------
    status : int
        HTTP status.
    code, found, expected, do : str
        A stable word for programs, and what the service says of it.
    field : str or None
        The offending field.
    """

    def __init__(self, status: int, detail: Mapping[str, str]) -> None:
        self.status = status
        self.code = detail.get("code", "unknown")
        self.found = detail.get("found", "")
        self.expected = detail.get("expected", "")
        self.do = detail.get("do", "")
        self.field = detail.get("field")
        super().__init__(f"{status} {self.code}: {self.found}; expected {self.expected}; {self.do}")


class Client:
    """Asks one service.

    Parameters
    ----------
    base : str
        Such as ``http://127.0.0.1:3000`` or ``https://tiers.example``.
    key : str
        An API key.
    timeout_seconds : float
        For each answer.
    retries : int
        How often a request is sent again.
    """

    def __init__(self, base: str, key: str, timeout_seconds: float = 5.0, retries: int = 2) -> None:
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{base!r} is no base URL; expected http://HOST:PORT or https://HOST")
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._retries = retries
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout_seconds,
                context=ssl.create_default_context(),
            )  # fmt: skip
        else:
            self._connection = http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=timeout_seconds
            )

    def tier_of(self, customer_id: str) -> TierAnswer | None:
        """Return the tier of a customer, or None if the service does not know the id."""
        try:
            path = f"/v1/customers/{quote(customer_id, safe='')}/tier"
            return TierAnswer.read(self._ask("GET", path))
        except TierwiseError as error:
            if error.code == "unknown_customer":
                return None
            raise

    def tier_for(self, features: Features, customer_id: str | None = None) -> TierAnswer:
        """Return the tier of a feature vector."""
        return TierAnswer.read(self._ask("POST", "/v1/tier", _item(features, customer_id)))

    def tiers_of(self, items: Sequence[str | Features]) -> list[TierAnswer]:
        """Return the tiers of a batch: ids to look up, and feature vectors, in their order."""
        body = [
            {"customer_id": item} if isinstance(item, str) else _item(item, None) for item in items
        ]
        return [TierAnswer.read(row) for row in self._ask("POST", "/v1/tiers", body)]

    def scheme(self) -> Scheme:
        """Return the tiers in force."""
        return Scheme.read(self._ask("GET", "/v1/scheme"))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body, allow_nan=False)
        for left in range(self._retries, -1, -1):
            try:
                self._connection.request(method, path, content, self._headers)
                answer = self._connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if not left:
                    raise
                continue
            if answer.status in (TOO_MANY, UNAVAILABLE) and left:
                time.sleep(_seconds(answer.headers.get("Retry-After")))
                continue
            return _read(answer.status, text)
        raise AssertionError("the last turn returns or raises")


def _item(features: Features, customer_id: str | None) -> dict[str, Any]:
    known = {} if customer_id is None else {"customer_id": customer_id}
    return {**known, "features": dict(features)}


def _seconds(retry_after: str | None) -> float:
    told = retry_after or ""
    return min(float(told), LONGEST_WAIT_SECONDS) if told.isdigit() else 1.0


def _read(status: int, text: bytes) -> Any:
    try:
        told = json.loads(text)
        detail = told["error"] if status >= 400 else {}
    except (ValueError, LookupError, TypeError) as cause:
        raise TierwiseError(status, {"found": "an answer that is not the service's"}) from cause
    if status >= 400:
        raise TierwiseError(status, detail)
    return told
