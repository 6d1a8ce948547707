"""The sections of the tier report below the tiers themselves, each a piece of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import numpy as np

from training.tier_report.facts import MergeFacts, TierReport
from training.tier_report.numerals import Numerals
from training.tier_report.table import Cell, cards, heat
from training.tier_report.words import SMALL_COHORT, name_of, say


def _section(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>" + "".join(parts)


def _paragraph(words: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(words)}</p>' if kind else f"<p>{escape(words)}</p>"


def _listed(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def trust_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    """Say what was tested, on whom, what held, and what was merged and why."""
    tell = partial(say, lang=lang)
    facts = report.certification
    if facts.method != "learned":
        lead = tell("trust_shares")
    elif facts.status != "learned":
        lead = tell("trust_insufficient", reason=facts.reason)
    else:
        lead = tell(
            "trust_learned",
            learning=numerals.count(facts.n_learning),
            certifying=numerals.count(facts.n_certifying),
            then=numerals.day(report.backtest_cutoff),
            level=numerals.percent(facts.level),
        )
    lines = []
    for below, tier in zip(report.tiers, report.tiers[1:], strict=False):
        lines.append(
            tell(
                "untested" if tier.p_value is None else "holds",
                tier=tier.label[lang],
                below=below.label[lang],
                mean=numerals.money(tier.mean),
                mean_below=numerals.money(below.mean),
                p=numerals.probability(tier.p_value or 0.0),
            )
        )
    lines.reverse()
    lines += [_merged(report, one, lang, numerals) for one in facts.merges]
    lines += [tell("flagged", detail=name_of("flag", code, lang)) for code in facts.flags]
    return _section(tell("trust"), _paragraph(lead), _listed(lines))


def _merged(report: TierReport, merge: MergeFacts, lang: str, numerals: Numerals) -> str:
    p = "–" if merge.p_value is None else numerals.probability(merge.p_value)
    return say(
        "merged",
        lang,
        tier=report.tier_name(merge.tier, lang),
        into=report.tier_name(merge.into, lang),
        why=say(f"cause_{merge.cause}", lang, p=p),
    )


def migration_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    """Show who went from which tier to which, and what moved them."""
    tell = partial(say, lang=lang)
    facts = report.migration
    if facts is None:
        return _section(tell("moved"), _paragraph(tell("moved_none")))
    counts = np.array(facts.counts, dtype=np.int64).reshape(len(facts.ids), -1)
    lead = tell(
        f"moved_{facts.kind}",
        then=numerals.day(facts.day_then),
        now=numerals.day(facts.day_now),
        stayed=numerals.count(int(np.trace(counts))),
        up=numerals.count(int(np.triu(counts, 1).sum())),
        down=numerals.count(int(np.tril(counts, -1).sum())),
        new=numerals.count(facts.n_new),
    )
    names = [report.tier_name(one, lang) for one in facts.ids]
    best_first = range(len(names) - 1, -1, -1)
    rows = []
    for i in best_first:
        held = max(int(counts[i].sum()), 1)
        cells = [
            (
                float(np.sqrt(counts[i, j] / held)),
                numerals.count(int(counts[i, j])),
                numerals.percent(float(counts[i, j] / held)),
            )
            for j in best_first
        ]
        rows.append((names[i], cells))
    corner = f"{tell('then')} ↓ {tell('now')} →"
    columns = [names[j] for j in best_first]
    total = sum(facts.causes.values())
    causes = [
        f"{name_of('cause', cause, lang)}: {numerals.count(n)} ({numerals.percent(n / total)})"
        for cause, n in sorted(facts.causes.items(), key=lambda pair: (-pair[1], pair[0]))
        if total
    ]
    return _section(
        tell("moved"),
        _paragraph(lead),
        heat(corner, columns, rows, diagonal=True),
        _paragraph(tell("small_cells"), "note"),
        _paragraph(tell("causes")) if causes else "",
        _listed(causes),
    )


def moves_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    """List who moves on the next date."""
    tell = partial(say, lang=lang)
    facts = report.next_moves
    if facts is None:
        return _section(tell("next"), _paragraph(tell("next_none")))
    lead = tell(
        "next_note",
        day=numerals.day(facts.day),
        up=numerals.count(facts.n_up),
        down=numerals.count(facts.n_down),
    )
    heads = [tell(one) for one in ("customer", "was", "becomes", "worth", "why")]
    rows = [
        [
            Cell(one.customer),
            Cell(report.tier_name(one.before, lang)),
            Cell(report.tier_name(one.after, lang)),
            Cell(numerals.money(one.expected_value)),
            Cell(_why(one.why, lang)),
        ]
        for one in facts.rows
    ]
    return _section(tell("next"), _paragraph(lead), cards(heads, rows) if rows else "")


def _why(why: str, lang: str) -> str:
    return name_of("cause" if name_of("cause", why, lang) != why else "reason", why, lang)


def lifecycle_section(
    report: TierReport, lang: str, numerals: Numerals, states: Sequence[str]
) -> str:
    """Show stage by tier, risk by tier, and the playbook."""
    tell = partial(say, lang=lang)
    best_first = list(reversed(report.tiers))
    columns = [tier.label[lang] for tier in best_first]

    def table(corner: str, named: Sequence[tuple[str, Sequence[int]]]) -> str:
        totals = [max(sum(n[k] for _, n in named), 1) for k in range(len(report.tiers))]
        rows = []
        for name, counted in named:
            cells = []
            for k in range(len(report.tiers) - 1, -1, -1):
                share = counted[k] / totals[k]
                cells.append((share, numerals.count(counted[k]), numerals.percent(share)))
            rows.append((name, cells))
        return heat(corner, columns, rows)

    parts = []
    if report.lifecycle and report.usual_gap_days is not None:
        note = tell(
            "lifecycle_note",
            gap=numerals.plain(report.usual_gap_days, 0),
            now=numerals.day(report.cutoff),
        )
        named = [(name_of("state", one, lang), report.lifecycle[one]) for one in states]
        parts += [_paragraph(note), table("", named)]
    if report.risk:
        named = [(one.label[lang], one.counts) for one in report.risk]
        parts += [f"<h3>{escape(tell('risk'))}</h3>", table("", list(reversed(named)))]
    if parts:
        parts.append(_paragraph(tell("small_columns"), "note"))
    if report.playbook:
        rows = "".join(
            f"<dt>{escape(one.id)}</dt><dd>{escape(one.label[lang])}</dd>"
            for one in report.playbook
        )
        parts += [
            f"<h3>{escape(tell('playbook'))}</h3>",
            _paragraph(tell("playbook_note")),
            f"<dl>{rows}</dl>",
        ]
    return _section(tell("lifecycle"), *parts) if parts else ""


def rivals_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    """Show other ways of making tiers beside ours."""
    tell = partial(say, lang=lang)
    if not report.rivals:
        return _section(tell("rivals"), _paragraph(tell("rivals_none")))
    heads = [
        tell(one) for one in ("method", "explained", "top_revenue", "certified", "shares", "limits")
    ]
    ordered = [report.rivals[0], *sorted(report.rivals[1:], key=lambda one: -one.eta_squared)]
    rows = [
        [
            Cell(name_of("rival", one.name, lang)),
            Cell(numerals.percent(one.eta_squared, 1)),
            Cell(numerals.percent(one.top_revenue_share, 1)),
            Cell(tell("n_of", n=one.n_certified, all=len(one.shares) - 1)),
            Cell(" / ".join(map(numerals.percent, reversed(one.shares))), is_tight=True),
            Cell(
                tell("out_of", points=numerals.plain(one.breach_points, 1))
                if one.breach_points > 0
                else tell("within")
            ),
        ]
        for one in ordered
    ]
    kinds = ["ours"] + ["out" if one.breach_points > 0 else "" for one in ordered[1:]]
    note = tell("rivals_note", certifying=numerals.count(report.certification.n_certifying))
    return _section(
        tell("rivals"),
        _paragraph(note),
        cards(heads, rows, kinds),
        _paragraph(_fairly(report, lang), "note"),
    )


def _fairly(report: TierReport, lang: str) -> str:
    """Say which other ways explain more, or what is gained where none does."""
    ours = report.rivals[0].eta_squared
    ahead = [
        name_of("rival", one.name, lang)
        for one in report.rivals[1:]
        if one.breach_points == 0 and one.eta_squared > ours
    ]
    if ahead:
        return say("rival_note_ahead", lang, names=("、" if lang == "zh" else ", ").join(ahead))
    return say("rival_note_gain", lang)


def models_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    """Show how well the scores rank."""
    tell = partial(say, lang=lang)
    if not report.models:
        return ""
    heads = [tell("model"), "nGini", tell("best_tenth")]
    rows = [
        [
            Cell(name_of("model", one.name, lang)),
            Cell(numerals.plain(one.ngini, 3)),
            Cell(numerals.percent(one.capture_top10, 1)),
        ]
        for one in report.models
    ]
    kinds = ["ours"] + [""] * (len(rows) - 1)
    note = tell("models_note", then=numerals.day(report.backtest_cutoff))
    return _section(tell("models"), _paragraph(note), cards(heads, rows, kinds))


def notes_section(report: TierReport, lang: str, numerals: Numerals) -> str:
    """Say what to bear in mind."""
    tell = partial(say, lang=lang)
    lines = []
    if report.season_unseen:
        lines.append(tell("note_season"))
    if report.n_then < SMALL_COHORT:
        lines.append(tell("note_small", n=numerals.count(report.n_then)))
    if report.backtest_horizon_days != report.horizon_days:
        lines.append(
            tell("note_horizon", days=report.horizon_days, known=report.backtest_horizon_days)
        )
    if report.model != "blend":
        lines.append(tell("note_baseline", model=name_of("model", report.model, lang)))
    if report.n_without_tier:
        lines.append(tell("note_without", n=numerals.count(report.n_without_tier)))
    lines.append(tell("note_always"))
    return _section(tell("notes"), _listed(lines))
