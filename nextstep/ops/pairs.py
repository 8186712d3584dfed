"""
Why dedupe put a job where it is, and the operator's word against it.

A verdict is a fact of the log: clean projects it, dedupe obeys it, and a replay finds it again.

Source: issue 4 item 3, decisions.md 1; N-36.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from nextstep.errors import UsageError
from nextstep.events import kinds
from nextstep.events.codec import encode_payload
from nextstep.events.identity import pair_stream
from nextstep.events.io.log import append
from nextstep.events.model import Draft, PairJudged

VERDICTS = {"same": "same", "not-same": "not_same"}

# Copies with one text and equal fields are one group, and only its representative is paired.
_PLACE = """
SELECT m.canonical_job_id, m.similarity, m.rule, g.representative, j.title
  FROM job_dedupe_map AS m
  LEFT JOIN job_signatures AS s ON s.job_id = m.job_id
  LEFT JOIN LATERAL (
    SELECT o.job_id AS representative FROM job_signatures AS o
     WHERE o.group_key = s.group_key
     ORDER BY o.first_seen_at, o.job_id LIMIT 1) AS g ON true
  LEFT JOIN jobs_normalized AS j ON j.job_id = m.job_id
 WHERE m.job_id = $1
"""
_PAIRS = """
SELECT CASE WHEN p.job_a = $1 THEN p.job_b ELSE p.job_a END AS job_id, p.relation, p.similarity,
       p.reasons, j.title, j.company, j.location_raw AS location, j.source, j.url, j.status,
       m.canonical_job_id
  FROM job_duplicate_pairs AS p
  JOIN jobs_normalized AS j
    ON j.job_id = CASE WHEN p.job_a = $1 THEN p.job_b ELSE p.job_a END
  JOIN job_dedupe_map AS m ON m.job_id = j.job_id
 WHERE (p.job_a = $1 OR p.job_b = $1) AND ($2::text IS NULL OR p.relation = $2)
 ORDER BY CASE p.relation WHEN 'duplicate' THEN 1 WHEN 'variant' THEN 2 ELSE 3 END,
          p.similarity DESC, j.job_id
 LIMIT $3
"""
_MEMBERS = """
SELECT m.job_id, m.rule, m.similarity, j.title, j.company, j.location_raw AS location, j.source,
       j.status, j.first_seen_at, j.last_seen_at
  FROM job_dedupe_map AS m
  JOIN jobs_normalized AS j ON j.job_id = m.job_id
 WHERE m.canonical_job_id = $1
 ORDER BY j.first_seen_at, m.job_id
 LIMIT $2
"""
_CLUSTER = """
SELECT status, members, latest_open_job_id FROM job_clusters WHERE canonical_job_id = $1
"""
_VERDICTS = """
SELECT CASE WHEN job_a = $1 THEN job_b ELSE job_a END AS job_id, verdict, why, position
  FROM pair_verdicts
 WHERE job_a = $1 OR job_b = $1
 ORDER BY position
"""
_IN_LOG = "SELECT job_id FROM job_heads WHERE job_id = ANY($1::uuid[])"
#: Most pairs and members that one answer lists.
MOST = 500


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The other job of a pair, and what was found between the two."""

    job_id: UUID
    relation: str  # duplicate | variant | apart
    similarity: float
    rule: str
    agree: list[str]
    veto: dict[str, list[str]]
    title: str
    company: str
    location: str
    source: str
    url: str
    status: str
    canonical_job_id: UUID | None
    reasons: dict[str, Any]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """
    A job's place in its cluster, the cluster, and every pair that was compared for it.

    `compared_as` is the job whose pairs these are: the earliest with the same text and fields.
    `pairs` and `members` list MOST at most, duplicates first.
    """

    job_id: UUID
    title: str
    canonical_job_id: UUID | None
    rule: str
    similarity: float
    compared_as: UUID | None
    cluster: dict[str, Any] | None
    members: list[dict[str, Any]]
    pairs: list[Side]
    verdicts: list[dict[str, Any]]


async def explain(connection: Any, job_id: UUID) -> Explained:
    """
    Return what dedupe knows of a job, from one snapshot.

    Raises:
        UsageError: dedupe has not seen such a job.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        place = await connection.fetchrow(_PLACE, job_id)
        if place is None:
            raise UsageError(
                f"dedupe knows no job {job_id}",
                hint="nextstep status shows whether dedupe is at the head",
            )
        canonical, stands_for = place["canonical_job_id"], place["representative"]
        cluster = await connection.fetchrow(_CLUSTER, canonical) if canonical else None
        members = await connection.fetch(_MEMBERS, canonical, MOST) if canonical else []
        return Explained(
            job_id=job_id,
            title=place["title"] or "",
            canonical_job_id=canonical,
            rule=place["rule"],
            similarity=place["similarity"],
            compared_as=stands_for,
            cluster=dict(cluster) if cluster else None,
            members=[dict(member) for member in members],
            pairs=await sides(connection, stands_for) if stands_for else [],
            verdicts=[dict(row) for row in await connection.fetch(_VERDICTS, job_id)],
        )


async def variants(connection: Any, job_id: UUID) -> list[Side]:
    """Return the jobs with the same advertisement for another town, level, employer or number."""
    place = await connection.fetchrow(_PLACE, job_id)
    stands_for = place["representative"] if place else None
    return await sides(connection, stands_for, "variant") if stands_for else []


async def sides(connection: Any, job_id: UUID, relation: str | None = None) -> list[Side]:
    """Return the pairs of a representative, duplicates first; of one relation where it is given."""
    rows = await connection.fetch(_PAIRS, job_id, relation, MOST)
    return [_side(dict(row)) for row in rows]


def _side(row: dict[str, Any]) -> Side:
    reasons = row["reasons"]
    return Side(
        **row,
        rule=reasons.get("rule", ""),
        agree=list(reasons.get("agree", ())),
        veto=dict(reasons.get("veto", {})),
    )


async def judge(
    connection: Any, two: tuple[UUID, UUID], verdict: str, why: str, now: datetime
) -> tuple[str, int]:
    """
    Append an operator's verdict on two jobs; return its outcome ("unchanged" too) and position.

    Args:
        verdict: "same" or "not-same"; the latest one counts.

    Raises:
        UsageError: one job twice, a job that is not in the log, or no reason.
    """
    low, high = sorted(two)
    if low == high:
        raise UsageError("a verdict needs two jobs", hint="nextstep dedupe explain JOB")
    if not why.strip():
        raise UsageError("a verdict needs a reason", hint="--why TEXT is kept in the log")
    known = {row["job_id"] for row in await connection.fetch(_IN_LOG, list(two))}
    for job_id in two:
        if job_id not in known:
            raise UsageError(f"job {job_id} is not in the log", hint="nextstep log show --job ID")
    payload = encode_payload(PairJudged(low, high, VERDICTS[verdict], why.strip()))
    draft = Draft(
        job_id=pair_stream(low, high),
        kind=kinds.JUDGED,
        source="operator",
        schema_version=1,
        payload=payload,
        content_hash=hashlib.sha256(payload).digest(),
        occurred_at=now,
    )
    made = (await append(connection, [draft]))[0]
    return made.outcome, made.position
