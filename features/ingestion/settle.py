"""What does not fit the other rows leaves its part: into the quarantine, or out by a rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.ingestion.account import FileAccount
from features.ingestion.across import Misfits
from features.ingestion.file_settings import Files
from features.ingestion.files import hash_file
from features.ingestion.outcomes import REASONS, Code
from features.ingestion.part import PartPaths, PartWriter, write_part
from features.ingestion.read import QUARANTINE

COLUMN_OF = {
    Code.CONFLICTING_ORDER_ID: "order_id",
    Code.ORDER_BEFORE_SIGNUP: "occurred_at",
    Code.UNLINKED_RETURN: "amount",
    Code.UNKNOWN_CUSTOMER: "customer_id",
    Code.DUPLICATE_CUSTOMER: "customer_id",
}
"""The canonical column that a row is set aside for."""


@dataclass(frozen=True)
class Settled:
    """A part whose rows fit those of the others."""

    paths: PartPaths
    files: Files
    account: FileAccount


def settle(part: Settled, misfits: Misfits, lang: str) -> Settled:
    """Return the part without its misfits; they are in the quarantine, or dropped by a rule."""
    notes = dict(sorted((Counter(part.account.notes) + misfits.notes).items()))
    account = replace(part.account, notes=notes)
    bad = misfits.codes != 0
    if not bad.any():
        return replace(part, account=account)
    paths = part.paths
    whole = pq.read_table(paths.final, schema=pq.read_schema(paths.final))
    paths.final.replace(paths.whole)
    fitting = whole.filter(pa.array(~bad))
    write_part(paths.final, fitting)
    codes = misfits.codes[bad]
    dropped, quarantined = dict(account.dropped), Counter(account.quarantined)
    contacts = (codes == Code.DUPLICATE_CUSTOMER) & ("account" in part.files.columns)
    if contacts.any():
        dropped["contact_of_known_account"] = int(contacts.sum())
    for code in codes[~contacts]:
        quarantined[Code(code).label] += 1
    _set_aside(part, whole.filter(pa.array(bad)), np.flatnonzero(bad), codes, contacts, lang)
    days = pc.min_max(fitting["day"]).as_py() if "day" in fitting.column_names else {}
    first, last = days.get("min"), days.get("max")
    settled = replace(
        account,
        accepted=fitting.num_rows,
        quarantined=dict(sorted(quarantined.items())),
        dropped=dropped,
        part_sha256=hash_file(paths.final),
        first_day=first.isoformat() if first else None,
        last_day=last.isoformat() if last else None,
    )
    settled.check_conservation()
    return replace(part, account=settled)


def _set_aside(
    part: Settled,
    rows: pa.Table,
    places: np.ndarray,
    codes: np.ndarray,
    contacts: np.ndarray,
    lang: str,
) -> None:
    """Write the misfits as quarantined rows; their cells are those of the canonical table."""
    numbers = pq.read_table(part.paths.rows)["row"].to_numpy()[places]
    raw = [
        [(name, None if cell is None else str(cell)) for name, cell in row.items()]
        for row in rows.filter(pa.array(~contacts)).to_pylist()
    ]
    kinds = [Code(code) for code in codes[~contacts]]
    if not kinds:
        return
    table = pa.table(
        {
            "file": [part.account.file] * len(kinds),
            "row": numbers[~contacts],
            "code": [code.label for code in kinds],
            "column": pa.array([part.files.column(COLUMN_OF[c]) for c in kinds], pa.string()),
            "reason": [REASONS[code][lang] for code in kinds],
            "raw": pa.array(raw, QUARANTINE.field("raw").type),
        },
        schema=QUARANTINE,
    )
    with PartWriter(part.paths.aside_later, QUARANTINE) as writer:
        writer.write(table)
