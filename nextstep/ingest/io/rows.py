"""What every reader gives: the rows of one file, one after the other, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nextstep.ingest.rejects import Reject

#: A data row with its number from 1, or the reason why it could not be read.
Row = tuple[int, dict[str, Any]] | Reject


@dataclass
class RowSource:
    """
    One open file.

    Attributes:
        columns: its columns; for JSON lines those of the first few hundred objects.
        rows: read once, in the file's order.
        fraction: how much of the file was read, 0..1.
        close: to be called on the thread that reads.
        fixed: every row has the same columns.
        counter: a column that only counts the store's own rows.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row]
    fraction: Callable[[], float]
    close: Callable[[], None]
    fixed: bool = True
    counter: str = ""
