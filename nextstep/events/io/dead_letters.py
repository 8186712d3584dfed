"""What stages could not handle: list it, send it through again, or give it up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from nextstep.db.queries import read_queries
from nextstep.errors import UsageError
from nextstep.events import kinds
from nextstep.events.codec import encode_payload
from nextstep.events.identity import named_uuid
from nextstep.events.io.log import append
from nextstep.events.model import DeadLetterDiscarded, Draft, JobRequeued

_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))


async def letters(
    connection: asyncpg.Connection,
    *,
    stage: str | None = None,
    job_id: UUID | None = None,
    status: str | None = "parked",
    limit: int = 1000,
) -> list[dict[str, Any]]:
    """Return dead letters as plain dicts, by stage and position."""
    rows = await connection.fetch(_QUERIES["letters"], stage, job_id, status, limit)
    return [dict(row) for row in rows]


async def retry(
    connection: asyncpg.Connection, chosen: Sequence[dict[str, Any]], now: datetime, why: str = ""
) -> int:
    """
    Append a `job.requeued` per job, so that the whole line sees it again; return how many.

    Offsets are not touched: a later success resolves the letter by itself.
    """
    drafts = []
    for job_id in dict.fromkeys(letter["job_id"] for letter in chosen):
        head = await connection.fetchrow(_QUERIES["job_source"], job_id)
        if head is None:
            raise UsageError(f"job {job_id} is not in the log")
        stage = next(letter["stage"] for letter in chosen if letter["job_id"] == job_id)
        drafts.append(_draft(job_id, kinds.REQUEUED, head["source"], JobRequeued(stage, why), now))
    await append(connection, drafts)
    return len(drafts)


async def discard(
    connection: asyncpg.Connection, chosen: Sequence[dict[str, Any]], now: datetime, why: str = ""
) -> int:
    """Give letters up: the event and the letter's status change together; return how many."""
    async with connection.transaction():
        drafts = []
        for letter in chosen:
            stage, job_id = letter["stage"], letter["job_id"]
            position = await connection.fetchval(_QUERIES["discard_letter"], stage, job_id)
            if position is None:
                continue
            fact = DeadLetterDiscarded(stage, job_id, position, why)
            stream = letter_stream(stage, job_id)
            drafts.append(_draft(stream, kinds.DISCARDED, "operator", fact, now))
        await append(connection, drafts)
    return len(drafts)


def letter_stream(stage: str, job_id: UUID) -> UUID:
    """Return the stream of one letter's facts."""
    return named_uuid("letter", stage, str(job_id))


def _draft(stream: UUID, kind: str, source: str, fact: Any, now: datetime) -> Draft:
    payload = encode_payload(fact)
    return Draft(
        job_id=stream,
        kind=kind,
        source=source,
        schema_version=1,
        payload=payload,
        content_hash=hashlib.sha256(payload).digest(),
        occurred_at=now,
    )
