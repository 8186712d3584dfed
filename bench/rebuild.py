"""
Rebuild of a whole corpus against the bare ceiling: read the log, COPY the same rows.

    python bench/rebuild.py corpus.sqlite3 [--vectors] [--again]

The corpus is appended to an empty database. The first rebuild fills the tables from the log and
swaps them in; a reader measures how long it ever waited meanwhile. `--again` rebuilds once more and
compares. The ceiling reads every payload page by page and copies every row of every table into an
empty table of the same shape, keys and indexes. Without `--vectors` the encoder takes no part.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import time
from pathlib import Path
from typing import Any

import anyio
from common import database, parser, say

from nextstep.db import pools
from nextstep.events.io.space import SHADOW_SCHEMA
from nextstep.ingest.io.append import IngestOptions, ingest_files
from nextstep.ops.stages import line_stages
from nextstep.projections.io import shadow
from nextstep.projections.io.rebuild import Options, RebuildReport, rebuild
from nextstep.settings import Settings

_PAGE = 500


Read = tuple[float, float]


async def reads_of(url: str, settings: Settings, stop: anyio.Event) -> list[Read]:
    """Read the live tables all the time; return begin and end of every read."""
    connection = await pools.connect(url, "api", settings)
    reads: list[Read] = []
    while not stop.is_set():
        started = time.perf_counter()
        await connection.fetch("SELECT * FROM job_entities ORDER BY job_id LIMIT 5")
        await connection.fetch("SELECT * FROM skill_trends_monthly LIMIT 5")
        reads.append((started, time.perf_counter()))
        await asyncio.sleep(0.002)
    await connection.close()
    return reads


def longest_ms(reads: list[Read], windows: list[Read] | None = None) -> float:
    """Return the longest read, in ms; of those that met one of the windows, where there are any."""
    met = [
        (end - begin) * 1000
        for begin, end in reads
        if windows is None or any(begin <= last and first <= end for first, last in windows)
    ]
    return max(met, default=0.0)


async def watched(
    url: str, settings: Settings, options: Options
) -> tuple[RebuildReport, list[Read], list[Read]]:
    """Rebuild beside a reader; return its reads and when a swap was tried, from lock to commit."""
    stop = anyio.Event()
    tries: list[Read] = []
    swap_once = shadow._swap_once

    async def timed(*args: Any) -> float:
        started = time.perf_counter()
        try:
            return await swap_once(*args)
        finally:
            tries.append((started, time.perf_counter()))

    shadow._swap_once = timed
    reader = asyncio.create_task(reads_of(url, settings, stop))
    report = await rebuild(url, settings, line_stages(settings), options)
    stop.set()
    return report, await reader, tries


async def ceiling(url: str, settings: Settings, tables: list[str]) -> float:
    """Return seconds of reading the log and copying all rows of the tables."""
    connection = await pools.connect(url, None, settings)
    await connection.execute("SET ROLE nextstep_owner")
    await connection.execute("SET search_path = public")
    plan = shadow.Plan(stages={}, at=None, schema="", fresh_vectors=False)
    await shadow.make(connection, plan, tables)
    seconds, position = 0.0, 0
    while True:
        started = time.perf_counter()
        rows = await connection.fetch(
            "SELECT position, job_id, payload::text FROM job_events"
            " WHERE position > $1 ORDER BY position LIMIT $2",
            position,
            _PAGE,
        )
        seconds += time.perf_counter() - started
        if not rows:
            break
        position = rows[-1]["position"]
    for table in tables:
        held = io.BytesIO()
        await connection.copy_from_table(table, schema_name="public", output=held, format="binary")
        held.seek(0)
        started = time.perf_counter()
        await connection.copy_to_table(
            table, schema_name=SHADOW_SCHEMA, source=held, format="binary"
        )
        seconds += time.perf_counter() - started
    started = time.perf_counter()
    await shadow.build_late_indexes(connection, tables)
    seconds += time.perf_counter() - started
    await shadow.drop(connection)
    await connection.close()
    return seconds


async def measure(url: str, settings: Settings, args: argparse.Namespace) -> None:
    started = time.perf_counter()
    await ingest_files(settings, url, [args.corpus], IngestOptions())
    say("ingest", s=time.perf_counter() - started)
    modes = [("rebuild and swap", "swap"), *([("again, compared", "verify")] if args.again else [])]
    for title, mode in modes:
        options = Options(mode=mode, without_vectors=not args.vectors)  # type: ignore[arg-type]
        report, reads, tries = await watched(url, settings, options)
        took = report.build_s + report.catch_up_s
        say(
            title,
            events=report.position,
            rebuild_s=took,
            compare_s=report.compare_s,
            exclusive_ms=report.swap_ms or 0.0,
            tries=len(tries),
            longest_read_at_swap_ms=longest_ms(reads, tries),
            longest_read_ms=longest_ms(reads),
            reads=len(reads),
            tables=len(report.tables),
            equal=sum(table.is_equal for table in report.tables),
        )
        base = await ceiling(url, settings, [table.table for table in report.tables])
        say("ceiling: read the log, COPY the rows", s=base, ratio=base / took)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("corpus", type=Path)
    flags.add_argument("--vectors", action="store_true", help="rebuild the vectors too")
    flags.add_argument("--again", action="store_true", help="rebuild once more and compare")
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        asyncio.run(measure(url, settings, args))


if __name__ == "__main__":
    main()
