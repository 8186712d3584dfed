"""Turn a stage's `Writes` into statements on the open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from nextstep.db.queries import read_queries
from nextstep.events.stage import Delete, Execute, Op, Upsert

if TYPE_CHECKING:
    from nextstep.db.pools import AnyConnection

_JSON = msgspec.json.Encoder()
_QUERIES = read_queries(Path(__file__).with_name("queries.sql"))


class Writer:
    """Knows the column types of the tables it writes; one per runner."""

    def __init__(self) -> None:
        self._types: dict[str, dict[str, tuple[str, str]]] = {}

    async def apply(self, connection: AnyConnection, ops: Sequence[Op]) -> None:
        """Run the operations in order. Rows are written in key order, so that two writers of one
        table could not deadlock."""
        for op in ops:
            if isinstance(op, Execute):
                await connection.execute(op.sql, *op.args)
            elif not op.rows:
                continue
            elif isinstance(op, Upsert):
                await self._upsert(connection, op)
            else:
                await self._delete(connection, op)

    async def _column_types(
        self, connection: AnyConnection, table: str
    ) -> dict[str, tuple[str, str]]:
        if table not in self._types:
            rows = await connection.fetch(_QUERIES["column_types"], table)
            self._types[table] = {name: (kind, category) for name, kind, category in rows}
        return self._types[table]

    async def _upsert(self, connection: AnyConnection, op: Upsert) -> None:
        types = await self._column_types(connection, op.table)
        kinds = [types[column] for column in op.columns]
        into = f"INSERT INTO {op.table} ({', '.join(op.columns)})"
        rest = [column for column in op.columns if column not in op.key]
        conflict = f"ON CONFLICT ({', '.join(op.key)}) DO " + (
            f"UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in rest)}" if rest else "NOTHING"
        )
        rows = _in_key_order(op.rows, op.columns, op.key)
        # Arrays of arrays are not arrays of rows to unnest; those tables go row by row (pipelined).
        if any(category == "A" or kind.startswith("vector") for kind, category in kinds):
            marks = ", ".join(f"${i}" for i in range(1, len(kinds) + 1))
            await connection.executemany(f"{into} VALUES ({marks}) {conflict}", rows)
        else:
            names = ", ".join(op.columns)
            casts = ", ".join(
                f"{column}::jsonb" if kind == "jsonb" else column
                for column, (kind, _) in zip(op.columns, kinds, strict=True)
            )
            arrays = ", ".join(f"${i}::{_bare(kind)}[]" for i, (kind, _) in enumerate(kinds, 1))
            values = zip(*rows, strict=True)
            await connection.execute(
                f"{into} SELECT {casts} FROM unnest({arrays}) AS r ({names}) {conflict}",
                *(_array(column, kind) for column, (kind, _) in zip(values, kinds, strict=True)),
            )

    async def _delete(self, connection: AnyConnection, op: Delete) -> None:
        types = await self._column_types(connection, op.table)
        arrays = ", ".join(f"${i}::{_bare(types[c][0])}[]" for i, c in enumerate(op.key, 1))
        names = ", ".join(op.key)
        await connection.execute(
            f"DELETE FROM {op.table} WHERE ({names}) IN (SELECT * FROM unnest({arrays}))",
            *map(list, zip(*op.rows, strict=True)),
        )


def _bare(kind: str) -> str:
    # numeric(14,2)[] would round in the array and again in the column; the column's rule is enough.
    # A list of JSON lists would be taken for an array of more dimensions: jsonb travels as text.
    return (
        "text"
        if kind == "jsonb"
        else kind.split("(", maxsplit=1)[0]
        if kind.startswith("numeric")
        else kind
    )


def _array(values: tuple[Any, ...], kind: str) -> list[Any]:
    if kind != "jsonb":
        return list(values)
    return [None if value is None else _JSON.encode(value).decode() for value in values]


def _in_key_order(
    rows: list[tuple[Any, ...]], columns: tuple[str, ...], key: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    places = [columns.index(column) for column in key]
    return sorted(rows, key=lambda row: [row[place] for place in places])
