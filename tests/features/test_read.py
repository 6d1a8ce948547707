from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.ingestion.moments import Clock, localise, parse_moments
from features.ingestion.outcomes import REASONS, Code
from features.ingestion.parse import NumberStyle, parse_customer_ids, parse_numbers
from features.ingestion.raw import RawBatch
from features.ingestion.read import read_batch
from features.ingestion.source import Source

LONDON = Clock("iso", "Europe/London", "Europe/London")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def labels(codes: np.ndarray) -> list[str]:
    return [Code(code).label for code in codes]


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("00123", "accepted"),
        ("123", "accepted"),
        ("9007199254740993", "accepted"),
        ("Ünal-7", "accepted"),
        (" 5", "accepted"),
        ("57d79905de06d8897872c551bfd09358", "accepted"),
        ("12345678901234567890123e45678901", "accepted"),
        ("NADIA", "accepted"),
        ("", "missing_customer_id"),
        ("  ", "missing_customer_id"),
        ("\u3000", "missing_customer_id"),
        (None, "missing_customer_id"),
        ("NA", "suspicious_customer_id"),
        ("none", "suspicious_customer_id"),
        ("NULL", "suspicious_customer_id"),
        ("#N/A", "suspicious_customer_id"),
        ("1e5", "suspicious_customer_id"),
        ("1.23457E+15", "suspicious_customer_id"),
        ("a\x00b", "suspicious_customer_id"),
        ("7" * 257, "suspicious_customer_id"),
    ],
)
def test_an_id_is_kept_byte_for_byte_or_set_aside(raw: str | None, label: str) -> None:
    ids = parse_customer_ids(pa.array([raw, "x"], pa.string()), "id")
    assert labels(ids.codes) == [label, "accepted"]
    assert ids.values.to_pylist() == [raw if label == "accepted" else None, "x"]


def test_typed_ids_become_their_plain_decimal_text() -> None:
    integers = parse_customer_ids(pa.array([7, 2**53 + 1, None]), "id")
    assert integers.values.to_pylist() == ["7", "9007199254740993", None]
    floats = parse_customer_ids(pa.array([13085.0, 2.0**53, 2.5, None]), "id")
    assert labels(floats.codes) == [
        "accepted",
        "suspicious_customer_id",
        "suspicious_customer_id",
        "missing_customer_id",
    ]
    assert floats.values[0].as_py() == "13085"


def test_a_declared_pattern_replaces_the_suspicions() -> None:
    ids = parse_customer_ids(pa.array(["1e5", "NA", "1e55"]), "id", "[0-9a-f]{3}")
    assert labels(ids.codes) == ["accepted", "suspicious_customer_id", "suspicious_customer_id"]


def test_two_spellings_of_one_letter_are_one_id() -> None:
    ids = parse_customer_ids(pa.array(["e\u0301", "\u00e9"]), "id")
    assert ids.values.to_pylist() == ["\u00e9", "\u00e9"]


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("raw", "value", "label"),
    [
        ("1", 1.0, "accepted"),
        (" -2.50 ", -2.5, "accepted"),
        ("+.5", 0.5, "accepted"),
        ("1e3", 1000.0, "accepted"),
        ("１２.５", 12.5, "accepted"),
        ("", None, "missing_amount"),
        (None, None, "missing_amount"),
        ("abc", None, "not_a_number"),
        ("(5.00)", None, "not_a_number"),
        ("£5", None, "not_a_number"),
        ("5²", None, "not_a_number"),
        ("0x10", None, "not_a_number"),
        ("1_000", None, "not_a_number"),
        ("1,234", None, "ambiguous_number"),
        ("1,234.50", None, "ambiguous_number"),
        ("NaN", None, "not_finite"),
        ("-inf", None, "not_finite"),
        ("1e999", None, "not_finite"),
    ],
)
def test_a_number_is_read_or_set_aside(raw: str | None, value: float | None, label: str) -> None:
    read = parse_numbers(pa.array([raw], pa.string()), NumberStyle(), Code.MISSING_AMOUNT)
    assert labels(read.codes) == [label]
    assert (None if np.isnan(read.values[0]) else read.values[0]) == value


def test_declared_thousands_are_taken_out() -> None:
    german = parse_numbers(pa.array(["1.234,50", "1234,5", "1.2"]), NumberStyle(",", "."))
    assert labels(german.codes) == ["accepted", "accepted", "ambiguous_number"]
    assert german.values[:2].tolist() == [1234.5, 1234.5]
    english = parse_numbers(pa.array(["1,234,567.5", "12,34"]), NumberStyle(".", ","))
    assert labels(english.codes) == ["accepted", "ambiguous_number"]
    assert english.values[0] == 1234567.5


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
@settings(max_examples=60, deadline=None)
def test_every_float_survives_its_text(values: list[float]) -> None:
    texts = pa.array([repr(value) for value in values], pa.string())
    read = parse_numbers(texts, NumberStyle())
    assert read.values.tolist() == values
    assert not read.codes.any()


# ---------------------------------------------------------------- moments


@pytest.mark.parametrize(
    ("raw", "day", "hour", "label"),
    [
        ("2011-06-01", "2011-06-01", None, "accepted"),
        ("2011-06-01 18:30", "2011-06-01", 18.5, "accepted"),
        ("2011-06-01T18:30:36.5", "2011-06-01", 18.5101388, "accepted"),
        ("2011-06-01T23:30Z", "2011-06-02", 0.5, "accepted"),
        ("2011-06-01T07:30+08:00", "2011-06-01", 0.5, "accepted"),
        ("2012-02-29", "2012-02-29", None, "accepted"),
        ("2011-02-29", None, None, "unparseable_date"),
        ("2011-13-01", None, None, "unparseable_date"),
        ("2011-06-01 24:00", None, None, "unparseable_date"),
        ("2011-06-01 10:00+99:00", None, None, "unparseable_date"),
        ("2011-06-01x", None, None, "unparseable_date"),
        ("20110601", None, None, "unparseable_date"),
        ("03/04/2011", None, None, "ambiguous_date"),
        ("3.4.11 10:00", None, None, "ambiguous_date"),
        (" ", None, None, "missing_date"),
        (None, None, None, "missing_date"),
        ("0001-01-01", None, None, "date_too_early"),
        ("9999-12-31", None, None, "future_date"),
    ],
)
def test_an_iso_date_is_read_or_set_aside(
    raw: str | None, day: str | None, hour: float | None, label: str
) -> None:
    read = parse_moments(pa.array([raw], pa.string()), "when", LONDON)
    assert labels(read.codes) == [label]
    if day is not None:
        assert read.days[0] == np.datetime64(day)
        assert (None if np.isnan(read.hours[0]) else read.hours[0]) == (
            None if hour is None else pytest.approx(hour)
        )


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31)),
    st.sampled_from(["Europe/London", "America/New_York", "America/Sao_Paulo", "Asia/Shanghai"]),
)
@settings(max_examples=80, deadline=None)
def test_local_times_take_the_offset_in_force_before_a_change(when: datetime, zone: str) -> None:
    # The system's zones are the oracle: with fold 0 a time shown twice is the earlier instant
    # and a skipped one is read with the offset before the change.
    expected = when.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) - EPOCH
    naive = (when - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    instants, _, _ = localise(np.array([naive]), zone)
    assert instants[0] == expected // timedelta(microseconds=1)


def test_times_twice_and_skipped_are_counted_and_do_not_fail() -> None:
    raw = ["2011-10-30 01:30", "2011-03-27 01:30", "2011-06-01 01:30", "2011-03-27"]
    read = parse_moments(pa.array(raw), "when", LONDON)
    assert [str(t) for t in read.instants.astype("datetime64[us]").astype("datetime64[m]")] == [
        "2011-10-30T00:30",
        "2011-03-27T01:30",
        "2011-06-01T00:30",
        "2011-03-27T00:00",
    ]
    assert (read.n_twice, read.n_skipped) == (1, 1)
    assert read.hours[:3].tolist() == [1.5, 1.5, 1.5]


@pytest.mark.parametrize(
    ("date_format", "raw"),
    [
        ("%d/%m/%Y", "03/04/2011"),
        ("%d/%m/%Y", "3/4/2011"),
        ("%m/%d/%y %H:%M", "4/3/11 18:05"),
        ("%Y%m%d", "20110403"),
        ("%d %b %Y %I:%M %p", "3 Apr 2011 06:05 PM"),
        ("%d %B %Y", "3 April 2011"),
        ("%Y-%m-%dT%H:%M:%S.%f", "2011-04-03T18:05:06.25"),
        ("%Y年%m月%d日", "2011年4月3日"),
    ],
)
def test_a_declared_format_agrees_with_strptime(date_format: str, raw: str) -> None:
    read = parse_moments(pa.array([raw, "x"]), "when", Clock(date_format, "UTC", "UTC"))
    expected = datetime.strptime(raw, date_format).replace(tzinfo=UTC) - EPOCH
    assert labels(read.codes) == ["accepted", "unparseable_date"]
    assert read.instants[0] == expected // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("date_format", "match"),
    [
        ("%d/%m", "no year"),
        ("%Y-%Q", "the unknown directive %Q"),
        ("%Y-%m-%d %d", "a directive twice"),
        ("iso8601", "no year"),
    ],
)
def test_a_wrong_format_is_refused(date_format: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        parse_moments(pa.array(["2011"]), "when", Clock(date_format, "UTC", "UTC"))


def test_seconds_and_milliseconds_are_not_mixed_up() -> None:
    raw = pa.array(["1301853906", "1301853906000"])
    seconds = parse_moments(raw, "when", Clock("unix_seconds", "UTC", "UTC"))
    assert labels(seconds.codes) == ["accepted", "mixed_time_units"]
    assert str(seconds.days[0]) == "2011-04-03"
    milliseconds = parse_moments(raw, "when", Clock("unix_milliseconds", "UTC", "UTC"))
    assert labels(milliseconds.codes) == ["mixed_time_units", "accepted"]
    assert str(milliseconds.days[1]) == "2011-04-03"


def test_typed_time_stamps_are_taken_as_they_are() -> None:
    aware = pa.array([datetime(2011, 6, 1, 23, 30, tzinfo=UTC), None], pa.timestamp("ms", "UTC"))
    read = parse_moments(aware, "when", LONDON)
    assert (str(read.days[0]), read.hours[0]) == ("2011-06-02", 0.5)
    assert labels(read.codes) == ["accepted", "missing_date"]
    days = parse_moments(pa.array([date(2011, 6, 1)]), "when", LONDON)
    assert (str(days.days[0]), np.isnan(days.hours[0])) == ("2011-06-01", True)
    with pytest.raises(InputError, match='"when" is double; expected dates'):
        parse_moments(pa.array([1.5]), "when", LONDON)


# ---------------------------------------------------------------- rows


def shop(**files: object) -> Source:
    columns = {
        "customer_id": "who",
        "occurred_at": "when",
        "order_id": "invoice",
        "quantity": "n",
        "unit_price": "price",
    }
    given = {"table": "order_lines", "paths": ["a.csv"], "columns": columns, **files}
    return Source.model_validate(
        {
            "name": "shop",
            "currency": "GBP",
            "time_zone": "Europe/London",
            "data_complete_before": date(2011, 12, 10),
            "files": [given],
        }
    )


def batch(rows: list[tuple[str, str, str, str, str]]) -> RawBatch:
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    cells = pa.table(columns, names=["who", "when", "invoice", "n", "price"])
    return RawBatch(cells, np.arange(2, len(rows) + 2))


def test_a_world_of_nine_rows_is_accounted_for_row_by_row() -> None:
    source = shop(
        drop=[
            {"rule": "no_customer_id", "column": "who", "blank": True},
            {"rule": "bad_debt", "column": "invoice", "prefix": "A"},
            {"rule": "price_at_most_zero", "column": "price", "at_most": 0},
        ],
        returns={"order_id_prefix": "C"},
    )
    result = read_batch(
        batch(
            [
                ("007", "2011-06-01 10:30", "1", "2", "1.25"),
                ("007", "2011-06-02 11:00", "C1", "-1", "1.25"),
                ("", "2011-06-01", "2", "1", "9"),
                ("8", "2011-06-01", "A3", "1", "-500"),
                ("8", "2011-06-01", "3", "1", "0"),
                ("NA", "2011-06-01", "4", "1", "1"),
                ("9", "soon", "5", "1", "1"),
                ("9", "2011-12-10", "6", "", "1"),
                ("9", "2011-12-09", "", "", "1"),
            ]
        ),
        source.files[0],
        source,
        "a.csv",
    )
    instants = [datetime(2011, 6, 1, 9, 30, tzinfo=UTC), datetime(2011, 6, 2, 10, 0, tzinfo=UTC)]
    days = [date(2011, 6, 1), date(2011, 6, 2)]
    assert result.accepted.to_pydict() == {
        "customer_id": ["007", "007"],
        "order_id": ["1", "C1"],
        "occurred_at": instants,
        "day": days,
        "known_day": days,
        "hour": [10.5, 11.0],
        "amount": [2.5, -1.25],
        "margin": [None, None],
        "quantity": [2.0, -1.0],
        "discount": [None, None],
        "product_id": [None, None],
        "category": [None, None],
        "channel": [None, None],
        "is_return": [False, True],
    }
    assert result.dropped == Counter(no_customer_id=1, bad_debt=1, price_at_most_zero=1)
    aside = result.quarantined.drop_columns(["reason", "raw"]).to_pylist()
    assert [tuple(row.values()) for row in aside] == [
        ("a.csv", 7, "suspicious_customer_id", "who"),
        ("a.csv", 8, "unparseable_date", "when"),
        ("a.csv", 9, "future_date", "when"),
        ("a.csv", 10, "missing_amount", "n"),
    ]
    raw = dict(result.quarantined["raw"][1].as_py())
    assert raw == {"who": "9", "when": "soon", "invoice": "5", "n": "1", "price": "1"}


def test_without_an_order_id_a_customers_day_is_one_order() -> None:
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "price"}
    source = shop(columns=columns)
    result = read_batch(
        batch([("1", "2011-06-01 10:00", "", "", "-3"), ("1", "2011-06-01 23:59", "", "", "4")]),
        source.files[0],
        source,
        "a.csv",
    )
    assert result.accepted["order_id"].to_pylist() == ["1:2011-06-01"] * 2
    assert result.accepted["is_return"].to_pylist() == [True, False]  # a negative amount is one


def test_unsigned_returns_are_made_negative() -> None:
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "price", "quantity": "n"}
    returns = {"column": "invoice", "equals": ["refund"], "unsigned": True}
    source = shop(columns=columns, returns=returns)
    rows = [("1", "2011-06-01", "sale", "2", "3"), ("1", "2011-06-02", "refund", "2", "3")]
    accepted = read_batch(batch(rows), source.files[0], source, "a.csv").accepted
    assert accepted["amount"].to_pylist() == [3.0, -3.0]
    assert accepted["quantity"].to_pylist() == [2.0, -2.0]


def test_the_day_a_row_became_known_may_differ_from_its_day() -> None:
    columns = {"customer_id": "who", "occurred_at": "when", "known_at": "invoice", "amount": "n"}
    source = shop(columns=columns)
    rows = [("1", "2011-06-01", "2011-06-09", "1", ""), ("1", "2011-06-01", "", "1", "")]
    accepted = read_batch(batch(rows), source.files[0], source, "a.csv").accepted
    assert accepted["known_day"].to_pylist() == [date(2011, 6, 9), date(2011, 6, 1)]


def test_every_code_has_a_reason_in_both_languages() -> None:
    assert set(REASONS) == set(Code) - {Code.ACCEPTED}
    assert all(set(reason) == {"en", "zh"} for reason in REASONS.values())
