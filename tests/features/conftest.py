"""A small shop on disk, described and ingested anew by each test that asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import IngestionSettings
from features.ingestion.account import Account
from features.ingestion.ingest import ingest
from features.tables import read_tables

COLUMNS = {"customer_id": "who", "occurred_at": "date", "amount": "amount"}
CSV = "who,date,amount\n00123,2024-01-05,10\n123,2024-01-05 18:30,-2.5\n"


class Shop:
    """A folder with a source's TOML and its raw files; `describe` may be called again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.toml = folder / "shop.toml"
        self.state = folder / "state"
        self.tables = self.state / "tables" / "shop"
        self.describe()

    def describe(
        self,
        *,
        head: str = "",
        more: str = "",
        paths: str = "orders*.csv",
        columns: dict[str, str] | None = None,
        tail: str = "",
        end: str = "2024-07-01",
    ) -> None:
        mapped = COLUMNS if columns is None else columns
        named = "\n".join(f'{name} = "{column}"' for name, column in mapped.items())
        self.toml.write_text(
            'name = "shop"\ncurrency = "CNY"\ntime_zone = "Asia/Shanghai"\n'
            f"data_complete_before = {end}\n{head}\n\n[[files]]\n"
            f'table = "order_lines"\npaths = ["{paths}"]\n{more}\n[files.columns]\n{named}\n{tail}',
            encoding="utf-8",
        )

    def put(self, name: str, content: str | bytes | pa.Table) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, lang: str = "en", **limits: Any) -> Account:
        return ingest(self.toml, self.state, IngestionSettings(**limits), lang)

    def rows(self, table: str = "order_lines") -> list[dict[str, Any]]:
        parts = read_tables(self.tables).parts(table)
        return [row for part in parts for row in pq.read_table(part).to_pylist()]

    def column(self, name: str, table: str = "order_lines") -> list[Any]:
        return [row[name] for row in self.rows(table)]

    def aside(self) -> list[tuple[str, int, str, str | None]]:
        found = sorted((self.tables / "quarantine").glob("*.parquet"))
        rows = [row for part in found for row in pq.read_table(part).to_pylist()]
        return sorted((row["file"], row["row"], row["code"], row["column"]) for row in rows)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
