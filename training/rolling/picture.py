"""The picture of a rolling-origin backtest: who ranks best when, and by how much."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from training.backtest import LEARNED
from training.judge.pictures import BLUE, DASHES, DPI, FAINT, GRID, INK, LINES, VERMILION
from training.rolling.judged import Judged
from training.rolling.report import models_of, pool_differences

CONSTANT = "constant"  # ranks nobody: its line would only stretch the scale


def backtest_picture(judged: Sequence[Judged], path: Path) -> Path:
    """Draw, per horizon, nGini by cutoff and the learned model's mean lead over each baseline.

    Parameters
    ----------
    judged : sequence of Judged
        With figures, one or more.
    path : Path
        PNG to write; its folder must exist.
    """
    horizons = sorted({each.horizon_days for each in judged})
    figure = Figure(
        figsize=(13, 1.0 + 3.6 * len(horizons)),
        dpi=DPI,
        layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15),
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(horizons), 2, squeeze=False)
    for (left, right), horizon in zip(grid, horizons, strict=True):
        mine = [each for each in judged if each.horizon_days == horizon]
        mine.sort(key=lambda each: each.cutoff)
        _lines(left, mine)
        left.set_title(f"{horizon} days ahead: nGini by cutoff", **TITLE)
        _leads(right, mine)
        right.set_title(f"Lead of {LEARNED} in nGini, mean of {len(mine)} cutoffs", **TITLE)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    path.write_bytes(png.getvalue())
    return path


TITLE = {"loc": "left", "fontsize": 12, "fontweight": "bold", "color": INK}


def _lines(axes: Axes, judged: Sequence[Judged]) -> None:
    names = [name for name in models_of(judged) if name != CONSTANT]
    at = list(range(len(judged)))
    for i, name in reversed(list(enumerate(names))):
        values = [(each.metrics or {})[name]["ngini"] for each in judged]
        axes.plot(
            at, values, color=LINES[i % len(LINES)], ls=DASHES[i % len(DASHES)],
            lw=2.8 if name == LEARNED else 1.3, marker="o", ms=5 if name == LEARNED else 3,
            label=name, zorder=4 if name == LEARNED else 3,
        )  # fmt: skip
    unseen = [
        f"{each.cutoff}" + ("\nseason not seen" if each.season_unseen else "") for each in judged
    ]
    axes.set_xticks(at, unseen, fontsize=8)
    axes.set_xlim(-0.4, len(judged) - 0.6 if len(judged) > 1 else 0.4)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5),
        frameon=False, fontsize=8,
    )  # fmt: skip
    _plain(axes)


def _leads(axes: Axes, judged: Sequence[Judged]) -> None:
    names = [name for name in models_of(judged) if name not in (LEARNED, CONSTANT)]
    for place, name in enumerate(reversed(names)):
        pooled = pool_differences(judged, name)
        half = 1.96 * pooled.standard_error
        colour = VERMILION if pooled.value < 0 else BLUE
        axes.hlines(place, pooled.value - half, pooled.value + half, color=colour, lw=2.2, zorder=3)
        axes.plot(pooled.value, place, "o", color=colour, ms=7, mec="white", mew=0.8, zorder=4)
        each = [d[name]["value"] for d in (j.differences for j in judged) if d]
        axes.plot(each, [place - 0.25] * len(each), "|", color=INK, ms=6, mew=1.1, zorder=4)
    axes.axvline(0, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=2)
    axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlabel(
        "better than the baseline to the right; bars: 95 %, ticks: single cutoffs", fontsize=8
    )
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK, labelsize=8)
    axes.grid(color=GRID, lw=0.8)
    axes.set_axisbelow(True)
