"""Load on loopback: as much as a server takes (wrk), or so many requests a second (asyncio)."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from features.errors import InputError

HOST = "127.0.0.1"
N_OPEN = 32
SCRIPT = """
local requests = {}
local place = 0
function init(args)
  for line in io.lines(args[1]) do
    local file = io.open(line, "rb")
    requests[#requests + 1] = file:read("*a")
    file:close()
  end
end
function request()
  place = place % #requests + 1
  return requests[place]
end
"""


def http_request(method: str, path: str, body: bytes = b"", key: str = "") -> bytes:
    """Return one request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Throughput:
    """What a closed loop got.

    Attributes
    ----------
    n_requests : int
        Answered.
    seconds : float
        It took.
    n_errors : int
        Answers that were not 2xx, and connections that broke.
    """

    n_requests: int
    seconds: float
    n_errors: int


def run_wrk(port: int, requests: Sequence[bytes], n_connections: int, seconds: int) -> Throughput:
    """Send requests in turn over so many connections, each waiting for its answer.

    Raises
    ------
    InputError
        If wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise InputError("no wrk; expected it in the path", "run: apt install wrk")
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        names = []
        for number, request in enumerate(requests):
            names.append(folder / f"{number}.request")
            names[-1].write_bytes(request)
        (folder / "list").write_text("\n".join(map(str, names)) + "\n")
        (folder / "script.lua").write_text(SCRIPT)
        told = subprocess.run(
            ["wrk", "-t1", f"-c{n_connections}", f"-d{seconds}s", "-s", str(folder / "script.lua"),
             f"http://{HOST}:{port}", "--", str(folder / "list")],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return read_wrk(told)


def read_wrk(told: str) -> Throughput:
    r"""Read what wrk prints.

    >>> read_wrk("  100 requests in 2.00s, 1MB read\n  Non-2xx or 3xx responses: 3\n")
    Throughput(n_requests=100, seconds=2.0, n_errors=3)
    """
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", told)
    if done is None:
        raise InputError(f"wrk said {told[:200]!r}; expected a count", "look at the server's log")
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", told)
    n_errors = int(errors[1]) if errors else 0
    n_errors += sum(map(int, broken.groups())) if broken else 0
    unit = {"ms": 1e-3, "s": 1.0, "m": 60.0}[done[3]]
    return Throughput(int(done[1]), float(done[2]) * unit, n_errors)


def run_fixed_rate(
    port: int, requests: Sequence[bytes], rate: float, seconds: float
) -> tuple[np.ndarray, int]:
    """Send `rate` requests a second, whether or not the server keeps up.

    Returns
    -------
    array (n,)
        Milliseconds from the moment each request was due to its whole answer.
    int
        Answers that were not 200.
    """
    return asyncio.run(_run_fixed_rate(port, requests, rate, seconds))


async def _run_fixed_rate(
    port: int, requests: Sequence[bytes], rate: float, seconds: float
) -> tuple[np.ndarray, int]:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    opened = [await asyncio.open_connection(HOST, port) for _ in range(N_OPEN)]
    for each in opened:
        free.put_nowait(each)
    latencies: list[float] = []
    n_bad = 0
    begin = perf_counter() + 0.05

    async def send(number: int) -> None:
        nonlocal n_bad
        connection = await free.get()
        reader, writer = connection
        writer.write(requests[number % len(requests)])
        status = await read_answer(reader)
        latencies.append((perf_counter() - begin - number / rate) * 1000)
        n_bad += status != 200
        free.put_nowait(connection)

    running = set()
    for number in range(int(rate * seconds)):
        wait = begin + number / rate - perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        running.add(asyncio.create_task(send(number)))
    await asyncio.gather(*running)
    for _, writer in opened:
        writer.close()
    return np.array(latencies), n_bad


async def read_answer(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    if length is not None:
        await reader.readexactly(int(length[1]))
        return status
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        await reader.readexactly(size + 2)
    await reader.readuntil(b"\r\n")
    return status
