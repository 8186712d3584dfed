"""
Which slots have a word: lists by word that grow at their end and are sorted anew now and then.

Source: design.md 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_START = 1024
#: Entries that came after the lists were sorted are scanned; beyond this share they are sorted in.
_TAIL_SHARE = 0.1


class Postings:
    """Words of slots; a slot's words are added once, each at most once."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self._words = np.zeros(_START, dtype=np.int32)
        self._slots = np.zeros(_START, dtype=np.int32)
        self._used = 0
        # Entries sorted in, their slots by word, and where the slots of each word begin.
        self._sorted = 0
        self._by_word: npt.NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._ends: npt.NDArray[np.int64] = np.zeros(1, dtype=np.int64)

    def add(self, slot: int, words: Iterable[str]) -> None:
        """Add the words of a slot."""
        codes = [self.codes.setdefault(word, len(self.codes)) for word in words]
        end = self._used + len(codes)
        while end > len(self._words):
            self._words, self._slots = grown(self._words), grown(self._slots)
        self._words[self._used : end] = codes
        self._slots[self._used : end] = slot
        self._used = end

    def slots(self, word: str) -> npt.NDArray[np.int32]:
        """Return the slots that have a word, dead ones included; empty for a word nobody has."""
        code = self.codes.get(word)
        if code is None:
            return np.zeros(0, dtype=np.int32)
        self._sort()
        found = np.zeros(0, dtype=np.int32)
        if code < len(self._ends) - 1:
            found = self._by_word[self._ends[code] : self._ends[code + 1]]
        tail = slice(self._sorted, self._used)
        return np.concatenate([found, self._slots[tail][self._words[tail] == code]])

    def weigh(self, weights: Mapping[str, float], size: int) -> npt.NDArray[np.float64]:
        """Return per slot the sum of the weights of those words that it has."""
        found = [self.slots(word) for word in weights]
        if not found:
            return np.zeros(size)
        shares = np.repeat(list(weights.values()), [len(slots) for slots in found])
        sums = np.bincount(np.concatenate(found), weights=shares, minlength=size)
        return sums.astype(np.float64, copy=False)

    def _sort(self) -> None:
        if self._used - self._sorted <= _START + _TAIL_SHARE * self._sorted:
            return
        words = self._words[: self._used]
        order = np.argsort(words, kind="stable")
        self._ends = np.searchsorted(words[order], np.arange(len(self.codes) + 1))
        self._by_word = self._slots[: self._used][order]
        self._sorted = self._used


def grown(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column of twice the length, its values at the front."""
    return np.concatenate([column, np.zeros_like(column)])
