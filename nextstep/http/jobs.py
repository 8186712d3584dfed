"""
Reads behind /v1/jobs/{job_id}: one posting, its cluster, its history.

Source: issue 2 item 7.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from nextstep.http.wire import Duplicate, Duplicates, EventLine, JobDetail, row_body
from nextstep.match.io.service import JobUnknown
from nextstep.ops.pairs import variants

_JOB = "SELECT * FROM jobs_normalized WHERE job_id = $1"
_MAP = "SELECT canonical_job_id FROM job_dedupe_map WHERE job_id = $1"
_ENTITIES = "SELECT * FROM job_entities WHERE job_id = $1"
_EVENTS = """
SELECT position, version, kind, occurred_at, recorded_at
FROM job_events WHERE job_id = $1 ORDER BY version
"""
_HEAD = "SELECT COALESCE(max(position), 0) FROM job_events"
_DUPLICATES = """
SELECT map.job_id, job.title, job.company, job.location_raw AS location, job.source, job.url,
  job.status, job.date_posted AS posted_on, map.rule, map.similarity,
  map.job_id = map.canonical_job_id AS is_canonical, pair.reasons
FROM job_dedupe_map AS map
JOIN jobs_normalized AS job ON job.job_id = map.job_id
LEFT JOIN job_duplicate_pairs AS pair
  ON pair.job_a = LEAST(map.job_id, $2) AND pair.job_b = GREATEST(map.job_id, $2)
WHERE map.canonical_job_id = $1 AND map.job_id <> $2
ORDER BY job.first_seen_at, map.job_id
LIMIT 500
"""


async def read_job(connection: Any, job_id: UUID) -> JobDetail:
    """
    Return all that is known of a posting.

    Raises:
        JobUnknown: the log has no such job.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        events = await connection.fetch(_EVENTS, job_id)
        job = await connection.fetchrow(_JOB, job_id)
        if not events and job is None:
            raise _unknown(job_id)
        canonical = await connection.fetchval(_MAP, job_id)
        entities = await connection.fetchrow(_ENTITIES, canonical) if canonical else None
        return JobDetail(
            job_id=job_id,
            canonical_job_id=canonical,
            head=await connection.fetchval(_HEAD),
            job=row_body(job) if job else None,
            entities=row_body(entities) if entities else None,
            duplicates=await _duplicates(connection, canonical, job_id) if canonical else [],
            events=[EventLine(**dict(event)) for event in events],
        )


async def read_duplicates(connection: Any, job_id: UUID) -> Duplicates:
    """
    Return the other postings of a job's cluster, earliest first, and its variants; 500 at most.

    Raises:
        JobUnknown: dedupe has no such job.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        canonical = await connection.fetchval(_MAP, job_id)
        if canonical is None:
            raise _unknown(job_id)
        return Duplicates(
            job_id=job_id,
            canonical_job_id=canonical,
            duplicates=await _duplicates(connection, canonical, job_id),
            variants=await variants(connection, job_id),
        )


async def _duplicates(connection: Any, canonical: UUID, job_id: UUID) -> list[Duplicate]:
    rows = await connection.fetch(_DUPLICATES, canonical, job_id)
    return [Duplicate(**dict(row)) for row in rows]


def _unknown(job_id: UUID) -> JobUnknown:
    return JobUnknown(f"no job {job_id}", hint="nextstep match shows ids of jobs")
