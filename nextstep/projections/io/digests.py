"""Digests of the tables of a stage, computed by the server through the search path in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nextstep.errors import MigrationError
from nextstep.events.stage import Stage
from nextstep.projections.digest import Column, TableDigest, digest_sql, ranges_sql

#: Columns in order, and which of them are the primary key's, in the key's order.
_SHAPE = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
       array_position(i.indkey::int2[], a.attnum)
FROM pg_attribute AS a
LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


async def digest_stage(connection: Any, stage: Stage) -> dict[str, str]:
    """
    Return table -> sha256 in hex for the tables that the stage compares.

    Several tables agree with each other only if the connection is in one snapshot.

    Raises:
        MigrationError: a table, or one of its columns, is not there.
    """
    return {
        table: (await digest_table(connection, table, columns)).sha256
        for table, columns in stage.digest_columns.items()
    }


async def digest_all(connection: Any, stages: Iterable[Stage]) -> dict[str, str]:
    """Return table -> sha256 in hex over several stages, in their order."""
    digests: dict[str, str] = {}
    for stage in stages:
        digests |= await digest_stage(connection, stage)
    return digests


async def digest_table(connection: Any, table: str, columns: Sequence[str]) -> TableDigest:
    """Return rows and digest of one table over some of its columns, the key's among them."""
    shape, key = await table_shape(connection, table, columns)
    row = await connection.fetchrow(digest_sql(table, shape, key))
    return TableDigest(row[0], row[1])


async def digest_ranges(
    connection: Any, table: str, columns: Sequence[str]
) -> dict[int, TableDigest]:
    """Return the same for each of the 16 ranges of keys that hold rows."""
    shape, key = await table_shape(connection, table, columns)
    rows = await connection.fetch(ranges_sql(table, shape, key))
    return {row[0]: TableDigest(row[1], row[2]) for row in rows}


async def table_shape(
    connection: Any, table: str, columns: Sequence[str]
) -> tuple[list[Column], list[str]]:
    """Return the named columns with their types, and the primary key, as the catalog has them."""
    rows = await connection.fetch(_SHAPE, table)
    types = {name: kind for name, kind, _ in rows}
    if missing := [column for column in columns if column not in types]:
        raise MigrationError(
            f"table {table} has no column {', '.join(missing)}"
            if types
            else f"table {table} is not there",
            hint="nextstep db migrate",
        )
    key = [name for name, _, place in sorted(rows, key=_place) if place is not None]
    return [Column(name, types[name]) for name in columns], key


def _place(row: Sequence[Any]) -> int:
    return -1 if row[2] is None else int(row[2])
