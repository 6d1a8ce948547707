"""Verdicts on the disk: one file a day and release, the gauges of the newest, and the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from features.durable import write_durably
from monitoring.ladder import ACT_OF, Memory, after_act, memory_from_json, memory_to_json
from monitoring.watch import Verdict

FOLDER = "monitoring"
VERDICTS = "verdicts"
ACTED = "acts"
DONE = ("done", "superseded")
GAUGES = "tierwise.prom"
ACTS = ("none", *dict.fromkeys(ACT_OF.values()))


def verdict_to_json(verdict: Verdict, release: str, data: str) -> dict[str, Any]:
    """Return a verdict as JSON values, with the digests of the release and of the tables."""
    decision = verdict.decision
    told: dict[str, Any] = {
        "as_of": verdict.as_of,
        "release": release,
        "data": data,
        "act": decision.act,
        "cause": decision.cause,
        "reasons": decision.reasons,
        "quarantine": decision.quarantine,
        "drift": None if verdict.drift is None else asdict(verdict.drift),
        "order_findings": [asdict(each) for each in verdict.order_findings],
        "performances": [asdict(each) for each in verdict.performances],
        "texts": None if verdict.texts is None else asdict(verdict.texts),
        "memory": memory_to_json(decision.memory),
    }
    plain: dict[str, Any] = _finite(json.loads(json.dumps(told, default=str)))
    return plain


def _finite(value: Any) -> Any:
    """Return JSON values with None for what is not finite."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def verdict_path(state: Path, as_of: date, release: str) -> Path:
    """Return where the verdict of a day on a release is kept."""
    return state / FOLDER / VERDICTS / f"{as_of.isoformat()}-{release[:12]}.json"


def read_verdicts(state: Path) -> Iterator[dict[str, Any]]:
    """Yield the verdicts, the oldest day first."""
    for path in sorted((state / FOLDER / VERDICTS).glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def read_newest(state: Path, before: date | None = None) -> dict[str, Any] | None:
    """Return the newest verdict, or the newest before a day; of one day's the one that acted."""
    newest: dict[str, Any] | None = None
    for told in read_verdicts(state):
        if before is not None and date.fromisoformat(told["as_of"]) >= before:
            continue
        same_day = newest is not None and newest["as_of"] == told["as_of"]
        if newest is None or not same_day or act_path(state, told).is_file():
            newest = told
    return newest


def read_memory(state: Path, before: date) -> tuple[Memory, date | None]:
    """Return what the newest verdict before a day remembers, its act's outcome too, and its day."""
    newest = read_newest(state, before)
    if newest is None:
        return Memory(), None
    memory, day = memory_from_json(newest["memory"]), date.fromisoformat(newest["as_of"])
    acted = read_acted(state, newest)
    if acted is not None and is_closed(acted):
        memory = after_act(memory, newest["cause"], day, is_done=acted["status"] in DONE)
    return memory, day


def act_path(state: Path, told: Mapping[str, Any]) -> Path:
    """Return where the outcome of a verdict's act is kept."""
    return state / FOLDER / ACTED / f"{told['as_of']}-{told['release'][:12]}.json"


def read_acted(state: Path, told: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what came of a verdict's act; None where none was begun."""
    path = act_path(state, told)
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def is_closed(acted: Mapping[str, Any] | None) -> bool:
    """Return whether an act has ended, whichever way."""
    return acted is not None and acted["status"] != "begun"


def find_looked_at(state: Path, day: date, release: str, data: str) -> dict[str, Any] | None:
    """Return the verdict of a day on these tables; also that whose act made the release served."""
    for told in read_verdicts(state):
        if told["as_of"] != day.isoformat() or told["data"] != data:
            continue
        acted = read_acted(state, told) or {}
        if release in (told["release"], acted.get("release")):
            return told
    return None


def write_verdict(told: Mapping[str, Any], path: Path) -> None:
    """Write a verdict whole; what it remembers stands in it, so neither is ever without the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    write_durably(path, text.encode() + b"\n")


def write_gauges(told: Mapping[str, Any], folder: Path) -> Path:
    """Write the numbers that can trigger as gauges for node_exporter's textfile collector."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = list(_gauge_lines(told))
    path = folder / GAUGES
    write_durably(path, ("\n".join(lines) + "\n").encode())
    return path


def _gauge_lines(told: Mapping[str, Any]) -> Iterator[str]:
    as_of = datetime.combine(date.fromisoformat(told["as_of"]), datetime.min.time(), UTC)
    yield from _family("as_of_seconds", "Day up to which was looked.", [("", as_of.timestamp())])
    yield from _family(
        "act",
        "1 for the act of the newest verdict.",
        [(f'{{act="{act}"}}', float(told["act"] == act)) for act in ACTS],
    )
    yield from _family(
        "incidents_open", "Open incidents.", [("", len(told["memory"]["incidents"]))]
    )
    if "release_age_days" in told:
        yield from _family(
            "release_age_days",
            "Days from the last day the release knows to the day of looking.",
            [("", told["release_age_days"])],
        )
    drift = told["drift"]
    if drift is not None:
        yield from _family("rows", "Rows of the window.", [("", drift["n_rows"])])
        columns = [*drift["columns"], *drift["scores"]]
        for name, key, text in (
            ("psi", "psi", "Shift of a column against the frozen reference."),
            ("psi_limit", "limit", "What the shift of a column may not pass."),
            ("null_share", "null_share", "Missing values."),
        ):
            rows = [(f'{{column="{each["name"]}"}}', each[key]) for each in columns]
            yield from _family(name, text, rows)
        yield from _family("psi_aggregate", "Shift by importance.", [("", drift["aggregate"])])
        yield from _family("psi_aggregate_limit", "Its limit.", [("", drift["aggregate_limit"])])
        shares = [(f'{{tier="{name}"}}', share) for name, share in drift["tier_shares"].items()]
        yield from _family("tier_share", "Share of customers.", shares)
    yield from _text_lines(told.get("texts"))
    for each in told["performances"][:1]:
        figures = [(f'{{metric="{n}"}}', v) for n, v in each["figures"].items() if v is not None]
        yield from _family("matured", "Figures of the newest matured cohort.", figures)


def _text_lines(texts: Mapping[str, Any] | None) -> Iterator[str]:
    if texts is None:
        return
    yield from _family("reviews", "Reviews of four weeks.", [("", texts["n_reviews"])])
    for name, key, text in (
        ("text_psi", "psi", "Shift of the reviews against those before the release."),
        ("text_psi_limit", "limit", "What that shift may not pass."),
    ):
        rows = [(f'{{about="{each["name"]}"}}', each[key]) for each in texts["shifts"]]
        yield from _family(name, text, rows)


def _family(name: str, text: str, rows: list[tuple[str, float]]) -> Iterator[str]:
    if not rows:
        return
    yield f"# HELP tierwise_monitoring_{name} {text}"
    yield f"# TYPE tierwise_monitoring_{name} gauge"
    for labels, value in rows:
        yield f"tierwise_monitoring_{name}{labels} {value:.10g}"
