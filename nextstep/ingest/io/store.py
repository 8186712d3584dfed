"""Writes what an ingest did beside the log: files, rejects, the ids a scan saw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from nextstep.db.queries import read_queries
from nextstep.events.identity import named_uuid
from nextstep.ingest.io.sniff import FileFacts
from nextstep.ingest.rejects import Reject
from nextstep.ingest.report import Counts
from nextstep.ingest.values import repaired

if TYPE_CHECKING:
    from nextstep.db.pools import AnyConnection

_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))


def file_id(facts: FileFacts) -> UUID:
    """Return the id of a file: its name and its bytes."""
    return named_uuid("file", facts.name, facts.sha256.hex())


async def start_file(connection: AnyConnection, facts: FileFacts, at: datetime) -> None:
    """Record that a file is being read and drop the rejects of an earlier reading."""
    await connection.execute(
        _QUERIES["start_file"], file_id(facts), facts.name, facts.sha256, facts.size_bytes, at
    )
    await connection.execute(_QUERIES["forget_rejects"], file_id(facts))


async def finish_file(
    connection: AnyConnection, facts: FileFacts, at: datetime, counts: Counts, status: str
) -> None:
    """Record how the reading ended: done or failed."""
    plain = msgspec.to_builtins(counts)
    await connection.execute(_QUERIES["finish_file"], file_id(facts), at, plain, status)


async def add_rejects(
    connection: AnyConnection, facts: FileFacts, rejects: Sequence[Reject]
) -> None:
    """Store rejected rows."""
    if rejects:
        columns = zip(
            *((r.row, repaired(r.column)[0][:200], r.reason, r.detail, r.source) for r in rejects),
            strict=True,
        )
        await connection.execute(_QUERIES["add_rejects"], file_id(facts), *map(list, columns))


async def add_seen(
    connection: AnyConnection,
    scan_ids: Sequence[UUID],
    job_ids: Sequence[UUID],
    times: Sequence[datetime],
) -> None:
    """Note the ids that complete scans saw, and when; the sequences are parallel."""
    if scan_ids:
        arrays = (list(scan_ids), list(job_ids), list(times))
        await connection.execute(_QUERIES["add_seen"], *arrays)


async def forget_seen(connection: AnyConnection, scan_ids: Sequence[UUID]) -> None:
    """Drop the ids of scans."""
    await connection.execute(_QUERIES["forget_seen"], list(scan_ids))


async def scan_age(
    connection: AnyConnection, scan_id: UUID, source: str
) -> tuple[bool, datetime | None]:
    """
    Return whether a scan is older than what the log knows of its posts, and the source's newest.

    The second is the last time at which anything open of the source changed; None for nothing.
    """
    row = await connection.fetchrow(_QUERIES["scan_age"], scan_id, source)
    assert row is not None  # the query has no FROM
    return row["is_late"], row["latest"]
