"""
Append against a plain COPY of the same bytes, in one run.

Both write the same events at the same durability, a transaction a batch, into tables with the same
columns, checks and indexes; COPY is handed ready positions, versions and hashes. The append besides
decides what is new, numbers, chains, keeps the heads and notifies. "all rows" is the COPY that
writes the heads too: every row and index that an append leaves behind.

    python bench/append.py [--url URL] [--rounds 7] [--batches 10] [--batch 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from common import database, drafts, parser, say, spread

from nextstep.db import pools
from nextstep.events.io import log
from nextstep.events.model import Draft

_COLUMNS = (
    "position", "job_id", "version", "kind", "schema_version", "payload", "content_hash",
    "payload_hash", "chain", "occurred_at", "recorded_at",
)  # fmt: skip
_HEADS = (
    "job_id", "source", "is_job", "version", "content_hash", "occurred_at", "is_open", "position",
)  # fmt: skip
_SINGLES = 300


async def append_batches(connection: Any, batches: Sequence[list[Draft]]) -> float:
    started = time.perf_counter()
    for batch in batches:
        await log.append(connection, batch)
    return time.perf_counter() - started


async def copy_events(connection: Any, batches: Sequence[list[tuple[Any, ...]]]) -> float:
    started = time.perf_counter()
    for rows in batches:
        await connection.copy_records_to_table("copied", records=rows, columns=_COLUMNS)
    return time.perf_counter() - started


async def copy_all(connection: Any, batches: Sequence[list[tuple[Any, ...]]]) -> float:
    heads = [[_head(row) for row in rows] for rows in batches]
    started = time.perf_counter()
    for rows, beside in zip(batches, heads, strict=True):
        async with connection.transaction():
            await connection.copy_records_to_table("copied_too", records=rows, columns=_COLUMNS)
            await connection.copy_records_to_table("copied_heads", records=beside, columns=_HEADS)
    return time.perf_counter() - started


def _head(row: tuple[Any, ...]) -> tuple[Any, ...]:
    position, job_id, version, _, _, _, content_hash, _, _, occurred_at, _ = row
    return (job_id, "bench", True, version, content_hash, occurred_at, True, position)


def rows_of(batch: Sequence[Draft], first: int) -> list[tuple[Any, ...]]:
    now = datetime.now(UTC)
    return [
        (
            position,
            draft.job_id,
            1,
            "job.posted",
            draft.schema_version,
            msgspec.Raw(draft.payload),
            draft.content_hash,
            hashlib.sha256(draft.payload).digest(),
            os.urandom(32),
            draft.occurred_at,
            now,
        )
        for position, draft in enumerate(batch, first)
    ]


async def measure(url: str, settings: Any, args: argparse.Namespace) -> None:
    owner = await pools.connect(url, None, settings)
    ingest = await pools.connect(url, "ingest", settings)
    await owner.execute("DROP TABLE IF EXISTS copied, copied_too, copied_heads")
    for name, like in (("copied", "events"), ("copied_too", "events"), ("copied_heads", "heads")):
        await owner.execute(f"CREATE TABLE {name} (LIKE job_{like} INCLUDING ALL)")
    per_round = args.batches * args.batch
    rates: dict[str, list[float]] = {"append": [], "copy": [], "all": []}
    for number in range(args.rounds + 1):
        made = drafts(per_round, seed=number)
        batches = [made[i : i + args.batch] for i in range(0, per_round, args.batch)]
        first = number * per_round + 1
        rows = [rows_of(b, first + i * args.batch) for i, b in enumerate(batches)]
        await owner.execute("CHECKPOINT")
        took = dict.fromkeys(rates, 0.0)
        for i, batch in enumerate(batches):
            # Batch by batch in turns, so that a busy moment of the machine hits all of them.
            for name in _turn(list(rates), i):
                if name == "append":
                    took[name] += await append_batches(ingest, [batch])
                else:
                    copy = copy_events if name == "copy" else copy_all
                    took[name] += await copy(owner, [rows[i]])
        if number:  # the first round warms caches, plans and files
            for name, seconds in took.items():
                rates[name].append(per_round / seconds)
    say(
        "append",
        batch=args.batch,
        rounds=args.rounds,
        payload_bytes=int(statistics.mean(len(draft.payload) for draft in made)),
        rows_appended=await _count(owner, "job_events"),
        rows_copied=await _count(owner, "copied"),
        heads_appended=await _count(owner, "job_heads"),
        heads_copied=await _count(owner, "copied_heads"),
        append_mb=await _megabytes(owner, "job_events"),
        copied_mb=await _megabytes(owner, "copied"),
    )
    for name, title in (("copy", "append / COPY of events"), ("all", "append / COPY of all rows")):
        ratios = [mine / base for mine, base in zip(rates["append"], rates[name], strict=True)]
        say(
            title,
            append_per_s=spread(rates["append"]),
            copy_per_s=spread(rates[name]),
            ratio=spread(ratios),
        )
    await singles(ingest)
    again = await append_batches(ingest, batches)
    say("append unchanged", per_s=per_round / again)
    await ingest.close()
    await owner.close()


async def singles(connection: Any) -> None:
    times = []
    for draft in drafts(_SINGLES, seed=10**6):
        started = time.perf_counter()
        await log.append(connection, [draft])
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    say("append one event", p50_ms=times[len(times) // 2], p99_ms=times[int(len(times) * 0.99)])


def _turn(names: list[str], number: int) -> list[str]:
    start = number % len(names)
    return names[start:] + names[:start]


async def _count(connection: Any, table: str) -> int:
    return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def _megabytes(connection: Any, table: str) -> float:
    size = await connection.fetchval("SELECT pg_total_relation_size(to_regclass($1))", table)
    return float(size) / 2**20


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--batches", type=int, default=10, help="batches a round (default 10)")
    flags.add_argument("--batch", type=int, default=1000, help="events a batch (default 1000)")
    args = flags.parse_args()
    with database(args.url) as (url, settings):
        asyncio.run(measure(url, settings, args))


if __name__ == "__main__":
    main()
