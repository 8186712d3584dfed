"""JSON lines: one object a line; a bad line is one reject."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from nextstep.errors import FileError
from nextstep.ingest import rejects
from nextstep.ingest.io.rows import Row, RowSource
from nextstep.ingest.io.sniff import FileFacts, damaged, open_bytes
from nextstep.ingest.rejects import Reject

#: Bytes of one line that are held in memory.
MAX_LINE_BYTES = 16 * 1024 * 1024

#: Objects looked at for the columns that a map must fit.
_PEEKED = 200

_DECODER = msgspec.json.Decoder()


def open_jsonl(facts: FileFacts) -> RowSource:
    """Open a file of JSON lines; row numbers are line numbers."""
    if facts.encoding.startswith("utf-16"):
        raise FileError(
            f"{facts.name} is JSON in UTF-16, which JSON lines never are",
            hint="convert it: iconv -f UTF-16 -t UTF-8 FILE > posts.jsonl",
        )
    data, raw = open_bytes(facts)
    rows = _rows(facts, data)

    def close() -> None:
        data.close()
        raw.close()

    try:
        peeked = list(itertools.islice(rows, _PEEKED))
    except BaseException:
        close()
        raise
    columns = dict.fromkeys(key for row in peeked if not isinstance(row, Reject) for key in row[1])
    return RowSource(
        columns=tuple(columns),
        rows=itertools.chain(peeked, rows),
        fraction=lambda: min(1.0, raw.tell() / facts.size_bytes),
        close=close,
        fixed=False,
    )


def _rows(facts: FileFacts, data: Any) -> Iterator[Row]:
    number = 0
    try:
        while line := data.readline(MAX_LINE_BYTES):
            number += 1
            if len(line) >= MAX_LINE_BYTES and not line.endswith(b"\n"):
                yield _too_long(number, data)
                continue
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield _parse(number, line, facts.encoding)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(facts.name, error) from error


def _too_long(number: int, data: Any) -> Reject:
    size = MAX_LINE_BYTES
    while rest := data.readline(MAX_LINE_BYTES):
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    detail = f"the line is {size:,} bytes; the limit is {MAX_LINE_BYTES:,}"
    return Reject(number, "", rejects.TOO_LARGE, detail)


def _parse(number: int, line: bytes, encoding: str) -> Row:
    try:
        if encoding not in ("utf-8", "utf-8-sig"):
            line = line.decode(encoding).encode()
        try:
            found = _DECODER.decode(line)
        except (msgspec.MsgspecError, UnicodeError):
            # The stricter decoder also refuses lone surrogates and NaN, which are repaired later.
            found = json.loads(line.decode())
    except UnicodeError:
        return Reject(number, "", rejects.UNDECODABLE, f"its bytes are no {encoding or 'UTF-8'}")
    except (ValueError, RecursionError):
        return Reject(number, "", rejects.BAD_JSON, "the line is not JSON")
    if not isinstance(found, dict):
        return Reject(number, "", rejects.BAD_JSON, "the line is no JSON object")
    return number, found
