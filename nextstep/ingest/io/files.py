"""From the names of files to rows: look at each, open it with its reader, read a map file."""

from __future__ import annotations

from pathlib import Path

import yaml

from nextstep.errors import FileError, MappingError
from nextstep.ingest.columns import ColumnMap, Plan, parse_map, require_fit
from nextstep.ingest.io.csv_file import open_csv
from nextstep.ingest.io.jsonl_file import open_jsonl
from nextstep.ingest.io.rows import RowSource
from nextstep.ingest.io.sniff import FileFacts
from nextstep.ingest.io.sqlite_file import open_sqlite

#: A map is a page of text; what is larger is another file by mistake.
_MAX_MAP_BYTES = 256 * 1024


def load_map(path: Path) -> ColumnMap:
    """
    Return the column map in a YAML file.

    Raises:
        FileError: it cannot be read.
        MappingError: it is no YAML, or no column map.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(_MAX_MAP_BYTES + 1)
    except OSError as error:
        raise FileError(
            f"cannot read the column map {path}: {error.strerror}",
            hint="name a YAML file; docs/ingest.md shows one",
        ) from error
    try:
        if len(data) > _MAX_MAP_BYTES:
            raise ValueError(f"larger than {_MAX_MAP_BYTES:,} bytes")
        parsed = yaml.safe_load(data.decode("utf-8-sig"))
    except (yaml.YAMLError, ValueError) as error:
        why = getattr(error, "problem", "") or "it is no text in UTF-8"
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" in line {line + 1}" if line is not None else ""
        raise MappingError(
            f"{path.name} is no YAML{where}: {why}", hint="docs/ingest.md shows a column map"
        ) from error
    return parse_map(parsed if parsed is not None else {}, path.name)


def open_rows(facts: FileFacts, column_map: ColumnMap) -> RowSource:
    """Open a file with the reader of its kind; the caller closes it. Errors as the readers'."""
    if facts.kind == "sqlite":
        return open_sqlite(facts, column_map)
    if facts.kind == "csv":
        return open_csv(facts, column_map)
    if facts.kind == "jsonl":
        return open_jsonl(facts)
    # pyarrow takes a third of a second to import; only Parquet files should pay for it.
    from nextstep.ingest.io.parquet_file import open_parquet  # noqa: PLC0415

    return open_parquet(facts)


def check_file(facts: FileFacts, column_map: ColumnMap, source: str) -> Plan | None:
    """
    Check before anything is written that a file can give posts; None for one without rows.

    Raises:
        FileError: it cannot be opened.
        MappingError: its columns do not fit the map, or no row can have a source.
    """
    rows = open_rows(facts, column_map)
    try:
        if not rows.columns:
            return None
        plan = require_fit(column_map, rows.columns, facts.name, rows.counter)
    finally:
        rows.close()
    if not source and not plan.fields["source"]:
        raise no_source(facts.name)
    return plan


def no_source(name: str) -> MappingError:
    """Return the error for a file whose rows do not say where they are from."""
    return MappingError(
        f"{name} does not say which source its posts are from",
        detail="there is no column that is known as the source, or it is empty",
        hint="name it: --source NAME; or `source: NAME` in a column map",
    )
