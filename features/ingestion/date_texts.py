r"""Dates as they are written: a format becomes one expression, its fields become microseconds.

The calendar is checked here by arithmetic, the same on every machine and in every language of
the system: 30 February is no date, months are named in English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from features.ingestion.outcomes import Code
from features.ingestion.parse import is_blank, true_mask

ISO_PATTERN = (
    r"^(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?P<zone>Z|z|[+-]\d{2}(?::?\d{2})?)?)?$"
)
DAY_OR_MONTH_FIRST = r"^\d{1,2}[/.\-]\d{1,2}[/.\-](\d{4}|\d{2})(\D.*)?$"
DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<short_year>\d{2})",
    "m": r"(?P<month>\d{1,2})",
    "d": r"(?P<day>\d{1,2})",
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour_of_12>\d{1,2})",
    "M": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})",
    "f": r"(?P<fraction>\d{1,9})",
    "p": r"(?P<half>[AaPp][Mm])",
    "b": r"(?P<month_name>[A-Za-z]{3})",
    "B": r"(?P<month_name>[A-Za-z]{3,9})",
    "z": r"(?P<zone>Z|[+-]\d{2}:?\d{2})",
    "%": "%",
}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
USUAL_DAYS = ("%Y年%m月%d日", "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%Y%m%d", "%d %b %Y", "%b %d, %Y")
USUAL_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p")
EXAMPLE_FORMAT = "%d/%m/%Y"
DAY_US = 86_400_000_000
FIRST_YEAR, LAST_YEAR = 1900, 2199  # beyond them a date is a slip of the pen
FIRST_US, END_US = (
    int(np.datetime64(f"{year}-01-01", "us").astype(np.int64))
    for year in (FIRST_YEAR, LAST_YEAR + 1)
)
FARTHEST_OFFSET_US = 18 * 3_600_000_000


@dataclass(frozen=True)
class Written:
    """Moments as written.

    Attributes
    ----------
    naive : np.ndarray
        Microseconds since 1970 on the clock that was read, int64; 0 where the code is not 0.
    offset : np.ndarray
        Microseconds that clock is ahead of UTC; NaN where none is written.
    has_time : np.ndarray
        Whether a time of day is written.
    codes : np.ndarray
        Codes, uint8.
    """

    naive: np.ndarray
    offset: np.ndarray
    has_time: np.ndarray
    codes: np.ndarray


def compile_format(date_format: str) -> str:
    r"""Return the regular expression of a format of strptime's directives.

    Day and month may have one digit unless another directive touches them.

    >>> print(compile_format("%d/%m/%Y"))
    ^(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})$

    Raises
    ------
    InputError
        If a directive is unknown or repeated, or year, month or day is lacking.
    """
    spelled = date_format.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d")
    tokens = re.findall(r"%.?|\s+|[^%\s]", spelled)
    parts: list[str] = []
    for i, token in enumerate(tokens):
        if not token.startswith("%"):
            parts.append(r"\s+" if token.isspace() else re.escape(token))
            continue
        if token[1:] not in DIRECTIVES:
            raise _bad_format(date_format, f"the unknown directive {token}", f"未知指令 {token}")
        beside = tokens[max(i - 1, 0) : i] + tokens[i + 1 : i + 2]
        touched = any(other.startswith("%") for other in beside)
        part = DIRECTIVES[token[1:]]
        parts.append(part.replace(r"\d{1,2}", r"\d{2}") if touched else part)
    pattern = f"^{''.join(parts)}$"
    try:
        names = set(re.compile(pattern).groupindex)
    except re.error as cause:
        raise _bad_format(date_format, "a directive twice", "指令重复") from cause
    for needed, word, chinese in (
        ({"year", "short_year"}, "year", "年"),
        ({"month", "month_name"}, "month", "月"),
        ({"day"}, "day", "日"),
    ):
        if not names & needed:
            raise _bad_format(date_format, f"no {word}", f"没有{chinese}")
    return pattern


def _bad_format(date_format: str, problem: str, in_chinese: str) -> InputError:
    words = {"en": problem, "zh": in_chinese}
    return InputError.of("bad_date_format", date_format=date_format, problem=words)


def suggest_format(cell: str | None) -> str | None:
    """Return the format that a date is written in, where only one of the usual ones can be meant.

    >>> suggest_format("2024年3月31日 18:05")
    '%Y年%m月%d日 %H:%M'
    >>> suggest_format("03/04/2024") is None
    True
    """
    if cell is None:
        return None
    found = [
        f"{day}{time}"
        for day in USUAL_DAYS
        for time in USUAL_TIMES
        if re.match(compile_format(f"{day}{time}"), cell.strip())
    ]
    return found[0] if len(found) == 1 else None


class _Fields:
    """The named groups of an expression over a column of text."""

    def __init__(self, text: pa.Array, pattern: str) -> None:
        found = pc.extract_regex(text, pattern)
        self.n = len(text)
        self.matched = true_mask(pc.is_valid(found))
        names = [found.type.field(i).name for i in range(found.type.num_fields)]
        self._cells = {name: pc.struct_field(found, [i]) for i, name in enumerate(names)}

    def __contains__(self, name: str) -> bool:
        return name in self._cells

    def text(self, name: str) -> pa.Array:
        """Return a group as text, empty where it did not match."""
        cells = self._cells.get(name)
        return pa.array([""] * self.n, pa.string()) if cells is None else pc.fill_null(cells, "")

    def is_written(self, name: str) -> np.ndarray:
        """Return where a group matched something."""
        return ~true_mask(is_blank(self.text(name)))

    def number(self, name: str, default: int) -> np.ndarray:
        """Return a group of digits as int64, `default` where it did not match."""
        if name not in self:
            return np.full(self.n, default, np.int64)
        text = self.text(name)
        filled = pc.if_else(is_blank(text), str(default), text)
        values: np.ndarray = pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False)
        return values


def read_fields(text: pa.Array, pattern: str) -> Written:
    """Return the moments of texts that match `pattern`; the others are unparseable."""
    fields = _Fields(text, pattern)
    year, month = _year_of(fields), _month_of(fields)
    hour, valid = _hour_of(fields)
    day, minute, second = (fields.number(name, 0) for name in ("day", "minute", "second"))
    valid &= fields.matched & (hour < 24) & (minute < 60) & (second < 60)
    valid &= (month >= 1) & (month <= 12) & (day >= 1)
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    valid &= day <= after - first
    offset = _offset_of(fields)
    valid &= ~(np.abs(offset) > FARTHEST_OFFSET_US)
    naive = (first + day - 1) * DAY_US
    naive += ((hour * 60 + minute) * 60 + second) * 1_000_000 + _microseconds_of(fields)
    codes = np.where(valid, range_codes(naive), Code.UNPARSEABLE_DATE).astype(np.uint8)
    has_time = fields.is_written("hour") | fields.is_written("hour_of_12")
    return Written(np.where(codes == 0, naive, 0), offset, has_time, codes)


def range_codes(naive: np.ndarray) -> np.ndarray:
    """Return the codes of microseconds that no living shop can have meant."""
    codes = np.zeros(len(naive), np.uint8)
    codes[naive < FIRST_US] = Code.DATE_TOO_EARLY
    codes[naive >= END_US] = Code.FUTURE_DATE
    return codes


def _year_of(fields: _Fields) -> np.ndarray:
    if "short_year" not in fields:
        return fields.number("year", 1970)
    short = fields.number("short_year", 70)
    return np.where(short < 69, 2000 + short, 1900 + short)


def _month_of(fields: _Fields) -> np.ndarray:
    if "month_name" not in fields:
        return fields.number("month", 0)
    lowered = pc.utf8_slice_codeunits(pc.utf8_lower(fields.text("month_name")), 0, 3)
    place = pc.fill_null(pc.index_in(lowered, value_set=pa.array(MONTHS)), -1)
    months: np.ndarray = place.to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return months


def _hour_of(fields: _Fields) -> tuple[np.ndarray, np.ndarray]:
    """Return hours of the day and whether they can be."""
    if "hour_of_12" not in fields:
        return fields.number("hour", 0), np.ones(fields.n, bool)
    hour = fields.number("hour_of_12", 12)
    afternoon = true_mask(pc.equal(pc.utf8_lower(fields.text("half")), "pm"))
    return hour % 12 + 12 * afternoon, (hour >= 1) & (hour <= 12)


def _microseconds_of(fields: _Fields) -> np.ndarray:
    if "fraction" not in fields:
        return np.zeros(fields.n, np.int64)
    digits = pc.utf8_rpad(fields.text("fraction"), 9, "0")
    nanoseconds: np.ndarray = pc.cast(digits, pa.int64()).to_numpy(zero_copy_only=False)
    microseconds: np.ndarray = nanoseconds // 1000
    return microseconds


def _offset_of(fields: _Fields) -> np.ndarray:
    """Return offsets from UTC in microseconds, NaN where none is written."""
    written = fields.is_written("zone")
    digits = pc.replace_substring(pc.utf8_upper(fields.text("zone")), ":", "")
    digits = pc.if_else(pa.array(written), pc.replace_substring(digits, "Z", "+0000"), "+0000")
    digits = pc.utf8_rpad(digits, 5, "0")
    ahead = true_mask(pc.starts_with(digits, "+"))
    number = pc.cast(pc.utf8_slice_codeunits(digits, 1), pa.int64()).to_numpy(zero_copy_only=False)
    minutes: np.ndarray = number // 100 * 60 + number % 100
    offset: np.ndarray = np.where(written, np.where(ahead, minutes, -minutes) * 60e6, np.nan)
    return offset
