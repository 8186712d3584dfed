"""
Read what a match needs, in as few round trips as it takes.

Nearest vectors, wanted titles and common skills are found by one statement that also returns the
columns the ranking wants: a second query for 200 rows would cost 1.6 ms, the columns cost 1.2.

Source: design.md 6, measured.md 5, X-12.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from nextstep.match.filters import OPEN_CLUSTERS, WHERE
from nextstep.match.ranking import Candidate

#: Candidates by vector, and by each of title, words and skills; more adds time, not quality.
NEAREST = 200
ALIKE = 100

#: Posts, newest first, whose common skills are counted: counting takes 5 us each.
NEWEST = 2000

#: Up to so many candidates every vector is compared (7 ms); above it the index is walked. An
#: index answer to a narrow filter is slower than this, and without iterative scans it starves.
EXACT_BELOW = 10_000

_COUNT = f"SELECT count(*) FROM (SELECT 1 {OPEN_CLUSTERS} WHERE {WHERE} LIMIT $10) AS found"
_COUNT_ALL = (
    "SELECT count(*) FROM (SELECT 1 FROM job_clusters WHERE status = 'open' LIMIT $1) AS found"
)

_SEARCH = """
WITH near AS MATERIALIZED (
  SELECT vector.job_id
  FROM job_embeddings AS vector
  JOIN job_clusters AS cluster ON cluster.canonical_job_id = vector.job_id
  JOIN jobs_normalized AS job ON job.job_id = cluster.latest_open_job_id
  LEFT JOIN job_entities AS entity ON entity.job_id = cluster.canonical_job_id
  WHERE vector.model_name = $11 AND vector.recipe = $12 AND vector.dim = {dim} AND {where}
  ORDER BY {order}
  LIMIT $16
), titled AS MATERIALIZED (
  SELECT cluster.canonical_job_id AS job_id
  {clusters}
  WHERE entity.title_norm = ANY($13) AND {where}
  ORDER BY job.date_posted DESC NULLS LAST, cluster.canonical_job_id
  LIMIT $17
), alike AS MATERIALIZED (
  SELECT cluster.canonical_job_id AS job_id, max(word_similarity(wanted, lower(job.title))) AS near
  {clusters}
  JOIN unnest($14::text[]) AS wanted ON lower(job.title) %> wanted
  WHERE {where}
  GROUP BY cluster.canonical_job_id
  ORDER BY near DESC, job_id
  LIMIT $17
), newest AS MATERIALIZED (
  SELECT cluster.canonical_job_id AS job_id, entity.skills || entity.tools AS named
  {clusters}
  WHERE (entity.skills && $15::text[] OR entity.tools && $15::text[]) AND {where}
  ORDER BY job.date_posted DESC NULLS LAST, cluster.canonical_job_id
  LIMIT $18
), skilled AS (
  SELECT job_id
  FROM newest
  ORDER BY (SELECT count(*) FROM unnest(named) AS one WHERE one = ANY($15)) DESC, job_id
  LIMIT $17
), found AS (
  SELECT job_id FROM near
  UNION SELECT job_id FROM titled
  UNION SELECT job_id FROM alike
  UNION SELECT job_id FROM skilled
)
SELECT cluster.canonical_job_id, job.job_id, job.title, job.company, job.location_raw, job.url,
  job.source, job.date_posted, job.date_precision,
  COALESCE(NULLIF(entity.title_norm, ''), job.title_norm) AS title_norm,
  COALESCE(NULLIF(entity.title_cluster, ''), job.title_cluster) AS title_cluster,
  COALESCE(NULLIF(entity.city, ''), job.city) AS city,
  COALESCE(NULLIF(entity.country, ''), job.country) AS country,
  COALESCE(NULLIF(entity.work_mode, ''), job.work_mode) AS work_mode,
  COALESCE(entity.seniority, '') AS seniority,
  COALESCE(NULLIF(entity.employment_type, ''), job.employment_type) AS employment_type,
  entity.salary_min::float8, entity.salary_max::float8,
  COALESCE(entity.salary_currency, '') AS salary_currency,
  COALESCE(entity.salary_period, '') AS salary_period,
  COALESCE(entity.skills || entity.tools, '{{}}') AS skills,
  cluster.members - 1 AS duplicates,
  1 - (vector.embedding::vector({dim}) <=> $10::vector({dim})) AS similarity
FROM found
JOIN job_clusters AS cluster ON cluster.canonical_job_id = found.job_id
JOIN jobs_normalized AS job ON job.job_id = cluster.latest_open_job_id
LEFT JOIN job_entities AS entity ON entity.job_id = cluster.canonical_job_id
LEFT JOIN job_embeddings AS vector ON vector.job_id = cluster.canonical_job_id
  AND vector.model_name = $11 AND vector.recipe = $12 AND vector.dim = {dim}
ORDER BY cluster.canonical_job_id
"""

_DISTANCE = "(vector.embedding::vector({dim})) <=> $10::vector({dim})"

_OFFSETS = """
SELECT stage, position, version FROM stage_offsets WHERE stage = ANY($1) ORDER BY stage
"""
_AS_OF = "SELECT max(occurred_at) FROM job_events WHERE position > $1 AND position <= $2"
_EVIDENCE = "SELECT job_id, evidence FROM job_entities WHERE job_id = ANY($1) ORDER BY job_id"
_TEXTS = """
SELECT job_id, description_clean FROM jobs_normalized WHERE job_id = ANY($1) ORDER BY job_id
"""
_VECTOR = """
SELECT map.canonical_job_id, vector.embedding
FROM job_dedupe_map AS map
LEFT JOIN job_embeddings AS vector ON vector.job_id = map.canonical_job_id
  AND vector.model_name = $2 AND vector.recipe = $3
WHERE map.job_id = $1 AND map.canonical_job_id IS NOT NULL
"""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """
    One retrieval: a unit vector of shape (dim,), names of titles and skills, filters.

    `titles` are looked up as they are, `title_words` (of titles that no taxonomy knows) by the
    look of their letters, which takes ten times as long.
    """

    vector: Any
    model: str
    recipe: str
    parameters: tuple[Any, ...]
    is_filtered: bool
    titles: Sequence[str] = ()
    title_words: Sequence[str] = ()
    skills: Sequence[str] = ()
    exact: bool = False


class Horizon(msgspec.Struct, frozen=True):
    """
    Up to where the line has come: what an answer is true of.

    `head` is the lowest offset of its stages, `as_of` the greatest occurred_at at that head.
    """

    head: int = 0
    as_of: datetime | None = None
    versions: dict[str, str] = {}


async def read_horizon(
    connection: Any, stages: Sequence[str], known: Horizon | None = None
) -> Horizon:
    """Return the horizon of the stages; `known` is an earlier one, so that only news is scanned."""
    rows = await connection.fetch(_OFFSETS, list(stages))
    offsets = {row["stage"]: row["position"] for row in rows}
    head = min((offsets.get(stage, 0) for stage in stages), default=0)
    versions = {row["stage"]: row["version"] for row in rows}
    if known is None or known.head > head:
        known = Horizon()
    as_of = known.as_of
    if head > known.head:
        newest = await connection.fetchval(_AS_OF, known.head, head)
        as_of = max(filter(None, (newest, as_of)), default=None)
    return Horizon(head, as_of, versions)


async def find_candidates(connection: Any, query: Query) -> list[Candidate]:
    """
    Return the candidates of a query by canonical id; runs inside the caller's transaction.

    The transaction's settings are changed, so it must be one of its own.
    """
    exact = query.exact or not await _is_large(connection, query)
    dim = len(query.vector)
    await connection.execute("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
    distance = _DISTANCE.format(dim=dim)
    if not exact:
        await _prepare_index_scan(connection)
    sql = _SEARCH.format(
        dim=dim,
        where=WHERE,
        clusters=OPEN_CLUSTERS,
        # "+ 0" keeps the planner off the index; ties are settled only where all are compared.
        order=f"({distance}) + 0, vector.job_id" if exact else distance,
    )
    rows = await connection.fetch(
        sql,
        *query.parameters,
        query.vector,
        query.model,
        query.recipe,
        list(query.titles),
        [words.lower() for words in query.title_words],
        list(query.skills),
        NEAREST,
        ALIKE,
        NEWEST,
    )
    return [_candidate(row) for row in rows]


async def read_evidence(connection: Any, job_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the stored evidence of jobs by id."""
    rows = await connection.fetch(_EVIDENCE, list(job_ids))
    return {row["job_id"]: row["evidence"] or {} for row in rows}


async def read_texts(connection: Any, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the clean descriptions of jobs by id."""
    rows = await connection.fetch(_TEXTS, list(job_ids))
    return {row["job_id"]: row["description_clean"] for row in rows}


async def read_vector(
    connection: Any, job_id: UUID, model: str, recipe: str
) -> tuple[UUID, Any] | None:
    """Return (canonical id, vector or None) of a job, None for a job that is not there."""
    row = await connection.fetchrow(_VECTOR, job_id, model, recipe)
    return None if row is None else (row["canonical_job_id"], row["embedding"])


async def _is_large(connection: Any, query: Query) -> bool:
    if query.is_filtered:
        count = await connection.fetchval(_COUNT, *query.parameters, EXACT_BELOW + 1)
    else:
        count = await connection.fetchval(_COUNT_ALL, EXACT_BELOW + 1)
    return bool(count > EXACT_BELOW)


async def _prepare_index_scan(connection: Any) -> None:
    version = await connection.fetchval(
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    )
    await connection.execute("SELECT set_config('hnsw.ef_search', '200', true)")
    if tuple(int(n) for n in str(version).split(".")[:2]) >= (0, 8):
        # Without it a filter of 5 % returns 11 of 200 rows.
        await connection.execute("SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true)")


def _candidate(row: Any) -> Candidate:
    return Candidate(
        canonical_job_id=row["canonical_job_id"],
        job_id=row["job_id"],
        title=row["title"],
        company=row["company"],
        location=row["location_raw"],
        url=row["url"],
        source=row["source"],
        posted_on=row["date_posted"],
        date_precision=row["date_precision"],
        title_norm=row["title_norm"],
        title_cluster=row["title_cluster"],
        city=row["city"],
        country=row["country"],
        work_mode=row["work_mode"],
        seniority=row["seniority"],
        employment_type=row["employment_type"],
        salary_min=row["salary_min"],
        salary_max=row["salary_max"],
        salary_currency=row["salary_currency"],
        salary_period=row["salary_period"],
        skills=tuple(dict.fromkeys(row["skills"])),
        duplicates=row["duplicates"],
        similarity=row["similarity"],
    )
