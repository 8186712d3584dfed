"""SQLite: the table of posts, in row order, read-only and without locks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nextstep.errors import FileError, MappingError
from nextstep.ingest.columns import ColumnMap, fit
from nextstep.ingest.io.rows import Row, RowSource
from nextstep.ingest.io.sniff import FileFacts, damaged
from nextstep.ingest.values import UNDECODABLE


def open_sqlite(facts: FileFacts, column_map: ColumnMap) -> RowSource:
    """
    Open the table of posts: the map's, else `jobs`, else the only one with a title or a text.

    Raises:
        FileError: cut off or damaged.
        MappingError: no table, or more than one, may be meant.
    """
    _require_whole(facts)
    try:
        connection = _connect(facts.path)
    except sqlite3.Error as error:
        raise _unreadable(facts.name, error) from error
    try:
        tables = _tables(connection)
        table = _choose(tables, column_map, facts.name)
        columns = tables[table]
        counter, low, high = _row_ids(connection, table)
        reader = _Reader(connection, table, columns, facts.name, (low, high))
    except sqlite3.Error as error:
        connection.close()
        raise _unreadable(facts.name, error) from error
    except BaseException:
        connection.close()
        raise
    return RowSource(columns, reader.rows(), reader.fraction, connection.close, counter=counter)


class _Reader:
    """Remembers the row id it is at, which is what progress is measured by."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        table: str,
        columns: tuple[str, ...],
        name: str,
        bounds: tuple[int | None, int | None],
    ) -> None:
        self._connection = connection
        self._columns = columns
        self._name = name
        self._low, self._high = bounds
        self._at = 0
        listed = ", ".join(_quoted(column) for column in columns)
        if self._high is None:  # a view, WITHOUT ROWID, or no rows
            self._sql = f"SELECT NULL, {listed} FROM {_quoted(table)}"
        else:
            self._sql = f"SELECT rowid, {listed} FROM {_quoted(table)} ORDER BY rowid"

    def rows(self) -> Iterator[Row]:
        number = 0
        try:
            # One row at a time: a hundred descriptions of 50 MB would not fit.
            for row_id, *values in self._connection.execute(self._sql):
                number += 1
                self._at = row_id or 0
                yield number, dict(zip(self._columns, values, strict=True))
        except sqlite3.Error as error:
            raise damaged(self._name, error) from error

    def fraction(self) -> float:
        if self._high is None or self._low is None:
            return 0.0
        return min(1.0, max(0.0, (self._at - self._low) / max(1, self._high - self._low)))


def _connect(path: Path) -> sqlite3.Connection:
    # Immutable: no lock files beside a corpus that may lie on a read-only disk. A write-ahead log
    # that was not folded in holds rows, so then SQLite has to read it.
    log = path.with_name(path.name + "-wal")
    journal = path.with_name(path.name + "-journal")
    pending = any(p.exists() and p.stat().st_size for p in (log, journal))
    mode = "mode=ro" if pending else "mode=ro&immutable=1"
    connection = sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?{mode}", uri=True, check_same_thread=False
    )
    connection.text_factory = _decode
    return connection


def _decode(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return UNDECODABLE


def _require_whole(facts: FileFacts) -> None:
    """The header says how many pages there are: a file that was cut off is found before any row."""
    with facts.path.open("rb") as handle:
        head = handle.read(100)
    if len(head) < 100:
        raise _cut_off(facts, 100)
    page = int.from_bytes(head[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(head[28:32], "big")
    # The count is only kept by versions that also write 92..95 as a copy of 24..27.
    if pages and head[24:28] == head[92:96] and facts.size_bytes < page * pages:
        raise _cut_off(facts, page * pages)


def _cut_off(facts: FileFacts, wanted: int) -> FileError:
    return FileError(
        f"{facts.name} is cut off: {facts.size_bytes:,} bytes of {wanted:,}",
        detail="nothing was read from it",
        hint="copy the file again, then repeat the command",
    )


def _unreadable(name: str, error: sqlite3.Error) -> FileError:
    return FileError(
        f"{name} cannot be read as SQLite: {error}",
        detail="nothing was read from it",
        hint="check it with: sqlite3 FILE 'PRAGMA integrity_check'",
    )


def _tables(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite@_%' ESCAPE '@' ORDER BY type, name"
    ).fetchall()
    return {
        name: tuple(row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(name)})"))
        for (name,) in found
    }


def _choose(tables: dict[str, tuple[str, ...]], column_map: ColumnMap, name: str) -> str:
    listed = ", ".join(tables) or "none"
    if column_map.table:
        for table in tables:
            if table.casefold() == column_map.table.casefold():
                return table
        raise MappingError(
            f"{name} has no table {column_map.table}", detail=f"its tables are: {listed}"
        )
    for table in tables:
        if table.casefold() == "jobs":
            return table
    likely = [table for table, columns in tables.items() if _may_hold_posts(column_map, columns)]
    if len(likely) == 1:
        return likely[0]
    what = f"several tables may hold posts: {', '.join(likely)}" if likely else (
        "no table has a column that is known as a title or a text"
    )  # fmt: skip
    raise MappingError(
        f"{name}: {what}",
        detail=f"its tables are: {listed}",
        hint="name the table in a map file (`table: NAME`) and give it with --map",
    )


def _may_hold_posts(column_map: ColumnMap, columns: tuple[str, ...]) -> bool:
    fields = fit(column_map, columns).fields
    return any(fields[field] for field in ("title", "text", "html"))


def _row_ids(connection: sqlite3.Connection, table: str) -> tuple[str, int | None, int | None]:
    """The column that is another name of the row id, and the lowest and highest one."""
    info = connection.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    keys = [row for row in info if row[5]]
    alias = keys[0][1] if len(keys) == 1 and str(keys[0][2]).upper() == "INTEGER" else ""
    try:
        low = connection.execute(f"SELECT min(rowid) FROM {_quoted(table)}").fetchone()[0]
        high = connection.execute(f"SELECT max(rowid) FROM {_quoted(table)}").fetchone()[0]
    except sqlite3.OperationalError:
        return "", None, None
    whole = isinstance(low, int) and isinstance(high, int)
    return alias, low if whole else None, high if whole else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
