"""
The migration runner: dbmate's files and dbmate's table, in this process.

Files run as `nextstep_owner`, so that the login user owns nothing and all objects have one owner.
The real dbmate does the same with `?options=-crole%3Dnextstep_owner`. Of several runners one works
and the others wait.

Source: D-12, N-12, postgres.md 2.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from nextstep.db.dsn import canonical
from nextstep.db.migration_files import Block, Migration, read_migrations
from nextstep.db.prepare import Connection, check_server, missing_roles, prepare
from nextstep.db.reach import unreachable
from nextstep.errors import MigrationError
from nextstep.settings import Settings
from nextstep.share import share

#: Key of the advisory lock: "nextstep" in ASCII, as one bigint.
_LOCK = int.from_bytes(b"nextstep", "big")
#: Seconds to wait for another runner; a large index may be in the making.
_LOCK_TIMEOUT_S = 1800
#: Seconds to wait for a table that a long query holds, before giving up rather than blocking all.
_TABLE_LOCK_TIMEOUT = "30s"

_TABLES = """
CREATE TABLE IF NOT EXISTS public.schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE IF NOT EXISTS public.nextstep_migration_checksums (
  version varchar PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
);
"""


def migrate(url: str, settings: Settings | None = None) -> list[str]:
    """
    Apply what is pending and return the versions applied, in order.

    Raises:
        Unreachable: no connection.
        UnsupportedServer: too old, or an extension cannot be had.
        MigrationError: a file is damaged, was edited after it ran, or failed.
    """
    files = read_migrations(share("sql") / "migrations")
    with _session(url) as connection, _locked(connection):
        prepare(connection)
        _become_owner(connection)
        connection.execute(_TABLES.encode())
        applied = _applied(connection)
        _check_history(connection, files, applied)
        waiting = [file for file in files if file.version not in applied]
        for file in waiting:
            _run(connection, file, file.up, _record(file))
        return [file.version for file in waiting]


def rollback(url: str) -> str | None:
    """Undo the newest migration and return its version, or None when there is none."""
    files = {file.version: file for file in read_migrations(share("sql") / "migrations")}
    with _session(url) as connection, _locked(connection):
        applied = _applied(connection)
        if not applied:
            return None
        version = max(applied)
        if version not in files:
            raise MigrationError(
                f"migration {version} has no file here",
                detail="a newer NextStep applied it",
                hint="roll back with that version of NextStep",
            )
        _become_owner(connection)
        _run(connection, files[version], files[version].down, _forget(version))
        return version


def pending(url: str) -> list[str]:
    """Return the versions not yet applied, in order."""
    with _session(url) as connection:
        return _pending(connection)


def unknown(url: str) -> list[str]:
    """Return the versions that are applied but have no file here, in order."""
    files = {file.version for file in read_migrations(share("sql") / "migrations")}
    with _session(url) as connection:
        return sorted(_applied(connection) - files)


def require_migrated(url: str) -> None:
    """
    Raise where migrations are pending; changes nothing.

    Raises:
        MigrationError: what is pending, and the command that applies it.
    """
    with _session(url) as connection:
        check_server(connection)
        waiting = _pending(connection)
    if waiting:
        raise MigrationError(
            f"{len(waiting)} migration(s) are pending, from {waiting[0]}",
            detail="the tables do not fit this version of NextStep",
            hint="nextstep db migrate",
        )


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Yield an autocommit connection of the login user; raise Unreachable where there is none."""
    try:
        connection: Connection = psycopg.connect(
            canonical(url), autocommit=True, connect_timeout=10, application_name="nextstep migrate"
        )
    except psycopg.OperationalError as error:
        raise unreachable(url, error) from error
    with connection:
        yield connection


@contextmanager
def _session(url: str) -> Iterator[Connection]:
    with connected(url) as connection:
        try:
            yield connection
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise
            raise unreachable(url, error) from error


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    # Polled, because a waiter inside pg_advisory_lock holds a snapshot, and CREATE INDEX
    # CONCURRENTLY waits for every snapshot: the two deadlock.
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise MigrationError(
                "another process has been migrating this database for too long",
                hint="see who holds it: SELECT * FROM pg_locks WHERE locktype = 'advisory'",
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("RESET ROLE")
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _become_owner(connection: Connection) -> None:
    # Tables that a plain `dbmate up` made belong to its login user; go on as whoever owns them.
    row = connection.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class"
        " WHERE oid = to_regclass('public.schema_migrations')"
    ).fetchone()
    owner = str(row[0]) if row else "nextstep_owner"
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as error:
        raise MigrationError(
            f"the user {connection.info.user} may not act as {owner}",
            detail=f"roles out of reach: {', '.join(missing_roles(connection)) or owner}",
            hint=f"an administrator runs: GRANT {owner} TO {connection.info.user}",
        ) from error


def _applied(connection: Connection) -> set[str]:
    if connection.execute("SELECT to_regclass('public.schema_migrations')").fetchone() == (None,):
        return set()
    rows = connection.execute("SELECT version FROM public.schema_migrations ORDER BY version")
    return {str(row[0]) for row in rows}


def _pending(connection: Connection) -> list[str]:
    applied = _applied(connection)
    files = read_migrations(share("sql") / "migrations")
    return [file.version for file in files if file.version not in applied]


def _check_history(connection: Connection, files: list[Migration], applied: set[str]) -> None:
    newest = max(applied, default="")
    late = [file.name for file in files if file.version < newest and file.version not in applied]
    if late:
        raise MigrationError(
            f"migration {late[0]} is older than {newest}, which is applied already",
            hint="give the file a newer version",
        )
    # dbmate knows no checksums: forget those of what it rolled back, learn those of what it ran.
    connection.execute(
        "DELETE FROM public.nextstep_migration_checksums AS c WHERE NOT EXISTS"
        " (SELECT FROM public.schema_migrations AS m WHERE m.version = c.version)"
    )
    rows = connection.execute("SELECT version, sha256 FROM public.nextstep_migration_checksums")
    known = {str(version): str(checksum) for version, checksum in rows}
    for file in files:
        if file.version not in applied:
            continue
        if known.get(file.version, file.checksum) != file.checksum:
            raise MigrationError(
                f"migration {file.name} was edited after it ran",
                detail="its checksum differs from the one recorded then",
                hint="restore the file and write a new migration instead",
            )
        if file.version not in known:
            connection.execute(_insert_checksum(file))


def _run(connection: Connection, file: Migration, block: Block, record: sql.Composed) -> None:
    connection.execute("RESET ALL")  # what one file SETs must not reach the next
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(_TABLE_LOCK_TIMEOUT)))
    try:
        if block.transaction:
            with connection.transaction():
                connection.execute(block.sql.encode())
                connection.execute(record)
        else:
            connection.execute(block.sql.encode())
            connection.execute(record)
    except psycopg.Error as error:
        if connection.broken:
            raise
        raise MigrationError(
            f"migration {file.name} failed: {error.diag.message_primary or type(error).__name__}",
            detail="nothing of it was kept" if block.transaction else "it ran without transaction",
            hint=error.diag.message_hint or "mend the cause, then: nextstep db migrate",
        ) from error


def _record(file: Migration) -> sql.Composed:
    version = sql.Literal(file.version)
    insert = sql.SQL("INSERT INTO public.schema_migrations (version) VALUES ({});")
    return insert.format(version) + _insert_checksum(file)


def _insert_checksum(file: Migration) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO public.nextstep_migration_checksums (version, sha256) VALUES ({}, {})"
        " ON CONFLICT (version) DO NOTHING"
    ).format(sql.Literal(file.version), sql.Literal(file.checksum))


def _forget(version: str) -> sql.Composed:
    return sql.SQL(
        "DELETE FROM public.schema_migrations WHERE version = {v};"
        "DELETE FROM public.nextstep_migration_checksums WHERE version = {v}"
    ).format(v=sql.Literal(version))
