"""A re-tier date in words: who would move, why, and the list of them for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Any

from training.assignment.attribution import CAUSES
from training.assignment.propose import Proposal
from training.report import lay_out
from training.score import escape_formula

FIRST_MOVES = 10

HEADERS = {
    "en": {
        "customer_id": "Customer",
        "from_tier": "From",
        "to_tier": "To",
        "levels": "Levels",
        "behaviour": "Behaviour",
        "model": "Model",
        "calibration": "Calibration",
        "boundary": "Boundary",
        "rule": "Seats and rules",
        "untold": "Untold",
        "expected_value": "Expected value",
        "reason": "Reason",
    },
    "zh": {
        "customer_id": "客户编号",
        "from_tier": "原等级",
        "to_tier": "新等级",
        "levels": "级数",
        "behaviour": "行为",
        "model": "模型",
        "calibration": "水平校准",
        "boundary": "边界",
        "rule": "名额与规则",
        "untold": "无法归因",
        "expected_value": "预期价值",
        "reason": "原因",
    },
}
REASON_WORDS = {
    "en": {
        "value": "expected value",
        "kept_by_bonus": "kept by the bonus of who is there",
        "no_seat": "no seat left above",
        "one_level_down": "falls no further at once",
        "minimum_stay": "minimum stay",
        "claw_back": "claw-back by refunds",
        "override": "given by a person",
    },
    "zh": {
        "value": "预期价值",
        "kept_by_bonus": "在位加成保留",
        "no_seat": "上级名额已满",
        "one_level_down": "每次最多降一级",
        "minimum_stay": "保级期",
        "claw_back": "退款追回",
        "override": "人工指定",
    },
}
WORDS = {
    "en": {
        "head": "{source}, tiers from {day} on: {n} customers ({new} new, {gone} gone, {little} with "
        "too little data)",
        "first": "nobody had a tier before: nobody moves",
        "none": "nobody moves",
        "moves": "{n} of {known} move ({share:.1%})",
        "seats": "{tier} and above: {n_members} of {capacity} seats",
        "overflow": ", {n} over it and protected",
        "cause": "{cause}: in {n_moves} moves, {levels_up} levels up, {levels_down} down",
        "clawed": "{n} customers lost their protection by refunds",
        "overrides": "{n} tiers given by people",
        "sample": "the first {n}:",
        "next": "next re-tier date: {day}",
    },
    "zh": {
        "head": "{source}：自 {day} 起的等级，共 {n} 位客户（新增 {new}，离开 {gone}，数据不足 {little}）",
        "first": "此前无人有等级：无人变动",
        "none": "无人变动",
        "moves": "{known} 人中 {n} 人变动（{share:.1%}）",
        "seats": "{tier} 及以上：{capacity} 个名额，已用 {n_members}",
        "overflow": "，其中 {n} 人受保护超额",
        "cause": "{cause}：涉及 {n_moves} 次变动，升 {levels_up} 级，降 {levels_down} 级",
        "clawed": "{n} 位客户因退款失去保护",
        "overrides": "人工指定等级 {n} 个",
        "sample": "前 {n} 位：",
        "next": "下一个定级日：{day}",
    },
}


def proposal_text(proposal: Proposal, lang: str, next_day: date) -> str:
    """Return what a re-tier date would do, for the terminal."""
    words, told = WORDS[lang], proposal.summary
    known = told["n_customers"] - told["n_new"]
    lines = [
        words["head"].format(
            source=told["source"],
            day=told["day"],
            n=told["n_customers"],
            new=told["n_new"],
            gone=told["n_gone"],
            little=told["n_too_little_data"],
        )
    ]
    lines += _seats(told, lang)
    if not known:
        lines.append(words["first"])
    elif proposal.moves.empty:
        lines.append(words["none"])
    else:
        n = len(proposal.moves)
        lines.append(words["moves"].format(n=n, known=known, share=n / known))
        lines += _moves(proposal, lang)
    for key, n in (("clawed", told["n_clawed_back"]), ("overrides", len(told["overrides"]))):
        if n:
            lines.append(words[key].format(n=n))
    lines.append(words["next"].format(day=next_day))
    return "\n".join(lines)


def _labels(told: dict[str, Any], lang: str) -> dict[str, str]:
    return {row["id"]: row[lang] for row in told["scheme"]}


def _seats(told: dict[str, Any], lang: str) -> list[str]:
    words, labels = WORDS[lang], _labels(told, lang)
    lines = []
    for seat in reversed(told["seats"]):
        line = words["seats"].format(**{**seat, "tier": labels[seat["tier"]]})
        over = seat["n_overflow"]
        lines.append("  " + line + (words["overflow"].format(n=over) if over else ""))
    return lines


def _moves(proposal: Proposal, lang: str) -> list[str]:
    words, told, labels = WORDS[lang], proposal.summary, _labels(proposal.summary, lang)
    names = HEADERS[lang]
    pairs = [
        (labels.get(row["from"], row["from"]), labels[row["to"]], str(row["n"]))
        for row in told["moves"]
    ]
    lines = [lay_out([(names["from_tier"], names["to_tier"], "n"), *pairs])]
    lines += [
        "  " + words["cause"].format(cause=names[cause], **told["causes"][cause])
        for cause in CAUSES
        if told["causes"][cause]["n_moves"]
    ]
    first = proposal.moves.head(FIRST_MOVES)
    lines.append(words["sample"].format(n=len(first)))
    lines.append(lay_out(_rows(first.itertuples(index=False), labels, lang)))
    return lines


def moves_csv(proposal: Proposal, lang: str) -> bytes:
    """Return everybody who moves as a CSV for spreadsheets: UTF-8 with a byte-order mark.

    No cell of it is run as a formula.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    rows = proposal.moves.itertuples(index=False)
    writer.writerows(_rows(rows, _labels(proposal.summary, lang), lang))
    return out.getvalue().encode("utf-8-sig")


def _rows(moves: Any, labels: dict[str, str], lang: str) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [tuple(HEADERS[lang].values())]
    for move in moves:
        customer, early, late, levels, *causes, value, reason = move
        rows.append(
            (
                escape_formula(customer),
                escape_formula(labels.get(early, early)),
                escape_formula(labels[late]),
                str(levels),
                *(str(one) for one in causes),
                f"{value:.2f}",
                REASON_WORDS[lang][reason],
            )
        )
    return rows
