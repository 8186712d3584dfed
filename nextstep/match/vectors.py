"""
The vectors of a board's slots in memory: which are nearest to a query, and the cosines of others.

Every vector is held twice: a byte per number, in which all are compared, and in half precision, in
which the nearest of those are compared again. 100,000 vectors of 384 numbers take 116 MB and a
look at all of them two milliseconds without the interpreter's lock, where a walk of the index costs
six and a subset of a tenth thirty-five. A cosine from here differs from that of the database by
less than 1e-4.

Source: issue 6 item 4, docs/why.md, bench/recall.py.
"""

from __future__ import annotations

import numkong
import numpy as np
import numpy.typing as npt

from nextstep.match.postings import grown

Floats = npt.NDArray[np.float32]
Slots = npt.NDArray[np.int64]

#: Bytes of a vector beside three per number: scale, stamp, flag.
_OVERHEAD = 13
#: So many times what is wanted is compared again in half precision.
_AGAIN = 2
#: Below this share of all slots, the rows are gathered first.
GATHERED_SHARE = 0.3


class Vectors:
    """
    Unit vectors by slot; a slot gets its vector once and never another.

    Args:
        dim: numbers in a vector.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._halves = np.zeros((1024, dim), dtype=np.float16)
        self._bytes = np.zeros((1024, dim), dtype=np.int8)
        self._scales = np.zeros(1024, dtype=np.float32)
        self._stamps = np.zeros(1024, dtype=np.int64)
        self._has = np.zeros(1024, dtype=np.bool_)

    def __len__(self) -> int:
        return int(self._has.sum())

    def put(self, slots: Slots, vectors: Floats, stamps: npt.NDArray[np.int64]) -> None:
        """Hold the vectors of slots, shape (n, dim); a stamp tells a job's texts apart."""
        if not len(slots):
            return
        # A search may be looking from another thread: flags come last here, and first there.
        while slots.max() >= len(self._has):
            self._halves, self._bytes = grown(self._halves), grown(self._bytes)
            self._scales, self._stamps = grown(self._scales), grown(self._stamps)
            self._has = grown(self._has)
        self._halves[slots] = vectors
        self._bytes[slots], self._scales[slots] = _in_bytes(vectors)
        self._stamps[slots] = stamps
        self._has[slots] = True

    def stamp(self, slot: int) -> int | None:
        """Return the stamp of a slot's vector, None where it has none."""
        return int(self._stamps[slot]) if slot < len(self._has) and self._has[slot] else None

    def nearest(
        self, query: Floats, mask: npt.NDArray[np.bool_], most: int
    ) -> tuple[Slots, npt.NDArray[np.float64]]:
        """
        Return the slots nearest to a unit vector and their cosines, nearest first.

        Equally near ones are in slot order: who needs another order sorts them.

        Args:
            query: shape (dim,).
            mask: slots that may be returned.
        """
        size = min(len(mask), len(self._has))
        slots: Slots = np.flatnonzero(mask[:size] & self._has[:size])
        wanted = _AGAIN * most
        if len(slots) > wanted:
            small, _ = _in_bytes(query[None])
            if len(slots) < GATHERED_SHARE * size:
                rough = _dots(small, self._bytes[slots]) * self._scales[slots]
            else:
                rough = (_dots(small, self._bytes[:size]) * self._scales[:size])[slots]
            slots = np.sort(slots[np.argpartition(rough, len(rough) - wanted)[-wanted:]])
        cosines = self.cosines(query, slots)
        order = np.argsort(-cosines, kind="stable")[:most]
        return slots[order], cosines[order]

    def has(self, slots: Slots) -> npt.NDArray[np.bool_]:
        """Return which slots have a vector."""
        there: npt.NDArray[np.bool_] = slots < len(self._has)
        there[there] = self._has[slots[there]]
        return there

    def cosines(self, query: Floats, slots: Slots) -> npt.NDArray[np.float64]:
        """Return the cosine to a unit vector of each slot; all of them have a vector."""
        rows = self._halves[slots].astype(np.float32)
        # Not `@`: for so few rows the threads of a BLAS library cost more than the sum itself.
        found: npt.NDArray[np.float64] = np.einsum("ij,j->i", rows, query).astype("f8")
        return found


def bytes_per_vector(dim: int) -> int:
    """Return what a vector takes in memory."""
    return 3 * dim + _OVERHEAD


def _in_bytes(vectors: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    most = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.float32(1e-12))
    return np.rint(vectors * (127 / most)).astype(np.int8), (most / 127)[:, 0]


def _dots(query: npt.NDArray[np.int8], rows: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    # Sums of whole numbers: the same on every processor, whatever its instructions are.
    sums = np.asarray(numkong.cdist(query, rows, metric="dot"), dtype=np.float64)
    return sums.reshape(-1)
