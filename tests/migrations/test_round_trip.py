"""Up, down, up leaves the same catalogs, from every depth; failures leave nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from catalog import read_catalog

from nextstep.db import migrate as runner
from nextstep.db import prepare
from nextstep.db.migrate import migrate, pending, require_migrated, rollback, unknown
from nextstep.db.migration_files import parse_migration, read_migrations
from nextstep.errors import MigrationError, Unreachable, UnsupportedServer
from nextstep.share import share

VERSIONS = [migration.version for migration in read_migrations(share("sql") / "migrations")]


@pytest.mark.req("D-12", "N-12")
def test_undoing_any_number_of_steps_and_migrating_again_gives_the_same_catalogs(
    database: str,
) -> None:
    before = read_catalog(database)
    for depth in range(1, len(VERSIONS) + 1):
        undone = [rollback(database) for _ in range(depth)]
        assert undone == VERSIONS[::-1][:depth]
        assert pending(database) == VERSIONS[-depth:]
        assert migrate(database) == VERSIONS[-depth:]
        assert read_catalog(database) == before


@pytest.mark.req("D-12")
def test_rolling_everything_back_leaves_only_extensions_and_book_keeping(database: str) -> None:
    while rollback(database):
        pass
    left = read_catalog(database)
    tables = {line.split()[0] for line in left["relations"] if line.split()[1] == "r"}
    assert tables == {"schema_migrations", "nextstep_migration_checksums"}
    assert not [line for line in left["functions"] if "nextstep_" in line]
    assert rollback(database) is None


@pytest.mark.req("N-12")
def test_everything_belongs_to_the_owner_role(database: str) -> None:
    with psycopg.connect(database) as connection:
        owners = connection.execute(
            "SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class AS c"
            " WHERE relnamespace = 'public'::regnamespace AND NOT EXISTS"
            " (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')"
        ).fetchall()
    assert owners == [("nextstep_owner",)]


@pytest.mark.req("N-09", "N-61")
def test_the_three_extensions_and_the_accent_wrapper_work(database: str) -> None:
    with psycopg.connect(database) as connection:
        names = connection.execute(
            "SELECT extname::text FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname"
        ).fetchall()
        assert names == [("pg_trgm",), ("unaccent",), ("vector",)]
        text = connection.execute("SELECT nextstep_unaccent('Zürich Café')").fetchone()
        assert text == ("Zurich Cafe",)
        # In an index, where the search_path is empty from 17 on.
        connection.execute("CREATE TEMP TABLE t (a text)")
        connection.execute("INSERT INTO t VALUES ('é')")
        connection.execute("CREATE INDEX ON t (public.nextstep_unaccent(a))")


def test_migrating_twice_does_nothing_the_second_time(empty_database: str) -> None:
    assert migrate(empty_database) == VERSIONS
    assert migrate(empty_database) == []
    require_migrated(empty_database)


def test_a_pending_migration_is_named_with_the_command(empty_database: str) -> None:
    with pytest.raises(MigrationError) as caught:
        require_migrated(empty_database)
    assert VERSIONS[0] in caught.value.message
    assert caught.value.hint == "nextstep db migrate"
    assert caught.value.exit_code == 3


def test_of_several_runners_at_once_one_works_and_none_fails(empty_database: str) -> None:
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(migrate(empty_database))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results, key=len) == [[], [], [], VERSIONS]


def test_an_edited_migration_is_refused(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE nextstep_migration_checksums SET sha256 = 'x'")
    with pytest.raises(MigrationError, match="was edited after it ran"):
        migrate(database)


def test_a_late_migration_is_refused(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = %s", [VERSIONS[3]])
    with pytest.raises(MigrationError, match="is older than"):
        migrate(database)


def test_a_version_of_a_newer_nextstep_is_told_and_not_rolled_back(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES ('29990101000000')")
    assert unknown(database) == ["29990101000000"]
    assert migrate(database) == []
    require_migrated(database)
    with pytest.raises(MigrationError, match="has no file here"):
        rollback(database)


def test_a_failing_file_leaves_nothing_and_the_ones_before_stay(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = _file("29990101000001_good.sql", "CREATE TABLE good (a int);", "DROP TABLE good;")
    bad = _file("29990101000002_bad.sql", "CREATE TABLE bad (a int);\nSELECT 1/0;", "SELECT 1;")
    _add_files(monkeypatch, good, bad)
    before = read_catalog(database)["relations"]
    with pytest.raises(MigrationError, match=r"29990101000002_bad\.sql failed: division by zero"):
        migrate(database)
    after = read_catalog(database)["relations"]
    assert [line.split()[0] for line in after if line not in before] == ["good"]


def test_a_file_without_transaction_may_build_concurrently(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"""-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY x_idx ON dead_letters (error);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY x_idx;
"""
    _add_files(monkeypatch, parse_migration("29990101000001_index.sql", text))
    before = read_catalog(database)
    assert migrate(database) == ["29990101000001"]
    assert rollback(database) == "29990101000001"
    assert read_catalog(database) == before


def test_what_one_file_sets_does_not_reach_the_next(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _file("29990101000001_a.sql", "SET statement_timeout = '77s';", "SELECT 1;")
    check = "CREATE TABLE seen AS SELECT current_setting('statement_timeout') AS value;"
    _add_files(monkeypatch, first, _file("29990101000002_b.sql", check, "DROP TABLE seen;"))
    migrate(database)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT value FROM seen").fetchone() == ("0",)


def test_percent_signs_and_dollar_quotes_reach_the_server_untouched(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT '%s %(a)s {} $1' $$;"
    _add_files(monkeypatch, _file("29990101000001_f.sql", up, "DROP FUNCTION f();"))
    migrate(database)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT f()").fetchone() == ("%s %(a)s {} $1",)


@pytest.mark.req("N-03", "N-04")
def test_a_server_below_the_floor_is_refused(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "FLOOR", 990000)
    with pytest.raises(UnsupportedServer, match=r"PostgreSQL \d+ is too old"):
        migrate(empty_database)


@pytest.mark.req("N-60")
def test_a_missing_extension_names_its_package(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "EXTENSIONS", ("vektor",))
    monkeypatch.setattr(prepare, "_PACKAGES", {"vektor": "postgresql-{major}-pgvector"})
    with pytest.raises(UnsupportedServer, match="lacks the extension vektor") as caught:
        migrate(empty_database)
    assert "-pgvector" in caught.value.hint


def test_a_closed_port_is_unreachable_without_the_password() -> None:
    with pytest.raises(Unreachable) as caught:
        migrate("postgresql://someone:sesame@127.0.0.1:1/nextstep")
    text = str(caught.value)
    assert "database nextstep at 127.0.0.1:1 as someone" in text
    assert "sesame" not in text


def test_an_unknown_database_is_said_to_be_missing(server: str) -> None:
    from nextstep.db.dsn import with_database

    with pytest.raises(Unreachable, match="does not exist") as caught:
        migrate(with_database(server, "not_there"))
    assert "CREATE DATABASE" in caught.value.hint


def _file(name: str, up: str, down: str) -> Any:
    return parse_migration(name, f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n".encode())


def _add_files(monkeypatch: pytest.MonkeyPatch, *files: Any) -> None:
    def read(folder: Path) -> list[Any]:
        return [*read_migrations(folder), *files]

    monkeypatch.setattr(runner, "read_migrations", read)
