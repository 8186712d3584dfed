"""Append to the log, read it, verify it. The server functions order it; see the migration."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from nextstep.db.queries import read_queries
from nextstep.errors import LogDamaged, ScanRefused
from nextstep.events.model import Appended, Draft

#: What every reader listens to; the payload is a position and only a hint.
CHANNEL = "nextstep_log"

GENESIS = bytes(32)
_PG_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))


async def append(connection: asyncpg.Connection, drafts: Sequence[Draft]) -> list[Appended]:
    """
    Append drafts in one round trip and return what became of each, in the same order.

    Repeats of one stream are taken in the order given. Runs in the caller's transaction if there
    is one; the append lock is then held until it ends.

    Raises:
        asyncpg.PostgresError: nothing was appended.

    Source: D-01, D-02, X-01.
    """
    if not drafts:
        return []
    columns = list(
        zip(
            *(
                (
                    d.job_id,
                    d.kind,
                    d.source,
                    d.schema_version,
                    msgspec.Raw(d.payload),
                    d.content_hash,
                    d.occurred_at,
                )
                for d in drafts
            ),
            strict=True,
        )
    )
    rows = await connection.fetch(_QUERIES["append"], *map(list, columns))
    return [Appended(*row) for row in rows]


async def finish_scan(  # one argument per column of the fact
    connection: asyncpg.Connection,
    *,
    source: str,
    stream: UUID,
    scan_id: UUID,
    complete: bool,
    payload: bytes,
    content_hash: bytes,
    occurred_at: datetime,
    max_share: float = 0.30,
) -> tuple[int, str]:
    """
    Close what a complete scan no longer lists and record the scan; return (closed, outcome).

    The ids that the scan saw stand in `scan_seen`. `max_share` is the largest part of the source's
    open posts that may be closed; 1.0 allows all.

    Raises:
        ScanRefused: more than `max_share` would be closed; nothing was written.

    Source: decisions.md 6.
    """
    try:
        row = await connection.fetchrow(
            _QUERIES["finish_scan"],
            source,
            stream,
            scan_id,
            complete,
            1,
            msgspec.Raw(payload),
            content_hash,
            occurred_at,
            max_share,
        )
    except asyncpg.PostgresError as error:
        if error.sqlstate != "NX001":
            raise
        raise ScanRefused(
            str(error.args[0]),
            detail=f"a complete scan may close at most {max_share:.0%} of a source's open posts",
            hint="check that the file is whole; --yes closes them all the same",
        ) from error
    assert row is not None  # the function always returns one row
    return row["closed"], row["outcome"]


async def head(connection: asyncpg.Connection) -> int:
    """Return the highest position, 0 for an empty log."""
    return int(await connection.fetchval(_QUERIES["head"]))


async def show(
    connection: asyncpg.Connection, *, after: int, limit: int, job_id: UUID | None = None
) -> list[dict[str, Any]]:
    """Return events after a position as plain dicts, oldest first; of one stream if asked."""
    rows = await connection.fetch(_QUERIES["show"], after, limit, job_id)
    return [dict(row) for row in rows]


class LogReport(msgspec.Struct, frozen=True):
    """What `verify` found. `chain` is the head hash in hex; `faults` is empty for a sound log."""

    head: int
    events: int
    erased: int
    chain: str
    faults: list[str]


def link(previous: bytes, row: Sequence[Any]) -> bytes:
    """
    Return the chain hash of one event.

    `row` is position, job_id, version, kind, schema_version, occurred_at, content_hash,
    payload_hash. The bytes are those of the server's `nextstep_log_append`.
    """
    position, job_id, version, kind, schema_version, occurred_at, content_hash, proof = row
    name = kind.encode()
    micros = (occurred_at - _PG_EPOCH) // timedelta(microseconds=1)
    return hashlib.sha256(
        b"".join(
            (
                previous,
                struct.pack(">q", position),
                job_id.bytes,
                struct.pack(">ii", version, len(name)),
                name,
                struct.pack(">hq", schema_version, micros),
                content_hash,
                proof,
            )
        )
    ).digest()


async def verify(connection: asyncpg.Connection, *, most_faults: int = 20) -> LogReport:
    """
    Recompute the whole chain outside the server and compare heads and offsets with the log.

    Finds an edited, removed, inserted or reordered event, a removed tail (by heads and offsets)
    and a payload that is not what was appended. Stops listing after `most_faults`.
    """
    faults: list[str] = []
    previous, expected, erased = GENESIS, 1, 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in _rows(connection):
            *fields, stored, payload_hash_now, blank = row
            if fields[0] != expected:
                faults.append(f"position {expected} is missing; next is {fields[0]}")
                expected = fields[0]
            if blank:
                erased += 1
            elif payload_hash_now != fields[7]:
                faults.append(f"position {fields[0]}: the payload was changed (job {fields[1]})")
            if link(previous, fields) != stored:
                faults.append(f"position {fields[0]}: the chain breaks here (job {fields[1]})")
            previous, expected = stored, expected + 1
            if len(faults) >= most_faults:
                break
        else:
            for found in await connection.fetch(_QUERIES["verify_heads"], most_faults):
                faults.append(f"job_heads: {found['fault']} (job {found['job_id']})")
            for found in await connection.fetch(_QUERIES["verify_offsets"]):
                faults.append(
                    f"stage {found['stage']}: offset {found['position']} is beyond the head "
                    f"{expected - 1}; the log was cut or restored"
                )
    return LogReport(expected - 1, expected - 1, erased, previous.hex(), faults)


async def _rows(connection: asyncpg.Connection) -> AsyncIterator[Any]:
    async for row in connection.cursor(_QUERIES["verify_rows"], prefetch=2000):
        yield row


def require_sound(report: LogReport) -> None:
    """Raise LogDamaged with every fault found."""
    if report.faults:
        raise LogDamaged(
            f"the log does not verify: {len(report.faults)} fault(s), first: {report.faults[0]}",
            detail="; ".join(report.faults[1:]),
            hint="restore the log from a backup; projections can always be made again from it",
        )
