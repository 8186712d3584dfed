"""
The shadow of the tables: made like the live ones, filled beside them, put in their place.

Everything is read from the catalogs, so that a shadow has the columns, keys, indexes, options and
grants of the live table, under the same names, in a schema of its own.

Source: decisions.md 23, design.md 5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from nextstep import clock
from nextstep.errors import RebuildFailed
from nextstep.events.io.space import OLD_SCHEMA, SHADOW_SCHEMA

#: The runner's own tables: a shadow has its own offsets, letters and runs.
BOOKS = ("stage_offsets", "dead_letters", "pipeline_runs")
_PLAN = f"{SHADOW_SCHEMA}.rebuild_plan"
#: Index kinds that are much cheaper to build over a full table.
_LATE = (" USING gin ", " USING hnsw ", " USING ivfflat ")
_WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"

#: Milliseconds in which all tables must be locked at once, and seconds of trying again. Readers
#: queue behind a lock that waits, so it must not wait long.
_LOCK_MS = 50
_LOCK_TRIES_S = 60.0

_SHAPE = """
SELECT array_to_string(c.reloptions, ', ') AS options,
       ARRAY(SELECT format('ADD CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid))
               FROM pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
              ORDER BY k.conname COLLATE "C") AS keys,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid)
               FROM pg_index i
              WHERE i.indrelid = c.oid AND i.indisvalid
                AND NOT EXISTS (SELECT FROM pg_constraint k
                                 WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
              ORDER BY 1) AS indexes,
       ARRAY(SELECT format('%s ON %%s TO %s', a.privilege_type,
                           CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
               FROM aclexplode(c.relacl) a
              WHERE a.grantee <> c.relowner
              ORDER BY 1) AS grants
  FROM pg_class c
 WHERE c.oid = to_regclass('public.' || quote_ident($1))
"""

_VIEWS = """
SELECT DISTINCT v.oid::regclass::text AS name, pg_get_viewdef(v.oid) AS body
  FROM pg_depend d
  JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
 WHERE d.refobjid = ANY (SELECT to_regclass('public.' || quote_ident(t)) FROM unnest($1::text[]) t)
 ORDER BY 1
"""


class Plan(msgspec.Struct, frozen=True):
    """What a shadow is being made of; another plan cannot go on with it."""

    stages: dict[str, str]
    at: int | None
    schema: str
    fresh_vectors: bool


async def found_plan(connection: asyncpg.Connection) -> Plan | None:
    """Return the plan of a shadow that a rebuild left behind, if there is one."""
    if await connection.fetchval("SELECT to_regclass($1)", _PLAN) is None:
        return None
    document = await connection.fetchval(f"SELECT document FROM {_PLAN}")
    return None if document is None else msgspec.convert(document, Plan)


async def make(
    connection: asyncpg.Connection,
    plan: Plan,
    tables: Sequence[str],
    *,
    bare: Sequence[str] = (),
) -> None:
    """
    Make an empty shadow of the tables and of the runner's books; all or nothing.

    Args:
        bare: tables that are filled by COPY: they get their keys now, `build_indexes` the rest.
    """
    async with connection.transaction():
        await drop(connection)
        for table in (*BOOKS, *tables):
            await _make_one(connection, table, is_bare=table in bare)
        # Given up for good is given up in a rebuild too.
        await connection.execute(
            f"INSERT INTO {SHADOW_SCHEMA}.dead_letters SELECT * FROM public.dead_letters"
            " WHERE status = 'discarded' AND stage = ANY ($1::text[])",
            list(plan.stages),
        )
        await connection.executemany(
            f"INSERT INTO {SHADOW_SCHEMA}.stage_offsets (stage, stop_at, stop_until)"
            " VALUES ($1, $2, CASE WHEN $2::bigint IS NOT NULL THEN 'infinity'::timestamptz END)",
            [(stage, plan.at) for stage in plan.stages],
        )
        await connection.execute(f"CREATE TABLE {_PLAN} (document jsonb NOT NULL)")
        await connection.execute(
            f"INSERT INTO {_PLAN} VALUES ($1::jsonb)", msgspec.to_builtins(plan)
        )


async def _make_one(connection: asyncpg.Connection, table: str, *, is_bare: bool) -> None:
    shape = await _shape(connection, table)
    shadow = f'{SHADOW_SCHEMA}."{table}"'
    script = [f'CREATE TABLE {shadow} (LIKE public."{table}" INCLUDING ALL EXCLUDING INDEXES)']
    if shape["options"]:
        script.append(f"ALTER TABLE {shadow} SET ({shape['options']})")
    script += [f"ALTER TABLE {shadow} {key}" for key in shape["keys"]]
    if not is_bare:
        script += [_in_shadow(index) for index in shape["indexes"] if not _is_late(index)]
    script += [f"GRANT {grant % shadow}" for grant in shape["grants"]]
    script.append(f"GRANT SELECT, {_WRITES} ON {shadow} TO nextstep_rebuild")
    await connection.execute(";\n".join(script))


async def build_late_indexes(connection: asyncpg.Connection, tables: Sequence[str]) -> int:
    """Build the indexes left for last, where they are still missing; return how many."""
    return await build_indexes(connection, tables, only_late=True)


async def build_indexes(
    connection: asyncpg.Connection, tables: Sequence[str], *, only_late: bool = False
) -> int:
    """Build what a bare table lacks, or of any table what is left for last; return how many."""
    made = 0
    for table in tables:
        for index in (await _shape(connection, table))["indexes"]:
            if not only_late or _is_late(index):
                await connection.execute(
                    _in_shadow(index).replace(" INDEX ", " INDEX IF NOT EXISTS ", 1)
                )
                made += 1
        await connection.execute(f'ANALYZE {SHADOW_SCHEMA}."{table}"')
    return made


async def _shape(connection: asyncpg.Connection, table: str) -> Any:
    shape = await connection.fetchrow(_SHAPE, table)
    if shape is None:
        raise RebuildFailed(f"table {table} is not there", hint="nextstep db migrate")
    return shape


def _is_late(index: str) -> bool:
    return any(kind in index for kind in _LATE)


def _in_shadow(index: str) -> str:
    return index.replace(" ON public.", f" ON {SHADOW_SCHEMA}.", 1)


async def drop(connection: asyncpg.Connection) -> None:
    """Drop every table of the shadow."""
    await _empty(connection, SHADOW_SCHEMA)


async def drop_old(connection: asyncpg.Connection) -> list[str]:
    """Drop what earlier swaps put aside; return the tables' names."""
    return await _empty(connection, OLD_SCHEMA)


async def _empty(connection: asyncpg.Connection, schema: str) -> list[str]:
    names = [
        str(row[0])
        for row in await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace"
            " AND relkind = 'r' ORDER BY relname COLLATE \"C\"",
            schema,
        )
    ]
    if names:
        await connection.execute("DROP TABLE " + ", ".join(f'{schema}."{name}"' for name in names))
    return names


async def swap(
    connection: asyncpg.Connection,
    tables: Sequence[str],
    offsets: dict[str, tuple[int, str]],
    rewound: Sequence[str],
) -> float:
    """
    Put the shadow's tables in the place of the live ones; return milliseconds of exclusive lock.

    Args:
        offsets: stage -> (position, version) of what the shadow holds.
        rewound: stages that read from them and were not rebuilt; they read all again.

    Raises:
        RebuildFailed: readers never left the tables free; nothing was changed.
    """
    await _drop_replaced(connection, tables)
    views = await connection.fetch(_VIEWS, list(tables))
    script = []
    for table in tables:
        script += [
            f'ALTER TABLE public."{table}" SET SCHEMA {OLD_SCHEMA}',
            f'ALTER TABLE {SHADOW_SCHEMA}."{table}" SET SCHEMA public',
            f'REVOKE {_WRITES} ON public."{table}" FROM nextstep_rebuild',
        ]
    # Bound anew to the tables that have their names now; grants and owner stay.
    script += [f"CREATE OR REPLACE VIEW {view['name']} AS {view['body']}" for view in views]
    deadline = clock.monotonic_s() + _LOCK_TRIES_S
    tries = 0
    while True:
        try:
            return await _swap_once(connection, tables, ";\n".join(script), offsets, rewound)
        except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as error:
            if clock.monotonic_s() > deadline:
                raise RebuildFailed(
                    "the tables were never free long enough to be swapped",
                    detail=f"{tries + 1} tries of {_LOCK_MS} ms in {_LOCK_TRIES_S:.0f} s",
                    hint="end long transactions (SELECT * FROM pg_stat_activity), then swap again",
                ) from error
        tries += 1
        await asyncio.sleep(min(1.0, 0.05 * tries))


async def _swap_once(
    connection: asyncpg.Connection,
    tables: Sequence[str],
    script: str,
    offsets: dict[str, tuple[int, str]],
    rewound: Sequence[str],
) -> float:
    names = ", ".join(f'public."{table}"' for table in tables)
    async with connection.transaction():
        # One limit for all locks together: readers of the first table wait for the last one too.
        await connection.execute(f"SET LOCAL statement_timeout = {_LOCK_MS}")
        await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        started = clock.monotonic_s()
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(script)
        await connection.execute(
            "UPDATE public.stage_offsets s SET position = n.position, version = n.version,"
            " epoch = s.epoch + 1, holder = '', heartbeat_at = NULL, stop_until = NULL,"
            " status = CASE WHEN s.status = 'halted' THEN 'running' ELSE s.status END,"
            " reason = CASE WHEN s.status = 'halted' THEN '' ELSE s.reason END, last_error = '',"
            " updated_at = clock_timestamp()"
            " FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (stage, position, version)"
            " WHERE s.stage = n.stage",
            list(offsets),
            [position for position, _ in offsets.values()],
            [version for _, version in offsets.values()],
        )
        await connection.execute(
            "UPDATE public.stage_offsets SET position = 0, epoch = epoch + 1, holder = '',"
            " heartbeat_at = NULL WHERE stage = ANY ($1::text[])",
            list(rewound),
        )
        await connection.execute(
            "UPDATE public.dead_letters SET status = 'resolved', last_at = clock_timestamp()"
            " WHERE stage = ANY ($1::text[]) AND status = 'parked'",
            list(offsets),
        )
    return (clock.monotonic_s() - started) * 1000


async def _drop_replaced(connection: asyncpg.Connection, tables: Sequence[str]) -> None:
    names = ", ".join(f'{OLD_SCHEMA}."{table}"' for table in tables)
    await connection.execute(f"DROP TABLE IF EXISTS {names}")
