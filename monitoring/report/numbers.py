"""Every number that can trigger, by the panel it belongs to: what the dashboard draws. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_IN_PANEL = 8
BANDS = ("ngini", "auc_active", "level_bias", "ece")


@dataclass(frozen=True)
class Number:
    """One number of a verdict.

    Attributes
    ----------
    name : str
        Unique; the column it is logged under.
    value : float
        As it was decided on.
    tab, panel : str
        Where it is drawn.
    """

    name: str
    value: float
    tab: str
    panel: str


def list_numbers(told: Mapping[str, Any]) -> list[Number]:
    """Return the numbers of one verdict as it was written; what was not measured is left out."""
    numbers = [
        Number("act decided", float(told["act"] != "none"), "Decisions", "Acts and incidents"),
        Number(
            "incidents open",
            float(len(told["memory"]["incidents"])),
            "Decisions",
            "Acts and incidents",
        ),
        Number(
            "faults of order days", float(len(told["order_findings"])), "Decisions", "Order days"
        ),
    ]
    if "release_age_days" in told:
        numbers.append(
            Number(
                "age of the release, days",
                float(told["release_age_days"]),
                "Decisions",
                "Age of the release",
            )
        )
    drift = told.get("drift")
    if drift is not None:
        numbers += _of_drift(drift)
    numbers += _of_texts(told.get("texts"))
    for each in told["performances"][:1]:
        for metric, value in each["figures"].items():
            panel = f"Matured {metric}"
            numbers.append(Number(f"{metric} matured", value, "Performance", panel))
            if metric in each["backtest"]:
                numbers.append(
                    Number(f"{metric} backtest", each["backtest"][metric], "Performance", panel)
                )
    answers = told.get("answers", {})
    for name in ("n_of_release", "n_of_others", "n_vectors"):
        if name in answers:
            numbers.append(
                Number(f"answers {name}", float(answers[name]), "Answers", "Answers in the window")
            )
    return [each for each in numbers if each.value is not None]


def _of_texts(texts: Mapping[str, Any] | None) -> list[Number]:
    if texts is None:
        return []
    numbers = [Number("reviews", float(texts["n_reviews"]), "Reviews", "Reviews of four weeks")]
    if texts["mean_score"] is not None:
        numbers.append(
            Number("mean sentiment", texts["mean_score"], "Reviews", "Mean sentiment of reviews")
        )
    for each in texts["shifts"]:
        panel = f"{each['name']} of reviews: shift and limit"
        numbers += [
            Number(f"psi of reviews' {each['name']}", each["psi"], "Reviews", panel),
            Number(f"limit of reviews' {each['name']}", each["limit"], "Reviews", panel),
        ]
    for name, share in texts["languages"].items():
        numbers.append(Number(f"language {name}", share, "Reviews", "Languages of the reviews"))
    return numbers


def _of_drift(drift: Mapping[str, Any]) -> list[Number]:
    numbers = [Number("rows", float(drift["n_rows"]), "Data", "Rows of the window")]
    if not drift["columns"]:
        return numbers
    numbers += [
        Number("psi of all columns", drift["aggregate"], "Drift", "All columns by importance"),
        Number(
            "limit of all columns", drift["aggregate_limit"], "Drift", "All columns by importance"
        ),
    ]
    counting = [each for each in drift["columns"] if each["is_critical"]]
    for each in [*counting, *drift["scores"]]:
        tab = "Drift" if each in counting else "Scores and tiers"
        panel = f"{each['name']}: shift and limit"
        numbers += [
            Number(f"psi {each['name']}", each["psi"], tab, panel),
            Number(f"limit {each['name']}", each["limit"], tab, panel),
        ]
    for place, each in enumerate(drift["columns"]):
        panel = f"Missing values {1 + place // MOST_IN_PANEL}"
        numbers.append(Number(f"missing {each['name']}", each["null_share"], "Data", panel))
    for name, share in drift["tier_shares"].items():
        numbers.append(Number(f"share {name}", share, "Scores and tiers", "Shares of the tiers"))
    return numbers
