"""
Load on POST /v1/match from a second process: one client, then many, then too many.

    python bench/load.py --url URL [--seconds 15] [--clients 16] [--seed 7]

URL names a database that bench/market.py has filled. The server is started as a process of its own
(`nextstep serve`), the clients run here. Every profile is new, so that each one is encoded.
The last round asks with four times the clients that may wait: what is refused must be a 503 with
Retry-After, and what is answered must still be answered soon.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import psutil
from common import parser, say
from match import profiles, quantiles

from nextstep.settings import Settings


@contextmanager
def serving(url: str, encoder: str) -> Iterator[tuple[str, psutil.Process]]:
    """Start the server on a free port and yield its address and process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nextstep", "--database-url", url, "--log-level", "warning",
         "serve", "--port", "0"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "NEXTSTEP_ENCODER": encoder},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            found = re.search(r"listening on (http://\S+)", line)
            if found:
                # A server that logs refusals into a pipe that nobody reads stands still.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield found[1], psutil.Process(process.pid)
                break
        else:
            raise SystemExit("the server did not start; nextstep serve says why")
    finally:
        process.terminate()
        process.wait(timeout=30)


async def ask(address: str, clients: int, seconds: float, asked: Iterator[Any]) -> dict[str, Any]:
    """Let so many clients ask for so long, each one question after the other."""
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    parts: dict[str, list[float]] = {}
    waits: set[str] = set()
    until = time.perf_counter() + seconds

    async def client(http: aiohttp.ClientSession) -> None:
        while time.perf_counter() < until:
            began = time.perf_counter()
            async with http.post(f"{address}/v1/match", json=next(asked)) as response:
                await response.read()
            statuses[response.status] += 1
            if response.status == 200:
                latencies.append((time.perf_counter() - began) * 1000)
            else:
                waits.add(response.headers.get("Retry-After", "none"))
                await asyncio.sleep(0.05)
            for entry in response.headers.get("Server-Timing", "").split(", "):
                name, _, value = entry.partition(";dur=")
                parts.setdefault(name, []).append(float(value or 0))

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        began = time.perf_counter()
        await asyncio.gather(*(client(http) for _ in range(clients)))
        spent = time.perf_counter() - began
    return {
        "clients": clients,
        "answered": statuses[200],
        "refused": statuses[503],
        "failed": sum(statuses.values()) - statuses[200] - statuses[503],
        "retry_after": sorted(waits),
        "per_s": statuses[200] / spent,
        "ms": quantiles(latencies) if len(latencies) > 1 else {},
        "parts_p50_ms": {name: quantiles(each)["p50"] for name, each in parts.items() if each[1:]},
    }


def cpu_s(process: psutil.Process) -> tuple[float, float]:
    """Return the CPU seconds of the server and those of its encoder."""
    own, *others = (
        sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)]
    )
    return own, sum(others)


def main() -> None:
    """Run three rounds and print a line of JSON per round."""
    flags = parser(__doc__)
    flags.add_argument("--seconds", type=float, default=15)
    flags.add_argument("--clients", type=int, default=16)
    flags.add_argument("--seed", type=int, default=7)
    flags.add_argument("--encoder", default="auto", help="as NEXTSTEP_ENCODER")
    args = flags.parse_args()
    if not args.url:
        flags.error("--url is needed: a database that bench/market.py has filled")
    asked = itertools.cycle(profiles(20_000, seed=args.seed))
    many = 4 * Settings().http_waiting
    with serving(args.url, args.encoder) as (address, process):
        asyncio.run(ask(address, 4, 3, asked))  # plans and caches are cold
        for name, clients in (("one", 1), ("many", args.clients), ("too many", many)):
            before = cpu_s(process)
            figures = asyncio.run(ask(address, clients, args.seconds, asked))
            spent = [
                1000 * (now - then) / max(1, figures["answered"])
                for now, then in zip(cpu_s(process), before, strict=True)
            ]
            say(f"load, {name}", **figures, server_cpu_ms=spent[0], encoder_cpu_ms=spent[1])


if __name__ == "__main__":
    main()
