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


async def longest_wait(url: str, settings: Settings, stop: anyio.Event) -> tuple[float, int]:
    """Read the live tables all the time; return the longest wait in ms and the number of reads."""
    connection = await pools.connect(url, "api", settings)
    longest, reads = 0.0, 0
    while not stop.is_set():
        started = time.perf_counter()
        await connection.fetch("SELECT * FROM job_entities ORDER BY job_id LIMIT 5")
        await connection.fetch("SELECT * FROM skill_trends_monthly LIMIT 5")
        longest, reads = max(longest, (time.perf_counter() - started) * 1000), reads + 1
        await asyncio.sleep(0.002)
    await connection.close()
    return longest, reads


async def watched(url: str, settings: Settings, options: Options) -> tuple[RebuildReport, Any]:
    """Rebuild beside a reader."""
    stop = anyio.Event()
    reader = asyncio.create_task(longest_wait(url, settings, stop))
    report = await rebuild(url, settings, line_stages(settings), options)
    stop.set()
    return report, await reader


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
        report, (wait_ms, reads) = await watched(url, settings, options)
        took = report.build_s + report.catch_up_s
        say(
            title,
            events=report.position,
            rebuild_s=took,
            compare_s=report.compare_s,
            exclusive_ms=report.swap_ms or 0.0,
            longest_read_ms=wait_ms,
            reads=reads,
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
