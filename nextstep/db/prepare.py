"""
What a server and a database must have before migrations: version, extensions, roles, grants.

What is missing is made where the login user may; else the error names the file for the
administrator.
"""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from nextstep.errors import MigrationError, UnsupportedServer
from nextstep.share import share

FLOOR = 140000
EXTENSIONS = ("vector", "pg_trgm", "unaccent")
ROLES = (
    "nextstep_owner",
    "nextstep_ingest",
    "nextstep_worker",
    "nextstep_rebuild",
    "nextstep_api",
)
_PACKAGES = {"vector": "postgresql-{major}-pgvector"}

Connection = psycopg.Connection[tuple[object, ...]]

_MISSING_EXTENSIONS = """
SELECT wanted FROM unnest(%s::text[]) WITH ORDINALITY AS w (wanted, place)
WHERE NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = wanted)
  AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = wanted)
ORDER BY place
"""

_MISSING_ROLES = """
SELECT wanted FROM unnest(%s::text[]) WITH ORDINALITY AS w (wanted, place)
WHERE NOT EXISTS (
  SELECT FROM pg_roles
  WHERE rolname = wanted AND pg_has_role(session_user, oid, %s)
)
ORDER BY place
"""

_DATABASE_IS_READY = """
SELECT (SELECT count(*) = 3 FROM pg_extension WHERE extname IN ('vector', 'pg_trgm', 'unaccent'))
   AND has_database_privilege('nextstep_owner', current_database(), 'CREATE')
   AND has_schema_privilege('nextstep_owner', 'public', 'CREATE')
"""


def check_server(connection: Connection) -> None:
    """
    Raise UnsupportedServer where the server is too old or an extension cannot be had.

    Source: N-03, N-04, N-60.
    """
    version = connection.info.server_version
    if version < FLOOR:
        raise UnsupportedServer(
            f"PostgreSQL {version // 10000} is too old: NextStep needs 14 or newer",
            detail=f"the server reports server_version_num {version}",
            hint="name another server in DATABASE_URL, or unset it to use the embedded one",
        )
    missing = [row[0] for row in connection.execute(_MISSING_EXTENSIONS, [list(EXTENSIONS)])]
    if missing:
        major = version // 10000
        package = _PACKAGES.get(str(missing[0]), "postgresql-contrib").format(major=major)
        raise UnsupportedServer(
            f"the server lacks the extension {', '.join(map(str, missing))}",
            detail="its files are not installed on the server's host",
            hint=f"install them there: apt-get install {package}",
        )


def prepare(connection: Connection) -> None:
    """
    Make roles, extensions and grants that are missing.

    Raises:
        UnsupportedServer: see `check_server`.
        MigrationError: something is missing and the login user may not make it.
    """
    check_server(connection)
    if missing_roles(connection):
        _run_file(connection, "roles.sql", "it needs CREATEROLE; see the GRANT in its head")
    if connection.execute(_DATABASE_IS_READY).fetchone() != (True,):
        _run_file(connection, "database.sql", "`vector` can be made by a superuser only")


def missing_roles(connection: Connection) -> list[str]:
    """Return our roles that do not exist or that the login user may not take on."""
    # From 16 on membership alone no longer allows SET ROLE.
    kind = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    return [str(row[0]) for row in connection.execute(_MISSING_ROLES, [list(ROLES), kind])]


def _run_file(connection: Connection, name: str, why: str) -> None:
    try:
        with connection.transaction():
            connection.execute((share("sql") / "ops" / name).read_bytes())
    except (pg.InsufficientPrivilege, pg.UndefinedObject) as error:
        user = connection.info.user
        database = connection.info.dbname
        raise MigrationError(
            f"the user {user} may not prepare the database {database}",
            detail=f"{error.diag.message_primary}; {why}",
            hint=f"an administrator runs once: psql -d {database} -f {share('sql')}/ops/{name}"
            + (f" and GRANT {', '.join(ROLES)} TO {user}" if name == "roles.sql" else ""),
        ) from error
