"""The canonical tables: what every source becomes at the door, and nothing else is read inside.

One folder a source, ``state/tables/SOURCE/TABLE/*.parquet`` (one part a raw file), beside it
``ingest.json`` with the account of every record. Amounts are in the source's currency; a return
is a line with a negative amount. ``day`` and ``known_day`` are dates in the shop's time zone, so
every window of the house is a comparison of dates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from features.errors import InputError

ORDER_LINES = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("order_id", pa.string(), nullable=False),
        pa.field("occurred_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("known_day", pa.date32(), nullable=False),
        pa.field(
            "hour", pa.float64()
        ),  # shop-local, 0 <= hour < 24; null where only a date is known
        pa.field("amount", pa.float64(), nullable=False),  # currency; negative for a return
        pa.field("margin", pa.float64()),  # currency; amount less cost, where a cost is given
        pa.field("quantity", pa.float64()),  # units; negative for a return
        pa.field("discount", pa.float64()),  # currency given away on this line, >= 0
        pa.field("product_id", pa.string()),
        pa.field("category", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("is_return", pa.bool_(), nullable=False),
    ]
)
"""One row a line of an order. Required of a source: customer, time, amount (or quantity x price)."""

CUSTOMERS = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("signed_up_day", pa.date32()),
        pa.field("region", pa.string()),
        pa.field("attributes", pa.map_(pa.string(), pa.string())),  # the source's other columns
        pa.field(
            "audit_only", pa.map_(pa.string(), pa.string())
        ),  # gender, age, income: never features
    ]
)
"""One row a customer."""

REVIEWS = pa.schema(
    [
        pa.field("review_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("order_id", pa.string()),
        pa.field("occurred_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("known_day", pa.date32(), nullable=False),
        pa.field("stars", pa.float64()),  # 1 to 5
        pa.field("text", pa.string()),
    ]
)
"""One row a review."""

INTERACTIONS = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("occurred_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("known_day", pa.date32(), nullable=False),
        pa.field(
            "kind", pa.string(), nullable=False
        ),  # visit, cart, complaint, referral, message_open
    ]
)
"""One row an interaction that is no order."""

SCHEMAS = {
    "order_lines": ORDER_LINES,
    "customers": CUSTOMERS,
    "reviews": REVIEWS,
    "interactions": INTERACTIONS,
}


@dataclass(frozen=True)
class Tables:
    """Where the validated tables of one source lie, and what is known of the source as a whole.

    Attributes
    ----------
    folder : Path
        ``state/tables/SOURCE``.
    source : str
        Name of the source.
    currency : str
        ISO 4217 code of all amounts.
    history_start : date
        Day of the first accepted order line.
    data_complete_before : date
        The midnight up to which the source is complete (declared, never guessed).
    digest : str
        sha256 over the digests of the accepted parts, in order of their names.
    value_column : str
        Column of the order lines that says what a customer is worth: ``amount`` or ``margin``.
    """

    folder: Path
    source: str
    currency: str
    history_start: date
    data_complete_before: date
    digest: str
    value_column: str = "amount"

    @property
    def state(self) -> Path:
        """Folder of all results, in which these tables lie."""
        return self.folder.parent.parent

    def parts(self, table: str) -> list[Path]:
        """Return the parquet parts of one canonical table in order of name; may be empty."""
        return sorted((self.folder / table).glob("*.parquet"))


def read_tables(folder: Path) -> Tables:
    """Open the validated tables that ``python -m features ingest`` left in `folder`.

    Raises
    ------
    InputError
        If no finished ingestion is there.
    """
    account = folder / "ingest.json"
    if not account.is_file():
        raise InputError(
            f"no validated tables in {folder}; expected the result of an ingestion",
            f"run: python -m features ingest --source datasets/{folder.name}.toml",
        )
    told = json.loads(account.read_text(encoding="utf-8"))
    return Tables(
        folder=folder,
        source=told["source"],
        currency=told["currency"],
        history_start=date.fromisoformat(told["history_start"]),
        data_complete_before=date.fromisoformat(told["data_complete_before"]),
        digest=told["digest"],
        value_column=told["value"],
    )
