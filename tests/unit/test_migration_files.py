"""Migration files are read as dbmate reads them, and what it would misread is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nextstep.db.migration_files import parse_migration, read_migrations
from nextstep.errors import MigrationError
from nextstep.share import share

GOOD = b"-- migrate:up\nCREATE TABLE a (b int);\n\n-- migrate:down\nDROP TABLE a;\n"

#: What PostgreSQL 14 does not know, or reads in another way.
NOT_ON_14 = (
    r"\bMERGE\s+INTO\b",
    r"NULLS NOT DISTINCT",
    r"\bany_value\s*\(",
    r"\bJSON_TABLE\b",
    r"\bregexp_(like|count|substr|instr)\s*\(",
    r"security_invoker",
    r"\buuidv7\s*\(",
    r"\bIS JSON\b",
    r"(?<![\w'])\d+_\d",
    r"GENERATED ALWAYS AS \((?![^;\n]*\) STORED)",
    r"\brandom\s*\(\s*\w",
    r"\b(digest|uuid_generate_v\d)\s*\(",
)


@pytest.mark.req("D-12")
def test_a_file_is_cut_into_up_and_down_with_their_directives() -> None:
    migration = parse_migration("20260101000000_create_a.sql", GOOD)
    assert migration.version == "20260101000000"
    assert migration.up.sql == "-- migrate:up\nCREATE TABLE a (b int);\n\n"
    assert migration.down.sql == "-- migrate:down\nDROP TABLE a;\n"
    assert migration.up.transaction and migration.down.transaction


@pytest.mark.req("D-12")
def test_each_direction_has_its_own_transaction_option() -> None:
    text = b"-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"
    migration = parse_migration("1_a.sql", text)
    assert not migration.up.transaction
    assert migration.down.transaction


def test_carriage_returns_and_leading_comments_are_accepted() -> None:
    text = b"-- why\r\n\r\n" + GOOD.replace(b"\n", b"\r\n")
    assert parse_migration("1_a.sql", text).down.sql.startswith("-- migrate:down\r\n")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("create_a.sql", GOOD, "digits"),
        ("1_a.sql", b"\xef\xbb\xbf" + GOOD, "byte order mark"),
        ("1_a.sql", GOOD.decode().encode("utf-16"), "UTF-8"),
        ("1_a.sql", b"CREATE TABLE a (b int);\n", "one `-- migrate:up`"),
        ("1_a.sql", b"-- migrate:up\nSELECT 1;\n", "one `-- migrate:up`"),
        ("1_a.sql", b"-- migrate:down\n-- migrate:up\n", "one `-- migrate:up`"),
        ("1_a.sql", GOOD + GOOD, "one `-- migrate:up`"),
        ("1_a.sql", b"SELECT 1;\n" + GOOD, "only comments"),
        ("1_a.sql", GOOD.replace(b":up", b":up transaction: false"), "option"),
        ("1_a.sql", GOOD.replace(b"CREATE", b"BEGIN;\nCREATE"), "BEGIN"),
    ],
)
@pytest.mark.req("D-12")
def test_what_dbmate_would_misread_is_refused(name: str, content: bytes, why: str) -> None:
    with pytest.raises(MigrationError) as caught:
        parse_migration(name, content)
    assert why in caught.value.detail


@pytest.mark.parametrize("names", [("1_a.sql", "1_b.sql"), ("9_a.sql", "10_b.sql")])
def test_versions_have_one_width_and_no_repeats(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(GOOD)
    with pytest.raises(MigrationError, match="versions do not rise"):
        read_migrations(tmp_path)


def test_a_folder_without_migrations_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no migrations"):
        read_migrations(tmp_path)


@pytest.mark.req("D-12")
def test_our_own_files_keep_to_the_format_and_can_be_undone() -> None:
    for migration in read_migrations(share("sql") / "migrations"):
        assert re.fullmatch(r"\d{14}_[a-z0-9_]+\.sql", migration.name)
        assert re.search(r"^\s*(DROP|ALTER|REVOKE|DELETE)\b", migration.down.sql, re.M | re.I)


@pytest.mark.req("N-03")
@pytest.mark.parametrize("pattern", NOT_ON_14)
def test_no_sql_file_holds_what_postgresql_14_lacks(pattern: str) -> None:
    for path in sorted(share("sql").rglob("*.sql")):
        code = re.sub(r"--[^\n]*|'[^']*'", "", path.read_text())
        assert re.search(pattern, code, re.IGNORECASE) is None, f"{path.name}: {pattern}"
