"""The pictures of the tier report as inline SVG: they scale, print, and ask for nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from training.tier_report.facts import CurveFacts
from training.tier_report.numerals import Numerals

LIGHT, DARK = (0xDC, 0xE3, 0xEA), (0x0B, 0x3C, 0x6F)
INK, FAINT, GRID, DOT = "#1c2733", "#64717f", "#e3e8ed", "#b4500b"


def tier_colour(k: int, n_tiers: int) -> str:
    """Return the fill of a tier, from light at the bottom to dark at the top.

    >>> tier_colour(0, 4), tier_colour(3, 4)
    ('#dce3ea', '#0b3c6f')
    """
    part = k / max(n_tiers - 1, 1)
    mixed = (round(a + (b - a) * part) for a, b in zip(LIGHT, DARK, strict=True))
    return "#" + "".join(f"{one:02x}" for one in mixed)


def ink_on(k: int, n_tiers: int) -> str:
    """Return the colour of text on a tier's fill."""
    return "#ffffff" if k / max(n_tiers - 1, 1) > 0.45 else INK


def text(x: float, y: float, words: str, size: float = 13, fill: str = INK, more: str = "") -> str:
    """Return one escaped text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" {more}>{escape(words)}</text>'


def share_bars(
    rows: Sequence[tuple[str, Sequence[float | None]]], labels: Sequence[str], numerals: Numerals
) -> str:
    """Return stacked bars of shares, one a row, the top tier to the left.

    Parameters
    ----------
    rows : sequence of (str, shares)
        Caption, and a share a tier, bottom to top.
    labels : sequence of str
        Of the tiers, bottom to top.
    numerals : Numerals
        How numbers are written.
    """
    n = len(labels)
    parts = []
    for caption, shares in rows:
        cells = []
        for k in range(n - 1, -1, -1):
            share = shares[k] or 0.0
            if share <= 0:
                continue
            told = f"{labels[k]} {numerals.percent(share)} {caption}"
            shown = numerals.percent(share) if share >= 0.07 else ""
            cells.append(
                f'<span style="flex:{share:.5f} 0 0;background:{tier_colour(k, n)};'
                f'color:{ink_on(k, n)}" title="{escape(told)}">{escape(shown)}</span>'
            )
        parts.append(
            f'<div class="bar"><b>{escape(caption)}</b><div class="parts">{"".join(cells)}</div></div>'
        )
    keys = "".join(
        f'<span><i style="background:{tier_colour(k, n)}"></i>{escape(labels[k])}</span>'
        for k in range(n - 1, -1, -1)
    )
    return f'<div class="bars">{"".join(parts)}<p class="key">{keys}</p></div>'


@dataclass(frozen=True)
class Frame:
    """Where a curve is drawn: log scales on both axes."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float
    n: float
    low: float
    high: float

    def x(self, rank: float) -> float:
        """Return where a rank lies."""
        part = math.log(max(rank, 1)) / math.log(max(self.n, 2))
        return self.left + part * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Return where a value lies; what is below the scale lies on its edge."""
        span = math.log(self.high / self.low)
        part = math.log(max(value, self.low) / self.low) / span
        return self.height - self.bottom - part * (self.height - self.top - self.bottom)


def value_curve(
    curve: CurveFacts,
    labels: Sequence[str],
    words: dict[str, str],
    numerals: Numerals,
    width: int,
) -> str:
    """Return expected value by rank, with the boundaries and what neighbours brought.

    Parameters
    ----------
    curve : CurveFacts
        What is drawn.
    labels : sequence of str
        Of the tiers, bottom to top.
    words : dict
        ``rank``, ``value``, ``expected``, ``realised``, ``title``.
    numerals : Numerals
        How numbers are written.
    width : int
        In pixels at which it is meant to be seen: letters keep their size.
    """
    frame = _frame(curve, width)
    parts = [*_bands(frame, curve, labels, numerals), *_axes(frame, words, numerals)]
    line = " ".join(
        f"{frame.x(rank):.1f},{frame.y(value):.1f}"
        for rank, value in zip(curve.rank, curve.expected, strict=True)
    )
    parts.append(f'<polyline points="{line}" fill="none" stroke="#0b5fa5" stroke-width="2.6"/>')
    parts += [
        f'<circle cx="{frame.x(rank):.1f}" cy="{frame.y(value):.1f}" r="3.6" fill="{DOT}" '
        'stroke="#fff" stroke-width="1"/>'
        for rank, value in zip(curve.group_rank, curve.group_mean, strict=True)
    ]
    y = frame.height - frame.bottom - 34
    parts.append(
        f'<line x1="{frame.left + 12:.0f}" y1="{y - 4:.0f}" x2="{frame.left + 36:.0f}" '
        f'y2="{y - 4:.0f}" stroke="#0b5fa5" stroke-width="2.6"/>'
    )
    parts.append(text(frame.left + 43, y, words["expected"]))
    parts.append(
        f'<circle cx="{frame.left + 24:.0f}" cy="{y + 15:.0f}" r="3.6" fill="{DOT}"/>'
        + text(frame.left + 43, y + 19, words["realised"])
    )
    return (
        f'<svg viewBox="0 0 {width} {frame.height:.0f}" role="img" '
        f'aria-label="{escape(words["title"])}" style="max-width:{1.25 * width:.0f}px">{"".join(parts)}</svg>'
    )


def _frame(curve: CurveFacts, width: int) -> Frame:
    shown = [value for value in (*curve.expected, *curve.group_mean) if value > 0] or [1.0]
    high = max(shown)
    low = max(min(value for value in shown), high / 1e5)
    if high <= low:
        low = high / 10
    height = 400 if width > 500 else 340
    return Frame(
        width, height, 58, 54 if width > 500 else 68, 14, 48, curve.n, low / 1.3, high * 1.3
    )


def _bands(frame: Frame, curve: CurveFacts, labels: Sequence[str], numerals: Numerals) -> list[str]:
    """Return each tier's ground over the ranks it holds, its name above and its boundary."""
    n_tiers = len(labels)
    edges = [float(curve.n), *(_rank_at(curve, cut) for cut in curve.boundaries), 1.0]
    base = frame.height - frame.bottom
    parts = []
    for k in range(n_tiers):
        left, right = frame.x(edges[k + 1]), frame.x(edges[k])
        parts.append(
            f'<rect x="{left:.1f}" y="{frame.top:.1f}" width="{max(right - left, 0):.1f}" '
            f'height="{base - frame.top:.1f}" fill="{tier_colour(k, n_tiers)}" opacity="0.30"/>'
        )
    placed = frame.width
    for k in range(n_tiers):
        left, right = frame.x(edges[k + 1]), frame.x(edges[k])
        middle = (left + right) / 2
        lift = 0.0
        if right - left < 74 and placed - middle < 80:  # a narrow band: its name goes a line up
            lift = 30.0
        placed = middle if not lift else placed
        wide = frame.width > 500
        parts.append(
            text(middle, frame.top - 22 - lift * (not wide), labels[k], 13, INK,
                 'text-anchor="middle" font-weight="600"')
        )  # fmt: skip
        if k:
            parts.append(
                text(middle, frame.top - 7 - lift * (not wide),
                     "≥ " + numerals.brief_money(curve.boundaries[k - 1]), 12, FAINT,
                     'text-anchor="middle"')
            )  # fmt: skip
            parts.append(
                f'<line x1="{right:.1f}" x2="{right:.1f}" y1="{frame.top:.1f}" y2="{base:.1f}" '
                f'stroke="{INK}" stroke-dasharray="4 3" stroke-width="1"/>'
            )
    return parts


def _rank_at(curve: CurveFacts, boundary: float) -> float:
    """Return the rank of the last customer at or above a boundary, read off the curve."""
    last = 1.0
    pairs = list(zip(curve.rank, curve.expected, strict=True))
    for (rank, value), (after, below) in itertools.pairwise(pairs):
        if below >= boundary:
            last = after
            continue
        if value >= boundary > below:
            part = (value - boundary) / max(value - below, 1e-12)
            return rank + part * (after - rank)
    return last


def _axes(frame: Frame, words: dict[str, str], numerals: Numerals) -> list[str]:
    base = frame.height - frame.bottom
    parts = []
    power = math.ceil(math.log10(frame.low))
    while 10.0**power <= frame.high:
        y = frame.y(10.0**power)
        parts.append(
            f'<line x1="{frame.left:.0f}" x2="{frame.width - frame.right:.0f}" y1="{y:.1f}" '
            f'y2="{y:.1f}" stroke="{GRID}"/>'
        )
        parts.append(
            text(frame.left - 7, y + 4, numerals.brief_money(10.0**power), 12, FAINT,
                 'text-anchor="end"')
        )  # fmt: skip
        power += 1
    rank = 1.0
    while rank <= frame.n:
        anchor = "start" if rank == 1 else "middle"
        parts.append(
            text(frame.x(rank), base + 17, numerals.brief_count(rank), 12, FAINT,
                 f'text-anchor="{anchor}"')
        )  # fmt: skip
        rank *= 10
    parts.append(
        text((frame.left + frame.width) / 2, base + 38, words["rank"], 12, FAINT,
             'text-anchor="middle"')
    )  # fmt: skip
    parts.append(
        f'<line x1="{frame.left:.0f}" x2="{frame.width - frame.right:.0f}" y1="{base:.1f}" '
        f'y2="{base:.1f}" stroke="{FAINT}"/>'
    )
    return parts
