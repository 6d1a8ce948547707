"""The facts of a release as sections of a card, in English and Chinese. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from training.card.texts import TEXTS

CHANCE = 0.05
MANY = 0.9


@dataclass(frozen=True)
class Section:
    """A part of a card: paragraphs, points, and a table whose first row is its header."""

    title: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Card:
    """A whole card."""

    title: str
    sections: tuple[Section, ...]


def card_sections(facts: Mapping[str, Any], lang: str, today: date | None = None) -> Card:
    """Return a card in a language.

    Parameters
    ----------
    facts : mapping
        Of `build_facts`.
    lang : str
        ``en`` or ``zh``.
    today : date, optional
        The day of reading, from which the card's age is told; without it none is.
    """
    words = TEXTS[lang]
    parts = (_age, _data, _made, _figures, _models, _tiers, _knowledge, _groups, _limits)
    return Card(
        words["title"].format(**_named(facts)),
        tuple(part(facts, words, today) for part in parts),
    )


def _named(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that sentences name."""
    return {
        **{name: value for name, value in facts.items() if not isinstance(value, dict | list)},
        "short": facts["release"][:12],
        "data": facts["lineage"]["data"][:12],
        "code": facts["lineage"]["code"][:12],
        "configuration": facts["lineage"]["configuration"][:12],
        "rule": facts["level"]["rule"],
        "ratio": facts["level"]["value_ratio"],
        "n_cutoffs": len(facts["cutoffs"]),
        "first_cutoff": min(facts["cutoffs"]),
        "last_cutoff": max(facts["cutoffs"]),
        "b_cutoff": facts["backtest"]["cutoff"],
        "b_horizon": facts["backtest"]["horizon_days"],
        "b_n": facts["backtest"]["n_customers"],
        "b_active": facts["backtest"]["n_active"],
        "baseline": facts["backtest"]["best_baseline"],
    }


def _age(facts: Mapping[str, Any], words: Mapping[str, str], today: date | None) -> Section:
    told = [words["dates"].format(**_named(facts))]
    if today is not None:
        since_cutoff = (today - date.fromisoformat(facts["cutoff"])).days
        since_training = (today - date.fromisoformat(facts["trained_on"])).days
        told.append(words["age"].format(today=today, training=since_training, cutoff=since_cutoff))
        if since_cutoff > facts["horizon_days"]:
            told.append(words["outlived"].format(**_named(facts)))
    return Section(words["age_title"], tuple(told))


def _data(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    return Section(words["data_title"], (words["data"].format(**_named(facts)),))


def _made(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    named = _named(facts)
    told = [words["learned" if facts["is_learned"] else "baseline_released"].format(**named)]
    told.append(words["backtest"].format(**named))
    told.append(words["level"].format(**named))
    if facts["learned_horizon_days"] != facts["horizon_days"]:
        told.append(words["scaled"].format(**named))
    if facts["season_unseen"]:
        told.append(words["season_unseen"])
    return Section(words["made_title"], tuple(told))


def _figures(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    header = (words["metric"], words["value"], words["interval"], words["meaning"])
    rows = tuple(
        (name, _number(of["value"], 3), _interval(of), words[f"metric_{name}"])
        for name, of in facts["metrics"].items()
    )
    return Section(words["figures_title"], (words["figures"],), rows=(header, *rows))


def _interval(of: Mapping[str, float | None]) -> str:
    return f"{_number(of['low95'], 3)} ... {_number(of['high95'], 3)}"


def _models(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    shown = ("ngini", "capture_top10", "decile_mape", "level_bias", "auc_active")
    models = sorted(facts["models"].items(), key=lambda m: -(m[1].get("ngini") or -math.inf))
    rows = tuple(
        (
            name + (" *" if name == facts["model"] else ""),
            *(_number(figures.get(metric), 3) for metric in shown),
        )
        for name, figures in models
    )
    difference = facts["backtest"]["difference"]
    told = words["difference"].format(
        **_named(facts),
        value=difference["value"],
        lower95=difference["lower95"],
        upper95=difference["upper95"],
    )
    return Section(words["models_title"], (told,), rows=((words["model"], *shown), *rows))


def _tiers(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    lang = words["lang"]
    header = tuple(
        words[f"tier_{name}"] for name in ("tier", "from", "share", "mean", "ci", "revenue")
    )
    rows = tuple(
        (
            tier["label"][lang],
            _number(tier["boundary_below"], 2),
            _percent(tier["share"]),
            _number(tier["realised_mean"], 2),
            "-"
            if tier["realised_mean_low95"] is None
            else f"{tier['realised_mean_low95']:,.2f} ... {tier['realised_mean_high95']:,.2f}",
            _percent(tier["revenue_share"]),
        )
        for tier in reversed(facts["tiers"])
    )
    method = facts["tiers_method"]
    told = [words[f"tiers_{method['method']}"].format(**_named(facts))]
    told += [method["reason"]] if method.get("reason") else []
    merges = [f"{m['tier']} -> {m['into']}: {m['detail']}" for m in method.get("merges", ())]
    return Section(words["tiers_title"], tuple(told), tuple(merges), (header, *rows))


def knowledge_points(facts: Mapping[str, Any], lang: str) -> tuple[str, ...]:
    """Return how much is known of the customers on each rung, in sentences."""
    words = TEXTS[lang]
    points = []
    for row in facts["rungs"]:
        named = {
            "name": words[f"rung_{row['rung']}"],
            "n": row["n_customers"],
            "share": _percent(row["share"]),
            "active": _percent(row["n_active"] / row["n_customers"]),
            "n_active": row["n_active"],
        }
        if row["ngini"] is None:
            verdict = words["rung_too_few"]
        elif row["p_value"] >= CHANCE:
            verdict = words["rung_chance"]
        else:
            verdict = words["rung_ranked"]
        told = words["rung"].format(**named) + verdict.format(ngini=row["ngini"])
        if row["share"] >= MANY and row["rung"] != "repeat":
            told += words["rung_most"]
        points.append(told)
    return tuple(points)


def _knowledge(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    held, reason = facts["outlook"]["held"], facts["outlook"]["reason"]
    told = [words["intervals"]] if reason is None else [words["no_intervals"].format(reason=reason)]
    if held:
        told.append(
            words["held"].format(
                coverage=_percent(held["interval_coverage"]), ece=held["tier_probability_ece"]
            )
        )
    factors = facts["borderline_factors"]
    told.append(words["borderline"].format(factors=", ".join(f"{f:.2f}" for f in factors) or "-"))
    header = (words["rung_head"], words["customers"], words["came_back"], words["width"])
    rows = tuple(
        (
            words[f"rung_{row['rung']}"],
            f"{row['n_customers']:,}",
            _percent(row["n_active"] / row["n_customers"]),
            _number(row["relative_width"], 2),
        )
        for row in facts["rungs"]
    )
    points = knowledge_points(facts, words["lang"])
    return Section(words["knowledge_title"], tuple(told), points, (header, *rows))


def _groups(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    if not facts["groups"]:
        return Section(words["groups_title"], (words["no_groups"],))
    header = tuple(words[f"group_{name}"] for name in ("name", "n", "level", "p", "capture", "ece"))
    rows = tuple(
        (
            f"{group['attribute']}: {group['group']}",
            f"{group['n_customers']:,}",
            f"{math.exp(group['level'][0]):.2f}",
            f"{group['p_active'][0]:+.3f}",
            f"{group['capture'][0]:+.2f}",
            f"{group['ece']:.3f}",
        )
        for group in facts["groups"]
    )
    told = [words["groups"], words["breaches" if facts["breaches"] else "no_breach"]]
    return Section(words["groups_title"], tuple(told), tuple(facts["breaches"]), (header, *rows))


def _limits(facts: Mapping[str, Any], words: Mapping[str, str], _: date | None) -> Section:
    named = _named(facts)
    points = [words[f"limit_{k}"].format(**named) for k in range(1, 6)]
    return Section(words["limits_title"], (words["use"],), tuple(points))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
