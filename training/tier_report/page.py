"""The tier report as one HTML page: no script, no request, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from importlib import resources

from features.config import LIFECYCLE
from training.tier_report.drawing import share_bars, tier_colour, value_curve
from training.tier_report.facts import TierFacts, TierReport
from training.tier_report.numerals import Numerals
from training.tier_report.sections import (
    lifecycle_section,
    migration_section,
    models_section,
    moves_section,
    notes_section,
    rivals_section,
    trust_section,
)
from training.tier_report.table import Cell, cards
from training.tier_report.words import say

WIDE, NARROW = 700, 360


def tier_page(report: TierReport, lang: str) -> str:
    """Return the whole page.

    Parameters
    ----------
    report : TierReport
        What it says.
    lang : str
        ``en`` or ``zh``.
    """
    numerals = Numerals(lang, report.currency)
    tell = partial(say, lang=lang)
    title = tell("title", source=report.source)
    subtitle = tell(
        "subtitle",
        cutoff=numerals.day(report.cutoff),
        days=report.horizon_days,
        release=report.release,
    )
    body = [
        f'<h1>{escape(title)}</h1><p class="subtitle">{escape(subtitle)}</p>',
        f'<p class="lead">{escape(_lead(report, lang, numerals))}</p>',
        _tiers_section(report, lang, numerals),
        _curve_section(report, lang, numerals),
        trust_section(report, lang, numerals),
        migration_section(report, lang, numerals),
        moves_section(report, lang, numerals),
        lifecycle_section(report, lang, numerals, LIFECYCLE),
        rivals_section(report, lang, numerals),
        models_section(report, lang, numerals),
        notes_section(report, lang, numerals),
    ]
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if lang == "zh" else "en"}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _lead(report: TierReport, lang: str, numerals: Numerals) -> str:
    top = report.tiers[-1]
    if top.boundary is None:
        return say("lead_one", lang, n=numerals.count(report.n_now))
    return say(
        "lead",
        lang,
        n=numerals.count(report.n_now - report.n_without_tier),
        top=top.label[lang],
        boundary=numerals.money(top.boundary),
        share=numerals.percent(top.share, 1),
        revenue=numerals.percent(top.revenue_share),
    )


def _tiers_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    tell = partial(say, lang=lang)
    with_stars = any(one.stars is not None for one in report.tiers)
    with_sentiment = any(one.sentiment is not None for one in report.tiers)
    heads = ["tier", "from", "customers", "share", "mean", "revenue", "active", "returned"]
    heads += ["stars"] * with_stars + ["sentiment"] * with_sentiment
    n = len(report.tiers)
    rows = [
        _tier_row(tier, k, n, lang, numerals, heads)
        for k, tier in reversed(list(enumerate(report.tiers)))
    ]
    then, now = numerals.day(report.backtest_cutoff), numerals.day(report.cutoff)
    missing = "" if with_sentiment else tell("no_sentiment" if with_stars else "no_reviews")
    note = tell("tiers_note", then=then, now=now, days=report.backtest_horizon_days)
    bars = share_bars(
        (
            (tell("bar_customers"), [one.n_then / max(report.n_then, 1) for one in report.tiers]),
            (tell("bar_revenue"), [one.revenue_share for one in report.tiers]),
        ),
        [one.label[lang] for one in report.tiers],
        numerals,
    )
    return (
        f"<h2>{escape(tell('tiers'))}</h2>"
        + cards([tell(head) for head in heads], rows)
        + f'<p class="note">{escape(note)} {escape(missing)}</p>'
        + f"<h3>{escape(tell('bars', then=then))}</h3>{bars}"
    )


def _tier_row(
    tier: TierFacts, k: int, n: int, lang: str, numerals: Numerals, heads: Sequence[str]
) -> list[Cell]:
    def interval(low: float | None, high: float | None, percent: bool) -> str:
        if low is None or high is None:
            return ""
        if percent:
            return f"({numerals.percent(low)} – {numerals.percent(high)})"
        return f"({numerals.money(low)} – {numerals.money(high)})"

    boundary = say("from_none", lang) if tier.boundary is None else numerals.money(tier.boundary)
    cells = {
        "tier": Cell(tier.label[lang], dot=tier_colour(k, n)),
        "from": Cell(boundary),
        "customers": Cell(numerals.count(tier.n_now)),
        "share": Cell(numerals.percent(tier.share, 1)),
        "mean": Cell(
            numerals.money(tier.mean), interval(tier.mean_low95, tier.mean_high95, percent=False)
        ),
        "revenue": Cell(numerals.percent(tier.revenue_share, 1)),
        "active": Cell(
            numerals.percent(tier.active),
            interval(tier.active_low95, tier.active_high95, percent=True),
        ),
        "returned": Cell(numerals.percent(tier.returned, 1)),
        "stars": Cell(numerals.plain(tier.stars)),
        "sentiment": Cell(numerals.plain(tier.sentiment)),
    }
    return [cells[head] for head in heads]


def _curve_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    words = {
        "rank": say("axis_rank", lang),
        "value": say("axis_value", lang),
        "expected": say("expected", lang),
        "realised": say("realised", lang),
        "title": say("curve", lang),
    }
    labels = [one.label[lang] for one in report.tiers]
    drawn = "".join(
        f'<div class="{name}">{value_curve(report.curve, labels, words, numerals, width)}</div>'
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    )
    note = say("curve_note", lang, then=numerals.day(report.backtest_cutoff))
    return f"<h2>{escape(words['title'])}</h2><p>{escape(note)}</p>{drawn}"
