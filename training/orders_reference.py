"""What a day of order lines looks like: frozen with a release, so that a broken day stands out."""

from __future__ import annotations

import numpy as np

from features.order_days import Floats, OrderDays
from training.reference import OrdersReference

DAYS_LOOKED_AT = 365
NEWEST_DAYS = 90
WEEKS_BEFORE = 4
ENOUGH_LINES = 30.0
LATE_QUANTILE = 0.05


def describe_orders(days: OrderDays) -> OrdersReference | None:
    """Freeze the days before a release; None where there are fewer than five weeks of them.

    Parameters
    ----------
    days : OrderDays
        The year before the cutoff, or what there is of it.
    """
    if len(days) <= 7 * (WEEKS_BEFORE + 1) or not days.n_sales.any():
        return None
    newest = days.slice(max(len(days) - NEWEST_DAYS, 0), len(days))
    busy = days.n_lines >= ENOUGH_LINES
    daily, weekly = day_ratios(days.n_sales), week_ratios(days.n_sales)
    late = days.last_hour[busy & np.isfinite(days.last_hour)]
    n_lines = max(float(newest.n_lines.sum()), 1.0)
    return OrdersReference(
        lines_per_day=float(newest.n_lines.mean()),
        day_range=_range(daily),
        week_range=_range(weekly),
        duplicate_share=float(np.max(days.n_duplicates[busy] / days.n_lines[busy], initial=0.0)),
        median_amount=float(np.nanmedian(newest.median_amount)),
        last_hour=float(np.quantile(late, LATE_QUANTILE)) if late.size else None,
        null_shares={name: float(n.sum()) / n_lines for name, n in newest.n_null.items()},
        kinds={
            column: {name: float(n.sum()) / float(days.n_sales.sum()) for name, n in named.items()}
            for column, named in days.kinds.items()
        },
    )


def day_ratios(n_sales: Floats) -> Floats:
    """Return each day's sales over the mean of the same weekday in the four weeks before.

    NaN in the first four weeks and where that mean is below thirty: too few to tell.
    """
    ratios = np.full(len(n_sales), np.nan)
    for day in range(7 * WEEKS_BEFORE, len(n_sales)):
        before = expected_on_day(n_sales, day)
        if before >= ENOUGH_LINES:
            ratios[day] = n_sales[day] / before
    return ratios


def expected_on_day(counts: Floats, day: int) -> float:
    """Return the mean of the same weekday in the four weeks before; NaN without four weeks.

    >>> expected_on_day(np.arange(29.0), 28)
    10.5
    """
    if day < 7 * WEEKS_BEFORE:
        return float("nan")
    return float(counts[[day - 7 * week for week in range(1, WEEKS_BEFORE + 1)]].mean())


def week_ratios(n_sales: Floats) -> Floats:
    """Return the mean of the seven days up to each day over that of the four weeks before them."""
    ratios = np.full(len(n_sales), np.nan)
    for end in range(7 * (WEEKS_BEFORE + 1), len(n_sales) + 1):
        before = float(n_sales[end - 35 : end - 7].mean())
        if before * 7 >= ENOUGH_LINES:
            ratios[end - 1] = n_sales[end - 7 : end].mean() / before
    return ratios


def _range(ratios: Floats) -> tuple[float, float] | None:
    """Return the least and the greatest ratio; None where there is none."""
    known = ratios[np.isfinite(ratios)]
    return (float(known.min()), float(known.max())) if known.size else None
