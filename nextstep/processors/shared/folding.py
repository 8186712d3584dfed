"""
Fold a text for matching, and find the way back to the original.

Folding takes case, accents and typographic variants away: it may shorten and lengthen a text
(ß is two letters, a zero-width space none), so each fold carries a map of positions.

Source: decisions.md 18.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

import msgspec

_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_BLANKS = ("\t", "\v", "\f", "\r")

#: Typographic characters whose NFKD form is not what a writer of names would type.
_PLAIN = {
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "\u00ad": "",
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"',
    "«": '"', "»": '"', "•": "*", "·": "*", "●": "*", "▪": "*", "◦": "*", "‣": "*",
    "／": "/", "⁄": "/", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "Đ": "d",
    "\u2028": "\n", "\u2029": "\n", "\u0085": "\n",
}  # fmt: skip


class Folded(msgspec.Struct, frozen=True):
    """
    A folded text with the way back.

    Attributes:
        original: the text before folding.
        text: the folded text.
        starts: folded positions at which the distance to the original changes, rising, from 0.
        origins: for each of them the original position; empty when both texts have equal length
            everywhere.
    """

    original: str
    text: str
    starts: list[int] = []
    origins: list[int] = []

    def origin(self, position: int) -> int:
        """Return the original position of the character that made folded `position`."""
        if not self.starts:
            return position
        index = bisect_right(self.starts, position) - 1
        return self.origins[index] + position - self.starts[index]

    def position(self, origin: int) -> int:
        """Return the folded position at or after which original `origin` begins."""
        if not self.starts:
            return origin
        index = bisect_right(self.origins, origin) - 1
        return self.starts[index] + origin - self.origins[index]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the original span of folded `start`..`end` (not empty), accents included."""
        if not self.starts:
            return start, end
        last = self.origin(end - 1) + 1
        while last < len(self.original) and unicodedata.combining(self.original[last]):
            last += 1
        return self.origin(start), last


def fold(text: str) -> Folded:
    """Return the folded text: lower case, no accents, ASCII dashes and quotes, single-width."""
    if text.isascii():
        return Folded(text, _spaced(text.lower()))
    return _fold_mixed(text)


def _spaced(text: str) -> str:
    # Nearly every text has none of them: four look-ups cost a tenth of one `translate`.
    for blank in _BLANKS:
        if blank in text:
            text = text.replace(blank, " ")
    return text


def _fold_mixed(text: str) -> Folded:
    parts: list[str] = []
    starts, origins = [0], [0]
    done = length = 0
    for match in _NON_ASCII.finditer(text):
        at = match.start()
        made = fold_char(text[at])
        parts.append(text[done:at].lower())
        parts.append(made)
        length += at - done + len(made)
        done = at + 1
        if len(made) != 1:
            _note_expansion(starts, origins, length, len(made), at)
    parts.append(text[done:].lower())
    folded = _spaced("".join(parts))
    if len(starts) == 1 and origins[0] == 0:
        return Folded(text, folded)
    return Folded(text, folded, starts, origins)


def _note_expansion(starts: list[int], origins: list[int], length: int, made: int, at: int) -> None:
    """Each folded character of a longer fold leads back to the one original character."""
    for offset in range(made):
        starts.append(length - made + offset)
        origins.append(at)
    # Several characters that fold to nothing may follow each other; the last one counts.
    if starts[-1] == length:
        starts.pop()
        origins.pop()
    starts.append(length)
    origins.append(at + 1)


@lru_cache(maxsize=8192)
def fold_char(char: str) -> str:
    """Return what one character folds to: none, one or several characters."""
    if char in _PLAIN:
        return _PLAIN[char]
    if unicodedata.category(char) in ("Cf", "Mn", "Me"):
        return ""
    plain = unicodedata.normalize("NFKD", char).casefold()
    kept = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    return " " if kept.isspace() and kept != "\n" else kept
