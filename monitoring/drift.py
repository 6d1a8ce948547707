"""Drift of a window against the reference frozen in the release. Pure.

A guard comes first: an empty, tiny or broken window is called that, and never drift. Then each
column's population stability index on the frozen edges,

    psi = sum over bins of (p - q) * ln(max(p, floor) / max(q, floor)),

less what rows as few as these give by chance, (bins - 1) * (1 / n + 1 / m). A column is compared
with the release's own cohort and with the same season a year before, whichever it is nearer to; it
is beyond its limit only where it moved further than it had wandered by itself over as many days
before the release. Shares of rows, so one outlier moves no more than one row, and a row that stands
out alone is left out altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.config import MonitoringSettings
from monitoring.extremes import find_lone_rows
from monitoring.finding import Finding
from training.models.matrix import Array
from training.reference import ColumnReference, Reference, TierReference, share_in_bins

SHARE_FLOOR = 0.005
YEAR = timedelta(days=365)
SAME_SEASON_WITHIN_DAYS = 31
LAG_SLACK = 1.25
WANDER_PART = 0.5  # a shop that grows older wanders less than it did when it was young
MOST_WANDER = 0.35
TINY_PART = 0.1
CONSTANT_SHARE = 0.999
INFINITE_SHARE = 0.01
SCALED_SHARE = 0.05  # values other than 0 below which a column has no typical size
FADING = "decayed_"
"""Columns that shrink by the day in who does not come: a season moves their size tenfold."""
SHARE_ERRORS = 3.0  # standard errors that a tier's share must be beyond its limit
NO_TIER = -1
Status = Literal["steady", "drift", "insufficient", "quality_error"]


@dataclass(frozen=True)
class Window:
    """Rows to be held against the reference.

    Attributes
    ----------
    as_of : date
        The first day that is not in it.
    columns : tuple of str
        Names of the features.
    values : array (n, len(columns))
        NaN where a feature is missing.
    scores : dict of str to array (n,)
        By name; may be empty.
    tiers : int array (n,) or None
        Index of each row's tier, `NO_TIER` where it has none.
    expected_rows : float or None
        How many there should be, where that is known.
    """

    as_of: date
    columns: tuple[str, ...]
    values: Array
    scores: dict[str, Array] = field(default_factory=dict)
    tiers: NDArray[np.int64] | None = None
    expected_rows: float | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes
    ----------
    name : str
        Of the column.
    psi : float
        Corrected for small samples, at least 0.
    limit : float
        What it may not pass.
    importance : float
        Share of the model's gain.
    null_share : float
        Of the window.
    compared_with : date
        Cutoff of the cohort it is nearer to.
    is_critical : bool
        Whether it counts alone.
    """

    name: str
    psi: float
    limit: float
    importance: float
    null_share: float
    compared_with: date
    is_critical: bool

    @property
    def excess(self) -> float:
        """Psi beyond what the column wanders by itself; below 0 where it is within."""
        return self.psi - self.limit


@dataclass(frozen=True)
class Drift:
    """The verdict on one window.

    Attributes
    ----------
    as_of : date
        Of the window.
    n_rows : int
        In it.
    status : str
        ``insufficient`` and ``quality_error`` say nothing about drift.
    columns, scores : tuple of ColumnDrift
        Empty where the guard stopped.
    aggregate, aggregate_limit : float
        Importance-weighted psi of the features.
    tier_shares : dict
        Share of each tier among the rows that have one.
    findings : tuple of Finding
        Beyond their limits.
    """

    as_of: date
    n_rows: int
    status: Status
    columns: tuple[ColumnDrift, ...] = ()
    scores: tuple[ColumnDrift, ...] = ()
    aggregate: float = 0.0
    aggregate_limit: float = 0.0
    tier_shares: dict[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def stability_index(current: Array, reference: Array, n: int, m: int) -> float:
    """Return the population stability index of shares by bin, less its expectation by chance.

    Parameters
    ----------
    current, reference : array (bins,)
        Shares.
    n, m : int
        Rows they were counted in.

    Examples
    --------
    >>> even = np.full(10, 0.1)
    >>> stability_index(even, even, 1000, 1000)
    0.0
    >>> moved = np.array([0.05, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.15, 0.15])
    >>> round(stability_index(moved, even, 10**9, 10**9), 3)
    0.11
    """
    raw = (current - reference) * np.log(
        np.maximum(current, SHARE_FLOOR) / np.maximum(reference, SHARE_FLOOR)
    )
    filled = int(np.count_nonzero((current > 0) | (reference > 0)))
    by_chance = max(filled - 1, 0) * (1 / max(n, 1) + 1 / max(m, 1))
    return max(float(raw.sum()) - by_chance, 0.0)


def measure_drift(window: Window, reference: Reference, settings: MonitoringSettings) -> Drift:
    """Hold a window against the reference.

    Parameters
    ----------
    window : Window
        With the release's columns; others are passed over.
    reference : Reference
        Of the release that answered.
    settings : MonitoringSettings
        Limits.
    """
    n_rows = len(window)
    if n_rows >= settings.minimum_rows:
        window = _without_lone_rows(window)
    faults = find_faults(window, reference, settings)
    if faults:
        return Drift(window.as_of, n_rows, "quality_error", findings=faults)
    if n_rows < settings.minimum_rows:
        return Drift(window.as_of, n_rows, "insufficient")
    place = {name: i for i, name in enumerate(window.columns)}
    columns = tuple(
        _column_drift(each, window.values[:, place[each.name]], window, reference, settings)
        for each in reference.columns
    )
    broken = _null_surges(columns, reference, window.as_of, settings)
    if broken:
        return Drift(window.as_of, n_rows, "quality_error", columns, findings=broken)
    scores = tuple(
        _column_drift(each, window.scores[each.name], window, reference, settings)
        for each in reference.scores
        if each.name in window.scores
    )
    aggregate = sum(each.psi * each.importance for each in columns)
    wandered = sum((each.limit - settings.psi_alarm) * each.importance for each in columns)
    limit = settings.psi_aggregate_alarm + wandered
    shares = _tier_shares(window, reference)
    findings = [
        Finding("critical_input", each.name, each.psi, each.limit)
        for each in columns
        if each.is_critical and each.psi > each.limit
    ]
    if aggregate > limit:
        findings.append(Finding("inputs", "all columns by importance", aggregate, limit))
    findings += [
        Finding("scores", each.name, each.psi, each.limit)
        for each in scores
        if each.psi > each.limit
    ]
    findings += _share_findings(window, reference, shares, settings)
    return Drift(
        window.as_of,
        n_rows,
        "drift" if findings else "steady",
        columns,
        scores,
        aggregate,
        limit,
        shares,
        tuple(findings),
    )


def _without_lone_rows(window: Window) -> Window:
    lone = find_lone_rows(window.values)
    if not lone.size:
        return window
    return replace(
        window,
        values=np.delete(window.values, lone, axis=0),
        scores={name: np.delete(each, lone) for name, each in window.scores.items()},
        tiers=None if window.tiers is None else np.delete(window.tiers, lone),
    )


def find_faults(
    window: Window, reference: Reference, settings: MonitoringSettings
) -> tuple[Finding, ...]:
    """Return what is wrong with the data itself, before anything is compared."""
    missing = [each.name for each in reference.columns if each.name not in window.columns]
    if missing:
        return (Finding("schema", ", ".join(missing[:5]), len(missing), 0),)
    n, expected = len(window), window.expected_rows
    if not n:
        return (Finding("empty", "window", 0, settings.minimum_rows),)
    if n < settings.minimum_rows:
        if expected is not None and expected * TINY_PART >= max(
            n, settings.minimum_rows * TINY_PART
        ):
            return (Finding("tiny", "window", n, expected * TINY_PART),)
        return ()
    faults = []
    place = {name: i for i, name in enumerate(window.columns)}
    for each in reference.columns:
        faults += _column_faults(each, window.values[:, place[each.name]], settings)
    return tuple(faults)


def _column_faults(
    column: ColumnReference, values: Array, settings: MonitoringSettings
) -> list[Finding]:
    """Return a constant where there was none, infinite values, and a slip of the unit."""
    infinite = float(np.isinf(values).mean())
    if infinite > INFINITE_SHARE:
        return [Finding("infinite", column.name, infinite, INFINITE_SHARE)]
    known = values[np.isfinite(values)]
    if not known.size:
        return []
    sizes = np.abs(known[known != 0])
    most = max(column.shares[0][:-1], default=0.0) / max(1 - column.shares[0][-1], SHARE_FLOOR)
    same = float((known == known[0]).mean())
    if same > CONSTANT_SHARE and most < CONSTANT_SHARE - settings.null_surge:
        return [Finding("constant", column.name, same, CONSTANT_SHARE)]
    if column.name.startswith(FADING):
        return []
    if column.scale and sizes.size > SCALED_SHARE * len(values):
        ratio = float(np.median(sizes)) / column.scale
        worst = max(ratio, 1 / max(ratio, 1e-12))
        if worst > settings.unit_slip_ratio:
            return [Finding("unit_slip", column.name, ratio, settings.unit_slip_ratio)]
    return []


def _column_drift(
    column: ColumnReference,
    values: Array,
    window: Window,
    reference: Reference,
    settings: MonitoringSettings,
) -> ColumnDrift:
    n = len(values)
    current = share_in_bins(values, np.array(column.edges))
    shares = np.array(column.shares)
    sizes = [moment.n_rows for moment in reference.moments]
    nearest, compared_with = stability_index(current, shares[0], n, sizes[0]), reference.cutoff
    season = same_season(reference, window.as_of)
    if season is not None:
        psi = stability_index(current, shares[season], n, sizes[season])
        if psi < nearest:
            nearest, compared_with = psi, reference.moments[season].cutoff
    wander = wandered(column, reference, (window.as_of - reference.cutoff).days)
    return ColumnDrift(
        column.name,
        nearest,
        settings.psi_alarm + wander,
        column.importance,
        float(current[-1]),
        compared_with,
        column.importance >= settings.critical_importance or column.name in settings.critical,
    )


def same_season(reference: Reference, as_of: date) -> int | None:
    """Return the place of the moment nearest to a year before a date; None if none is near."""
    away = [abs((as_of - YEAR - moment.cutoff).days) for moment in reference.moments]
    place = int(np.argmin(away))
    return place if place and away[place] <= SAME_SEASON_WITHIN_DAYS else None


def wandered(column: ColumnReference, reference: Reference, days: int) -> float:
    """Return the allowance for what a column moves by itself over some days.

    Half of the most it had moved over at most about as many days before the release, and no more
    than `MOST_WANDER`, so that nothing may wander out of sight.
    """
    shares = np.array(column.shares)
    moments = reference.moments
    reach = max(days * LAG_SLACK, SAME_SEASON_WITHIN_DAYS)
    moved = [
        stability_index(shares[0], shares[place], moments[0].n_rows, moments[place].n_rows)
        for place in range(1, len(moments))
        if (reference.cutoff - moments[place].cutoff).days <= reach
    ]
    return min(WANDER_PART * max(moved, default=0.0), MOST_WANDER)


def _null_surges(
    columns: Sequence[ColumnDrift],
    reference: Reference,
    as_of: date,
    settings: MonitoringSettings,
) -> tuple[Finding, ...]:
    """Return the columns that are missing far more often than ever before."""
    findings = []
    for drift, column in zip(columns, reference.columns, strict=True):
        before = [row[-1] for row in column.shares]
        limit = max(before) + settings.null_surge
        if drift.null_share > min(limit, 1 - 1e-9) and drift.null_share > max(before):
            findings.append(Finding("null_surge", column.name, drift.null_share, limit))
    return tuple(findings)


def _tier_shares(window: Window, reference: Reference) -> dict[str, float]:
    if window.tiers is None:
        return {}
    placed = window.tiers[window.tiers != NO_TIER]
    counts = np.bincount(placed, minlength=len(reference.tiers))
    return {
        tier.id: float(counts[place]) / max(placed.size, 1)
        for place, tier in enumerate(reference.tiers)
    }


def _share_findings(
    window: Window,
    reference: Reference,
    shares: dict[str, float],
    settings: MonitoringSettings,
) -> list[Finding]:
    """Return the tiers that hold other shares than agreed, surely."""
    if not shares or window.tiers is None:
        return []
    n = max(int((window.tiers != NO_TIER).sum()), 1)
    findings = []
    for tier in reference.tiers:
        share = shares[tier.id]
        error = SHARE_ERRORS * float(np.sqrt(max(share * (1 - share), 1e-6) / n))
        low, high = agreed_band(tier, settings.share_tolerance)
        if share - error > high:
            findings.append(Finding("tier_shares", tier.id, share, high))
        elif share + error < low:
            findings.append(Finding("tier_shares", tier.id, share, low))
    return findings


def agreed_band(tier: TierReference, tolerance: float) -> tuple[float, float]:
    """Return the shares between which a tier may lie: what was agreed, with the tolerance.

    A tier that was outside its agreed share when the release was made keeps the share it had.

    >>> agreed_band(TierReference("gold", (0.08,), 0.04, 0.12), 0.25)
    (0.03, 0.15)
    """
    made = tier.shares[0]
    low, high = min(tier.low, made), max(tier.high, made)
    return round(low * (1 - tolerance), 9), round(high * (1 + tolerance), 9)
