"""Columns fetched from another file by a key: many rows to one, checked and counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError, did_you_mean
from features.ingestion.files import open_raw
from features.ingestion.locate import resolve_lookup
from features.ingestion.parse import filled_text_of, one_array, true_mask
from features.ingestion.source import Lookup


@dataclass(frozen=True)
class LookupTable:
    """A look-up file in memory: its distinct keys as text, and the columns beside them."""

    lookup: Lookup
    sha256: str
    n_records: int
    keys: pa.Array
    columns: pa.Table


def read_lookup(lookup: Lookup, root: Path) -> LookupTable:
    """Read a look-up file.

    Raises
    ------
    InputError
        If it is missing or damaged, or a key stands in two of its rows.
    """
    path = resolve_lookup(lookup, root)
    raw = open_raw(path, lookup)
    key = lookup.file_key or lookup.key
    wanted = list(dict.fromkeys([key, *lookup.columns.values()]))
    batches = [batch.cells for batch in raw.batches(wanted)]
    if raw.misfits:
        raise InputError(
            f"{path}: row {raw.misfits[0][0]} has more or fewer fields than the header; expected "
            "a look-up without such rows",
            "mend that row",
        )
    if not batches:
        raise InputError(f"{path} has no rows; expected a look-up by {key}", "check the export")
    cells = pa.concat_tables(batches)
    keys = filled_text_of(cells[key], key)
    cells = cells.filter(pc.is_valid(keys))
    keys = keys.drop_null()
    _check_unique(path, key, keys)
    columns = pa.table({name: cells[there] for name, there in lookup.columns.items()})
    return LookupTable(lookup, raw.sha256, raw.n_records, keys, columns)


def _check_unique(path: Path, key: str, keys: pa.Array) -> None:
    counts = pc.value_counts(keys)
    repeated = counts.filter(pc.greater(pc.struct_field(counts, [1]), 1))
    if len(repeated):
        example = repeated[0].as_py()
        raise InputError(
            f'{path}: the key "{key}" is not unique ({example["values"]} stands in '
            f"{example['counts']} rows, {len(repeated)} such keys); expected one row a key",
            "choose another key, or make the file's rows unique",
        )


def join_lookup(cells: pa.Table, table: LookupTable) -> tuple[pa.Table, int]:
    """Return the rows with the look-up's columns beside them, and how many found no match.

    Rows without a key are not counted; rows without a match get nulls.

    Raises
    ------
    InputError
        If the key is no column here, or a fetched column is already here.
    """
    key = table.lookup.key
    if key not in cells.column_names:
        raise InputError(
            f'no column "{key}" to look up by; {did_you_mean(key, cells.column_names)}',
            "mend key under [[files.lookup]]",
        )
    here = filled_text_of(cells[key], key)
    place = pc.index_in(here, value_set=table.keys)
    unmatched = true_mask(pc.and_(pc.is_valid(here), pc.is_null(place)))
    for name in table.lookup.columns:
        if name in cells.column_names:
            raise InputError(
                f'the look-up brings a column "{name}" that the file already has',
                'name it anew: columns = { new_name = "column there" }',
            )
        cells = cells.append_column(name, one_array(table.columns[name]).take(place))
    return cells, int(np.count_nonzero(unmatched))
