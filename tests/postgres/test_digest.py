"""Digests of tables: the same in any session, another for any changed cell, localised by range."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest

from nextstep.errors import MigrationError
from nextstep.projections.digest import differing
from nextstep.projections.io.digests import (
    digest_all,
    digest_ranges,
    digest_stage,
    digest_table,
    table_shape,
)
from nextstep.projections.trends import TRENDS

_TABLE = """
CREATE TABLE {name} (
  id uuid PRIMARY KEY, name text, n int, small smallint, big bigint, flag boolean,
  amount numeric(14,2), share double precision, at timestamptz, day date, raw bytea,
  tags text[], extra jsonb, position bigint
)
"""
_COLUMNS = (
    "id", "name", "n", "small", "big", "flag", "amount", "share", "at", "day", "raw", "tags",
    "extra",
)  # fmt: skip
_FILL = """
INSERT INTO {name}
SELECT md5(g::text)::uuid, 'Größe ' || g, g, 7, g * 10000000000, g % 2 = 0, g / 3.0, g / 7.0,
       '2026-03-29 01:30:00+00'::timestamptz + g * interval '1 second 7 microseconds',
       '2026-01-01'::date + g, decode(md5(g::text), 'hex'), ARRAY['a', NULL, 'x,"y' || g],
       jsonb_build_object('b', g, 'a', g / 9.0), g
FROM generate_series(1, 400) AS g
"""


async def _make(connection: Any, name: str) -> None:
    await connection.execute(_TABLE.format(name=name))
    await connection.execute(_FILL.format(name=name))


async def _digest(connection: Any, name: str) -> str:
    return (await digest_table(connection, name, _COLUMNS)).sha256


@pytest.mark.req("D-05")
async def test_the_digest_is_that_of_the_documented_text(connection: Any) -> None:
    await connection.execute("CREATE TABLE pairs (a int, b text, PRIMARY KEY (b, a))")
    await connection.execute("INSERT INTO pairs VALUES (10, 'b'), (2, 'é'), (-3, 'B'), (4, 'a:,')")
    rows = ["2:-3,1:B", "1:4,3:a:,", "2:10,1:b", "1:2,1:é"]  # by b in code points, then a
    hashes = b"".join(hashlib.sha256(row.encode()).digest() for row in rows)
    found = await digest_table(connection, "pairs", ("a", "b"))
    assert (found.rows, found.sha256) == (4, hashlib.sha256(hashes).hexdigest())


async def test_an_empty_table_has_the_digest_of_nothing(connection: Any) -> None:
    await connection.execute(_TABLE.format(name="empty"))
    found = await digest_table(connection, "empty", _COLUMNS)
    assert (found.rows, found.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert await digest_ranges(connection, "empty", _COLUMNS) == {}


async def test_settings_of_the_session_and_the_order_on_disk_do_not_matter(connection: Any) -> None:
    await _make(connection, "t")
    before = await _digest(connection, "t")
    for name, value in {
        "TimeZone": "Asia/Kathmandu",
        "DateStyle": "SQL, DMY",
        "IntervalStyle": "sql_standard",
        "extra_float_digits": "-3",
        "bytea_output": "escape",
        "lc_numeric": "C",
        "work_mem": "64kB",
        "enable_sort": "off",
    }.items():
        await connection.execute(f"SET {name} = '{value}'")
    await connection.execute("UPDATE t SET position = -n WHERE n % 3 = 0")  # moved, not compared
    assert await _digest(connection, "t") == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "name || ' '"),
        ("name", "NULL"),
        ("n", "NULL"),
        ("flag", "NOT flag"),
        ("amount", "amount + 0.01"),
        ("share", "share * (1 + 2.3e-16)"),
        ("at", "at + interval '1 microsecond'"),
        ("day", "day + 1"),
        ("raw", r"raw || '\x00'"),
        ("tags", "tags || NULL::text"),
        ("tags", "ARRAY['a', 'NULL', tags[3]]"),
        ("extra", "extra || '{\"a\": 1}'"),
    ],
)
async def test_one_changed_cell_changes_the_digest_and_its_range_only(
    connection: Any, column: str, value: str
) -> None:
    await _make(connection, "t")
    whole, ranges = await _digest(connection, "t"), await digest_ranges(connection, "t", _COLUMNS)
    assert sum(part.rows for part in ranges.values()) == 400
    changed = await connection.fetchval(
        f"UPDATE t SET {column} = {value} WHERE n = 123 RETURNING id"
    )
    key = f"36:{changed}".encode()
    assert await _digest(connection, "t") != whole
    after = await digest_ranges(connection, "t", _COLUMNS)
    assert differing(ranges, after) == [hashlib.sha256(key).digest()[0] >> 4]


async def test_a_value_that_moves_to_the_next_column_is_seen(connection: Any) -> None:
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
    columns, digests = ("id", "a", "b"), set()
    for a, b in (("x", ""), ("", "x"), ("x", None), (None, "x"), ("x,0:", ""), ("-", None)):
        await connection.execute("DELETE FROM t")
        await connection.execute("INSERT INTO t VALUES (1, $1, $2)", a, b)
        digests.add((await digest_table(connection, "t", columns)).sha256)
    assert len(digests) == 6


async def test_the_table_is_found_through_the_search_path(connection: Any) -> None:
    await _make(connection, "t")
    live = await _digest(connection, "t")
    await connection.execute("CREATE SCHEMA shadow")
    await connection.execute("CREATE TABLE shadow.t (LIKE public.t INCLUDING ALL)")
    await connection.execute("INSERT INTO shadow.t SELECT * FROM public.t WHERE n <> 5")
    await connection.execute("SET search_path = shadow, public")
    assert await _digest(connection, "t") != live
    await connection.execute("INSERT INTO shadow.t SELECT * FROM public.t WHERE n = 5")
    assert await _digest(connection, "t") == live


async def test_key_and_types_come_from_the_catalog_in_the_keys_order(connection: Any) -> None:
    columns, key = await table_shape(
        connection, "trend_groups", ("month", "country", "title_cluster", "jobs")
    )
    assert key == ["title_cluster", "country", "month"]
    assert [column.type for column in columns] == ["date", "text", "text", "integer"]


async def test_a_stage_names_its_tables(connection: Any) -> None:
    digests = await digest_stage(connection, TRENDS)
    assert list(digests) == list(TRENDS.digest_columns)
    assert await digest_all(connection, [TRENDS]) == digests


async def test_a_missing_table_or_column_is_said(connection: Any) -> None:
    with pytest.raises(MigrationError, match="table nowhere is not there"):
        await digest_table(connection, "nowhere", ("id",))
    with pytest.raises(MigrationError, match="trend_groups has no column size"):
        await digest_table(connection, "trend_groups", ("month", "size"))


async def test_a_hundred_thousand_rows_keep_their_digest_when_the_sort_spills(
    connection: Any,
) -> None:
    await connection.execute("CREATE TABLE big (id uuid PRIMARY KEY, body text)")
    await connection.execute(
        "INSERT INTO big SELECT md5(g::text)::uuid, repeat('Zeile ', 20) || g"
        " FROM generate_series(1, 100000) AS g"
    )
    first = await digest_table(connection, "big", ("id", "body"))
    await connection.execute("SET work_mem = '64kB'")
    assert await digest_table(connection, "big", ("id", "body")) == first
    assert first.rows == 100_000
    total = hashlib.sha256()
    for key, body in sorted(
        (str(uuid.UUID(hashlib.md5(str(g).encode()).hexdigest())), "Zeile " * 20 + str(g))
        for g in range(1, 100_001)
    ):
        total.update(hashlib.sha256(f"36:{key},{len(body)}:{body}".encode()).digest())
    assert first.sha256 == total.hexdigest()
