"""
Which tables an artifact holds, read off the stages and the catalogs, and how they are read.

Every ordinary table of the schema goes along, so that a new one needs no line here; those that are
left out are named with their reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from nextstep.db.prepare import Connection
from nextstep.errors import MigrationError
from nextstep.events.stage import Stage
from nextstep.projections.digest import Column, digest_sql
from nextstep.projections.tables import projection_tables

LOG = ("job_events", "job_heads")
#: Written by whoever migrates; kept in the manifest with the stages' offsets; who may enter this
#: server and what its operators did, and files of its own disks, which say nothing of another one.
_NOT_PACKED = (
    "schema_migrations", "nextstep_migration_checksums", "stage_offsets",
    "access_tokens", "access_sessions", "operator_actions", "bulk_runs", "bulk_ranges",
)  # fmt: skip

# Unlogged tables hold what is under way; a generated column makes itself.
_TABLES = """
SELECT c.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attgenerated = ''),
       (SELECT array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
          FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attgenerated = ''),
       (SELECT array_agg(a.attname::text ORDER BY k.place)
          FROM pg_index i
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
         WHERE i.indrelid = c.oid AND i.indisprimary),
       (SELECT array_agg(r.relname::text) FROM pg_constraint f
          JOIN pg_class r ON r.oid = f.confrelid
         WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid)
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.relname COLLATE "C"
"""

_SESSION = {
    "search_path": "public",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "statement_timeout": "0",
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "0",
}


class Table(msgspec.Struct, frozen=True):
    """A table as it is; `compared` are the columns of its digest, empty for one without."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[str, ...]
    after: frozenset[str]
    compared: tuple[str, ...]


def tables(connection: Connection, stages: Iterable[Stage]) -> list[Table]:
    """
    Return the tables to pack: the log, those of the stages, then all others, parents first.

    Raises:
        MigrationError: a table of a stage is not there, or has no primary key.
    """
    projections = {table.name: table.compared for table in projection_tables(stages)}
    rows: list[tuple[Any, ...]] = connection.execute(_TABLES).fetchall()
    found = {
        str(name): Table(
            str(name),
            tuple(columns or ()),
            tuple(types or ()),
            tuple(key or ()),
            frozenset(after or ()),
            projections.get(str(name), ()),
        )
        for name, columns, types, key, after in rows
        if name not in _NOT_PACKED
    }
    if missing := [name for name in (*LOG, *projections) if name not in found]:
        raise MigrationError(f"table {missing[0]} is not there", hint="nextstep db migrate")
    if keyless := [name for name, table in found.items() if not table.key]:
        raise MigrationError(f"table {keyless[0]} has no primary key, so its rows have no order")
    first = [*LOG, *projections]
    return _parents_first([found[name] for name in (*first, *sorted(found.keys() - set(first)))])


def _parents_first(wanted: Sequence[Table]) -> list[Table]:
    ordered: list[Table] = []
    waiting = sorted(wanted, key=lambda table: (table.name not in LOG, not table.compared))
    while waiting:
        done = {table.name for table in ordered}
        names = {table.name for table in waiting}
        ready = next((table for table in waiting if not (table.after & names) - done), waiting[0])
        ordered.append(ready)
        waiting.remove(ready)
    return ordered


def begin(connection: Connection, *, read_only: bool) -> None:
    """Make the open transaction one of the tables' owner, with texts that are the same anywhere."""
    if read_only:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    row = connection.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.job_events'::regclass"
    ).fetchone()
    assert row is not None
    try:
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(str(row[0]))))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as error:
        raise MigrationError(
            f"the user {connection.info.user} may not act as {row[0]}",
            hint=f"an administrator runs: GRANT {row[0]} TO {connection.info.user}",
        ) from error
    for name, value in _SESSION.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])


def digest(connection: Connection, name: str, compared: Sequence[str]) -> tuple[int, str]:
    """
    Return rows and digest of a table over some of its columns.

    Raises:
        MigrationError: the table has no such column.
    """
    rows = connection.execute(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),"
        " array_position(i.indkey::int2[], a.attnum)"
        " FROM pg_attribute a"
        " LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
        " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped",
        [f'public."{name}"'],
    ).fetchall()
    types = {str(column): str(kind) for column, kind, _ in rows}
    if missing := [column for column in compared if column not in types]:
        raise MigrationError(f"table {name} has no column {missing[0]}", hint="nextstep db migrate")
    places = {str(column): int(str(place)) for column, _, place in rows if place is not None}
    shape = [Column(column, types[column]) for column in compared]
    found = connection.execute(
        digest_sql(name, shape, sorted(places, key=places.__getitem__)).encode()
    ).fetchone()
    assert found is not None
    return int(str(found[0])), str(found[1])


def order_by(table: Table) -> str:
    """Return the columns of the primary key to sort by, texts by code point."""
    types = dict(zip(table.columns, table.types, strict=True))
    return ", ".join(
        f'"{name}"' + (' COLLATE "C"' if types[name] in ("text", "character varying") else "")
        for name in table.key
    )
