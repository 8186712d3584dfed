"""
CSV, packed or not: strict about quotes, so that one broken row does not swallow its neighbours.

A record whose quoting is broken is one reject; reading goes on at the next line that is a whole
record by itself.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator
from typing import Any

from nextstep.errors import FileError, MappingError
from nextstep.ingest import rejects
from nextstep.ingest.columns import ColumnMap
from nextstep.ingest.io.csv_lines import (
    MAX_RECORD_CHARS,
    CsvLines,
    RecordTooLong,
    undecodable_cells,
)
from nextstep.ingest.io.rows import Row, RowSource
from nextstep.ingest.io.sniff import FileFacts, damaged, open_bytes
from nextstep.ingest.rejects import Reject
from nextstep.ingest.values import UNDECODABLE

_DELIMITERS = ",;\t|"


def open_csv(facts: FileFacts, column_map: ColumnMap) -> RowSource:
    """
    Open a CSV file; its first line names the columns.

    Raises:
        FileError: the header cannot be read, or the encoding is unknown.
        MappingError: the map's delimiter is not one character.
    """
    # The limit is one of the whole process; records are bounded by CsvLines.
    csv.field_size_limit(MAX_RECORD_CHARS + 1)
    data, raw = open_bytes(facts)
    try:
        text = io.TextIOWrapper(data, encoding=facts.encoding, errors="surrogateescape", newline="")
    except LookupError as error:
        raw.close()
        raise FileError(f"encoding {facts.encoding} is not known to Python") from error
    try:
        reader = _CsvReader(facts.name, text, column_map.delimiter)
    except BaseException:
        text.close()
        raw.close()
        raise

    def close() -> None:
        text.close()
        raw.close()

    return RowSource(
        columns=reader.columns,
        rows=reader.rows(),
        fraction=lambda: min(1.0, raw.tell() / facts.size_bytes),
        close=close,
    )


class _CsvReader:
    """Reads records and finds its way back after a broken one."""

    def __init__(self, name: str, text: io.TextIOWrapper, delimiter: str) -> None:
        self._name = name
        try:
            header = text.readline(MAX_RECORD_CHARS)
            text.seek(0)
        except (EOFError, zlib.error, OSError, UnicodeError) as error:
            raise damaged(name, error) from error
        self._delimiter = delimiter or _guess_delimiter(header)
        if len(self._delimiter) != 1:
            raise MappingError("the map's delimiter must be one character, such as ';'")
        self._lines = CsvLines(text)
        self._reader = csv.reader(
            self._lines,
            delimiter=self._delimiter,
            strict=True,
            skipinitialspace=f"{self._delimiter} " in header,
        )
        try:
            first = next(self._reader, [])
        except (csv.Error, RecordTooLong) as error:
            raise FileError(
                f"{name} has no header that can be read: its quoting is broken",
                hint="the first line must name the columns",
            ) from error
        self.columns = _unique([cell.strip() for cell in first])

    def rows(self) -> Iterator[Row]:
        """Yield each record, or why it is none."""
        number = 0
        try:
            while True:
                self._lines.start_record()
                try:
                    cells = next(self._reader)
                except StopIteration:
                    return
                except RecordTooLong:
                    number += 1
                    first = self._lines.first
                    if size := self._lines.skip_giant(self._delimiter):
                        yield self._too_large(number, first, size)
                        continue
                    yield self._skip_damage(number)
                    continue
                except csv.Error:
                    number += 1
                    yield self._skip_damage(number)
                    continue
                if cells:
                    number += 1
                    yield self._row(number, cells)
        except (EOFError, zlib.error, OSError, UnicodeError) as error:
            raise damaged(self._name, error) from error

    def _row(self, number: int, cells: list[str]) -> Row:
        wanted = len(self.columns)
        if len(cells) > wanted and not any(cells[wanted:]):
            cells = cells[:wanted]  # a delimiter at the end of the line
        if len(cells) != wanted:
            return Reject(
                number, "", rejects.WRONG_COLUMNS,
                f"line {self._lines.first} has {len(cells)} columns, the header {wanted}",
            )  # fmt: skip
        if self._lines.dirty:
            bad = undecodable_cells(cells)
            found = [UNDECODABLE if b else cell for cell, b in zip(cells, bad, strict=True)]
            return number, dict(zip(self.columns, found, strict=True))
        return number, dict(zip(self.columns, cells, strict=True))

    def _too_large(self, number: int, first: int, size: int) -> Reject:
        detail = f"the record at line {first} is {size:,} characters; {MAX_RECORD_CHARS:,} are read"
        return Reject(number, "", rejects.TOO_LARGE, detail)

    def _skip_damage(self, number: int) -> Reject:
        """Drop lines until one begins a sound record; all of them are one reject."""
        first = self._lines.first
        while True:
            self._lines.back_to_second_line()
            try:
                cells = next(self._reader)
            except StopIteration:
                break
            except (csv.Error, RecordTooLong):
                continue
            if len(cells) == len(self.columns):
                self._lines.back_to_first_line()
                break
        last = self._lines.number
        lines = f"line {first}" if last <= first else f"lines {first} to {last}"
        return Reject(number, "", rejects.BROKEN_QUOTING, f"{lines}: a quote is not closed soundly")


def _guess_delimiter(header: str) -> str:
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count) if any(d in outside for d in _DELIMITERS) else ","


def _unique(names: list[str]) -> tuple[str, ...]:
    """A name that repeats gets a number; an empty one its place."""
    seen: dict[str, Any] = {}
    for place, name in enumerate(names, start=1):
        unique = name or f"column_{place}"
        while unique in seen:
            unique = f"{unique}_{place}"
        seen[unique] = None
    return tuple(seen)
