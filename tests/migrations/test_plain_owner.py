"""A production login: TCP, a password, no superuser, no CREATEROLE, only what it was given."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from catalog import read_catalog
from psycopg import sql
from servers import tcp_server

from nextstep.db import pools
from nextstep.db.dsn import with_database
from nextstep.db.migrate import migrate, pending, rollback
from nextstep.errors import MigrationError, Unreachable
from nextstep.settings import Settings
from nextstep.share import share

ROLES = "nextstep_owner, nextstep_ingest, nextstep_worker, nextstep_rebuild, nextstep_api"


@pytest.fixture(scope="module")
def superuser() -> Iterator[str]:
    home = Path(tempfile.mkdtemp(prefix="nextstep-tcp-"))
    home.chmod(0o711)
    try:
        with tcp_server(Settings(home=home)) as url:
            yield url
    finally:
        shutil.rmtree(home)


class Plain:
    """A login and a database that it owns."""

    def __init__(self, superuser: str) -> None:
        self.name = f"plain_{secrets.token_hex(4)}"
        self.superuser = with_database(superuser, self.name)
        self.url = self.superuser.replace("postgres:right@", f"{self.name}:mine@")
        with psycopg.connect(superuser, autocommit=True) as connection:
            for statement in (
                "CREATE ROLE {} LOGIN PASSWORD 'mine'",
                "CREATE DATABASE {0} OWNER {0}",
            ):
                connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))

    def administer(self, *names: str, grant: bool = True) -> None:
        with psycopg.connect(self.superuser, autocommit=True) as connection:
            for name in names:
                connection.execute((share("sql") / "ops" / name).read_bytes())
            if grant:
                connection.execute(f"GRANT {ROLES} TO {self.name}".encode())


@pytest.fixture
def plain(superuser: str) -> Plain:
    return Plain(superuser)


@pytest.mark.req("N-57")
async def test_without_membership_the_errors_name_file_and_grant(plain: Plain) -> None:
    plain.administer("roles.sql", "database.sql", grant=False)
    with pytest.raises(MigrationError) as caught:
        migrate(plain.url)
    assert "roles.sql" in caught.value.hint
    assert f"GRANT {ROLES} TO {plain.name}" in caught.value.hint
    with pytest.raises(Unreachable) as refused:
        await pools.connect(plain.url, "worker", Settings())
    assert "nextstep_worker" in refused.value.detail
    assert "GRANT nextstep_owner" in refused.value.hint


@pytest.mark.req("N-57", "N-61")
def test_without_extensions_the_error_names_the_file_for_the_superuser(plain: Plain) -> None:
    plain.administer("roles.sql")
    with pytest.raises(MigrationError) as caught:
        migrate(plain.url)
    assert "sql/ops/database.sql" in caught.value.hint
    assert "vector" in caught.value.detail
    assert pending(plain.url)  # looking needs no right


@pytest.mark.req("D-12", "N-57")
async def test_after_the_administrators_two_files_it_migrates_and_undoes_all(
    plain: Plain, superuser: str
) -> None:
    plain.administer("roles.sql", "database.sql")
    migrate(plain.url)
    ours = read_catalog(plain.superuser)
    other = Plain(superuser)
    migrate(other.superuser)
    assert ours == read_catalog(other.superuser)
    while rollback(plain.url):
        pass
    migrate(plain.url)
    assert read_catalog(plain.superuser) == ours
    connection = await pools.connect(plain.url, "worker", Settings())
    assert await connection.fetchval("SELECT current_user::text") == "nextstep_worker"
    await connection.close()


@pytest.mark.req("N-57")
def test_a_login_that_may_make_roles_needs_the_superuser_for_vector_only(plain: Plain) -> None:
    with psycopg.connect(plain.superuser, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {plain.name} CREATEROLE".encode())
        connection.execute("CREATE EXTENSION vector")
        connection.execute(f"GRANT {ROLES} TO {plain.name} WITH ADMIN OPTION".encode())
    assert migrate(plain.url)
    assert migrate(plain.url) == []
