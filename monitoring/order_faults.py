"""Faults of the order lines, day by day, against what a day looked like before the release. Pure."""

from __future__ import annotations

import numpy as np

from features.config import MonitoringSettings
from features.order_days import OrderDays
from monitoring.finding import Finding
from training.orders_reference import (
    ENOUGH_LINES,
    WEEKS_BEFORE,
    day_ratios,
    expected_on_day,
    week_ratios,
)
from training.reference import OrdersReference

EARLY_HOURS = 3.0  # a day that ends so much earlier than nearly all others was cut short
BEYOND = 1.5  # part by which a volume must leave the range of a year
SAMPLING_ERRORS = 2.0  # by which that range is wider: one year's is drawn from small numbers
KIND_DAYS = 7
KIND_LINES = 100.0
LEAST_DAYS = 7 * (WEEKS_BEFORE + 1)
"""Days that must stand before the day that is judged."""


def find_order_faults(
    days: OrderDays, reference: OrdersReference, settings: MonitoringSettings
) -> tuple[Finding, ...]:
    """Return what is wrong with the last day, given the weeks before it.

    Parameters
    ----------
    days : OrderDays
        At least `LEAST_DAYS` days and the one to judge, the last.
    reference : OrdersReference
        Frozen with the release.
    settings : MonitoringSettings
        Limits.

    Returns
    -------
    tuple of Finding
        Lines refused or repeated, values missing, a slip of the unit, a day cut short, a volume
        never seen, and names of channels or categories that are new. Where fewer than thirty
        lines came and were to come, nothing is said of the day: too few to tell.
    """
    last = len(days) - 1
    day = days.slice(last, last + 1).first.isoformat()
    came = float(days.n_lines[last] + days.n_refused[last])
    findings = _volume(days, reference, day)
    if came >= ENOUGH_LINES:
        findings += _refused(days, reference, settings, day, came)
        findings += _missing(days, reference, settings, day)
        findings += _slip(days, settings, day)
    # a day cut short has few lines because it was cut: what counts is how many were to come
    if max(came, expected_on_day(days.n_lines + days.n_refused, last)) >= ENOUGH_LINES:
        findings += _cut_short(days, reference, day)
    return (*findings, *_new_kinds(days, reference, settings))


def _refused(
    days: OrderDays,
    reference: OrdersReference,
    settings: MonitoringSettings,
    day: str,
    came: float,
) -> list[Finding]:
    last = len(days) - 1
    before = slice(max(last - 28, 0), last)
    usual = float(days.n_refused[before].sum()) / max(
        float((days.n_lines + days.n_refused)[before].sum()), 1.0
    )
    findings = []
    refused = float(days.n_refused[last]) / came
    if refused > usual + settings.refused_share:
        findings.append(Finding("refused", day, refused, usual + settings.refused_share))
    repeated = float(days.n_duplicates[last]) / came
    limit = reference.duplicate_share + settings.refused_share
    if repeated > limit:
        findings.append(Finding("duplicates", day, repeated, limit))
    return findings


def _missing(
    days: OrderDays, reference: OrdersReference, settings: MonitoringSettings, day: str
) -> list[Finding]:
    n = max(float(days.n_lines[-1]), 1.0)
    found = []
    for name, counts in days.n_null.items():
        share, limit = float(counts[-1]) / n, reference.null_shares[name] + settings.null_surge
        if share > limit:
            found.append(Finding("null_surge", f"{name} on {day}", share, limit))
    return found


def _slip(days: OrderDays, settings: MonitoringSettings, day: str) -> list[Finding]:
    """Compare the day's typical sale with that of the four weeks before it."""
    before = days.median_amount[-29:-1]
    known = before[np.isfinite(before)]
    if not known.size or not np.isfinite(days.median_amount[-1]):
        return []
    usual = float(np.median(known))
    if usual <= 0:
        return []
    ratio = float(days.median_amount[-1]) / usual
    if max(ratio, 1 / max(ratio, 1e-12)) <= settings.unit_slip_ratio:
        return []
    return [Finding("unit_slip", f"amount on {day}", ratio, settings.unit_slip_ratio)]


def _cut_short(days: OrderDays, reference: OrdersReference, day: str) -> list[Finding]:
    hour = float(days.last_hour[-1])
    if reference.last_hour is None or not np.isfinite(hour):
        return []
    limit = reference.last_hour - EARLY_HOURS
    return [Finding("half_day", day, hour, limit)] if hour < limit else []


def _volume(days: OrderDays, reference: OrdersReference, day: str) -> list[Finding]:
    """Hold the day, and the week that it ends, against the range of a year, widened by chance."""
    last = len(days) - 1
    for ratios, known, n_days in (
        (day_ratios(days.n_sales), reference.day_range, 1),
        (week_ratios(days.n_sales), reference.week_range, 7),
    ):
        ratio = float(ratios[-1])
        if known is None or not np.isfinite(ratio):
            continue
        usual = expected_on_day(days.n_sales, last)
        if n_days > 1:
            usual = n_days * float(days.n_sales[last - 34 : last - 6].mean())
        low = known[0] / BEYOND / widened_by_chance(usual * known[0])
        high = known[1] * BEYOND * widened_by_chance(usual * known[1])
        if ratio < low:
            return [Finding("volume", day, ratio, low)]
        if ratio > high:
            return [Finding("volume", day, ratio, high)]
    return []


def widened_by_chance(count: float) -> float:
    """Return the factor by which chance alone sets two small counts of the same mean apart.

    Parameters
    ----------
    count : float
        The mean: sales of the year's least or greatest day. That day's count and the new one's are
        both drawn, so the logarithm of their ratio has about the variance 2 / count.

    Examples
    --------
    >>> [round(widened_by_chance(n), 2) for n in (20, 200, 20_000)]
    [1.88, 1.22, 1.02]
    """
    return float(np.exp(SAMPLING_ERRORS * np.sqrt(2 / count))) if count > 0 else 1.0


def _new_kinds(
    days: OrderDays, reference: OrdersReference, settings: MonitoringSettings
) -> list[Finding]:
    """Return names nobody had seen that hold more than their share of a week's sales."""
    n = float(days.n_sales[-KIND_DAYS:].sum())
    if n < KIND_LINES:
        return []
    found = []
    for column, named in days.kinds.items():
        known = reference.kinds.get(column, {})
        if not known:
            continue
        for name, counts in sorted(named.items()):
            share = float(counts[-KIND_DAYS:].sum()) / n
            if name not in known and share > settings.new_kind_share:
                found.append(
                    Finding("new_kind", f"{column} {name!r}", share, settings.new_kind_share)
                )
    return found
