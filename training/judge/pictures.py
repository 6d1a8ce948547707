"""Pictures of predictions: gain, deciles, calibration, and value by rank with the tiers.

Each function draws one PNG. The same data give the same bytes: no time stamp or version is
written, no global state of matplotlib is read or changed. Colours are those of Okabe and Ito
(2008), told apart by colour-blind readers too; where there are many lines, dashes tell them apart
as well.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from features.errors import InputError
from training.judge.evaluate import decile_mape, ece, ngini
from training.judge.ranking import DECILES, ECE_BINS, Ranking

FloatArray = NDArray[np.float64]

INK, FAINT, GRID = "#222222", "#8a8a8a", "#e4e4e4"
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
LINES = (BLUE, VERMILION, GREEN, "#CC79A7", ORANGE, "#56B4E9", "#7F6A00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
TIER_FILLS = ("#f2f2f2", "#d9e8f2", "#fbe7c2", "#d5ece4", "#f6dccf")
DPI = 144


def gain_curve(
    y: ArrayLike, scores: Mapping[str, ArrayLike], path: Path, held: str = "the value"
) -> Path:
    """Draw what share of realised value the best-scored customers hold, one line a model.

    Parameters
    ----------
    y : array_like
        Net value of the outcome window, currency; floored at 0.
    scores : mapping of str to array_like
        Score of every customer by the model's name; the first is drawn boldest.
    path : Path
        PNG to write; its folder must exist.
    held : str
        What y counts, in the title.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        If there is no model, no customer or no value.
    """
    if not scores or not (np.asarray(y, np.float64) > 0).any():
        raise InputError(
            f"{len(scores)} models and no customer with a value above 0, or no model; "
            "expected one or more of both",
            "draw a gain curve of a cohort in which somebody bought",
        )
    rankings = {name: Ranking.of(y, score) for name, score in scores.items()}
    ranked = {name: ranking.y[ranking.best_first] for name, ranking in rankings.items()}
    axes = _axes(f"Gain: who holds {held}", "Customers, best score first", f"Share of {held}")
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (2, 2)), label="random order")
    best = np.sort(next(iter(ranked.values())))[::-1]
    axes.plot(*_gain(best), color=FAINT, lw=1.2, label="perfect order")
    for i, (name, values) in reversed(list(enumerate(ranked.items()))):
        axes.plot(
            *_gain(values),
            color=LINES[i % len(LINES)],
            ls=DASHES[i % len(DASHES)],
            lw=2.6 if i == 0 else 1.4,
            label=f"{name}  (nGini {ngini(y, scores[name]):.3f})",
            zorder=4 if i == 0 else 3,
        )
    _percent(axes, "x")
    _percent(axes, "y")
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", frameon=False, fontsize=9)
    return _write(axes, path)


def decile_bars(y: ArrayLike, value: ArrayLike, path: Path) -> Path:
    """Draw mean predicted beside mean realised value for ten equal groups by prediction.

    Parameters
    ----------
    y, value : array_like
        Net value of the outcome window (floored at 0) and expected value, currency.
    path : Path
        PNG to write; its folder must exist.
    """
    ranking = Ranking.of(y, value)
    n = ranking.y.size
    ends = (n - 1) * np.arange(1, DECILES + 1) // DECILES + 1
    predicted, realised = (
        np.array([part.mean() if part.size else np.nan for part in np.split(column, ends[:-1])])
        for column in (ranking.score[ranking.worst_first], ranking.y[ranking.worst_first])
    )
    axes = _axes(
        "Deciles: predicted against realised",
        "Tenth of customers by prediction, lowest to highest",
        "Mean value a customer",
        f"decile MAPE {decile_mape(y, value):.3f}",
    )
    place = np.arange(1, DECILES + 1)
    axes.bar(place - 0.2, predicted, 0.38, color=BLUE, label="predicted", zorder=3)
    axes.bar(place + 0.2, realised, 0.38, color=ORANGE, label="realised", zorder=3)
    axes.set_xticks(place)
    axes.set_xlim(0.4, DECILES + 0.6)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(FuncFormatter(_money))
    axes.legend(loc="upper left", frameon=False)
    return _write(axes, path)


def calibration_curve(
    active: ArrayLike,
    p_active: ArrayLike,
    path: Path,
    event: str = "be active",
    done: str = "was active",
) -> Path:
    """Draw the share of customers who bought against the predicted probability, in 15 equal bins.

    Parameters
    ----------
    active : array_like of bool
        Whether the outcome was above 0.
    p_active : array_like
        Its predicted probability.
    path : Path
        PNG to write; its folder must exist.
    event, done : str
        What is predicted, and what it is called once it happened.
    """
    ranking = Ranking.of(active, p_active)
    bins = [part for part in np.array_split(ranking.worst_first, ECE_BINS) if part.size]
    p = np.array([ranking.score[part].mean() for part in bins])
    share = np.array([ranking.y[part].mean() for part in bins])
    size = np.array([part.size for part in bins])
    # Wilson's 95 % interval: never outside 0..1, and not empty where nobody or everybody bought.
    z2 = 1.96**2 / size
    middle = (share + z2 / 2) / (1 + z2)
    half = 1.96 * np.sqrt(share * (1 - share) / size + z2 / (4 * size)) / (1 + z2)
    axes = _axes(
        f"Calibration of the probability to {event}",
        f"Predicted probability to {event}",
        f"Share that {done}",
        f"ECE {ece(ranking.y, ranking.score):.3f}, 15 bins of equal size, 95 % intervals",
        size=(6.2, 6.4),
    )
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (2, 2)), zorder=2)
    axes.vlines(p, middle - half, middle + half, color=BLUE, lw=1.6, alpha=0.55, zorder=3)
    axes.plot(p, share, color=BLUE, marker="o", ms=6, mec="white", mew=0.8, lw=1.6, zorder=4)
    _percent(axes, "x")
    _percent(axes, "y")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    return _write(axes, path)


def value_by_rank(
    value: ArrayLike,
    boundaries: Sequence[float],
    tiers: Sequence[str],
    path: Path,
    y: ArrayLike | None = None,
) -> Path:
    """Draw expected value by rank on log scales, with the tiers as bands and their boundaries.

    Parameters
    ----------
    value : array_like
        Expected value, currency.
    boundaries : sequence of float
        Lower boundary of each tier but the bottom one, ascending, currency.
    tiers : sequence of str
        Names (English) from the bottom to the top: one more than boundaries.
    path : Path
        PNG to write; its folder must exist.
    y : array_like, optional
        Net value of the outcome window: drawn as the mean of neighbours in rank.

    Raises
    ------
    InputError
        If the boundaries do not ascend or do not fit the names.
    """
    if len(tiers) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
        raise InputError(
            f"{len(tiers)} tiers and boundaries {list(boundaries)}; "
            "expected one boundary fewer than tiers, ascending",
            "pass the lower boundary of every tier but the bottom one, bottom to top",
        )
    ranking = Ranking.of(np.zeros_like(np.asarray(value, np.float64)) if y is None else y, value)
    best = ranking.score[ranking.best_first]
    shown = best[best > 0] if best[0] > 0 else np.ones(1)
    high = float(shown.max())
    low = max(high / 1e5, float(np.quantile(shown, 0.005)))  # the last few may sink out of sight
    rank = np.arange(1, best.size + 1)
    axes = _axes(
        "Expected value by rank, and where the tiers begin",
        "Rank of the customer, best first (log scale)",
        "Value (log scale)",
    )
    axes.set(xscale="log", yscale="log", xlim=(1, max(best.size, 2)), ylim=(low / 1.6, high * 8))
    _tier_bands(axes, best, boundaries, tiers)
    if y is not None:
        at, mean = _neighbour_means(ranking.y[ranking.best_first])
        axes.plot(
            at, np.maximum(mean, low / 1.6), "o", color=ORANGE, ms=6, mec=INK, mew=0.5,
            label="realised, mean of neighbours", zorder=4,
        )  # fmt: skip
    axes.plot(rank, np.maximum(best, low / 1.6), color=BLUE, lw=2.4, label="expected", zorder=5)
    for formatted in (axes.xaxis, axes.yaxis):
        formatted.set_major_formatter(FuncFormatter(_money))
        formatted.set_minor_formatter(NullFormatter())
    axes.legend(loc="lower left", frameon=False)
    return _write(axes, path)


def _tier_bands(
    axes: Axes, best: FloatArray, boundaries: Sequence[float], tiers: Sequence[str]
) -> None:
    """Shade each tier over the ranks that it holds, with its name, share and boundary above."""
    n = best.size
    counts = [int((best >= boundary).sum()) for boundary in boundaries]
    edges = [n, *counts, 0]
    for i, name in enumerate(tiers):
        left, right = max(edges[i + 1] + 0.5, 1.0), edges[i] + 0.5
        if edges[i] <= edges[i + 1]:
            continue
        axes.axvspan(left, right, color=TIER_FILLS[i % len(TIER_FILLS)], lw=0, zorder=0)
        share = (edges[i] - edges[i + 1]) / n
        begins = f"\nfrom {_money(boundaries[i - 1], 0)}" if i > 0 else ""
        axes.text(
            float(np.sqrt(left * min(right, n))), 0.975, f"{name}\n{share:.1%}{begins}",
            ha="center", va="top", fontsize=10, color=INK, linespacing=1.4,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        if i > 0 and edges[i] < n:
            axes.axvline(right, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=2)


def _neighbour_means(y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean outcome of some 24 groups of ranks that widen geometrically; their middle ranks."""
    ends = np.unique(np.round(np.geomspace(min(10, y.size), y.size, 24)).astype(np.int64))
    starts = np.concatenate(([0], ends[:-1]))
    middle = np.sqrt((starts + 1.0) * ends)
    return middle, np.add.reduceat(y, starts) / (ends - starts)


def _gain(ranked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of customers, share of value; at most about a thousand points."""
    share = np.concatenate(([0.0], np.cumsum(ranked) / ranked.sum()))
    at = np.unique(np.round(np.linspace(0, 1, 1001) ** 1.5 * ranked.size).astype(np.int64))
    return at / ranked.size, share[at]


def _axes(
    title: str, x: str, y: str, note: str = "", size: tuple[float, float] = (7.5, 5.2)
) -> Axes:
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes: Axes = figure.add_subplot()
    axes.set_title(
        title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=24 if note else 12
    )
    if note:
        axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=10, color="#555555")
    axes.set_xlabel(x, color=INK, labelpad=8)
    axes.set_ylabel(y, color=INK, labelpad=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK)
    axes.grid(color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    return axes


def _percent(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _money(value: float, _position: int) -> str:
    if value != 0 and abs(value) < 10:
        return f"{value:.3g}"
    return f"{value:,.0f}"


def _write(axes: Axes, path: Path) -> Path:
    """Render in memory, then write: no half picture is left, and no metadata but the size."""
    png = io.BytesIO()
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.savefig(png, format="png", metadata={"Software": None})
    path.write_bytes(png.getvalue())
    return path
