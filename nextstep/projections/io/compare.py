"""Compare the live tables with their shadow inside one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from nextstep.events.io.space import SHADOW_SCHEMA
from nextstep.projections.compare import TableChange, counts_sql, sample, samples_sql
from nextstep.projections.digest import differing
from nextstep.projections.io.digests import digest_ranges, digest_table, table_shape
from nextstep.projections.tables import ProjectionTable

#: Rows shown of each kind of change in a table, and skills shown as gained or lost.
SAMPLES = 5
TOP_SKILLS = 10

_SKILLS = """
SELECT name, coalesce(l.jobs, 0) AS live, coalesce(s.jobs, 0) AS rebuilt
  FROM (SELECT unnest(skills || tools) AS name, count(*) AS jobs FROM public.job_entities
         GROUP BY 1) l
  FULL JOIN (SELECT unnest(skills || tools) AS name, count(*) AS jobs
               FROM nextstep_shadow.job_entities GROUP BY 1) s USING (name)
 WHERE coalesce(l.jobs, 0) <> coalesce(s.jobs, 0)
 ORDER BY abs(coalesce(s.jobs, 0) - coalesce(l.jobs, 0)) DESC, name COLLATE "C"
"""

_COSINE = """
SELECT l.job_id::text, l.model_name, 1 - (l.embedding <=> s.embedding) AS cosine
  FROM public.job_embeddings l
  JOIN nextstep_shadow.job_embeddings s USING (job_id, model_name, recipe)
 WHERE l.text_hash = s.text_hash AND NOT 1 - (l.embedding <=> s.embedding) >= $1
 ORDER BY 3, 1, 2
 LIMIT 20
"""


class SkillChange(msgspec.Struct, frozen=True):
    """Jobs that name a skill or tool, in the live tables and in the rebuilt ones."""

    name: str
    live: int
    rebuilt: int


async def compare_tables(connection: Any, tables: Sequence[ProjectionTable]) -> list[TableChange]:
    """
    Return what a rebuild changed, table by table; tables that are not compared are left out.

    The connection is in a snapshot that sees both builds; its search path is changed.
    """
    changes = []
    for table in tables:
        if table.compared:
            changes.append(await _compare(connection, table))
    return changes


async def _compare(connection: Any, table: ProjectionTable) -> TableChange:
    await _look_at(connection, "public")
    shape, key = await table_shape(connection, table.name, table.compared)
    live = await digest_table(connection, table.name, table.compared)
    await _look_at(connection, SHADOW_SCHEMA)
    rebuilt = await digest_table(connection, table.name, table.compared)
    change = TableChange(
        table=table.name,
        stage=table.stage,
        live_rows=live.rows,
        rebuilt_rows=rebuilt.rows,
        live_sha256=live.sha256,
        rebuilt_sha256=rebuilt.sha256,
    )
    if live == rebuilt:
        return change
    theirs = await digest_ranges(connection, table.name, table.compared)
    await _look_at(connection, "public")
    mine = await digest_ranges(connection, table.name, table.compared)
    change.ranges = differing(mine, theirs)
    sides = (f'public."{table.name}"', f'{SHADOW_SCHEMA}."{table.name}"')
    counts = await connection.fetchrow(counts_sql(*sides, shape, key))
    others = [column.name for column in shape if column.name not in key]
    change.added, change.removed, change.changed = counts[:3]
    change.columns = {name: count for name, count in zip(others, counts[3:], strict=True) if count}
    rows = await connection.fetch(samples_sql(*sides, shape, key), SAMPLES)
    change.samples = [sample(tuple(row), others) for row in rows]
    return change


async def compare_skills(connection: Any) -> tuple[list[SkillChange], list[SkillChange]]:
    """Return the skills and tools that most jobs gained, and those that most lost."""
    found = [SkillChange(*row) for row in await connection.fetch(_SKILLS)]
    gained = [change for change in found if change.rebuilt > change.live]
    lost = [change for change in found if change.rebuilt < change.live]
    return gained[:TOP_SKILLS], lost[:TOP_SKILLS]


async def compare_vectors(connection: Any, least: float) -> list[str]:
    """Return vectors of one text that differ by more than rounding: job, model and cosine."""
    return [
        f"vector of job {job} ({model}): cosine {cosine:.6f}"
        for job, model, cosine in await connection.fetch(_COSINE, least)
    ]


async def _look_at(connection: Any, schema: str) -> None:
    await connection.execute(f"SET LOCAL search_path = {schema}, public")
