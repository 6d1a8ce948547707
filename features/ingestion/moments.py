"""Cells to moments: the shop's local day and hour, and the instant in UTC.

Times without an offset are the shop's local times (or those of the zone that the source names).
A time that the clocks show twice is the earlier instant; one that they skip is read with the
offset in force before the change. Both are counted, neither fails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from features.ingestion.date_texts import (
    DAY_OR_MONTH_FIRST,
    DAY_US,
    END_US,
    FIRST_US,
    ISO_PATTERN,
    Written,
    compile_format,
    range_codes,
    read_fields,
)
from features.ingestion.outcomes import Code
from features.ingestion.parse import by_distinct, is_blank, one_array, true_mask

EPOCHS = {"unix_seconds": 1_000_000, "unix_milliseconds": 1_000}
FEWEST_MILLISECONDS = 10**10  # April 1970; in seconds it is the year 2286
MOST_SECONDS = 10**11  # the year 5138; in milliseconds it is March 1973


@dataclass(frozen=True)
class Clock:
    """How a column tells time.

    Attributes
    ----------
    date_format : str
        ``iso``, ``unix_seconds``, ``unix_milliseconds`` or a format of strptime's directives.
    time_zone : str
        The shop's time zone.
    times_in : str
        Zone of times that bear no offset.
    date_only : bool
        Whether times of day mean nothing.
    """

    date_format: str
    time_zone: str
    times_in: str
    date_only: bool = False


@dataclass(frozen=True)
class Moments:
    """Moments by row; where the code is not 0 the values mean nothing.

    Attributes
    ----------
    instants : np.ndarray
        Microseconds since 1970 in UTC, int64.
    days : np.ndarray
        Shop-local days, datetime64[D].
    hours : np.ndarray
        Shop-local hour of day with its fraction; NaN where only a date is known.
    codes : np.ndarray
        Codes, uint8.
    n_twice, n_skipped : int
        Rows at a local time that the clocks show twice, or skip.
    """

    instants: np.ndarray
    days: np.ndarray
    hours: np.ndarray
    codes: np.ndarray
    n_twice: int
    n_skipped: int


def parse_moments(column: pa.ChunkedArray | pa.Array, name: str, clock: Clock) -> Moments:
    """Return the moments of a column of text, dates or time stamps.

    Raises
    ------
    InputError
        If the column's type tells no time, or ``date_format`` is no format.
    """
    distinct, place = by_distinct(one_array(column))
    written = _read_written(distinct, name, clock)
    with_time = written.has_time & ~np.isfinite(written.offset)
    instants, twice, skipped = localise(written.naive, clock.time_zone)
    if clock.times_in != clock.time_zone:
        elsewhere, twice_there, skipped_there = localise(written.naive, clock.times_in)
        instants = np.where(with_time, elsewhere, instants)
        twice, skipped = twice_there, skipped_there
    aware = np.isfinite(written.offset)
    offset = np.where(aware, written.offset, 0).astype(np.int64)
    instants = np.where(aware, written.naive - offset, instants)
    local = written.naive
    if aware.any() or clock.times_in != clock.time_zone:
        moved = aware | (with_time & (clock.times_in != clock.time_zone))
        local = np.where(moved, _local(instants, clock.time_zone), local)
    days = np.floor_divide(local, DAY_US)
    hours = np.where(written.has_time, (local - days * DAY_US) / 3.6e9, np.nan)
    return Moments(
        instants=instants[place],
        days=days.astype("datetime64[D]")[place],
        hours=hours[place],
        codes=written.codes[place],
        n_twice=int((twice & with_time)[place].sum()),
        n_skipped=int((skipped & with_time)[place].sum()),
    )


def _read_written(cells: pa.Array, name: str, clock: Clock) -> Written:
    kind = cells.type
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        written = _read_texts(pc.cast(cells, pa.string()), clock)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        written = _read_typed(cells)
    elif pa.types.is_integer(kind) and clock.date_format in EPOCHS:
        written = _read_epochs(pc.cast(cells, pa.string()), EPOCHS[clock.date_format])
    else:
        expected = {"en": "dates, time stamps or text", "zh": "日期、时间戳或文本"}
        raise InputError.of("column_type", column=name, kind=kind, expected=expected)
    if clock.date_only:
        midnight = np.floor_divide(written.naive, DAY_US) * DAY_US
        nowhere = np.full(len(cells), np.nan)
        return Written(midnight, nowhere, np.zeros(len(cells), bool), written.codes)
    return written


def _read_typed(cells: pa.Array) -> Written:
    stamps = pc.cast(cells, pa.timestamp("us", tz=getattr(cells.type, "tz", None)), safe=False)
    naive = pc.fill_null(pc.cast(stamps, pa.int64()), 0).to_numpy(zero_copy_only=False)
    aware = getattr(cells.type, "tz", None) is not None
    has_time = np.full(len(cells), pa.types.is_timestamp(cells.type))
    codes = range_codes(naive)
    codes[true_mask(pc.is_null(cells))] = Code.MISSING_DATE
    return Written(_bounded(naive), np.full(len(cells), 0.0 if aware else np.nan), has_time, codes)


def _read_texts(text: pa.Array, clock: Clock) -> Written:
    bare = pc.utf8_trim_whitespace(text)
    if clock.date_format in EPOCHS:
        written = _read_epochs(bare, EPOCHS[clock.date_format])
    else:
        iso = clock.date_format == "iso"
        pattern = ISO_PATTERN if iso else compile_format(clock.date_format)
        written = read_fields(bare, pattern)
        if iso:
            either = true_mask(pc.match_substring_regex(bare, DAY_OR_MONTH_FIRST))
            written.codes[either] = Code.AMBIGUOUS_DATE
    written.codes[true_mask(is_blank(bare))] = Code.MISSING_DATE
    return written


def _read_epochs(text: pa.Array, to_us: int) -> Written:
    good = true_mask(pc.match_substring_regex(text, r"^-?\d{1,13}$"))
    numbers = pc.cast(pc.if_else(pa.array(good), text, "0"), pa.int64())
    naive = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    within = good & (np.abs(naive) < END_US // to_us)
    naive = np.where(within, naive, 0) * to_us
    codes = np.where(within, range_codes(naive), Code.UNPARSEABLE_DATE).astype(np.uint8)
    magnitude = np.abs(pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False))
    # Ten digits are seconds until 2286, thirteen are milliseconds from 2001 on.
    other_unit = magnitude < FEWEST_MILLISECONDS if to_us == 1_000 else magnitude >= MOST_SECONDS
    codes[good & other_unit & (magnitude > 0)] = Code.MIXED_TIME_UNITS
    codes[true_mask(is_blank(text))] = Code.MISSING_DATE
    return Written(naive, np.zeros(len(text)), np.ones(len(text), bool), codes)


def _bounded(naive: np.ndarray) -> np.ndarray:
    return np.where((naive >= FIRST_US) & (naive < END_US), naive, 0)


def localise(naive: np.ndarray, zone: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the instants of local times in `zone`, and which are shown twice or skipped.

    Parameters
    ----------
    naive : np.ndarray
        Local times in microseconds, int64.
    zone : str
        IANA time zone.

    Returns
    -------
    tuple
        Instants in microseconds UTC; a mask of times shown twice (the earlier instant is
        taken); a mask of times skipped (the offset before the change is taken).

    Notes
    -----
    Arrow's zone rules end with 2037: later summers are read in winter time.
    """
    stamps = pa.array(naive, pa.int64()).cast(pa.timestamp("us"))
    early = _assume(stamps, zone, "earliest")
    late = _assume(stamps, zone, "latest")
    skipped = late - early == 1  # arrow names the last microsecond before and the change itself
    twice = (late != early) & ~skipped
    if skipped.any():
        before = early[skipped]
        offset = _local(before, zone) - before
        early = early.copy()
        early[skipped] = naive[skipped] - offset
    return early, twice, skipped


def _assume(stamps: pa.Array, zone: str, which: str) -> np.ndarray:
    aware = pc.assume_timezone(stamps, zone, ambiguous=which, nonexistent=which)
    instants: np.ndarray = pc.cast(aware, pa.int64()).to_numpy(zero_copy_only=False)
    return instants


def _local(instants: np.ndarray, zone: str) -> np.ndarray:
    aware = pa.array(instants, pa.int64()).cast(pa.timestamp("us", "UTC"))
    local = pc.local_timestamp(pc.cast(aware, pa.timestamp("us", zone)))
    values: np.ndarray = pc.cast(local, pa.int64()).to_numpy(zero_copy_only=False)
    return values
