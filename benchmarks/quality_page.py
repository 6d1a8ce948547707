"""Put the figures of ``make bench-quality`` into docs/quality.md: ``make bench-quality-page``.

What stands between the two marks of the page is written anew; the words around it are not touched.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.cli import DEFAULT_STATE, exit_with
from features.errors import InputError

PAGE = Path("docs/quality.md")
IMAGES = Path("docs/images")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
SHOPS = {
    "online_retail_II": "Online Retail II, 2011-06-13, 180 days",
    "cdnow": "CDNOW, 1997-10-01, 273 days",
    "complete_journey": "Complete Journey, 2017-10-03, 90 days",
    "olist": "Olist, 2018-03-01, 180 days",
}
CONTRACTS = {"telco_churn": "Telco", "ecommerce_churn": "E-commerce"}
METRICS = ("ngini", "capture_top10", "decile_mape", "level_bias", "spearman", "auc_active")
CHURN = ("auc", "pr_auc", "brier", "ece")
Figures = Mapping[str, Any]


def quality_tables(told: Figures) -> str:
    """Return the tables of a benchmark's JSON as Markdown."""
    figures = told["figures"]
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    parts = [
        f"Made at {told['commit']} on {told['machine']['cores']} cores; {versions}; "
        f"seed {told['seed']}.",
        "### Goals",
        _goals(told["goals"]),
    ]
    for name, title in SHOPS.items():
        if name in figures:
            parts += [f"### {title}", *_shop(figures[name])]
    for name, title in CONTRACTS.items():
        if name in figures:
            parts += [f"### {title}: customers under contract", _contract(figures[name])]
    for name in ("simulated", "shuffled", "leaks"):
        if name in figures:
            rows = [[key, _figure(value)] for key, value in figures[name].items()]
            parts += [f"### {name}", _table([["figure", "value"], *rows])]
    return "\n\n".join(parts)


def _goals(goals: Sequence[Figures]) -> str:
    rows = [
        [
            f"`{goal['path']}`",
            f"{goal['op']} {goal['limit']:g}",
            _figure(goal["value"]),
            "yes" if goal["holds"] else "**no**",
        ]
        for goal in goals
    ]
    return _table([["figure", "goal", "reached", "holds"], *rows])


def _shop(figures: Figures) -> list[str]:
    if "champion" not in figures:
        return [f"No skill: {figures['reason']}"]
    models = {
        name: row
        for name, row in figures.items()
        if isinstance(row, Mapping) and "ngini" in row and name != "champion"
    }
    names = sorted(models, key=lambda name: -models[name]["ngini"])
    rows = [[name, *(_with_error(models[name], metric) for metric in METRICS)] for name in names]
    lead = figures["champion_minus_best_baseline"]
    told = (
        f"Released: {figures['champion']['model']}. The learned model less the best baseline "
        f"({lead['baseline']}): nGini {lead['ngini']:+.4f}, at least {lead['ngini_lower95']:+.4f} "
        "(95 %, paired)."
    )
    if "one_order_share" in figures:
        told += (
            f" {figures['one_order_share']:.1%} of {figures['n_customers']:,} customers had "
            f"ordered on one day only, and {figures['n_active']} ({figures['active_share']:.2%}) "
            f"came again; skill: {'yes' if figures['has_skill'] else 'no'} "
            f"(p = {figures['skill_p_value']:.3f}, nGini at least "
            f"{figures['skill_ngini_lower95']:.3f})."
        )
    return [_table([["model", *METRICS], *rows]), told]


def _contract(figures: Figures) -> str:
    names = sorted(
        (name for name, row in figures.items() if isinstance(row, Mapping)),
        key=lambda name: -figures[name]["auc"],
    )
    rows = [[name, *(_with_error(figures[name], m) for m in CHURN)] for name in names]
    chosen = ", ".join(figures["chosen_in_folds"])
    return _table([["candidate", *CHURN], *rows]) + (
        f"\n\n`champion` is the candidate chosen anew inside each fold ({chosen}). "
        f"{figures['twin_share']:.1%} of customers are equal to another in every feature; they "
        "share a fold."
    )


def _with_error(row: Figures, metric: str) -> str:
    if metric not in row:
        return "-"
    error = f"{metric}_se"
    return f"{row[metric]:.3f}" + (f" ±{row[error]:.3f}" if error in row else "")


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *rest = rows
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def lay_in(page: str, tables: str) -> str:
    """Return the page with the tables between its marks.

    Raises
    ------
    InputError
        If the page has not both marks.

    Examples
    --------
    >>> lay_in(f"a {BEGIN} old {END} b", "new").split()
    ['a', '<!--', 'figures', '-->', 'new', '<!--', 'end', 'of', 'figures', '-->', 'b']
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(
            f"{PAGE} lacks {BEGIN} or {END}; expected both, in this order",
            "put the marks back where the tables belong",
        )
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write the tables into the page and copy the pictures; return 0."""
    path = DEFAULT_STATE / "bench" / "quality.json"
    if not path.is_file():
        raise InputError(f"no {path}; expected the figures of a run", "run: make bench-quality")
    told = json.loads(path.read_text(encoding="utf-8"))
    PAGE.write_text(
        lay_in(PAGE.read_text(encoding="utf-8"), quality_tables(told)), encoding="utf-8"
    )
    for picture in sorted((DEFAULT_STATE / "bench" / "quality").glob("*.png")):
        shutil.copyfile(picture, IMAGES / f"quality_{picture.name}")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    exit_with(main)
