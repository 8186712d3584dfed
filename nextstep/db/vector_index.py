"""Building the planned vector index, as the owner of the table, within the machine's memory."""

from __future__ import annotations

import os

import psycopg
from psycopg import sql

from nextstep.db.dsn import parse
from nextstep.db.migrate import connected
from nextstep.db.prepare import Connection
from nextstep.db.server_config import memory_bytes
from nextstep.db.vector_plan import VectorIndex, build_memory_bytes, plan
from nextstep.errors import MigrationError
from nextstep.settings import Settings

_MB = 1024 * 1024
#: What a build may take on a server whose memory we cannot see.
_REMOTE_BUDGET_BYTES = 512 * _MB

_MODELS = """
SELECT model_name, recipe, dim, count(*) FROM public.job_embeddings
GROUP BY model_name, recipe, dim
ORDER BY count(*) DESC, model_name COLLATE "C", recipe COLLATE "C", dim
"""

_EXISTING = """
SELECT c.relname, i.indisvalid FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = 'public.job_embeddings'::regclass
  AND c.relname ~ ('^' || %s || '_(hnsw_half|hnsw|ivfflat)_idx$')
ORDER BY c.relname COLLATE "C"
"""


def ensure_vector_index(
    url: str, settings: Settings, model: str, recipe: str, dim: int
) -> str | None:
    """
    Build the index of a model where its vectors are many enough to pay; call it after a bulk load.

    Writers of `job_embeddings` wait while it is built.

    Returns:
        The index's name, or None where an exact scan is as good.

    Source: N-75, N-77.
    """
    with connected(url) as connection:
        index = plan(
            vector_version(connection), _count(connection, model, recipe, dim), model, dim, recipe
        )
        if index.method == "none" or index.rows < settings.vector_index_min_rows:
            return None
        return ensure(connection, index, budget_bytes=memory_budget(url))


def planned(connection: Connection) -> list[VectorIndex]:
    """Return the planned index of every model that has vectors, most vectors first."""
    version = vector_version(connection)
    return [
        plan(version, int(str(rows)), str(model), int(str(dim)), str(recipe))
        for model, recipe, dim, rows in connection.execute(_MODELS).fetchall()
    ]


def existing(connection: Connection, index: VectorIndex) -> dict[str, bool]:
    """Return the indexes that a model has by name, and whether each is valid."""
    stem = index.name.removesuffix(f"_{index.method}{'_half' if index.is_half else ''}_idx")
    rows = connection.execute(_EXISTING, [stem]).fetchall()
    return {str(name): bool(valid) for name, valid in rows}


def ensure(
    connection: Connection, index: VectorIndex, *, budget_bytes: int, concurrently: bool = False
) -> str:
    """
    Build the index unless it is there and valid, drop what it replaces, and return its name.

    Args:
        budget_bytes: most memory the build may take.
        concurrently: let writers go on; takes about twice as long.

    Raises:
        MigrationError: the login user may not act as the owner, or the build failed.
    """
    found = existing(connection, index)
    if found.get(index.name):
        return index.name
    connection.execute("SET lock_timeout = '60s'")
    try:
        _become_table_owner(connection)
        if index.name in found:  # a concurrent build that was cut off
            _drop(connection, index.name)
        _build(connection, index, budget_bytes, concurrently)
        for other in sorted(set(found) - {index.name}):
            _drop(connection, other)
        connection.execute("ANALYZE public.job_embeddings")
    except psycopg.Error as error:
        raise MigrationError(
            f"the vector index {index.name} was not built: {error.diag.message_primary or error}",
            hint="nextstep db plan-index --apply, once the cause is gone",
        ) from error
    finally:
        if not connection.closed:
            connection.execute("RESET ROLE")
            connection.execute("RESET ALL")
    return index.name


def vector_version(connection: Connection) -> str:
    """Return the version of pgvector in this database; MigrationError where it is not made."""
    row = connection.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    ).fetchone()
    if row is None:
        raise MigrationError(
            "the extension `vector` is not in this database", hint="nextstep db migrate"
        )
    return str(row[0])


def memory_budget(url: str) -> int:
    """Return how many bytes an index build may take: a quarter of a local server's memory."""
    host = parse(url).host
    local = host.startswith("/") or host in ("", "localhost", "127.0.0.1", "::1")
    return memory_bytes() // 4 if local else _REMOTE_BUDGET_BYTES


def _build(
    connection: Connection, index: VectorIndex, budget_bytes: int, concurrently: bool
) -> None:
    memory = build_memory_bytes(index, budget_bytes) // _MB
    workers = max(0, min(4, (os.cpu_count() or 1) - 1))
    connection.execute(f"SET maintenance_work_mem = '{memory}MB'")
    connection.execute(f"SET max_parallel_maintenance_workers = {workers}")
    statement = index.statement(concurrently=concurrently)
    try:
        connection.execute(statement.encode())
    except psycopg.errors.DiskFull:
        # A parallel build needs the memory in /dev/shm, which containers keep small.
        if workers == 0:
            raise
        connection.execute("SET max_parallel_maintenance_workers = 0")
        if concurrently:
            _drop(connection, index.name)
        connection.execute(statement.encode())


def _drop(connection: Connection, name: str) -> None:
    connection.execute(
        sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS public.{}").format(sql.Identifier(name))
    )


def _become_table_owner(connection: Connection) -> None:
    row = connection.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'job_embeddings'::regclass"
    ).fetchone()
    assert row is not None
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(str(row[0]))))


def _count(connection: Connection, model: str, recipe: str, dim: int) -> int:
    row = connection.execute(
        "SELECT count(*) FROM public.job_embeddings"
        " WHERE model_name = %s AND recipe = %s AND dim = %s",
        [model, recipe, dim],
    ).fetchone()
    return int(str(row[0])) if row else 0
