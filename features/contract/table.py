"""The validated table of customers under contract: one row a customer, its columns by kind."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.contract.source import KIND
from features.errors import InputError

TABLE = "contract.parquet"
ACCOUNT = "ingest.json"
NUMBER, CATEGORY, AUDIT = "number:", "category:", "audit:"
"""How the table's columns are named after those of the source."""


@dataclass(frozen=True)
class ContractTable:
    """Customers under contract.

    Attributes
    ----------
    source, digest : str
        Name of the source; sha256 of the validated table.
    customer_ids : tuple of str
        Sorted, each once.
    label : array (n,)
        1 for those who left, 0 for those who stayed, NaN where it is not known yet.
    numbers : DataFrame
        float64, NaN where missing; by the source's names.
    categories, audit_only : DataFrame
        Text, None where missing; by the source's names. Audit-only columns are never features.
    """

    source: str
    digest: str
    customer_ids: tuple[str, ...]
    label: NDArray[np.float64]
    numbers: pd.DataFrame
    categories: pd.DataFrame
    audit_only: pd.DataFrame

    def __len__(self) -> int:
        return len(self.customer_ids)

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Of whom it is known whether they left."""
        return ~np.isnan(self.label)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> ContractTable:
        """Return the table of some customers, in the order given."""
        places = np.arange(len(self))[rows]
        return replace(
            self,
            customer_ids=tuple(self.customer_ids[place] for place in places),
            label=self.label[places],
            numbers=self.numbers.iloc[places].reset_index(drop=True),
            categories=self.categories.iloc[places].reset_index(drop=True),
            audit_only=self.audit_only.iloc[places].reset_index(drop=True),
        )


def read_contract_table(folder: Path) -> ContractTable:
    """Read the validated table that ``python -m features ingest`` left in `folder`.

    Raises
    ------
    InputError
        If no finished ingestion of customers under contract is there.
    """
    account = folder / ACCOUNT
    told = json.loads(account.read_text(encoding="utf-8")) if account.is_file() else {}
    if told.get("kind") != KIND:
        raise InputError(
            f"no validated table of customers under contract in {folder}; expected the result "
            "of an ingestion",
            f"run: python -m features ingest --source datasets/{folder.name}.toml",
        )
    frame = pq.read_table(folder / TABLE).to_pandas()
    return ContractTable(
        source=told["source"],
        digest=told["digest"],
        customer_ids=tuple(frame["customer_id"]),
        label=frame["churned"].astype("float64").to_numpy(),
        numbers=_columns(frame, NUMBER).astype("float64"),
        categories=_columns(frame, CATEGORY),
        audit_only=_columns(frame, AUDIT),
    )


def _columns(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    names = [name for name in frame.columns if name.startswith(kind)]
    return frame[names].rename(columns=lambda name: name.removeprefix(kind))
