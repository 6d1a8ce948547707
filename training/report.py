"""What a run says to people: the tier table and the comparison of models, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from training.backtest import LEARNED, Backtest
from training.boundaries import Tier
from training.judge.fairness import GroupFigures
from training.release import Release

COLUMNS = {
    "en": ("Tier", "From", "Share", "Mean realised value", "P(active)", "Share of revenue"),
    "zh": ("等级", "起点", "客户占比", "实际平均价值", "活跃比例", "收入占比"),
}
CAPTIONS = {
    "en": (
        "Tiers of {source} on {cutoff}, {horizon} days ahead, {currency}. Realised figures: "
        "customers of {backtest}, scored without knowing what came after."
    ),
    "zh": (
        "{source} 于 {cutoff} 的客户等级（预测 {horizon} 天，{currency}）。"
        "实际值来自 {backtest} 的客户：当时打分，之后兑现。"
    ),
}
SHOWN = ("ngini", "capture_top10", "decile_mape", "level_bias", "spearman", "auc_active")


def tier_table(release: Release, lang: str) -> str:
    """Return the tiers as a table, the best first: boundary, share, realised value, revenue."""
    rows = [_tier_cells(tier, lang) for tier in reversed(release.tiers)]
    caption = CAPTIONS[lang].format(
        source=release.source,
        cutoff=release.cutoff,
        horizon=release.horizon_days,
        currency=release.currency,
        backtest=release.lineage["backtest"]["cutoff"],
    )
    return caption + "\n" + lay_out([COLUMNS[lang], *rows])


def comparison_table(backtest: Backtest) -> str:
    """Return every model's figures on the backtest cohort, the best ranking first."""
    names = sorted(backtest.metrics, key=lambda name: -_or_least(backtest.metrics[name]["ngini"]))
    rows = [
        (
            name + (" *" if name == backtest.winner else ""),
            *tuple(f"{backtest.metrics[name].get(metric, float('nan')):.3f}" for metric in SHOWN),
        )
        for name in names
    ]
    difference = backtest.difference
    told = (
        f"{LEARNED} less {backtest.best_baseline}: nGini {difference.value:+.4f}, "
        f"95 % [{difference.lower95:+.4f}, {difference.upper95:+.4f}] over {len(backtest.cohort)} "
        f"customers of {backtest.cohort.snapshot.cutoff}; * is released"
    )
    return lay_out([("model", *SHOWN), *rows]) + "\n" + told


def _or_least(value: float) -> float:
    return value if value == value else float("-inf")


def _tier_cells(tier: Tier, lang: str) -> tuple[str, ...]:
    start = "-" if tier.boundary_below == float("-inf") else f"{tier.boundary_below:,.2f}"
    return (
        tier.label[lang],
        start,
        f"{tier.share:.0%}",
        "-" if tier.realised_mean is None else f"{tier.realised_mean:,.2f}",
        "-" if tier.realised_active_share is None else f"{tier.realised_active_share:.0%}",
        "-" if tier.revenue_share is None else f"{tier.revenue_share:.1%}",
    )


def lay_out(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns, the first to the left, numbers to the right."""
    widths = [max(_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell + " " * (width - _width(cell)) if i == 0 else " " * (width - _width(cell)) + cell
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    """Return the columns a text takes on a terminal: a CJK character takes two."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


GROUP_COLUMNS = {
    "en": (
        "Group",
        "Customers",
        "Told",
        "Brought",
        "Level",
        "P(active)",
        "ECE",
        "Capture",
        "Tiers",
    ),
    "zh": (
        "群体",
        "客户数",
        "预测均值",
        "实际均值",
        "水平差",
        "活跃概率差",
        "ECE",
        "捕获差",
        "各等级占比",
    ),
}
GROUP_CAPTIONS = {
    "en": (
        "Groups of the customers of {backtest}, held against everybody: level is predicted over "
        "realised value, relative to all (1 is as all); P(active) and capture are differences; "
        "tiers are the shares of the group, bottom to top."
    ),
    "zh": (
        "{backtest} 的客户按群体与全体比较：水平差为预测与实际之比相对全体（1 为一致）；"
        "活跃概率与捕获为与全体之差；各等级占比自低到高。"
    ),
}
NO_GROUPS = {
    "en": "no group is large enough to be judged",
    "zh": "没有足够大的群体可供评估",
}
FAIR = {"en": "no group over a limit", "zh": "没有群体超出限值"}


def group_table(groups: Sequence[GroupFigures], release: Release, lang: str) -> str:
    """Return the figures of each audited group, and to whom the release is unfair."""
    caption = GROUP_CAPTIONS[lang].format(backtest=release.lineage["backtest"]["cutoff"])
    if not groups:
        return f"{caption}\n{NO_GROUPS[lang]}"
    rows = [GROUP_COLUMNS[lang], *(group_cells(group) for group in groups)]
    breaches = release.lineage.get("fairness", {}).get("breaches") or [FAIR[lang]]
    return "\n".join([caption, lay_out(rows), *breaches])


def group_cells(group: GroupFigures) -> tuple[str, ...]:
    """Return a group's row of the table."""
    return (
        f"{group.attribute}: {group.group}",
        f"{group.n_customers:,}",
        f"{group.mean_value:,.2f}",
        f"{group.mean_outcome:,.2f}",
        f"{math.exp(group.level.value):.2f}",
        f"{group.p_active.value:+.3f}",
        f"{group.ece:.3f}",
        f"{group.capture.value:+.2f}",
        " ".join(f"{share:.0%}" for share in group.tier_shares),
    )
