"""A shop's own columns: values by customer and the moment they became known, joined point in time.

docs/how-to-add-a-feature.md tells when to use this and when to write a feature instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from features.catalogue import OWN_PREFIX, check_no_audit_columns
from features.config import OwnColumns
from features.errors import InputError
from features.identity import door_id
from features.snapshot import Snapshot

KEYS = ("customer_id", "known_at")
DAY_LETTERS = 10  # of an ISO date


def own_column_names(files: Sequence[OwnColumns]) -> tuple[str, ...]:
    """Return the names of the shop's own columns in a feature table, in order.

    Raises
    ------
    InputError
        If a column is named twice, or names what is kept for the audit only.

    >>> own_column_names([OwnColumns(path="scores.csv", columns=("credit_score",))])
    ('own_credit_score',)
    """
    names = [column for file in files for column in file.columns]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"features.extra names {name} twice; expected each column once",
                "take it out of one of the files",
            )
    check_no_audit_columns(names)
    return tuple(f"{OWN_PREFIX}{name}" for name in names)


def own_digest(files: Sequence[OwnColumns]) -> str:
    """Return the sha256 of the files and of what is taken from them."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(repr(file.columns).encode())
        digest.update(hashlib.sha256(_bytes_of(file)).digest())
    return digest.hexdigest()


def add_own_columns(
    features: pd.DataFrame, snapshot: Snapshot, files: Sequence[OwnColumns]
) -> pd.DataFrame:
    """Lay the last values known before the cutoff beside the features.

    Parameters
    ----------
    features : pandas.DataFrame
        A feature table, with ``customer_id``.
    snapshot : Snapshot
        Its moment: a value counts if the day in ``known_at`` lies before the cutoff.
    files : sequence of OwnColumns
        Files of ``customer_id``, ``known_at`` and the named columns of numbers.

    Returns
    -------
    pandas.DataFrame
        With a float64 column ``own_NAME`` more for each named column, NaN where nothing was known.

    Raises
    ------
    InputError
        If a file or column is missing, a day or number cannot be read, or one customer has two
        rows of one moment.
    """
    own_column_names(files)
    for file in files:
        values = last_known(read_own_values(file), snapshot).set_index("customer_id")
        found = values.reindex(features["customer_id"])
        added = {f"{OWN_PREFIX}{name}": found[name].to_numpy() for name in file.columns}
        features = features.assign(**added)
    return features


def last_known(values: pd.DataFrame, snapshot: Snapshot) -> pd.DataFrame:
    """Return the last row of each customer that was known before the cutoff.

    >>> from datetime import date
    >>> values = pd.DataFrame({"customer_id": ["a", "a"], "known_at": ["2024-01-31", "2024-02-01"]})
    >>> last_known(values, Snapshot(date(2024, 2, 1), 30, date(2024, 1, 1)))["known_at"].tolist()
    ['2024-01-31']
    """
    known = values[values["known_at"].str[:DAY_LETTERS] < snapshot.cutoff.isoformat()]
    ordered = known.sort_values(list(KEYS), kind="stable")
    return ordered.drop_duplicates("customer_id", keep="last")


def read_own_values(file: OwnColumns) -> pd.DataFrame:
    """Read and check one file: ``customer_id``, ``known_at`` (ISO text), float64 columns."""
    table = _read(file)
    missing = [name for name in (*KEYS, *file.columns) if name not in table.column_names]
    if missing:
        raise InputError(
            f"{file.path} has no column {', '.join(missing)}; found {', '.join(table.column_names)}",
            "mend features.extra in the configuration, or the file",
        )
    values = pd.DataFrame(
        {
            "customer_id": [door_id(text) for text in _texts(table, "customer_id", file)],
            "known_at": _moments(table, file),
            **{name: _numbers(table, name, file) for name in file.columns},
        }
    )
    twice = values[values.duplicated(list(KEYS))]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"{file.path} tells of customer {row['customer_id']} twice at {row['known_at']}; "
            "expected one row a customer and moment",
            "keep the row that holds",
        )
    return values


def _bytes_of(file: OwnColumns) -> bytes:
    try:
        return Path(file.path).read_bytes()
    except OSError as cause:
        raise InputError(
            f"cannot read {file.path}: {cause.strerror}; expected a CSV or Parquet file",
            "mend the path in features.extra; it is seen from the folder the program runs in",
        ) from cause


def _read(file: OwnColumns) -> pa.Table:
    """Read a file with all of a CSV as text."""
    content = pa.BufferReader(_bytes_of(file))
    try:
        if file.path.endswith(".parquet"):
            return pq.read_table(content)
        names = pa.csv.open_csv(pa.BufferReader(_bytes_of(file))).schema.names
        as_text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return pa.csv.read_csv(content, convert_options=as_text)
    except pa.ArrowException as cause:
        raise InputError(
            f"{file.path} is no CSV or Parquet file: {str(cause).splitlines()[0]}",
            "save it as CSV in UTF-8 with a header, or as Parquet",
        ) from cause


def _texts(table: pa.Table, name: str, file: OwnColumns) -> list[str]:
    column = table[name]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputError(
            f"{name} in {file.path} is {column.type}; expected text (00123 is not 123)",
            f"save {name} as text",
        )
    if column.null_count:
        raise InputError(
            f"{file.path} has {column.null_count} rows without {name}; expected one in each",
            "leave such rows out",
        )
    texts: list[str] = column.to_pylist()
    return texts


def _moments(table: pa.Table, file: OwnColumns) -> list[str]:
    """Return when each row was known as ISO text, shop-local; later is greater."""
    column = table["known_at"]
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None)))
        texts = [None if at is None else at.isoformat() for at in column.to_pylist()]
        table = table.set_column(
            table.column_names.index("known_at"), "known_at", pa.array(texts, pa.string())
        )
    return [_moment(text, file) for text in _texts(table, "known_at", file)]


def _moment(text: str, file: OwnColumns) -> str:
    """Return an ISO date or date with time, without a zone, as text of one form."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.isoformat()
        cause = None
    except ValueError as refusal:
        cause = refusal
    raise InputError(
        f'known_at "{text}" in {file.path}; expected 2024-03-31 or 2024-03-31T18:05:00, in the '
        "shop's time and without a zone",
        "write every known_at like that",
    ) from cause


def _numbers(table: pa.Table, name: str, file: OwnColumns) -> list[float | None]:
    """Return a column as float64; blank and null are unknown."""
    column = table[name]
    if pa.types.is_string(column.type):
        texts = [text or None for text in column.to_pylist()]
        column = pa.chunked_array([pa.array(texts, pa.string())])
    try:
        return [None if one is None else float(one) for one in column.to_pylist()]
    except (TypeError, ValueError) as cause:
        raise InputError(
            f"{name} in {file.path} has a value that is no number: {cause}; expected numbers",
            f"turn {name} into numbers, or leave it out of features.extra",
        ) from cause
