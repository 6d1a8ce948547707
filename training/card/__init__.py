"""The model card of a release: what it was made from, how it held, for whom, and what it cannot do.

The way through: `facts` (gathered once, by the run), `words` (facts as sections, en and zh),
`pages` (sections as Markdown and as one HTML page). Only the reader knows how old a card is.
"""

from datetime import date
from pathlib import Path
from typing import Any

from training.card.facts import build_facts, read_facts, write_facts
from training.card.pages import as_html, as_markdown
from training.card.words import card_sections, knowledge_points

__all__ = [
    "as_html", "as_markdown", "build_facts", "card_sections", "knowledge_points", "read_facts",
    "write_cards", "write_facts",
]  # fmt: skip


def write_cards(facts: dict[str, Any], folder: Path, today: date | None = None) -> list[Path]:
    """Write a card's facts and its pages, each in en and zh, to a report folder."""
    written = [write_facts(facts, folder)]
    for lang in ("en", "zh"):
        card = card_sections(facts, lang, today)
        for name, text in (("md", as_markdown(card)), ("html", as_html(card, lang))):
            path = folder / f"card_{lang}.{name}"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written
