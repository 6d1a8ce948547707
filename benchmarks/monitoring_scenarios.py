"""Planted monitoring scenarios: rows of tests/monitoring/scenarios.toml played through the watch.

Each row says what is done to a window of a made-up shop, to a day of its order lines, to a matured
cohort or to what is remembered, and which act is right.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from features.config import MonitoringSettings
from features.order_days import OrderDays
from monitoring.drift import Window
from monitoring.ladder import Incident, Memory
from monitoring.performance import Performance, Predicted, judge_cohort
from monitoring.watch import Verdict, watch
from training.judge.evaluate import evaluate_predictions
from training.models.matrix import Array
from training.orders_reference import describe_orders
from training.reference import (
    Moment,
    Reference,
    TierReference,
    describe_column,
)

TABLE = Path(__file__).resolve().parents[1] / "tests" / "monitoring" / "scenarios.toml"
CUTOFF = date(2024, 1, 1)
AS_OF = date(2024, 6, 15)
N_MADE_ON = 6000
N_ROWS = 3000
HORIZON_DAYS = 90
N_COHORT = 4000
TIERS = (
    ("regular", 0.70, 0.0, 1.0),
    ("silver", 0.20, 0.05, 0.30),
    ("gold", 0.08, 0.03, 0.15),
    ("diamond", 0.02, 0.01, 0.05),
)
IMPORTANCES = {
    "net_spend": 0.30,
    "days_since_last_order": 0.22,
    "n_order_days": 0.18,
    "tenure_days": 0.12,
    "n_visits_30d": 0.10,
    "mean_stars": 0.04,
    "discount_share": 0.04,
}
COLUMNS = tuple(IMPORTANCES)


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    Attributes
    ----------
    name : str
        What happens.
    act : str
        The right act.
    told : dict
        What is done; see `play`.
    """

    name: str
    act: str
    told: dict[str, Any]


def read_scenarios(path: Path = TABLE) -> list[Scenario]:
    """Return the rows of the table."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["scenario"]
    return [
        Scenario(
            row["name"], row["act"], {k: v for k, v in row.items() if k not in ("name", "act")}
        )
        for row in rows
    ]


def draw_rows(n: int, seed: int, *, is_festive: bool = False) -> Array:
    """Return rows of the made-up shop, (n, len(COLUMNS)); at a festival people came lately."""
    rng = np.random.default_rng(seed)
    orders = 1 + rng.poisson(rng.gamma(1.2, 1.5, n))
    since = rng.exponential(45.0 if is_festive else 120.0, n).round()
    return np.column_stack(
        [
            orders * rng.lognormal(4.0, 0.8, n),
            since,
            orders,
            since + rng.uniform(0, 700, n).round(),
            rng.poisson(2.5 if is_festive else 0.8, n),
            np.where(rng.uniform(size=n) < 0.4, np.nan, rng.integers(1, 6, n)),
            np.where(rng.uniform(size=n) < 0.6, 0.0, rng.beta(2, 8, n)),
        ]
    )


def value_of(rows: Array) -> Array:
    """Return the made-up model's expected value, currency."""
    value: Array = rows[:, 0] * np.exp(-rows[:, 1] / 200) * 0.6
    return value


@cache
def build_reference_of_shop() -> Reference:
    """Return the frozen reference: eight cohorts, the one of a year before the window festive."""
    cutoffs = [CUTOFF - timedelta(days=45 * k) for k in range(10)]
    festive = AS_OF - timedelta(days=365)
    cohorts = [
        draw_rows(N_MADE_ON, k, is_festive=abs((at - festive).days) <= 22)
        for k, at in enumerate(cutoffs)
    ]
    made = value_of(cohorts[0])
    orders = describe_orders(build_days(None, 0.0))
    return Reference(
        CUTOFF,
        tuple(Moment(at, N_MADE_ON) for at in cutoffs),
        tuple(
            describe_column(name, [rows[:, place] for rows in cohorts], weight)
            for place, (name, weight) in enumerate(IMPORTANCES.items())
        ),
        (describe_column("expected_value", [value_of(rows) for rows in cohorts]),),
        tuple(
            TierReference(
                name, tuple(_tier_share(rows, made, place) for rows in cohorts), low, high
            )
            for place, (name, _, low, high) in enumerate(TIERS)
        ),
        orders,
    )


def _cuts(made: Array) -> Array:
    below = np.cumsum([share for _, share, _, _ in TIERS])[:-1]
    return np.asarray(np.quantile(made, below))


def _tier_share(rows: Array, made: Array, place: int) -> float:
    tiers = np.searchsorted(_cuts(made), value_of(rows), side="right")
    return float((tiers == place).mean())


def build_days(fault: str | None, size: float, seed: int = 5) -> OrderDays:
    """Return 120 days of order lines with a fault, if any, on the last."""
    rng = np.random.default_rng(seed)
    n_days = 120
    lines = rng.poisson(200 * (1 + 0.15 * np.sin(np.arange(n_days) / 7 * 2 * np.pi))).astype(float)
    channels = {"app": (lines * 0.7).round(), "web": (lines * 0.3).round()}
    refused, duplicates = np.zeros(n_days), np.zeros(n_days)
    median, hour = rng.normal(60, 3, n_days), rng.uniform(22.5, 23.9, n_days)
    nulls = {"quantity": np.zeros(n_days)}
    if fault == "refused":
        refused[-1] = lines[-1] * size
        lines[-1] -= refused[-1]
    elif fault == "duplicates":
        duplicates[-1] = lines[-1] * size
    elif fault == "unit_slip":
        median[-1] *= size
    elif fault == "half_day":
        hour[-1] = size
    elif fault == "nulls":
        nulls["quantity"][-1] = lines[-1] * size
    elif fault == "volume":
        lines[-1] = np.round(lines[-1] * size)
    elif fault == "new_channel":
        new = np.zeros(n_days)
        new[-7:] = lines[-7:] * size
        channels["live_stream"] = new
    kinds = {"channel": channels}
    first = AS_OF - timedelta(days=n_days)
    return OrderDays(first, lines, lines, duplicates, refused, median, hour, nulls, kinds)


def build_window(told: Mapping[str, Any]) -> Window:
    """Return the window that a row describes.

    Keys: ``rows``, ``seed``, ``season`` (rows as at a festival), ``as_of``, ``do`` (a list of
    [operation, column, size]), ``drop`` (columns), ``extra`` (columns), ``expected_rows``,
    ``tier_shares``.
    """
    n = int(told.get("rows", N_ROWS))
    rows = draw_rows(n, int(told.get("seed", 77)), is_festive=bool(told.get("season")))
    for operation, column, size in told.get("do", []):
        places = range(len(COLUMNS)) if column == "*" else [COLUMNS.index(column)]
        for place in places:
            rows[:, place] = _OPERATIONS[operation](rows[:, place].copy(), size)
    with np.errstate(over="ignore", invalid="ignore"):
        value = value_of(np.where(np.isfinite(rows), rows, 0.0)) * float(told.get("value_times", 1))
    made = value_of(draw_rows(N_MADE_ON, 0))
    tiers = np.searchsorted(_cuts(made), value, side="right").astype(np.int64)
    if "tier_shares" in told:
        counts = np.round(np.cumsum(told["tier_shares"]) * n).astype(np.int64)
        tiers = np.searchsorted(counts, np.arange(n), side="right").clip(0, 3).astype(np.int64)
    kept = [place for place, name in enumerate(COLUMNS) if name not in told.get("drop", [])]
    extra = list(told.get("extra", []))
    values = np.hstack([rows[:, kept], np.zeros((n, len(extra)))])
    return Window(
        date.fromisoformat(told["as_of"]) if "as_of" in told else AS_OF,
        (*(COLUMNS[place] for place in kept), *extra),
        values,
        {"expected_value": value},
        tiers,
        told.get("expected_rows"),
    )


def _null(values: Array, share: float) -> Array:
    values[: round(share * len(values))] = np.nan
    return values


def _infinite(values: Array, share: float) -> Array:
    values[: round(share * len(values))] = np.inf
    return values


def _outlier(values: Array, times: float) -> Array:
    values[0] = times * np.nanmax(np.abs(values))
    return values


_OPERATIONS = {
    "shift": lambda values, size: values + size * np.nanstd(values),
    "times": lambda values, size: values * size,
    "null": _null,
    "infinite": _infinite,
    "constant": lambda values, size: np.full_like(values, size),
    "outlier": _outlier,
}


@cache
def _matured(level: float, scrambled: float, n: int, flattened: float) -> tuple[Any, ...]:
    rng = np.random.default_rng(9)
    value = value_of(draw_rows(n, 31))
    p_active = np.clip(value / (value + np.median(value)), 0.02, 0.98)
    paid = rng.uniform(size=n) < p_active
    outcome = np.where(paid, value / p_active * rng.lognormal(-0.125, 0.5, n), 0.0)
    said, p_said = value * level * outcome.sum() / value.sum(), p_active.copy()
    moved = np.flatnonzero(rng.uniform(size=n) < scrambled)
    order = rng.permutation(moved)
    said[moved], p_said[moved] = said[order], p_said[order]
    return said, p_said ** (1 - flattened), outcome


def build_performance(told: Mapping[str, Any], settings: MonitoringSettings) -> Performance:
    """Return a judged cohort: ``level``, ``scrambled``, ``flattened``, ``rows``, ``days_ago``, ..."""
    n = int(told.get("rows", N_COHORT))
    good = evaluate_predictions(*_swap(_matured(1.0, 0.0, N_COHORT, 0.0)))
    said, p_said, outcome = _matured(
        float(told.get("level", 1.0)),
        float(told.get("scrambled", 0.0)),
        n,
        float(told.get("flattened", 0.0)),
    )
    cutoff = AS_OF - timedelta(days=int(told.get("days_ago", HORIZON_DAYS + 5)))
    return judge_cohort(
        Predicted(cutoff, HORIZON_DAYS, said, p_said),
        outcome,
        AS_OF,
        good,
        settings,
        season_unseen=bool(told.get("season_unseen")),
    )


def _swap(matured: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    said, p_said, outcome = matured
    return outcome, said, p_said


def build_memory(rows: list[Mapping[str, Any]]) -> Memory:
    """Return a memory: ``cause``, ``opened`` and ``acted`` in days ago, ``quiet``, ``escalated``."""
    incidents, acts = [], {}
    for row in rows:
        opened = AS_OF - timedelta(days=row["opened"])
        acted = AS_OF - timedelta(days=row["acted"]) if "acted" in row else None
        if acted is not None:
            acts[row["cause"]] = acted
        if not row.get("closed"):
            incidents.append(
                Incident(
                    row["cause"],
                    opened,
                    AS_OF,
                    acted,
                    row.get("quiet", 0),
                    row.get("escalated", False),
                )
            )
    return Memory(tuple(incidents), acts)


def play(scenario: Scenario, settings: MonitoringSettings) -> Verdict:
    """Play one scenario through the watch and return its verdict.

    ``orders`` is [fault, size]; ``performance`` a list of cohorts; ``memory`` a list of incidents;
    ``promoted`` days since the promotion; ``reference`` is "none", or "no_orders".
    """
    told = scenario.told
    reference: Reference | None = build_reference_of_shop()
    if told.get("reference") == "none":
        reference = None
    elif told.get("reference") == "no_orders" and reference is not None:
        reference = replace(reference, orders=None)
    fault, size = told.get("orders", [None, 0.0])
    promoted = told.get("promoted")
    return watch(
        build_window(told),
        reference,
        build_days(fault, float(size)),
        [build_performance(each, settings) for each in told.get("performance", [])],
        build_memory(told.get("memory", [])),
        settings,
        AS_OF - timedelta(days=promoted) if promoted is not None else None,
    )
