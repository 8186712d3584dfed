"""Parquet: row group after row group, a few hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nextstep.errors import FileError
from nextstep.ingest.io.rows import Row, RowSource
from nextstep.ingest.io.sniff import FileFacts, damaged
from nextstep.ingest.values import UNDECODABLE

_BATCH_ROWS = 256


def open_parquet(facts: FileFacts) -> RowSource:
    """
    Open a Parquet file.

    Raises:
        FileError: no footer, or one that cannot be read.
    """
    try:
        file = pq.ParquetFile(facts.path, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileError(
            f"{facts.name} cannot be read as Parquet: {error}",
            detail="nothing was read from it; a Parquet file that was cut off has no footer",
            hint="copy the file again, then repeat the command",
        ) from error
    total = file.metadata.num_rows
    at = [0]

    def rows() -> Iterator[Row]:
        try:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for cells in _cells(batch):
                    at[0] += 1
                    yield at[0], cells
        except (pa.ArrowException, OSError) as error:
            raise damaged(facts.name, error) from error

    return RowSource(
        columns=tuple(file.schema_arrow.names),
        rows=rows(),
        fraction=lambda: at[0] / total if total else 1.0,
        close=file.close,
    )


def _cells(batch: Any) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    columns = [_values(_readable(column)) for column in batch.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _readable(column: Any) -> Any:
    # Python's datetimes end at microseconds; old writers store text as bytes without saying so.
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_dictionary(kind):
        return _readable(column.dictionary_decode())
    return column


def _values(column: Any) -> list[Any]:
    as_bytes = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        values = [value.as_buffer().to_pybytes() if value.is_valid else None for value in column]
        as_bytes = True
    return [_decoded(value) for value in values] if as_bytes else values


def _decoded(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return UNDECODABLE
