"""What a rolling-origin backtest says to people: Markdown tables that read without code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.backtest import LEARNED
from training.rolling.judged import Judged

SHOWN = ("ngini", "capture_top10", "decile_mape", "level_bias", "spearman", "auc_active")
MEANINGS = """\
ngini: how well customers are ranked by what they then spent (1 perfect, 0 chance).
capture_top10: share of all spending held by the best-ranked tenth.
decile_mape: mean error of the predicted mean of ten equal groups.
level_bias: everything predicted over everything spent (1 right).
spearman: correlation of ranks. auc_active: how well those who buy again are told from the others."""


@dataclass(frozen=True)
class Pooled:
    """A difference averaged over cutoffs: positive where the learned model is better.

    Attributes
    ----------
    value, standard_error : float
        Mean nGini difference; its error as if the cutoffs' errors moved together, since they share
        customers (the mean of the errors: the cautious end).
    n_better, n_surely_better, n_surely_worse, n : int
        Cutoffs with a positive difference; with a 95 % interval above 0, below 0; all.
    """

    value: float
    standard_error: float
    n_better: int
    n_surely_better: int
    n_surely_worse: int
    n: int


def with_figures(judged: Sequence[Judged]) -> list[Judged]:
    """Return the moments at which something could be learned."""
    return [each for each in judged if each.metrics]


def models_of(judged: Sequence[Judged]) -> list[str]:
    """Return every model's name, the learned one first, then by mean nGini."""
    names = {name for each in judged for name in each.metrics or {}}
    return sorted(names, key=lambda n: (n != LEARNED, -_or_least(mean_metric(judged, n, "ngini"))))


def mean_metric(judged: Sequence[Judged], model: str, metric: str) -> float:
    """Return the mean of a metric over cutoffs at which it exists."""
    found = [(each.metrics or {}).get(model, {}).get(metric, math.nan) for each in judged]
    known = [value for value in found if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def pool_differences(judged: Sequence[Judged], baseline: str) -> Pooled:
    """Return the nGini of the learned model less a baseline's, averaged over cutoffs."""
    found = [each.differences[baseline] for each in judged if each.differences]
    return Pooled(
        value=float(np.mean([d["value"] for d in found])),
        standard_error=float(np.mean([d["standard_error"] for d in found])),
        n_better=sum(d["value"] > 0 for d in found),
        n_surely_better=sum(d["lower95"] > 0 for d in found),
        n_surely_worse=sum(d["upper95"] < 0 for d in found),
        n=len(found),
    )


def backtest_page(source: str, judged: Sequence[Judged], left_out: Sequence[str]) -> str:
    """Return the whole backtest as Markdown: per horizon a table of models and one of cutoffs."""
    parts = [
        f"# Backtest of {source}",
        "At each cutoff every model was fitted on what was known before it and held against what "
        f"came after. `{LEARNED}` is the learned model; the others are what a shop would use instead.",
        "![Models and differences by cutoff](backtest.png)",
    ]
    for horizon in sorted({each.horizon_days for each in judged}):
        mine = [each for each in judged if each.horizon_days == horizon]
        parts += [f"## {horizon} days ahead", *_horizon(mine)]
    if left_out:
        told = "\n".join(f"- {line}" for line in left_out)
        parts.append(f"## What the data does not carry\n\n{told}")
    parts.append(f"## What the columns mean\n\n{MEANINGS}")
    return "\n\n".join(parts) + "\n"


def _horizon(judged: Sequence[Judged]) -> list[str]:
    known = with_figures(judged)
    parts = [
        f"- {each.name}: nothing could be learned: {each.no_skill}"
        for each in judged
        if not each.metrics
    ]
    if not known:
        return parts
    names = models_of(known)
    rows = []
    for name in names:
        figures = [_number(mean_metric(known, name, metric)) for metric in SHOWN]
        rows.append([name, *figures, *_against(known, name)])
    header = ["model", *SHOWN, f"{LEARNED} less it (nGini)", "better at"]
    parts.append(f"Means over {len(known)} cutoffs.\n\n" + markdown_table([header, *rows]))
    parts.append(markdown_table([CUTOFF_HEADER, *map(_cutoff, known)]))
    return parts


CUTOFF_HEADER = [
    "cutoff", "customers", "bought again", LEARNED, "best baseline", "its nGini",
    "difference (95 %)", "level_bias", "auc_active", "season",
]  # fmt: skip


def _cutoff(judged: Judged) -> list[str]:
    metrics, differences = judged.metrics or {}, judged.differences or {}
    best = max(differences, key=lambda name: _or_least(metrics[name]["ngini"]))
    d, learned = differences[best], metrics[LEARNED]
    return [
        str(judged.cutoff),
        f"{judged.n_customers:,}",
        f"{judged.active_share:.0%}",
        _number(learned["ngini"]),
        best,
        _number(metrics[best]["ngini"]),
        f"{d['value']:+.3f} ({d['lower95']:+.3f} .. {d['upper95']:+.3f})",
        _number(learned["level_bias"]),
        _number(learned["auc_active"]),
        "never seen" if judged.season_unseen else "seen",
    ]


def _against(judged: Sequence[Judged], name: str) -> list[str]:
    if name == LEARNED:
        return ["", ""]
    pooled = pool_differences(judged, name)
    return [
        f"{pooled.value:+.3f} +-{pooled.standard_error:.3f}",
        f"{pooled.n_better} of {pooled.n} (surely {pooled.n_surely_better})",
    ]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the first of them the header, as a Markdown table."""
    header, *rest = rows
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float) -> str:
    return "-" if not math.isfinite(value) else f"{value:.3f}"


def _or_least(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
