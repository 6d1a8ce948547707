"""Tell somebody: one POST of JSON to the address of the settings."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from features.errors import InputError

SECONDS = 5.0
RUNBOOK = "docs/runbook.md#act-{act}"


def send_alert(address: str, told: Mapping[str, Any]) -> None:
    """Post what was decided: day, release, act, cause, reasons and where the runbook is.

    Raises
    ------
    InputError
        If the address is not http or https, or does not take it within five seconds.
    """
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise InputError(
            f"monitoring.webhook is {address!r}; expected an address of http or https",
            "mend monitoring.webhook, or leave it empty",
        )
    named = ("as_of", "release", "act", "cause", "reasons", "quarantine")
    body = json.dumps(
        {**{name: told[name] for name in named}, "runbook": RUNBOOK.format(act=told["act"])}
    )
    request = urllib.request.Request(
        address, body.encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            answer.read(1000)
    except (urllib.error.URLError, OSError, ValueError) as cause:
        raise InputError(
            f"the alert could not be sent to {urllib.parse.urlsplit(address).hostname} ({cause}); "
            "expected it to be taken within five seconds",
            "the verdict is written; look at state/monitoring, and mend monitoring.webhook",
        ) from cause
