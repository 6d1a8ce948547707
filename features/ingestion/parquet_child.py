"""A program of its own that reads one Parquet file for its parent, within limits of the system.

Parquet from outside can crash a reader or make it ask for endless memory. Here that ends this
process and no other. Run as ``python parquet_child.py PATH MEMORY_MB CPU_SECONDS``; it needs
nothing of the house. On stdout comes one line of JSON with the footer; then, once a line of JSON
with the names of columns stands on stdin, their cells as an Arrow stream. Exit code 3: damaged;
4: out of memory.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

DAMAGED, OUT_OF_MEMORY = 3, 4
BATCH_ROWS = 1 << 16


def main(path: str, memory_mb: int, cpu_seconds: int) -> int:
    """Serve one file; return the exit code."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _serve(file, pa)
    except (MemoryError, pa.ArrowMemoryError) as cause:
        sys.stderr.write(f"{cause}\n")
        return OUT_OF_MEMORY
    except (pa.ArrowException, OSError, ValueError, OverflowError) as cause:
        sys.stderr.write((str(cause).splitlines() or ["unreadable"])[0] + "\n")
        return DAMAGED
    return 0


def _serve(file: Any, pa: Any) -> None:
    schema = file.schema_arrow
    footer = {
        "names": schema.names,
        "kinds": [_kind(field.type, pa) for field in schema],
        "n_rows": file.metadata.num_rows,
    }
    sys.stdout.write(json.dumps(footer) + "\n")
    sys.stdout.flush()
    asked = sys.stdin.readline()
    if not asked:
        return
    columns = json.loads(asked)
    fields = [schema.field(name) for name in columns]
    plain = pa.schema([pa.field(f.name, _plain_type(f.type, pa)) for f in fields])
    with pa.ipc.new_stream(sys.stdout.buffer, plain) as writer:
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            table = pa.Table.from_batches([batch]).select(columns).cast(plain)
            for piece in table.to_batches():
                piece.validate(full=True)
                writer.write_batch(piece)


def _plain_type(kind: Any, pa: Any) -> Any:
    """Return the type without dictionary and with offsets of one width."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type, pa)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def _kind(kind: Any, pa: Any) -> str:
    """Return what a column holds in a word or two: two parts must agree on it."""
    kind = _plain_type(kind, pa)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_timestamp(kind):
        return "time stamp" if kind.tz is None else "time stamp with zone"
    return {"string": "text", "null": "nothing", "date32[day]": "date"}.get(str(kind), str(kind))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
