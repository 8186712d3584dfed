"""
Parquet files that appear whole: written under another name, flushed to the disk, then renamed.

Source: issue 9 item 6.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from nextstep.errors import FileError
from nextstep.ops.artifacts.layout import TableFile, file_sha256
from nextstep.ops.artifacts.rows import GROUP_ROWS, arrow_type
from nextstep.processors.shared.clean_fold import EventRow

#: The name of what the export writes of a range; one row per event, streams one after the other.
EVENTS = TableFile(
    name="events",
    file="",
    columns=EventRow.__struct_fields__,
    types=(
        "bigint", "uuid", "integer", "text", "text", "smallint", "text", "bytea",
        "timestamp with time zone", "timestamp with time zone",
    ),
    rows=0,
    size_bytes=0,
    sha256="",
)  # fmt: skip
SCANS = msgspec.structs.replace(
    EVENTS,
    name="scans",
    columns=("position", "source", "occurred_at"),
    types=("bigint", "text", "timestamp with time zone"),
)
SCANS_FILE = "scans.parquet"

_JSON = msgspec.json.Encoder(order="deterministic")


class Writer:
    """
    Writes one file of a table. Left in peace, the file is there under its name, whole; left by an
    error, it is not.
    """

    def __init__(self, folder: Path, file: str, shape: TableFile) -> None:
        self._path = folder / file
        # Two workers may write the same range, where one was only thought dead.
        self._partial = folder / f".{file}.{secrets.token_hex(4)}.partial"
        self._shape = shape
        self._schema = pa.schema(
            [(n, arrow_type(k)) for n, k in zip(shape.columns, shape.types, strict=True)]
        )
        self._as_text = [
            place for place, kind in enumerate(shape.types) if arrow_type(kind) == pa.string()
        ]
        self._writer: Any = None
        self._waiting: list[Sequence[Any]] = []
        self._rows = 0
        self.made: TableFile | None = None

    def __enter__(self) -> Self:
        self._writer = pq.ParquetWriter(self._partial, self._schema, compression="zstd")
        return self

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows, values in the order of the columns."""
        self._waiting += rows
        while len(self._waiting) >= GROUP_ROWS:
            self._write(self._waiting[:GROUP_ROWS])
            self._waiting = self._waiting[GROUP_ROWS:]

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for place in self._as_text:
            columns[place] = [_text(value) for value in columns[place]]
        arrays = [
            pa.array(column, type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._rows += len(rows)

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None and self._waiting:
                self._write(self._waiting)
            self._writer.close()
            if kind is None:
                self._appear()
        finally:
            self._partial.unlink(missing_ok=True)

    def _appear(self) -> None:
        with self._partial.open("rb") as handle:
            os.fsync(handle.fileno())
        sha256 = file_sha256(self._partial)
        self._partial.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.made = msgspec.structs.replace(
            self._shape,
            file=self._path.name,
            rows=self._rows,
            size_bytes=self._path.stat().st_size,
            sha256=sha256,
        )


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _JSON.encode(value).decode() if isinstance(value, list | dict) else str(value)


def shape_of(table: str, columns: Sequence[str], types: Mapping[str, str]) -> TableFile:
    """Return an empty file of a table's columns; `types` are those of the server."""
    kinds = tuple(types[column] for column in columns)
    return TableFile(table, "", tuple(columns), kinds, 0, 0, "")


def require_whole(folder: Path, file: TableFile) -> Path:
    """
    Return the path of a file that is what the ledger says.

    Raises:
        FileError: it is missing, or has another sha256.
    """
    path = folder / file.file
    try:
        seen = file_sha256(path)
    except OSError as error:
        raise FileError(f"{file.file} cannot be read: {error.strerror or error}") from error
    if seen != file.sha256:
        raise FileError(f"{file.file} is not what was written", detail=f"sha256 {seen}")
    return path


def read_rows(
    path: Path, group_rows: int = GROUP_ROWS, columns: Sequence[str] | None = None
) -> Iterator[tuple[Any, ...]]:
    """Yield a file's rows, or some columns of them, as Python values; memory holds one group."""
    with pq.ParquetFile(path) as source:
        for batch in source.iter_batches(batch_size=group_rows, columns=columns and [*columns]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
