"""Checks of the server itself: version, extensions, roles, clock, notifications, disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from nextstep import clock as our_clock
from nextstep.db.migrate import connected
from nextstep.db.prepare import EXTENSIONS, FLOOR, ROLES, Connection, missing_roles
from nextstep.ops.finding import Finding, Target
from nextstep.share import share

#: Newest minor versions known when this was written (November 2026).
_NEWEST_MINORS = {14: 23, 18: 6}
#: Minor versions that broke something NextStep does, and what; from the notes that mended it.
_BAD_MINORS = {
    **dict.fromkeys(
        [(14, minor) for minor in range(4)],
        "CREATE INDEX CONCURRENTLY may leave an index with missing rows",
    ),
    **dict.fromkeys(
        [(14, 14), (15, 9), (16, 5), (17, 1)],
        "extensions built for another minor version may crash the server",
    ),
    **dict.fromkeys(
        [(14, 21), (15, 16), (16, 12), (17, 8), (18, 2)],
        "substring() fails on long texts that are not ASCII",
    ),
}
#: Majors without further fixes from the PostgreSQL project.
_END_OF_LIFE = 14
#: Seconds that the clocks of server and client may differ; heartbeats count in seconds.
_SKEW_S = 2.0
#: Seconds a notification may take on a healthy connection.
_NOTIFY_S = 3.0
_LISTEN = "LISTEN nextstep_doctor"
_GB = 1024**3


def version(connection: Connection, target: Target) -> Iterator[Finding]:
    """Is the server new enough, and has it its fixes?"""
    number = connection.info.server_version
    major, minor = divmod(number, 10000)
    if number < FLOOR:
        yield Finding(
            "server",
            "error",
            f"PostgreSQL {major} is below the floor, 14",
            "upgrade the server, or unset DATABASE_URL",
        )
        return
    if (major, minor) in _BAD_MINORS:
        yield Finding(
            "server",
            "warning",
            f"PostgreSQL {major}.{minor} is known to be bad: {_BAD_MINORS[major, minor]}",
            f"apt-get install --only-upgrade postgresql-{major}",
        )
    newest = _NEWEST_MINORS.get(major, minor)
    if minor < newest:
        yield Finding(
            "server",
            "notice",
            f"PostgreSQL {major}.{minor} lacks the fixes up to {major}.{newest}",
            f"apt-get install --only-upgrade postgresql-{major}",
        )
    if major <= _END_OF_LIFE:
        yield Finding(
            "server",
            "notice",
            f"PostgreSQL {major} gets no more fixes",
            "plan an upgrade: pg_upgradecluster on Debian",
        )


def extensions(connection: Connection, target: Target) -> Iterator[Finding]:
    """Are the extensions installed and made?"""
    major = connection.info.server_version // 10000
    available = {
        str(row[0]): row[1]
        for row in connection.execute(
            "SELECT name, installed_version FROM pg_available_extensions WHERE name = ANY(%s)",
            [list(EXTENSIONS)],
        )
    }
    for name in EXTENSIONS:
        if name not in available:
            package = f"postgresql-{major}-pgvector" if name == "vector" else "postgresql-contrib"
            yield Finding(
                "extensions",
                "error",
                f"{name} is not installed on the server's host",
                f"apt-get install {package}",
            )
        elif available[name] is None:
            yield Finding(
                "extensions", "error", f"{name} is not made in this database", "nextstep db migrate"
            )
    yield from _vector_version(str(available.get("vector") or ""))


def _vector_version(version: str) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    if numbers and numbers < (0, 5):
        yield Finding(
            "extensions",
            "notice",
            f"pgvector {version} has no HNSW; IVFFlat is used",
            "install 0.8 or newer, then: ALTER EXTENSION vector UPDATE",
        )
    elif numbers and numbers < (0, 8):
        yield Finding(
            "extensions",
            "notice",
            f"pgvector {version} cannot go on searching when a "
            "filter leaves too few rows; such searches are exact, so slower",
            "install 0.8 or newer, then: ALTER EXTENSION vector UPDATE",
        )
    if numbers and numbers < (0, 8, 2):
        yield Finding(
            "extensions",
            "notice",
            f"pgvector {version} may overrun memory in a parallel HNSW build (CVE-2026-3172)",
            "install 0.8.2 or newer, then: ALTER EXTENSION vector UPDATE",
        )


def encoding(connection: Connection, target: Target) -> Iterator[Finding]:
    """Can the database hold any text?"""
    row = connection.execute("SELECT current_setting('server_encoding')").fetchone()
    if row != ("UTF8",):
        yield Finding(
            "encoding",
            "error",
            f"the database's encoding is {row and row[0]}, not UTF8",
            "CREATE DATABASE nextstep ENCODING 'UTF8' TEMPLATE template0",
        )


def roles(connection: Connection, target: Target) -> Iterator[Finding]:
    """Are the four roles there, may we take them on, and is `public` closed?"""
    known = {str(row[0]) for row in connection.execute("SELECT rolname FROM pg_roles")}
    absent = [role for role in ROLES if role not in known]
    if absent:
        yield Finding(
            "roles",
            "error",
            f"roles are missing: {', '.join(absent)}",
            f"psql -f {share('sql')}/ops/roles.sql",
        )
    closed = [role for role in missing_roles(connection) if role not in absent]
    if closed:
        yield Finding(
            "roles",
            "error",
            f"{connection.info.user} may not act as {', '.join(closed)}",
            f"GRANT {', '.join(closed)} TO {connection.info.user}",
        )
    # 'public' as a role name is the group of everybody.
    row = connection.execute("SELECT has_schema_privilege('public', 'public', 'CREATE')").fetchone()
    if row == (True,):
        yield Finding(
            "roles",
            "warning",
            "everybody may make objects in the schema public",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        )


def clock(connection: Connection, target: Target) -> Iterator[Finding]:
    """Do server and client agree on the time?"""
    before = our_clock.now()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    after = our_clock.now()
    middle = (before.timestamp() + after.timestamp()) / 2
    skew = float(str(row[0])) - middle if row else 0.0
    if abs(skew) > _SKEW_S + (after - before).total_seconds() / 2:
        yield Finding(
            "clock",
            "warning",
            f"the server's clock is {skew:+.1f} s from ours",
            "timedatectl set-ntp true, on both hosts",
        )


def notifications(connection: Connection, target: Target) -> Iterator[Finding]:
    """Does a NOTIFY reach a listener?"""
    with connected(target.url) as listener:
        listener.execute(_LISTEN)
        connection.execute("SELECT pg_notify('nextstep_doctor', 'look')")
        for _ in listener.notifies(timeout=_NOTIFY_S, stop_after=1):
            return
    yield Finding(
        "notify",
        "warning",
        "notifications do not arrive: a transaction pooler may be "
        "in the way, so new posts are found by polling only",
        "name the server itself in DATABASE_URL, or set NEXTSTEP_POOLER=transaction",
    )


def disk(connection: Connection, target: Target) -> Iterator[Finding]:
    """Is there room on the volume of our home (the embedded database lies there)?"""
    folder = target.settings.home
    while not folder.exists():
        folder = folder.parent
    embedded = folder / "postgres"
    usage = shutil.disk_usage(embedded.resolve() if embedded.exists() else folder)
    if usage.free < _GB or usage.free < usage.total * 0.03:
        yield Finding(
            "disk",
            "error" if usage.free < _GB // 4 else "warning",
            f"{usage.free / _GB:.1f} GB are free under {folder}",
            "free space there, or move NEXTSTEP_HOME",
        )
