"""
Loading: one transaction that ends with a database like the packed one, or with nothing.

The files are checked first, so that a damaged artifact is refused before anything is written. Then:
the log with its heads, verified by `load_job_events`; every other table by COPY, without its
indexes; offsets; indexes; ANALYZE; and checks of what is there. Replaying the log gives the same.

Source: N-79, N-94 to N-97, C-21, decisions.md 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from nextstep import clock
from nextstep.db.migrate import connected, require_migrated
from nextstep.db.prepare import Connection
from nextstep.db.vector_index import ensure, memory_budget, planned
from nextstep.errors import DatabaseError, FileError
from nextstep.events.stage import Stage, stage_version
from nextstep.ops.artifacts import catalog, layout
from nextstep.ops.artifacts.check import Check, check_loaded
from nextstep.ops.artifacts.layout import Manifest
from nextstep.ops.artifacts.rows import read_table
from nextstep.settings import Settings

OnStep = Callable[[str, int], None]

# Holders write their heartbeats every second; an older one is gone.
_HELD = """
SELECT stage FROM stage_offsets
 WHERE holder <> '' AND heartbeat_at > clock_timestamp() - interval '10 s'
 ORDER BY stage COLLATE "C"
"""
_INDEXES = """
SELECT c.relname::text, pg_get_indexdef(i.indexrelid), m.amname IN ('hnsw', 'ivfflat')
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_am m ON m.oid = c.relam
 WHERE i.indrelid = ANY (SELECT to_regclass('public.' || quote_ident(t)) FROM unnest(%s::text[]) t)
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
 ORDER BY c.relname COLLATE "C"
"""
_OFFSET = """
INSERT INTO stage_offsets AS o (stage, position, version, status, reason, last_error)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (stage) DO UPDATE
   SET position = excluded.position, version = excluded.version, status = excluded.status,
       reason = excluded.reason, last_error = excluded.last_error,
       epoch = o.epoch + 1, holder = '', heartbeat_at = NULL
"""
_SEQUENCES = """
SELECT c.relname::text, a.attname::text,
       pg_get_serial_sequence('public.' || quote_ident(c.relname), a.attname)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s)
   AND pg_get_serial_sequence('public.' || quote_ident(c.relname), a.attname) IS NOT NULL
 ORDER BY 1, 2
"""
#: Memory of an index build: what one needs for 100,000 posts, a sixteenth of a 4 GB server.
_BUILD_MEMORY = "256MB"


class LoadReport(msgspec.Struct):
    """What was loaded. `stale` are stages whose rows other code made; times are seconds."""

    artifact_id: str
    head: int
    rows: dict[str, int]
    checks: list[Check]
    stale: list[str]
    vector_indexes: list[str]
    verify_s: float = 0.0
    copy_s: float = 0.0
    index_s: float = 0.0
    check_s: float = 0.0


def load(
    url: str,
    folder: Path,
    settings: Settings,
    stages: Sequence[Stage],
    *,
    accept_nulls: bool = False,
    on_table: OnStep | None = None,
) -> LoadReport:
    """
    Load an artifact into an empty, migrated database: all of it or nothing.

    Args:
        accept_nulls: load also what lacks more values than the thresholds allow.
        on_table: called with name and rows after each table.

    Raises:
        FileError: the artifact is damaged, mixed up or of another schema; nothing was written.
        DatabaseError: the database is not empty, in use or not migrated, or what was loaded does
            not agree with the artifact; nothing was kept.
    """
    started = clock.monotonic_s()
    manifest = layout.verify(folder)
    verify_s = _since(started)
    require_migrated(url)
    with connected(url) as connection, connection.transaction():
        catalog.begin(connection, read_only=False)
        present = _require_room(connection, manifest, stages)
        started = clock.monotonic_s()
        indexes = _drop_indexes(connection, [table.name for table in manifest.tables])
        loaded = _copy(connection, manifest, folder, on_table)
        copy_s = _since(started)
        started = clock.monotonic_s()
        vector_indexes = _finish(connection, url, settings, indexes, present)
        index_s = _since(started)
        started = clock.monotonic_s()
        checks = check_loaded(connection, manifest)
        failed = [each for each in checks if not each.ok]
        if accept_nulls:
            failed = [each for each in failed if each.name != "null rates"]
        if failed:
            raise DatabaseError(
                f"what was loaded is not as it should be: {failed[0].name}: {failed[0].detail}",
                detail="; ".join(f"{each.name}: {each.detail}" for each in failed[1:])
                or "nothing was kept",
                hint="nextstep artifacts verify; then pack and copy it again"
                if failed[0].name != "null rates"
                else "look at the source of these posts; --accept-nulls loads it all the same",
            )
        return LoadReport(
            artifact_id=manifest.artifact_id,
            head=manifest.head,
            rows=loaded,
            checks=checks,
            stale=_stale(manifest, settings, stages),
            vector_indexes=vector_indexes,
            verify_s=verify_s,
            copy_s=copy_s,
            index_s=index_s,
            check_s=_since(started),
        )


def _require_room(connection: Connection, manifest: Manifest, stages: Sequence[Stage]) -> list[str]:
    """Every table of the artifact is there with its columns, and empty; nobody works on them."""
    here = {table.name: table for table in catalog.tables(connection, stages)}
    for table in manifest.tables:
        lacking = sorted(
            set(table.columns) - set(here[table.name].columns if table.name in here else ())
        )
        if lacking:
            raise FileError(
                f"the database has no place for {table.name} ({', '.join(lacking)})",
                detail=f"the artifact was packed by NextStep {manifest.nextstep} with migration "
                f"{manifest.migrations[-1] if manifest.migrations else 'none'}",
                hint="install that version or a newer one, then: nextstep db migrate",
            )
    names = [sql.Identifier("public", table.name) for table in manifest.tables]
    try:
        connection.execute("SET LOCAL lock_timeout = '5s'")
        connection.execute(
            sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
                sql.SQL(", ").join([sql.Identifier("public", "stage_offsets"), *names])
            )
        )
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseError(
            "the database is in use",
            detail="its tables were not free within 5 s",
            hint="stop the services: systemctl stop nextstep.target",
        ) from error
    held = [str(row[0]) for row in connection.execute(_HELD)]
    if held:
        raise DatabaseError(
            f"a process works on {', '.join(held)}",
            hint="stop the services: systemctl stop nextstep.target",
        )
    full = [
        table.name
        for table, name in zip(manifest.tables, names, strict=True)
        if connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(name)).fetchone()
        == (True,)
    ]
    if full:
        raise DatabaseError(
            f"the database is not empty: {', '.join(full[:5])}",
            detail="an artifact holds a whole log; two logs cannot be made one",
            hint="name a new database in DATABASE_URL, then: nextstep db migrate",
        )
    return list(here)


def _drop_indexes(connection: Connection, tables: Sequence[str]) -> list[str]:
    """Drop what is not a key and return how to make it again; vector indexes are planned anew."""
    again = []
    for name, definition, is_vector in connection.execute(_INDEXES, [list(tables)]).fetchall():
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier("public", str(name))))
        if not is_vector:
            again.append(str(definition))
    return again


def _copy(
    connection: Connection, manifest: Manifest, folder: Path, on_table: OnStep | None
) -> dict[str, int]:
    loaded: dict[str, int] = {}
    waiting = set(catalog.LOG)
    for table in manifest.tables:
        loaded[table.name] = read_table(connection, table, folder)
        waiting.discard(table.name)
        if not waiting and table.name in catalog.LOG:
            _require_log(connection, manifest)
        if on_table is not None:
            on_table(table.name, loaded[table.name])
    for state in manifest.stages:
        connection.execute(_OFFSET, list(msgspec.structs.astuple(state)))
    for table_name, column, sequence in connection.execute(_SEQUENCES, [list(loaded)]).fetchall():
        connection.execute(
            sql.SQL("SELECT setval({}, coalesce(max({}), 0) + 1, false) FROM {}").format(
                sql.Literal(sequence),
                sql.Identifier(str(column)),
                sql.Identifier("public", str(table_name)),
            )
        )
    return loaded


def _require_log(connection: Connection, manifest: Manifest) -> None:
    try:
        connection.execute(
            "SELECT load_job_events(%s, %s)", [manifest.head, bytes.fromhex(manifest.chain)]
        )
    except psycopg.errors.DataCorrupted as error:
        raise FileError(
            f"the artifact's log is refused: {error.diag.message_primary}",
            detail="its checksums are right, so it was packed like that or made by hand",
            hint="nextstep log verify on the database it was packed from",
        ) from error


def _finish(
    connection: Connection,
    url: str,
    settings: Settings,
    indexes: Sequence[str],
    tables: Sequence[str],
) -> list[str]:
    connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [_BUILD_MEMORY])
    for definition in indexes:
        connection.execute(definition.encode())
    names = []
    for index in planned(connection):
        if index.method != "none" and index.rows >= settings.vector_index_min_rows:
            names.append(ensure(connection, index, budget_bytes=memory_budget(url)))
            catalog.begin(connection, read_only=False)  # the build leaves no setting behind
    for table in (*tables, "stage_offsets"):
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("public", table)))
    return names


def _stale(manifest: Manifest, settings: Settings, stages: Sequence[Stage]) -> list[str]:
    versions = {state.stage: state.version for state in manifest.stages}
    return [
        stage.name
        for stage in stages
        if versions.get(stage.name) and versions[stage.name] != stage_version(stage, settings)
    ]


def _since(started: float) -> float:
    return round(clock.monotonic_s() - started, 2)
