"""
The known name nearest to a misspelled one, without comparing it with all of them.

An edit changes at most two of the letters that a name has, and its length by one, so most names are
ruled out by one look at their letters; only the few that are left are compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from rapidfuzz.distance import OSA

#: Bits of a set of letters; letters that share a bit only weaken the bound.
_BITS = 64

#: A shorter word is an abbreviation, not a misspelling of another: MES is not HSE, nor CSV CRM.
_SHORTEST_MISSPELLED_WORD = 5


class Name(msgspec.Struct, frozen=True):
    """A name with its words sorted, its place among all names, and whose name it is."""

    text: str
    rank: int
    owner: int


class _Group(msgspec.Struct, frozen=True):
    """Names of one number of words by length: `ends[n]` of them have n letters or fewer."""

    names: list[Name]
    letters: Any  # numpy uint64, one set of letters per name
    ends: list[int]


class NearNames:
    """Finds names by their words in any order and up to a few edits."""

    def __init__(self, names: Iterable[Name]) -> None:
        import numpy  # noqa: PLC0415  (keeps the command line's start short)

        self._numpy = numpy
        by_words: dict[int, list[Name]] = {}
        for name in names:
            by_words.setdefault(name.text.count(" ") + 1, []).append(name)
        self._groups: dict[int, _Group] = {}
        for words, members in by_words.items():
            members.sort(key=lambda name: (len(name.text), name.rank))
            lengths = [len(name.text) for name in members]
            letters = numpy.array([_letters(name.text) for name in members], dtype=numpy.uint64)
            sizes = numpy.searchsorted(lengths, range(max(lengths) + 1), side="right")
            self._groups[words] = _Group(members, letters, sizes.tolist())

    def nearest(self, text: str, most: int) -> tuple[int, int] | None:
        """
        Return edits and owner of the name nearest to a text, the first by rank of equal ones.

        Words of up to four letters must stand in the name as they are.

        Args:
            text: words, sorted, one blank between them.
            most: edits (a letter more, less or other, or two turned around) that are allowed.
        """
        group = self._groups.get(text.count(" ") + 1)
        if group is None:
            return None
        first, last = self._of_length(group, len(text) - most, len(text) + most)
        short = {word for word in text.split(" ") if len(word) < _SHORTEST_MISSPELLED_WORD}
        numpy = self._numpy
        other = group.letters[first:last] ^ numpy.uint64(_letters(text))
        best: tuple[int, int, int] | None = None
        for at in numpy.nonzero(numpy.bitwise_count(other) <= 2 * most)[0].tolist():
            name = group.names[first + at]
            edits = OSA.distance(text, name.text, score_cutoff=most)
            if edits <= most and short <= set(name.text.split(" ")):
                best = min(best or (most + 1, 0, 0), (edits, name.rank, name.owner))
        return (best[0], best[2]) if best else None

    @staticmethod
    def _of_length(group: _Group, least: int, most: int) -> tuple[int, int]:
        ends = group.ends
        first = ends[least - 1] if 0 < least <= len(ends) else 0 if least <= 0 else ends[-1]
        return first, ends[min(most, len(ends) - 1)]


def _letters(text: str) -> int:
    bits = 0
    for letter in set(text):
        bits |= 1 << (ord(letter) % _BITS)
    return bits
