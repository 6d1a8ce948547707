"""The data report: one HTML file that says what came in, what was set aside and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from features.durable import write_durably
from features.ingestion.account import total
from features.ingestion.account_text import meaning_of
from features.ingestion.overview import Bucket, Overview, read_overview
from features.ingestion.report_words import STYLE, WORDS
from features.tables import Tables

LONGEST_SHOWN = 80  # characters of a cell
WIDTH, HEIGHT, MARGIN = 900, 180, 60  # of a picture, in pixels
FULL_WIDTH_SHARE = 100.0


def report_path(state: Path, source: str) -> Path:
    """Return where the data report of a source lies."""
    return state / "reports" / f"data_{source}.html"


def summary_path(state: Path, source: str) -> Path:
    """Return where the summary of a sample lies that monitoring makes beside the report."""
    return state / "reports" / f"data_{source}_summary.html"


def write_report(tables: Tables, state: Path, lang: str = "en") -> Path:
    """Write the data report of one source; return its path.

    Parameters
    ----------
    tables : Tables
        What an ingestion left.
    state : Path
        Folder for all results.
    lang : str
        en or zh.
    """
    path = report_path(state, tables.source)
    path.parent.mkdir(parents=True, exist_ok=True)
    summary = summary_path(state, tables.source)
    page = render_report(read_overview(tables), lang, summary.name if summary.is_file() else None)
    write_durably(path, page.encode())
    return path


def render_report(overview: Overview, lang: str, summary: str | None = None) -> str:
    """Return the page; every text that came with the data is escaped, nothing is fetched.

    Parameters
    ----------
    overview : Overview
        Its content.
    lang : str
        en or zh.
    summary : str, optional
        Name of the summary of a sample beside it.
    """
    words, account = WORDS[lang], overview.account
    title = words["title"].format(source=account["source"])
    linked = f'<p><a href="{escape(summary)}">{escape(words["summary"])}</a></p>' if summary else ""
    no_summary = "" if summary else f"<p>{escape(words['no_summary'])}</p>"
    body = [
        f"<h1>{escape(title)}</h1>",
        _facts(overview, lang),
        *[f'<p class="alarm">{escape(_alarm(alarm, lang))}</p>' for alarm in account["alarms"]],
        f"<h2>{escape(words['files'])}</h2>",
        _conservation(overview, lang),
        f"<h2>{escape(words['why'])}</h2>",
        _reasons(overview, lang),
        f"<h2>{escape(words['examples'])}</h2>",
        _examples(overview, lang),
        f"<h2>{escape(words['time'].format(bucket=words[overview.bucket]))}</h2>",
        _pictures(overview, lang),
        f"<h2>{escape(words['columns'])}</h2>",
        _columns(overview, lang),
        f"<h2>{escape(words['sample'])}</h2>",
        linked or no_summary,
    ]
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]], n_text: int = 1) -> str:
    """Return a table whose first `n_text` columns are text and the others numbers."""
    kinds = ["" if i < n_text else ' class="n"' for i in range(len(header))]
    heads = (f"<th{kind}>{escape(one)}</th>" for kind, one in zip(kinds, header, strict=True))
    told = ["<table><thead><tr>", *heads, "</tr></thead>"]
    for row in rows:
        cells = []
        for number, cell in zip(kinds, row, strict=True):
            text = f"{cell:,}" if isinstance(cell, int) else str(cell)
            cells.append(f"<td{number}>{escape(text)}</td>")
        told.append(f"<tr>{''.join(cells)}</tr>")
    return "".join([*told, "</table>"])


def _facts(overview: Overview, lang: str) -> str:
    words, account = WORDS[lang], overview.account
    quarantined = sum(account["quarantined"].values())
    dropped = sum(account["dropped"].values())
    told = [
        (words["records"], f"{account['records']:,}"),
        (words["accepted"], f"{account['accepted']:,}"),
        (words["quarantined"], f"{quarantined:,}"),
        (words["dropped"], f"{dropped:,}"),
        (words["span"], f"{account['history_start']} – {account['data_complete_before']}"),
        (words["money"], f"{account['currency']} · {account['value']}"),
        (words["zone"], account["time_zone"]),
    ]
    facts = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in told)
    return f"<dl>{facts}</dl>"


def _conservation(overview: Overview, lang: str) -> str:
    words = WORDS[lang]
    rows: list[tuple[object, ...]] = []
    for file in overview.account["files"]:
        aside, left = sum(file["quarantined"].values()), sum(file["dropped"].values())
        holds = file["records"] == file["accepted"] + aside + left
        days = f"{file['first_day']} – {file['last_day']}" if file["first_day"] else ""
        sign = "✓" if holds else "✗"
        rows.append(
            (
                file["file"],
                file["table"],
                days,
                file["records"],
                file["accepted"],
                aside,
                left,
                sign,
            )
        )
    for file in overview.account["skipped"]:
        same = words["same_as"].format(file=file["same_as"])
        rows.append((file["file"], file["table"], same, file["records"], "", "", "", ""))
    header = [words[k] for k in ("file", "table", "days", "records", "accepted", "quarantined",
                                 "dropped", "holds")]  # fmt: skip
    return _table(header, rows, 3)


def _reasons(overview: Overview, lang: str) -> str:
    words, files = WORDS[lang], overview.account["files"]
    rows: list[tuple[object, ...]] = []
    for what in ("quarantined", "dropped", "notes", "unmatched"):
        counts = total(file[what] for file in files)
        for name, n in sorted(counts.items()):
            if n:
                n_files = sum(bool(file[what].get(name)) for file in files)
                meaning = meaning_of(name, lang)
                shown = "" if meaning == name else meaning
                rows.append((words[what], name, shown, n_files, n))
    if not rows:
        return f"<p>{escape(words['nothing'])}</p>"
    header = [words[key] for key in ("outcome", "name", "meaning", "files_with_it", "rows")]
    return _table(header, rows, 3)


def _examples(overview: Overview, lang: str) -> str:
    words = WORDS[lang]
    if not overview.examples:
        return f"<p>{escape(words['nothing'])}</p>"
    header = [words[key] for key in ("name", "file", "row", "column", "cell", "meaning")]
    rows = [
        (one.code, one.file, str(one.row), one.column, _short(one.cell), meaning_of(one.code, lang))
        for one in overview.examples
    ]
    return _table(header, rows, 6)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _alarm(alarm: dict[str, object], lang: str) -> str:
    return WORDS[lang]["unit_slip"].format(**alarm)


def _columns(overview: Overview, lang: str) -> str:
    words = WORDS[lang]
    header = [words[key] for key in ("table", "column", "kind", "lowest", "highest", "rows",
                                     "nulls", "share", "distinct")]  # fmt: skip
    rows = [
        (
            one.table,
            one.name,
            one.kind,
            _short(one.lowest),
            _short(one.highest),
            one.rows,
            one.nulls,
            f"{FULL_WIDTH_SHARE * one.nulls / max(one.rows, 1):.1f} %",
            one.distinct,
        )
        for one in overview.columns
    ]
    return _table(header, rows, 5)


def _pictures(overview: Overview, lang: str) -> str:
    words, buckets = WORDS[lang], overview.buckets
    currency = overview.account["currency"]
    lines = _bars(words["lines"], buckets, [("up", [float(b.lines) for b in buckets])])
    amounts = _bars(
        f"{words['amounts']} ({currency})",
        buckets,
        [("up", [b.positive for b in buckets]), ("down", [b.negative for b in buckets])],
    )
    return lines + amounts


def _bars(title: str, buckets: Sequence[Bucket], series: list[tuple[str, list[float]]]) -> str:
    """Return a picture: the first series as bars upwards, a second one downwards."""
    up = max(series[0][1], default=0.0)
    down = max(series[1][1], default=0.0) if len(series) > 1 else 0.0
    scale = HEIGHT / ((up + down) or 1.0)
    zero = 20 + up * scale
    step = (WIDTH - MARGIN) / max(len(buckets), 1)
    parts = [f'<text x="0" y="12">{escape(title)}</text>']
    for kind, values in series:
        for i, (bucket, value) in enumerate(zip(buckets, values, strict=True)):
            x, height = MARGIN + i * step, value * scale
            y = zero - height if kind == "up" else zero
            tip = f"<title>{bucket.start.isoformat()}: {value:,.0f}</title>"
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(step - 0.6, 0.6):.1f}" '
                f'height="{height:.1f}">{tip}</rect>'
            )
    parts.append(f'<line x1="{MARGIN}" x2="{WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    parts.append(f'<text class="n" x="{MARGIN - 6}" y="30">{up:,.0f}</text>')
    if down:
        parts.append(f'<text class="n" x="{MARGIN - 6}" y="{HEIGHT + 20}">{-down:,.0f}</text>')
    if buckets:
        first, last = buckets[0].start.isoformat(), buckets[-1].start.isoformat()
        parts.append(f'<text x="{MARGIN}" y="{HEIGHT + 36}">{first}</text>')
        parts.append(f'<text class="n" x="{WIDTH}" y="{HEIGHT + 36}">{last}</text>')
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 42}" role="img">{inner}</svg>'
