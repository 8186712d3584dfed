"""A row that cannot be an event: where it stands and why, never what it holds."""

from __future__ import annotations

import msgspec

NO_CONTENT = "no_title_and_text"
NO_SOURCE = "no_source"
UNDECODABLE = "undecodable"
TOO_LARGE = "too_large"
WRONG_TYPE = "wrong_type"
BROKEN_QUOTING = "broken_quoting"
WRONG_COLUMNS = "wrong_columns"
BAD_JSON = "bad_json"


class Reject(msgspec.Struct, frozen=True):
    """
    One row that was not taken.

    `row` counts data rows from 1. `detail` holds sizes, counts and types, never a value of the row.
    `source` is the row's source where it could be read.
    """

    row: int
    column: str
    reason: str
    detail: str = ""
    source: str = ""
