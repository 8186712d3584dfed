"""
The runner with a step that does next to nothing, against the bare loop, in one run.

The bare loop reads a batch, makes the same small row of each event, upserts the rows and moves an
offset, one transaction a batch, on one connection. The runner besides reads ahead, keeps counts and
the heartbeat, checks epoch and status, and can hand the step to processes.

    python bench/runner.py [--url URL] [--rounds 5] [--events 20000] [--batch 500]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import time
from typing import Any

import anyio
import msgspec
import structlog
from common import database, drafts, parser, say, spread

from nextstep.db import pools
from nextstep.events.io import log
from nextstep.events.io.executor import Executor, Inline, Processes
from nextstep.events.io.runner import StageRunner
from nextstep.events.io.wake import Wake
from nextstep.events.stage import Delete, InputRow, Stage, Upsert, Writes

_DDL = """
DROP TABLE IF EXISTS bench_rows, bench_offsets;
CREATE TABLE bench_rows (
  job_id uuid PRIMARY KEY, position bigint NOT NULL, title text NOT NULL, company text NOT NULL,
  digest bytea NOT NULL
);
CREATE TABLE bench_offsets (stage text PRIMARY KEY, position bigint NOT NULL);
INSERT INTO bench_offsets VALUES ('bare', 0);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON bench_rows, bench_offsets TO nextstep_worker;
"""
_READ = """
SELECT position, job_id, payload FROM job_events
WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3
"""
_UPSERT = """
INSERT INTO bench_rows (job_id, position, title, company, digest)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bytea[])
ON CONFLICT (job_id) DO UPDATE SET position = excluded.position, title = excluded.title,
  company = excluded.company, digest = excluded.digest
"""
_ADVANCE = "UPDATE bench_offsets SET position = $1 WHERE stage = 'bare' AND position = $2"
_COLUMNS = ("job_id", "position", "title", "company", "digest")


class Row(InputRow, frozen=True):
    """One event with its decoded payload."""

    payload: dict[str, Any]


def small(position: int, job_id: Any, payload: dict[str, Any]) -> tuple[Any, ...]:
    """Return the row that both sides write."""
    digest = hashlib.blake2b(payload["url"].encode(), digest_size=16).digest()
    return (job_id, position, payload["title"], payload["company"], digest)


def prepare(_: None, rows: list[Row]) -> list[tuple[Any, ...]]:
    return [small(row.position, row.job_id, row.payload) for row in rows]


def decide(_: None, rows: list[Row], prepared: list[tuple[Any, ...]], found: Any) -> Writes:
    return Writes([Upsert("bench_rows", ("job_id",), _COLUMNS, prepared)], {"out": len(prepared)})


def absent(rows: list[Row]) -> Writes:
    return Writes([Delete("bench_rows", ("job_id",), [(row.job_id,) for row in rows])])


def stage(batch: int) -> Stage:
    return Stage(
        name="bench",
        code_version=1,
        upstream=None,
        row=Row,
        read=_READ,
        prepare=prepare,
        decide=decide,
        absent=absent,
        tables=("bench_rows",),
        digest_columns={"bench_rows": _COLUMNS},
        batch_size=batch,
    )


async def bare(connection: Any, batch: int, head: int) -> float:
    await connection.execute("TRUNCATE bench_rows")
    await connection.execute("UPDATE bench_offsets SET position = 0")
    read, upsert, advance = [await connection.prepare(q) for q in (_READ, _UPSERT, _ADVANCE)]
    at = 0
    started = time.perf_counter()
    while at < head:
        async with connection.transaction():
            records = await read.fetch(at, head, batch)
            await upsert.fetch(
                *map(list, zip(*(small(*record) for record in records), strict=True))
            )
            await advance.fetch(records[-1]["position"], at)
        at = records[-1]["position"]
    return time.perf_counter() - started


async def driven(url: str, settings: Any, executor: Executor, pool: Any, batch: int) -> float:
    await pool.execute("TRUNCATE bench_rows")
    await pool.execute("DELETE FROM stage_offsets WHERE stage = 'bench'")
    await pool.execute("INSERT INTO stage_offsets (stage, epoch, version) VALUES ('bench', 1, '1')")
    one = stage(batch)
    runner = StageRunner(one, pool, executor, Wake(url, settings, [one]), settings)
    runner.epoch = 1
    await executor.warm(one)
    started = time.perf_counter()
    await runner.drain(anyio.Event())
    return time.perf_counter() - started


async def measure(url: str, settings: Any, args: argparse.Namespace) -> None:
    owner = await pools.connect(url, None, settings)
    await owner.execute(_DDL)
    for first in range(0, args.events, 1000):
        await log.append(owner, drafts(min(1000, args.events - first), seed=first + 1))
    await owner.execute("VACUUM ANALYZE job_events")
    head = await log.head(owner)
    pool = await pools.create_pool(url, "worker", settings, max_size=4)
    settings = msgspec.structs.replace(settings, batch_size=args.batch)
    figures: dict[str, list[float]] = {"bare": [], "inline": [], "processes": []}
    executors: dict[str, Executor] = {"inline": Inline(settings), "processes": Processes(settings)}
    counts = set()
    for number in range(args.rounds + 1):
        names = list(figures) if number % 2 else list(reversed(figures))
        for name in names:
            await owner.execute("CHECKPOINT")
            if name == "bare":
                took = await bare(owner, args.batch, head)
            else:
                took = await driven(url, settings, executors[name], pool, args.batch)
            counts.add(await owner.fetchval("SELECT count(*) FROM bench_rows"))
            if number:
                figures[name].append(head / took)
    for name in ("inline", "processes"):
        ratios = [mine / base for mine, base in zip(figures[name], figures["bare"], strict=True)]
        say(
            f"runner, {name}",
            batch=args.batch,
            events=head,
            rows=sorted(counts),
            runner_per_s=spread(figures[name]),
            bare_per_s=spread(figures["bare"]),
            ratio=spread(ratios),
        )
    for executor in executors.values():
        await executor.close()
    await pool.close()
    await owner.close()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    flags = parser(__doc__)
    flags.add_argument("--events", type=int, default=20_000, help="events (default 20000)")
    flags.add_argument("--batch", type=int, default=500, help="events a batch (default 500)")
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        asyncio.run(measure(url, settings, args))


if __name__ == "__main__":
    main()
