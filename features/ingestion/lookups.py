"""Columns fetched from another file by a key: many rows to one, checked and counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.config import IngestionSettings
from features.errors import InputError, hint
from features.ingestion.file_settings import Lookup
from features.ingestion.files import open_raw
from features.ingestion.locate import read_partitions, resolve_lookup
from features.ingestion.parse import filled_text_of, one_array, true_mask


@dataclass(frozen=True)
class LookupTable:
    """A look-up file in memory: its distinct keys as text, and the columns beside them."""

    lookup: Lookup
    keys: pa.Array
    columns: pa.Table


def read_lookup(lookup: Lookup, root: Path, limits: IngestionSettings) -> LookupTable:
    """Read a look-up file.

    Raises
    ------
    InputError
        If it is missing or damaged, or a key stands in two of its rows.
    """
    path = resolve_lookup(lookup, root)
    key = lookup.file_key or lookup.key
    wanted = list(dict.fromkeys([key, *lookup.columns.values()]))
    with open_raw(path, lookup, limits, read_partitions(path, root)) as raw:
        batches = [batch.cells for batch in raw.batches(wanted)]
    if raw.misfits:
        raise InputError.of("lookup_misfit", path=path, row=raw.misfits[0][0])
    if not batches:
        raise InputError.of("lookup_empty", path=path, key=key)
    cells = pa.concat_tables(batches)
    keys = filled_text_of(cells[key], key)
    cells = cells.filter(pc.is_valid(keys))
    keys = keys.drop_null()
    _check_unique(path, key, keys)
    columns = pa.table({name: cells[there] for name, there in lookup.columns.items()})
    return LookupTable(lookup, keys, columns)


def _check_unique(path: Path, key: str, keys: pa.Array) -> None:
    counts = pc.value_counts(keys)
    repeated = counts.filter(pc.greater(pc.struct_field(counts, [1]), 1))
    if len(repeated):
        example = repeated[0].as_py()
        raise InputError.of(
            "lookup_not_unique",
            path=path,
            key=key,
            example=example["values"],
            n=example["counts"],
            n_keys=len(repeated),
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
        close = hint(key, cells.column_names)
        raise InputError.of("no_key_to_look_up", key=key, hint=close)
    here = filled_text_of(cells[key], key)
    place = pc.index_in(here, value_set=table.keys)
    unmatched = true_mask(pc.and_(pc.is_valid(here), pc.is_null(place)))
    for name in table.lookup.columns:
        if name in cells.column_names:
            raise InputError.of("lookup_brings_taken_name", name=name)
        cells = cells.append_column(name, one_array(table.columns[name]).take(place))
    return cells, int(np.count_nonzero(unmatched))
