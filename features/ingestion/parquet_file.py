"""Parquet, read by a process of its own: damage or greed ends that process, not this one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from features.errors import InputError
from features.ingestion import parquet_child
from features.ingestion.raw import RawBatch, RawReader

CHILD = Path(parquet_child.__file__)
CPU_SECONDS = 120
BYTES_A_CPU_SECOND = 4_000_000  # on top; slower than any machine of today


class ParquetReader(RawReader):
    """A Parquet file, its types kept."""

    _child: subprocess.Popen[bytes] | None = None
    _complaints: IO[bytes] | None = None

    def open(self) -> ParquetReader:
        """Start the child and take the footer from it.

        Raises
        ------
        InputError
            If the file is damaged, or too large.
        """
        seconds = CPU_SECONDS + self.path.stat().st_size // BYTES_A_CPU_SECOND
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  close() closes it
        self._child = subprocess.Popen(
            [sys.executable, "-I", str(CHILD), str(self.path.resolve()),
             str(self.limits.parquet_memory_mb), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )  # fmt: skip
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line.endswith(b"\n"):
            self._fail()
        footer = json.loads(line)
        self.names = tuple(footer["names"])
        self.kinds = dict(zip(self.names, footer["kinds"], strict=True))
        self.n_records = footer["n_rows"]
        if self.n_records > self.limits.most_rows:
            raise InputError.of("too_many_rows", path=self.path, limit=self.limits.most_rows)
        self._check_shape()
        return self

    def _read(self, columns: list[str]) -> Iterator[RawBatch]:
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        first = 1
        try:
            child.stdin.write(json.dumps(columns).encode() + b"\n")
            child.stdin.close()
            with pa.ipc.open_stream(child.stdout) as stream:
                for batch in stream:
                    rows = np.arange(first, first + batch.num_rows)
                    first += batch.num_rows
                    yield RawBatch(pa.Table.from_batches([batch]), rows)
        except (pa.ArrowException, OSError) as cause:
            self._fail(cause)
        if child.wait() or first - 1 != self.n_records:
            self._fail()

    def _fail(self, cause: Exception | None = None) -> None:
        assert self._child is not None
        assert self._complaints is not None
        code = self._child.wait()
        self._complaints.seek(0)
        lines = self._complaints.read(65_536).decode(errors="replace").splitlines()
        if code == parquet_child.OUT_OF_MEMORY:
            raise InputError.of(
                "parquet_too_hungry", path=self.path, limit=self.limits.parquet_memory_mb
            ) from cause
        why = (
            lines[0] if lines and code == parquet_child.DAMAGED else f"its reader ended with {code}"
        )
        raise InputError.of("damaged_parquet", path=self.path, why=why) from cause

    def close(self) -> None:
        """End the child, whatever it is doing."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
        if self._complaints is not None:
            self._complaints.close()
