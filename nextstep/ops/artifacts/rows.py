"""
A table's rows to a file and back, streamed: CSV as COPY writes it, or Parquet.

CSV keeps every value as PostgreSQL prints it, NULL as an empty field, '' as a quoted one, vectors
as `[0.1,…]`. Parquet has numbers, instants, lists and floats as such; what has no exact form there
(jsonb, numeric, uuid) is text. Both load into any server from 14 on.

Source: N-13, N-23, N-80, N-82.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from nextstep.db.prepare import Connection
from nextstep.errors import DatabaseError, FileError
from nextstep.ops.artifacts.catalog import Table, order_by
from nextstep.ops.artifacts.layout import TableFile, file_sha256

_BLOCK_BYTES = 1024 * 1024
#: Rows of a Parquet row group; vectors of 384 dimensions make that 6 MB.
GROUP_ROWS = 4000

_LIST = re.compile(r"(.*)\[\]$")
_VECTOR = re.compile(r"(vector|halfvec)(\(\d+\))?$")
_SCALARS: dict[str, Any] = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "bytea": pa.binary(),
}


# --- out ------------------------------------------------------------------------------------------


def write_csv(connection: Connection, table: Table, path: Path) -> tuple[int, str]:
    """Write a table in the order of its key and return (rows, sha256 of the file)."""
    names = ", ".join(f'"{name}"' for name in table.columns)
    digest = hashlib.sha256()
    with connection.cursor() as cursor, path.open("xb") as handle:
        query = f'COPY (SELECT {names} FROM public."{table.name}" ORDER BY {order_by(table)})'
        with cursor.copy(f"{query} TO STDOUT WITH (FORMAT csv, HEADER)".encode()) as copy:
            for block in copy:
                digest.update(block)
                handle.write(block)
        return cursor.rowcount, digest.hexdigest()


def write_parquet(connection: Connection, table: Table, path: Path) -> tuple[int, str]:
    """Write a table as Parquet in the order of its key and return (rows, sha256 of the file)."""
    schema = pa.schema(
        [(name, arrow_type(kind)) for name, kind in zip(table.columns, table.types, strict=True)]
    )
    selected = ", ".join(
        _selected(name, kind) for name, kind in zip(table.columns, table.types, strict=True)
    )
    rows = 0
    with (
        connection.cursor(name=f"pack_{table.name}") as cursor,
        pq.ParquetWriter(path, schema, compression="zstd") as writer,
    ):
        cursor.itersize = GROUP_ROWS
        cursor.execute(
            f'SELECT {selected} FROM public."{table.name}" ORDER BY {order_by(table)}'.encode()
        )
        while group := cursor.fetchmany(GROUP_ROWS):
            columns = zip(*group, strict=True)
            arrays = [
                pa.array(column, type=field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            rows += len(group)
    return rows, file_sha256(path)


def arrow_type(kind: str) -> Any:
    """Return the Arrow type that holds a column's values, by its name as `format_type` has it."""
    if _VECTOR.match(kind):
        return pa.list_(pa.float32())
    if found := _LIST.match(kind):
        return pa.list_(_SCALARS.get(found[1], pa.string()))
    return _SCALARS.get(kind, pa.string())


def _selected(name: str, kind: str) -> str:
    if _VECTOR.match(kind):
        return f'"{name}"::real[]'
    if _LIST.match(kind):
        return f'"{name}"' if arrow_type(kind).value_type != pa.string() else f'"{name}"::text[]'
    return f'"{name}"' if kind in _SCALARS else f'"{name}"::text'


# --- in -------------------------------------------------------------------------------------------


def read_table(connection: Connection, table: TableFile, folder: Path) -> int:
    """
    COPY a table's file into the table and return the rows.

    Raises:
        FileError: the file changed since it was checked, or is no file of that table.
        DatabaseError: the server refused a row; rows are named by number, never shown.
    """
    path = folder / table.file
    names = sql.SQL(", ").join(sql.Identifier(name) for name in table.columns)
    target = sql.SQL("COPY public.{} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
    try:
        with connection.cursor() as cursor:
            if path.suffix == ".parquet":
                with cursor.copy(target) as copy:
                    for row in parquet_rows(path, table):
                        copy.write_row(row)
                seen = file_sha256(path)
            else:
                with (
                    path.open("rb") as handle,
                    cursor.copy(target + sql.SQL(" WITH (FORMAT csv, HEADER)")) as copy,
                ):
                    digest = hashlib.sha256()
                    for block in _blocks(handle, table):
                        digest.update(block)
                        copy.write(block)
                seen = digest.hexdigest()
            rows = cursor.rowcount
    except psycopg.Error as error:
        raise refused(table.name, error) from error
    if seen != table.sha256 or rows != table.rows:
        raise FileError(
            f"{table.file} changed while it was loaded: {rows} rows of {table.rows}",
            hint="nothing was kept; leave the folder alone and load again",
        )
    return rows


def _blocks(handle: BinaryIO, table: TableFile) -> Iterator[bytes]:
    header = handle.readline()
    if header.decode("utf-8", "replace").rstrip("\n").split(",") != list(table.columns):
        raise FileError(f"{table.file} does not begin with the columns of {table.name}")
    yield header
    while block := handle.read(_BLOCK_BYTES):
        yield block


def parquet_rows(path: Path, table: TableFile) -> Iterator[tuple[Any, ...]]:
    """
    Yield a Parquet file's rows, ready for COPY, a row group at a time.

    Raises:
        FileError: it has other columns than the table.
    """
    with pq.ParquetFile(path) as source:
        if tuple(source.schema_arrow.names) != table.columns:
            raise FileError(f"{table.file} does not have the columns of {table.name}")
        vectors = [i for i, kind in enumerate(table.types) if _VECTOR.match(kind)]
        for batch in source.iter_batches(batch_size=GROUP_ROWS):
            columns: list[Sequence[Any]] = [column.to_pylist() for column in batch.columns]
            for place in vectors:
                columns[place] = [_literal(vector) for vector in columns[place]]
            yield from zip(*columns, strict=True)


def _literal(vector: Sequence[float] | None) -> str | None:
    # A float32 written as the double it equals reads back as the same float32.
    return None if vector is None else "[" + ",".join(map(repr, vector)) + "]"


def refused(table: str, error: psycopg.Error) -> DatabaseError:
    """Return what is told of a row that the server refused: where it stands, not what it is."""
    # The server's words quote the value; only where it stands and what kind of fault it is.
    line = re.search(r"line (\d+)", error.diag.context or "")
    return DatabaseError(
        f"the server refused {table}" + (f" at line {line[1]} of its file" if line else ""),
        detail=f"{type(error).__name__} ({error.sqlstate}); nothing was kept",
        hint="check that the artifact fits this server: nextstep doctor; nextstep db migrate",
    )
