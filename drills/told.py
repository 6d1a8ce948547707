"""What a drill tells: a table, a summary as JSON, and a picture of the year."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from drills.play import Look, Played
from drills.script import QUARANTINE, Seen
from features.durable import write_durably

COLOURS = {
    "quarantine_and_alarm": "#b3261e",
    "escalate": "#7b4fa3",
    "recalibrate": "#1f6fb2",
    "recut": "#2f8f83",
    "retrain": "#d17a00",
    "none": "#8a8f98",
}
INK, QUIET, GRID = "#22262b", "#6b7280", "#e3e6ea"


def timeline_lines(played: Played) -> list[str]:
    """Return the table of the incidents, then the table of the looks at which anything happened."""
    lines = [
        "",
        f"{'day':10}  {'what happened':40} {'seen':>6}  {'what was done':21} {'right':5}  came to",
    ]
    for each in played.seen:
        days = "never" if each.days is None else f"{each.days} d"
        right = "yes" if each.is_right else f"no: {each.planned.act}"
        lines.append(
            f"{each.planned.incident.day}  {each.planned.title:40.40} {days:>6}  {each.act:21} "
            f"{right:5}  {each.outcome}"
        )
        if each.objections:
            lines.append(f"{'':12}for {'; '.join(each.objections)}")
    lines += [
        "",
        f"{'looked on':10}  {'act':21} {'wall s':>6} {'CPU s':>6} {'answered':>8} {'failed':>6} {'swap s':>6}  why",
    ]
    for look in played.looks:
        swap = "" if look.swap_seconds is None else f"{look.swap_seconds:.1f}"
        note = "" if look.belongs else " (not of the script)"
        lines.append(
            f"{look.day}  {look.act:21} {look.cost.wall_seconds:6.1f} {look.cost.cpu_seconds:6.1f} "
            f"{look.answered:8} {look.failed:6} {swap:>6}  {look.why:.60}{note}"
        )
    return lines


def summarise(played: Played) -> dict[str, Any]:
    """Return the drill as plain JSON values.

    Returns
    -------
    dict
        ``incidents`` by kind (``days_to_verdict``, ``act``, ``right_act``, ``is_right``,
        ``outcome``), ``looks``, ``requests`` (answered, failed, failed while promoted, slowest),
        ``cost`` and ``holds``.
    """
    looks = [asdict(each) for each in played.looks]
    swaps = [each for each in played.looks if each.swap_seconds is not None]
    return {
        "incidents": {
            each.planned.incident.kind: {
                "day": each.planned.incident.day.isoformat(),
                "days_to_verdict": each.days,
                "act": each.act,
                "right_act": each.planned.act,
                "is_right": each.is_right,
                "why": each.why,
                "outcome": each.outcome,
                "objections": list(each.objections),
            }
            for each in played.seen
        },
        "looks": looks,
        "acts_outside_the_script": sum(not each.belongs for each in played.looks),
        "requests": {
            "answered": played.tally.answered,
            "failed": played.tally.failed,
            "failed_while_promoted": sum(each.failed for each in swaps),
            "releases_that_answered": len(played.tally.releases),
            "slowest_seconds": played.tally.slowest_seconds,
            "failures": played.failures,
        },
        "swaps": {
            "n": len(swaps),
            "slowest_seconds": max((each.swap_seconds or 0.0 for each in swaps), default=None),
        },
        "cost": {
            "before": asdict(played.before),
            "wall_seconds": sum(each.cost.wall_seconds for each in played.looks),
            "cpu_seconds": sum(each.cost.cpu_seconds for each in played.looks),
        },
        "holds": holds(played),
    }


def holds(played: Played) -> bool:
    """Whether every incident got its right act and no request failed."""
    return all(each.is_right for each in played.seen) and played.tally.failed == 0


def write_summary(played: Played, path: Path) -> None:
    """Write the summary as JSON."""
    text = json.dumps(summarise(played), indent=1, default=str, ensure_ascii=False)
    write_durably(path, text.encode() + b"\n")


def draw_timeline(played: Played, first: date, last: date, path: Path) -> None:
    """Draw the year: a line an incident, from its day to its verdict, and below it the requests.

    Parameters
    ----------
    played : Played
        With at least one look.
    first, last : date
        Of the axis.
    path : Path
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for place, each in enumerate(played.seen):
        _draw_incident(above, len(played.seen) - 1 - place, each, last)
    above.set_yticks(
        range(len(played.seen)), [each.planned.title for each in reversed(played.seen)]
    )
    above.set_ylim(-0.7, len(played.seen) - 0.3)
    n_right = sum(each.is_right for each in played.seen)
    above.set_title(
        f"{n_right} of {len(played.seen)} incidents got their right act; "
        f"{played.tally.failed} of {played.tally.answered + played.tally.failed} requests failed",
        loc="left", fontsize=12, color=INK,
    )  # fmt: skip
    _draw_requests(below, played.looks)
    for axes in (above, below):
        axes.grid(axis="x", color=GRID)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, colors=INK)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(GRID)
    below.set_xlim(first - timedelta(days=4), last + timedelta(days=30))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _draw_incident(axes: Any, row: int, each: Seen, last: date) -> None:
    begun = each.planned.incident.day
    end = each.seen_on or last
    colour = COLOURS[each.act]
    axes.plot([begun, end], [row, row], color=colour, linewidth=3, solid_capstyle="butt")
    axes.plot([begun], [row], marker="o", color="white", markeredgecolor=colour, markersize=7)
    told = "never seen" if each.seen_on is None else f"{each.act}, {each.days} d"
    if each.seen_on is not None:
        axes.plot([end], [row], marker="D", color=colour, markersize=7)
    if each.act not in (QUARANTINE, "none"):
        told += f" ({each.outcome})"
    if not each.is_right:
        told += f" - wrong, {each.planned.act} was right"
    late = (last - end).days < 75
    place = begun - timedelta(days=7) if late else end + timedelta(days=7)
    axes.text(place, row, told, va="center", ha="right" if late else "left", fontsize=9, color=INK)


def _draw_requests(axes: Any, looks: Sequence[Look]) -> None:
    days = [each.day for each in looks]
    axes.bar(days, [each.answered for each in looks], width=5, color="#9db7cf", label="answered")
    axes.bar(days, [each.failed for each in looks], width=5, color="#b3261e", label="failed")
    for each in looks:
        if each.swap_seconds is not None:
            axes.annotate(
                f"new release\nin {each.swap_seconds:.1f} s", (each.day, each.answered),
                ha="center", va="bottom", fontsize=8, color=QUIET,
            )  # fmt: skip
    axes.margins(y=0.35)
    axes.set_ylabel("requests a look", color=INK)
    axes.legend(loc="upper left", frameon=False, ncols=2, fontsize=8)
