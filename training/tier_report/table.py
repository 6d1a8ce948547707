"""Tables of the tier report: on a narrow screen each row becomes a card with its own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text, small : str
        What it says, and what stands below it in small print; both are escaped.
    dot : str
        Colour of a dot before it, for none empty.
    is_tight : bool
        Whether it is kept on one line.
    """

    text: str
    small: str = ""
    dot: str = ""
    is_tight: bool = False

    def html(self, label: str, first: bool) -> str:
        """Return the cell; the first of a row is its name."""
        kind = ' class="name"' if first else ' class="tight"' if self.is_tight else ""
        dot = f'<i class="dot" style="background:{self.dot}"></i>' if self.dot else ""
        small = f"<small>{escape(self.small)}</small>" if self.small else ""
        # one element holds text and small print, so that a card keeps them together
        return (
            f'<td{kind} data-label="{escape(label)}"><span>{dot}{escape(self.text)}{small}'
            "</span></td>"
        )


def cards(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], kinds: Sequence[str] | None = None
) -> str:
    """Return a table.

    Parameters
    ----------
    heads : sequence of str
        Of the columns.
    rows : sequence of sequence of Cell
        As many as heads, each.
    kinds : sequence of str, optional
        A class a row: ``ours``, ``out`` or empty.
    """
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    lines = []
    for number, row in enumerate(rows):
        kind = f' class="{kinds[number]}"' if kinds and kinds[number] else ""
        cells = "".join(
            cell.html(head, place == 0)
            for place, (cell, head) in enumerate(zip(row, heads, strict=True))
        )
        lines.append(f"<tr{kind}>{cells}</tr>")
    return (
        f'<div class="scroll"><table class="cards"><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def heat(
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[tuple[float, str, str]]]],
    diagonal: bool = False,
) -> str:
    """Return a heat map as a table.

    Parameters
    ----------
    corner : str
        What stands in the corner.
    columns : sequence of str
        Heads.
    rows : sequence of (head, cells)
        A cell is its shade from 0 to 1, its text and its small print.
    diagonal : bool
        Whether the cell of a row in its own column is framed: rows and columns are then the same
        things in the same order.
    """
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    lines = []
    for number, (head, cells) in enumerate(rows):
        parts = []
        for place, (shade, words, small) in enumerate(cells):
            ink = "#ffffff" if shade > 0.55 else "#1c2733"
            ground = _mix(shade)
            same = ' class="same"' if diagonal and place == number else ""
            parts.append(
                f'<td{same} style="background:{ground};color:{ink}">{escape(words)}'
                f"<small>{escape(small)}</small></td>"
            )
        lines.append(f'<tr><th scope="row">{escape(head)}</th>{"".join(parts)}</tr>')
    return (
        f'<div class="scroll"><table class="heat"><thead><tr><th>{escape(corner)}</th>{top}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _mix(shade: float) -> str:
    """Return a blue between nearly white and deep.

    >>> _mix(0.0), _mix(1.0)
    ('#f4f6f8', '#0b5fa5')
    """
    low, high = (0xF4, 0xF6, 0xF8), (0x0B, 0x5F, 0xA5)
    part = min(max(shade, 0.0), 1.0)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))
