"""Customers under contract, from the raw file to the validated table; every record is accounted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.config import IngestionSettings
from features.contract.source import KIND, ContractFile, ContractSource, read_contract_source
from features.contract.table import ACCOUNT, AUDIT, CATEGORY, NUMBER, TABLE
from features.durable import hold_lock, replace_folder, write_durably
from features.errors import ConfigError, InputError
from features.ingestion.account_text import meaning_of
from features.ingestion.encodings import MARK
from features.ingestion.files import hash_file, open_raw
from features.ingestion.locate import check_inside, resolve_root
from features.ingestion.outcomes import Code
from features.ingestion.parse import (
    NumberStyle,
    filled_text_of,
    one_array,
    parse_customer_ids,
    parse_numbers,
    text_of,
    true_mask,
)
from features.ingestion.raw import RawBatch
from features.ingestion.read import quarantine_misfits, quarantine_rows
from features.ingestion.rows import Verdicts

QUARANTINE_FILE = "quarantine.parquet"


@dataclass(frozen=True)
class ContractAccount:
    """What became of every record of the raw file.

    Attributes
    ----------
    source, file, sha256 : str
        Name of the source, its raw file, and the sha256 of that file.
    records, accepted : int
        Rows of the raw file, and of the validated table.
    n_labelled, n_churned : int
        Accepted customers of whom it is known whether they left, and of them those who did.
    quarantined : dict
        Rows set aside, by code.
    missing : dict
        Accepted customers without a value, by column.
    digest : str
        sha256 of the validated table.
    """

    source: str
    file: str
    sha256: str
    records: int
    accepted: int
    n_labelled: int
    n_churned: int
    quarantined: dict[str, int]
    missing: dict[str, int]
    digest: str
    kind: str = field(default=KIND, init=False)

    def text(self, lang: str = "en") -> str:
        """Return the account as people read it."""
        told = (
            "{file}: {records:,} records, {accepted:,} customers; of {n_labelled:,} it is known "
            "whether they left, {n_churned:,} did"
            if lang == "en"
            else "{file}：{records:,} 条记录，{accepted:,} 位客户；其中 {n_labelled:,} 位已知是否流失，"
            "{n_churned:,} 位已流失"
        )
        aside = "quarantined: {} {:,} ({})" if lang == "en" else "隔离：{} {:,}（{}）"
        blank = "no value: {} {:,}" if lang == "en" else "缺失值：{} {:,}"
        lines = [told.format(**asdict(self))]
        lines += [aside.format(c, n, meaning_of(c, lang)) for c, n in self.quarantined.items()]
        lines += [blank.format(name, n) for name, n in self.missing.items() if n]
        return "\n".join(lines)


def ingest_contract(
    source_path: Path,
    state: Path,
    limits: IngestionSettings | None = None,
    lang: str = "en",
) -> ContractAccount:
    """Read, validate and keep customers under contract in ``state/tables/SOURCE``.

    Rows without a usable id, with an id given before, with a label that is neither, or with text
    where a number is declared are set aside with their reason in ``quarantine.parquet``.

    Parameters
    ----------
    source_path : Path
        The source's TOML.
    state : Path
        Folder for all results.
    limits : IngestionSettings, optional
        What is too large.
    lang : str
        Language of the reasons in the quarantine.

    Raises
    ------
    ConfigError
        If the source's TOML is wrong.
    InputError
        If the file cannot be used, or no row is accepted.
    LockedError
        If another ingestion of this source runs.
    """
    source = read_contract_source(source_path)
    root = resolve_root(source, source_path)
    path = root / source.table.path
    if not path.is_file():
        raise InputError.of("no_such_file", path=path, table="customers")
    check_inside(path, root)
    target = state / "tables" / source.name
    try:
        (state / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise ConfigError.of("state_not_writable", path=state, why=cause.strerror) from cause
    with hold_lock(target.with_name(f".{source.name}.lock")), replace_folder(target) as folder:
        accepted, aside, records = _read(path, source, limits or IngestionSettings(), lang)
        pq.write_table(accepted, folder / TABLE, compression="zstd")
        if aside.num_rows:
            pq.write_table(aside, folder / QUARANTINE_FILE, compression="zstd")
        account = _account(source, path, accepted, aside, records, hash_file(folder / TABLE))
        told = json.dumps(asdict(account), ensure_ascii=False, indent=1, sort_keys=True)
        write_durably(folder / ACCOUNT, told.encode())
    return account


def _read(
    path: Path, source: ContractSource, limits: IngestionSettings, lang: str
) -> tuple[pa.Table, pa.Table, int]:
    """Return the accepted rows in order of the id, the rows set aside, and the records."""
    file = source.table
    accepted, aside = [], []
    seen: set[str] = set()
    with open_raw(path, file, limits) as raw:
        for batch in raw.batches(file.columns):
            verdicts = Verdicts(batch.cells.num_rows)
            table = _validate(batch, file, verdicts, seen)
            accepted.append(table.filter(pa.array(verdicts.codes == 0)))
            aside.append(quarantine_rows(batch, verdicts, path.name, lang))
        aside.append(quarantine_misfits(raw.misfits, path.name, lang))
        records = raw.n_records
    whole = pa.concat_tables(accepted) if accepted else None
    if whole is None or not whole.num_rows:
        raise InputError(
            f"{path}: none of its {records} rows can be used; expected one row a customer",
            "check label, churned, stayed and numbers in the source's TOML",
        )
    return whole.sort_by("customer_id"), pa.concat_tables(aside), records


def _validate(batch: RawBatch, file: ContractFile, verdicts: Verdicts, seen: set[str]) -> pa.Table:
    """Return the batch as columns of the validated table; its bad rows are marked."""
    cells = batch.cells
    if file.format != "parquet":
        for name in file.columns:
            text = one_array(cells[name])
            for sign, code in (("\x00", Code.NUL_CHARACTER), (MARK, Code.UNDECODABLE)):
                verdicts.mark_where(true_mask(pc.match_substring(text, sign)), code, name)
    ids = parse_customer_ids(cells[file.customer_id], file.customer_id, file.customer_id_pattern)
    verdicts.mark(ids.codes, file.customer_id)
    columns: dict[str, pa.Array] = {"customer_id": ids.values}
    columns["churned"] = _label(cells, file, verdicts)
    style = NumberStyle(file.decimal, file.thousands)
    for name in file.numbers:
        read = parse_numbers(_without_missing(cells[name], name, file), style)
        verdicts.mark(read.codes, name)
        columns[NUMBER + name] = pa.array(read.values, pa.float64(), from_pandas=True)
    for kind, names in ((CATEGORY, file.categories), (AUDIT, file.audit_only)):
        for name in names:
            columns[kind + name] = _without_missing(filled_text_of(cells[name], name), name, file)
    _mark_repeated(ids.values, verdicts, seen, file.customer_id)
    return pa.table(columns)


def _label(cells: pa.Table, file: ContractFile, verdicts: Verdicts) -> pa.Array:
    """Return who churned; null where the label is blank."""
    text = _without_missing(filled_text_of(cells[file.label], file.label), file.label, file)
    churned = pc.is_in(text, value_set=pa.array(file.churned, pa.string()))
    stayed = pc.is_in(text, value_set=pa.array(file.stayed, pa.string()))
    known = pc.is_valid(text)
    odd = pc.and_(known, pc.invert(pc.or_(churned, stayed)))
    verdicts.mark_where(true_mask(odd), Code.UNKNOWN_LABEL, file.label)
    return pc.if_else(known, churned, pa.scalar(None, pa.bool_()))


def _without_missing(column: pa.ChunkedArray | pa.Array, name: str, file: ContractFile) -> pa.Array:
    """Return a column whose cells that mean no value are null."""
    array = one_array(column)
    if not file.missing:
        return array
    absent = pc.is_in(text_of(array, name), value_set=pa.array(file.missing, pa.string()))
    return pc.if_else(absent, pa.scalar(None, array.type), array)


def _mark_repeated(ids: pa.Array, verdicts: Verdicts, seen: set[str], column: str) -> None:
    """Mark rows whose customer came in an earlier accepted row."""
    repeated = np.zeros(len(ids), bool)
    for i, (customer_id, code) in enumerate(zip(ids.to_pylist(), verdicts.codes, strict=True)):
        if code == 0:
            repeated[i] = customer_id in seen
            seen.add(customer_id)
    verdicts.mark_where(repeated, Code.DUPLICATE_CUSTOMER, column)


def _account(
    source: ContractSource,
    path: Path,
    accepted: pa.Table,
    aside: pa.Table,
    records: int,
    digest: str,
) -> ContractAccount:
    account = ContractAccount(
        source=source.name,
        file=source.table.path,
        sha256=hash_file(path),
        records=records,
        accepted=accepted.num_rows,
        n_labelled=accepted.num_rows - accepted["churned"].null_count,
        n_churned=pc.sum(accepted["churned"]).as_py() or 0,
        quarantined=dict(sorted(Counter(aside["code"].to_pylist()).items())),
        missing={
            name.partition(":")[2]: accepted[name].null_count
            for name in accepted.column_names
            if ":" in name
        },
        digest=digest,
    )
    if account.accepted + aside.num_rows != records:
        raise InputError(
            f"{path}: {records} records, of which {account.accepted} were accepted and "
            f"{aside.num_rows} set aside; expected all of them",
            "report this with the file's shape: a record got lost",
        )
    return account
