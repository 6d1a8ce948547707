"""The account as people read it: a line a file, then what was set aside, left out and counted."""

from __future__ import annotations

from unicodedata import east_asian_width

from features.ingestion.account import Account, total
from features.ingestion.outcomes import NOTES, REASONS, Code

HEADERS = {
    "en": ("file", "table", "records", "accepted", "quarantined", "dropped"),
    "zh": ("文件", "表", "记录", "接受", "隔离", "剔除"),
}
WORDS = {
    "en": {
        "quarantined": "quarantined: {name} {n:,} ({meaning})",
        "dropped": "dropped: {name} {n:,}",
        "notes": "counted: {name} {n:,} ({meaning})",
        "unmatched": "unmatched: {name} {n:,}",
        "skipped": "skipped: {file} is {same_as} again ({records:,})",
        "unit_slip": "ALARM: {file}: median amount {median_amount:,.2f}, of the files before "
        "{expected_median:,.2f}; is the unit the same?",
        "reused": "not read again: {n} of {of} files",
    },
    "zh": {
        "quarantined": "隔离：{name} {n:,}（{meaning}）",
        "dropped": "剔除：{name} {n:,}",
        "notes": "计数：{name} {n:,}（{meaning}）",
        "unmatched": "未匹配：{name} {n:,}",
        "skipped": "跳过：{file} 与 {same_as} 相同（{records:,}）",
        "unit_slip": "警报：{file}：金额中位数 {median_amount:,.2f}，此前的文件为 "
        "{expected_median:,.2f}；单位是否一致？",
        "reused": "未重新读取：{of} 个文件中的 {n} 个",
    },
}


def account_text(account: Account, lang: str = "en") -> str:
    """Return the account as a small table for people, one line a file."""
    words = WORDS[lang]
    lines = _table(account, lang)
    for what in ("quarantined", "dropped", "notes", "unmatched"):
        counts = total(getattr(file, what) for file in account.files)
        for name, n in sorted(counts.items()):
            if n:
                meaning = meaning_of(name, lang)
                lines.append(words[what].format(name=name, n=n, meaning=meaning))
    for skipped in account.skipped:
        lines.append(words["skipped"].format(**vars(skipped)))
    for alarm in account.alarms:
        lines.append(words[alarm.what].format(**vars(alarm)))
    if account.n_reused:
        lines.append(words["reused"].format(n=account.n_reused, of=len(account.files)))
    return "\n".join(lines)


def meaning_of(name: str, lang: str) -> str:
    """Return what a code or a note means, its name where nothing is written of it."""
    code = Code.__members__.get(name.upper())
    told = REASONS.get(code) if code else NOTES.get(name)
    return told[lang] if told else name


def _table(account: Account, lang: str) -> list[str]:
    header = HEADERS[lang]
    rows = [
        (
            file.file,
            file.table,
            f"{file.records:,}",
            f"{file.accepted:,}",
            f"{sum(file.quarantined.values()):,}",
            f"{sum(file.dropped.values()):,}",
        )
        for file in account.files
    ]
    widths = [max(_width(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        gaps = [" " * (width - _width(text)) for text, width in zip(row, widths, strict=True)]
        left = [text + gap for text, gap in zip(row[:2], gaps[:2], strict=True)]
        right = [gap + text for text, gap in zip(row[2:], gaps[2:], strict=True)]
        lines.append("  ".join([*left, *right]))
    return lines


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: a Chinese character takes two."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)
