"""Sections as Markdown, and as one HTML page that needs nothing but itself."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from training.card.words import Card, Section

_PAGE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def as_markdown(card: Card) -> str:
    """Return a card as Markdown."""
    parts = [f"# {card.title}"]
    for section in card.sections:
        parts.append(f"## {section.title}")
        parts += section.paragraphs
        if section.points:
            parts.append("\n".join(f"- {point}" for point in section.points))
        if section.rows:
            parts.append(_markdown_table(section.rows))
    return "\n\n".join(parts) + "\n"


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    header, *others = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_html(card: Card, lang: str) -> str:
    """Return a card as one self-contained HTML page."""
    body = "\n".join(_html_section(section) for section in card.sections)
    return _PAGE.substitute(lang=lang, title=html.escape(card.title), body=body)


def _html_section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
    if section.points:
        items = "".join(f"<li>{html.escape(point)}</li>" for point in section.points)
        parts.append(f"<ul>{items}</ul>")
    if section.rows:
        parts.append(_html_table(section.rows))
    return f"<section>{''.join(parts)}</section>"


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    header, *others = rows
    head = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in header)
    lines = []
    for row in others:
        first, *rest = (html.escape(cell) for cell in row)
        lines.append(f"<tr><th scope=row>{first}</th>{''.join(f'<td>{c}</td>' for c in rest)}</tr>")
    return (
        f"<div class=table tabindex=0><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
