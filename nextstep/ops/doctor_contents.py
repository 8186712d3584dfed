"""Checks of what is in the database: migrations, grants, offsets, indexes."""

from __future__ import annotations

from collections.abc import Iterator

from nextstep.db.migrate import pending, unknown
from nextstep.db.prepare import Connection
from nextstep.db.vector_index import existing, planned
from nextstep.ops.finding import Finding, Target

_FOREIGN_TABLES = """
SELECT c.relname, pg_get_userbyid(c.relowner) FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND pg_get_userbyid(c.relowner) <> 'nextstep_owner'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname COLLATE "C"
"""

_LOG_WRITERS = """
SELECT r.role, p.privilege
FROM unnest(ARRAY['nextstep_ingest', 'nextstep_worker', 'nextstep_rebuild',
                  'nextstep_api']) AS r (role),
     unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
WHERE has_table_privilege(r.role, 'public.job_events', p.privilege)
ORDER BY r.role, p.privilege
"""

_OFFSETS = """
SELECT o.stage, o.position, h.head, o.status, o.reason
FROM stage_offsets AS o
CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM job_events) AS h
WHERE o.position > h.head OR o.status = 'halted'
ORDER BY o.stage COLLATE "C"
"""

_INVALID = """
SELECT i.indexrelid::regclass::text FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relnamespace = 'public'::regnamespace
ORDER BY 1
"""


def migrations(connection: Connection, target: Target) -> Iterator[Finding]:
    """Do the tables fit this version of NextStep?"""
    waiting = pending(target.url)
    if waiting:
        yield Finding(
            "migrations",
            "error",
            f"{len(waiting)} pending, from {waiting[0]}",
            "nextstep db migrate",
        )
    newer = unknown(target.url)
    if newer:
        yield Finding(
            "migrations",
            "warning",
            f"{newer[-1]} was applied by a newer NextStep",
            "install that version again, or roll back with it",
        )


def grants(connection: Connection, target: Target) -> Iterator[Finding]:
    """Is the log closed to the application, and do the tables belong to the owner role?"""
    foreign = connection.execute(_FOREIGN_TABLES).fetchall()
    if foreign:
        table, owner = foreign[0]
        yield Finding(
            "grants",
            "warning",
            f"{len(foreign)} tables such as {table} belong to {owner}, not to nextstep_owner",
            f"ALTER TABLE {table} OWNER TO "
            "nextstep_owner; run dbmate with ?options=-crole%3Dnextstep_owner",
        )
    if not _exists(connection, "job_events") or not _exists(connection, "stage_offsets"):
        return
    for role, privilege in connection.execute(_LOG_WRITERS).fetchall():
        yield Finding(
            "grants",
            "error",
            f"{role} may {privilege} in the log",
            f"REVOKE {privilege} ON job_events FROM {role}",
        )


def offsets(connection: Connection, target: Target) -> Iterator[Finding]:
    """Is every stage within the log, and is none halted?"""
    if not _exists(connection, "job_events") or not _exists(connection, "stage_offsets"):
        return
    for stage, position, head, status, reason in connection.execute(_OFFSETS).fetchall():
        if int(str(position)) > int(str(head)):
            yield Finding(
                "offsets",
                "error",
                f"{stage} stands at {position}, beyond the head {head}: the log lost its tail",
                f"nextstep log verify; nextstep reset {stage} --to {head}",
            )
        if status == "halted":
            yield Finding(
                "offsets",
                "warning",
                f"{stage} is halted: {reason}",
                f"nextstep status; nextstep resume {stage}",
            )


def indexes(connection: Connection, target: Target) -> Iterator[Finding]:
    """Is every index valid, and has every large model its vector index?"""
    for (name,) in connection.execute(_INVALID).fetchall():
        yield Finding(
            "indexes",
            "warning",
            f"the index {name} is invalid: its build was cut off",
            f"DROP INDEX CONCURRENTLY {name}; nextstep db plan-index --apply",
        )
    if not _exists(connection, "job_embeddings"):
        return
    for index in planned(connection):
        enough = index.rows >= target.settings.vector_index_min_rows
        if enough and index.method != "none" and index.name not in existing(connection, index):
            yield Finding(
                "indexes",
                "notice",
                f"{index.rows} vectors of {index.model} have no "
                "index, so searches are exact and slow",
                "nextstep db plan-index --apply",
            )


def _exists(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s)::text", [f"public.{table}"]).fetchone()
    return row != (None,)
