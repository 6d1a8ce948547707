"""Cells to values: ids, numbers and moments, each with the code of what was wrong with it.

Every function works on the distinct cells of a column and spreads the answer over the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from features.identity import door_id
from features.ingestion.outcomes import Code

Codes = np.ndarray
NULL_WORDS = ["na", "n/a", "#n/a", "nan", "none", "null", "nil", "nul", "undefined", "<na>", "nat"]
SCIENTIFIC = r"^[+-]?\d+(\.\d+)?[eE][+-]?\d{1,3}$"
LONGEST_SCIENTIFIC = 24  # a longer run of digits around one e is a hexadecimal id
LONGEST_ID = 256
CONTROL = r"[\x00-\x1f\x7f]"
FULL_WIDTH = (
    r"^[\x{FF01}-\x{FF5E}\x{3000}\x20-\x7e]*$"  # superscripts and the like stay as they are
)
EXACT_INTEGERS = 2.0**53


@dataclass(frozen=True)
class Ids:
    """Ids as the house knows them (``door_id`` of the text), and codes by row."""

    values: pa.Array
    codes: Codes


@dataclass(frozen=True)
class Numbers:
    """Numbers (NaN where there is none), codes by row, and how many cells were normalised."""

    values: np.ndarray
    codes: Codes
    n_normalised: int = 0


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one plain array, dictionary types taken off."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # pyarrow keeps zero chunks chunked
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def text_of(column: pa.ChunkedArray | pa.Array, name: str) -> pa.Array:
    """Return cells as text, integers as plain decimals, blank cells kept as they are.

    Raises
    ------
    InputError
        If the column has a type that has no text, such as a list.
    """
    array = one_array(column)
    if pa.types.is_floating(array.type):
        whole = pc.and_(pc.equal(array, pc.floor(array)), pc.less(pc.abs(array), EXACT_INTEGERS))
        integers = pc.cast(pc.if_else(whole, array, None), pa.int64())
        return pc.coalesce(pc.cast(integers, pa.string()), pc.cast(array, pa.string()))
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        expected = {"en": "text, numbers or dates", "zh": "文本、数字或日期"}
        raise InputError.of("column_type", column=name, kind=array.type, expected=expected)
    return pc.cast(array, pa.string())


def filled_text_of(column: pa.ChunkedArray | pa.Array, name: str) -> pa.Array:
    """Return cells as text, null where blank."""
    text = text_of(column, name)
    return pc.if_else(is_blank(text), pa.scalar(None, pa.string()), text)


def is_blank(text: pa.Array) -> pa.Array:
    """Return which cells are null or nothing but white space."""
    return pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0), True)


def by_distinct(array: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the distinct cells (null among them) and each row's place in them."""
    encoded = pc.dictionary_encode(array, null_encoding="encode")
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)


def parse_customer_ids(
    column: pa.ChunkedArray | pa.Array, name: str, pattern: str | None = None
) -> Ids:
    """Return customer ids, byte for byte those of the source, once through the door.

    Quarantined: blank ids; null words; scientific notation (a spreadsheet was here); numbers
    that a float has rounded; more than 256 characters; control characters. With `pattern` the
    whole id must match it and the suspicions of words and notation are not held.
    """
    array = one_array(column)
    rounded = None
    if pa.types.is_floating(array.type):
        rounded = ~true_mask(pc.and_(pc.equal(array, pc.floor(array)), _exact(array)))
        rounded &= true_mask(pc.is_valid(array))
    distinct, place = by_distinct(text_of(array, name))
    missing = true_mask(is_blank(distinct))
    suspicious = _suspicious_ids(distinct, pattern)
    codes = np.where(suspicious, Code.SUSPICIOUS_CUSTOMER_ID, Code.ACCEPTED).astype(np.uint8)
    codes[missing] = Code.MISSING_CUSTOMER_ID
    inside = pa.array(
        [
            None if bad else door_id(raw)
            for raw, bad in zip(distinct.to_pylist(), codes, strict=True)
        ],
        pa.string(),
    )
    spread = codes[place]
    if rounded is not None:
        spread[rounded & (spread == 0)] = Code.SUSPICIOUS_CUSTOMER_ID
    return Ids(inside.take(pa.array(place)), spread)


def _exact(array: pa.Array) -> pa.Array:
    return pc.less(pc.abs(array), EXACT_INTEGERS)


def true_mask(mask: pa.Array) -> np.ndarray:
    """Return a mask as numpy, null counting as false."""
    filled: np.ndarray = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
    return filled.astype(bool, copy=False)


def _suspicious_ids(text: pa.Array, pattern: str | None) -> np.ndarray:
    damaged: np.ndarray = true_mask(pc.match_substring_regex(text, CONTROL))
    damaged |= true_mask(pc.greater(pc.utf8_length(text), LONGEST_ID))
    if pattern is not None:
        damaged |= ~true_mask(pc.match_substring_regex(text, rf"^(?:{pattern})$"))
        return damaged
    bare = pc.utf8_trim_whitespace(text)
    damaged |= true_mask(pc.is_in(pc.utf8_lower(bare), value_set=pa.array(NULL_WORDS)))
    short = pc.less_equal(pc.utf8_length(bare), LONGEST_SCIENTIFIC)
    damaged |= true_mask(pc.and_(short, pc.match_substring_regex(bare, SCIENTIFIC)))
    return damaged


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written: what parts decimals, what groups thousands (nothing if empty)."""

    decimal: str = "."
    thousands: str = ""


def parse_numbers(
    column: pa.ChunkedArray | pa.Array, style: NumberStyle, missing: Code = Code.ACCEPTED
) -> Numbers:
    """Return numbers as float64.

    White space around is taken off and full-width digits are narrowed (counted as normalised).
    `missing` is the code of a blank cell.
    """
    array = one_array(column)
    if (
        pa.types.is_null(array.type)
        or pa.types.is_integer(array.type)
        or pa.types.is_decimal(array.type)
    ):
        array = pc.cast(array, pa.float64())
    if pa.types.is_floating(array.type):
        return _typed_numbers(pc.cast(array, pa.float64()), missing)
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return Numbers(
            np.full(len(array), np.nan), np.full(len(array), Code.NOT_A_NUMBER, np.uint8)
        )
    distinct, place = by_distinct(pc.cast(array, pa.string()))
    values, codes, normalised = _number_texts(distinct, style, missing)
    return Numbers(values[place], codes[place], int(normalised[place].sum()))


def _typed_numbers(array: pa.Array, missing: Code) -> Numbers:
    values = array.to_numpy(zero_copy_only=False)
    codes = np.where(np.isfinite(values), Code.ACCEPTED, Code.NOT_FINITE).astype(np.uint8)
    codes[true_mask(pc.is_null(array))] = missing
    return Numbers(values, codes)


def _number_texts(
    text: pa.Array, style: NumberStyle, missing: Code
) -> tuple[np.ndarray, Codes, np.ndarray]:
    wide = pc.match_substring_regex(text, FULL_WIDTH)
    narrow = pc.if_else(wide, pc.utf8_normalize(text, form="NFKC"), text)
    normalised = true_mask(pc.not_equal(narrow, text))
    bare = pc.utf8_trim_whitespace(narrow)
    decimal, thousands = re.escape(style.decimal), re.escape(style.thousands)
    plain = rf"^[+-]?(\d+({decimal}\d*)?|{decimal}\d+)([eE][+-]?\d{{1,4}})?$"
    grouped = rf"^[+-]?\d{{1,3}}({thousands}\d{{3}})+({decimal}\d*)?$"
    good = true_mask(pc.match_substring_regex(bare, plain))
    cleaned = bare
    if style.thousands:
        in_groups = true_mask(pc.match_substring_regex(bare, grouped))
        ungrouped = pc.replace_substring(bare, style.thousands, "")
        cleaned = pc.if_else(pa.array(in_groups & ~good), ungrouped, bare)
        good |= in_groups
    if style.decimal != ".":
        cleaned = pc.replace_substring(cleaned, style.decimal, ".")
    values = pc.cast(pc.if_else(pa.array(good), cleaned, None), pa.float64())
    numbers = values.to_numpy(zero_copy_only=False)
    codes = np.full(len(text), Code.NOT_A_NUMBER, np.uint8)
    codes[true_mask(pc.match_substring_regex(bare, r"^[+-]?\d[\d.,' ]*\d$"))] = (
        Code.AMBIGUOUS_NUMBER
    )
    words = r"(?i)^[+-]?(nan|inf|infinity)$"
    codes[true_mask(pc.match_substring_regex(bare, words))] = Code.NOT_FINITE
    codes[good] = np.where(np.isfinite(numbers[good]), Code.ACCEPTED, Code.NOT_FINITE)
    codes[true_mask(is_blank(text))] = missing
    return np.where(codes == 0, numbers, np.nan), codes, normalised & good


def match_rows(text: pa.Array, test: Callable[[pa.Array], pa.Array]) -> np.ndarray:
    """Return which rows pass a test that is run once for each distinct text."""
    distinct, place = by_distinct(text)
    passed: np.ndarray = true_mask(test(distinct))[place]
    return passed
