"""
From a file to a line at the head: migrate, append, drain, index, count.

Used by `up` and `bootstrap`; both may be run again at any time and then do only what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from psycopg import sql

from nextstep import clock
from nextstep.db import pools
from nextstep.db.migrate import connected, migrate
from nextstep.db.vector_index import ensure_vector_index
from nextstep.events.io import log, offsets
from nextstep.events.io.line import run_line
from nextstep.events.stage import Stage
from nextstep.ingest.io.append import IngestOptions, OnProgress, ingest_files
from nextstep.ingest.report import IngestReport
from nextstep.projections.io.rebuild import Options, rebuild
from nextstep.settings import Settings

#: Seconds between two looks at the offsets while they move.
_LOOK_S = 0.5

OnStatus = Callable[[dict[str, Any]], None]

_COUNTS = {
    "jobs": "SELECT count(*) FROM jobs_normalized",
    "canonical": "SELECT count(*) FROM job_dedupe_map WHERE job_id = canonical_job_id",
    "duplicates": "SELECT count(*) FROM job_dedupe_map WHERE job_id <> canonical_job_id",
    "entities": "SELECT count(*) FROM job_entities",
    "embeddings": "SELECT count(DISTINCT job_id) FROM job_embeddings",
    "trend_cells": "SELECT count(*) FROM skill_trends_monthly",
    "dead_letters": "SELECT count(*) FROM dead_letters WHERE status = 'parked'",
}
_MODELS = """
SELECT model_name, recipe, dim FROM job_embeddings
 GROUP BY model_name, recipe, dim
 ORDER BY model_name COLLATE "C", recipe COLLATE "C", dim
"""


class BootstrapReport(msgspec.Struct):
    """What a bootstrap did. Times are seconds; `counts` are rows of the tables at its end."""

    migrated: list[str] = []
    rebuilt: list[str] = []
    ingest: IngestReport | None = None
    head: int = 0
    counts: dict[str, int] = {}
    stages: list[dict[str, Any]] = []
    vector_indexes: list[str] = []
    ingest_s: float = 0.0
    drain_s: float = 0.0
    index_s: float = 0.0


def takes_sample(url: str, sample: Path) -> bool:
    """
    Return whether the shipped sample may be appended: to an empty log, or to one that has it.

    The log is for ever; a sample must not get into somebody's own posts by a forgotten flag.
    """
    digest = hashlib.sha256(sample.read_bytes()).digest()
    with connected(url) as connection:
        row = connection.execute(
            "SELECT NOT EXISTS (SELECT FROM job_events)"
            " OR EXISTS (SELECT FROM ingest_files WHERE sha256 = %s)",
            [digest],
        ).fetchone()
    return row is not None and bool(row[0])


async def prepare(url: str, settings: Settings, stages: Sequence[Stage]) -> BootstrapReport:
    """Migrate, and rebuild the stages whose code, taxonomies or model changed since their rows."""
    report = BootstrapReport(migrated=await anyio.to_thread.run_sync(migrate, url))
    connection = await pools.connect(url, "worker", settings)
    try:
        report.rebuilt = await offsets.stale_stages(connection, settings, stages)
    finally:
        await connection.close()
    if report.rebuilt:
        await rebuild(url, settings, stages, Options(tuple(report.rebuilt), "swap"))
    return report


async def bootstrap(
    url: str,
    settings: Settings,
    stages: Sequence[Stage],
    files: Sequence[Path],
    options: IngestOptions,
    *,
    on_progress: OnProgress | None = None,
    on_status: OnStatus | None = None,
    stop: anyio.Event | None = None,
) -> BootstrapReport:
    """
    Append files, drain every stage to the head, build the vector index; return what was done.

    Args:
        on_progress: called while files are read.
        on_status: called with the status document while stages drain.
        stop: set to end after the batches under way; the report then says how far it came.

    Raises:
        StageError: a stage is halted or paused; what came before it is committed.
    """
    report = await prepare(url, settings, stages)
    started = clock.monotonic_s()
    if files:
        report.ingest = await ingest_files(
            settings, url, files, options, on_progress, stop=stop.is_set if stop else None
        )
    report.ingest_s = round(clock.monotonic_s() - started, 2)

    started = clock.monotonic_s()
    await drain(url, settings, stages, on_status=on_status, stop=stop)
    report.drain_s = round(clock.monotonic_s() - started, 2)

    started = clock.monotonic_s()
    report.vector_indexes = await build_indexes(url, settings)
    await anyio.to_thread.run_sync(analyze, url, [t for stage in stages for t in stage.tables])
    report.index_s = round(clock.monotonic_s() - started, 2)
    await count(url, settings, stages, report)
    return report


async def drain(
    url: str,
    settings: Settings,
    stages: Sequence[Stage],
    *,
    on_status: OnStatus | None = None,
    stop: anyio.Event | None = None,
) -> None:
    """Run the stages until all are at the head, telling `on_status` how far they are."""
    stop = stop or anyio.Event()
    async with anyio.create_task_group() as group:
        if on_status is not None:
            group.start_soon(_watch, url, settings, stages, on_status)
        await run_line(url, settings, stages, stop=stop, once=True)
        group.cancel_scope.cancel()


async def _watch(
    url: str, settings: Settings, stages: Sequence[Stage], on_status: OnStatus
) -> None:
    connection = await pools.connect(url, "api", settings)
    try:
        while True:
            on_status(await offsets.status(connection, settings, stages))
            await anyio.sleep(_LOOK_S)
    finally:
        connection.terminate()


async def build_indexes(url: str, settings: Settings) -> list[str]:
    """Build the vector index of every model that has vectors enough; return their names."""
    connection = await pools.connect(url, "api", settings)
    try:
        models = await connection.fetch(_MODELS)
    finally:
        await connection.close()
    names = [
        await anyio.to_thread.run_sync(ensure_vector_index, url, settings, *model)
        for model in models
    ]
    return [name for name in names if name]


def analyze(url: str, tables: Sequence[str]) -> None:
    """Refresh the planner's statistics after a bulk load; autovacuum would take a minute more."""
    with connected(url) as connection:
        for table in dict.fromkeys(tables):
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))


async def index_when_drained(url: str, settings: Settings, stages: Sequence[Stage]) -> list[str]:
    """Wait until every stage is at the head, then build the vector indexes."""
    connection = await pools.connect(url, "api", settings)
    try:
        while True:
            found = await offsets.status(connection, settings, stages)
            if found["head"] and not any(stage["lag"] for stage in found["stages"]):
                break
            await anyio.sleep(4 * _LOOK_S)
    finally:
        connection.terminate()
    return await build_indexes(url, settings)


async def count(
    url: str, settings: Settings, stages: Sequence[Stage], report: BootstrapReport
) -> None:
    """Fill in the head, the rows of the tables and the state of the stages."""
    connection = await pools.connect(url, "api", settings)
    try:
        report.head = await log.head(connection)
        report.stages = (await offsets.status(connection, settings, stages))["stages"]
        report.counts = {
            name: int(await connection.fetchval(query)) for name, query in _COUNTS.items()
        }
    finally:
        await connection.close()
