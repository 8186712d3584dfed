"""The physical lines of a CSV file, bounded in memory, with a way back to where a record began."""

from __future__ import annotations

import io
import re
from collections import deque
from typing import Any

#: Characters of one record that are held in memory; what is longer is a broken quote or a field
#: that no post has.
MAX_RECORD_CHARS = 16 * 1024 * 1024

_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class RecordTooLong(Exception):
    """A record passed MAX_RECORD_CHARS."""


class CsvLines:
    """
    An iterator over lines that keeps those of the present record.

    `dirty` tells that a byte of the record was no text in the file's encoding; such bytes stand as
    lone surrogates in its cells.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._waiting: deque[str] = deque()
        self._record: list[str] = []
        self._size = 0
        self.number = 0
        self.first = 1
        self.dirty = False

    def __iter__(self) -> CsvLines:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else self._text.readline(MAX_RECORD_CHARS)
        if not line:
            raise StopIteration
        self.number += 1
        self._record.append(line)
        self._size += len(line)
        if not line.isascii() and _ESCAPED_BYTE.search(line):
            self.dirty = True
        if self._size >= MAX_RECORD_CHARS:
            raise RecordTooLong
        return line

    def start_record(self) -> None:
        """Forget the last record; the next line begins a new one."""
        self._record.clear()
        self._size = 0
        self.first = self.number + 1
        self.dirty = False

    def back_to_first_line(self) -> None:
        """Read the present record again."""
        self.number = self.first - 1
        self._waiting.extendleft(reversed(self._record))
        self.start_record()

    def back_to_second_line(self) -> None:
        """Read on after the first line of the present record."""
        del self._record[:1]
        self.first += 1
        self.back_to_first_line()

    def skip_giant(self, delimiter: str) -> int:
        """
        Read on to the end of a record that is too long, keeping nothing of it.

        Returns:
            Its size in characters; 0 where its quotes never close, and then nothing was skipped.
        """
        place = self._text.tell()
        waiting, number, size = list(self._waiting), self.number, self._size
        state = _QuoteState(delimiter)
        ended = state.feed("".join(self._record))
        is_new_line = self._record[-1].endswith(("\n", "\r"))
        while not ended and not state.broken:
            line = self._waiting.popleft() if self._waiting else self._text.readline(1 << 20)
            if not line:
                ended = state.at_end()
                break
            self.number += is_new_line
            is_new_line = line.endswith(("\n", "\r"))
            size += len(line)
            ended = state.feed(line)
        if ended and not state.broken:
            return size
        self._text.seek(place)
        self._waiting, self.number = deque(waiting), number
        return 0


class _QuoteState:
    """Follows quotes over pieces of one record: inside or outside, and whether they are sound."""

    def __init__(self, delimiter: str) -> None:
        self._after_close = f"{delimiter}\r\n"
        self._inside = False
        self._closing = False
        self.broken = False

    def feed(self, piece: str) -> bool:
        """Take the next piece; return whether the record ended with it."""
        at = 0
        while at < len(piece) and not self.broken:
            if self._closing:
                self._after_quote(piece[at])
                at += 1 if self._inside else 0
            quote = piece.find('"', at)
            if quote < 0:
                break
            if self._inside:
                self._closing = True
            else:
                self._inside = True
            at = quote + 1
        if self._closing and at >= len(piece):
            return False  # the next piece says whether the field closed
        return not self._inside and piece.endswith(("\n", "\r"))

    def _after_quote(self, character: str) -> None:
        self._closing = False
        if character != '"':
            self._inside = False
            self.broken = character not in self._after_close

    def at_end(self) -> bool:
        """Return whether the file may end here."""
        return self._closing or not self._inside


def undecodable_cells(cells: list[str]) -> list[Any]:
    """Return for each cell whether bytes in it were no text."""
    return [bool(_ESCAPED_BYTE.search(cell)) for cell in cells]
