"""Named SQL blocks are read from one file, strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextstep.db.queries import read_queries
from nextstep.errors import FileError
from nextstep.share import share

GOOD = """-- Reads of the log.

-- name: head
-- The highest position.
SELECT 1;

-- name: after
-- Events after a position.
SELECT 2
FROM a; -- b
"""


def test_blocks_come_in_order_without_comment_line_and_semicolon(tmp_path: Path) -> None:
    path = tmp_path / "queries.sql"
    path.write_text(GOOD)
    assert read_queries(path) == {"head": "SELECT 1", "after": "SELECT 2\nFROM a; -- b"}


@pytest.mark.parametrize(
    "text",
    [
        "-- name: a\n-- b\nSELECT 1;\n-- name: a\n-- b\nSELECT 2;\n",
        "-- name: a\nSELECT 1;\n",
        "-- name: a\n-- only a comment\n",
        "SELECT 0;\n-- name: a\n-- b\nSELECT 1;\n",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "queries.sql"
    path.write_text(text)
    with pytest.raises(FileError, match=r"queries\.sql"):
        read_queries(path)


def test_every_file_of_named_blocks_can_be_read() -> None:
    for path in sorted((share("sql").parent / "nextstep").rglob("queries.sql")):
        assert read_queries(path)
