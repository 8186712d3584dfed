"""How well two sets of vectors agree: the measure that a prepared model must pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_NEAREST = 10


def cosines(one: Vectors, other: Vectors) -> Vectors:
    """Return the cosine of each pair of unit vectors, shape (n,)."""
    paired: Vectors = np.einsum("ij,ij->i", one, other)
    return paired


def overlap_at_10(one: Vectors, other: Vectors) -> float:
    """
    Return the mean part of a text's ten nearest that both sets share; 1.0 for fewer than two texts.

    A text is no neighbour of itself. Ties are settled by place, so that equal sets agree wholly.
    """
    if len(one) < 2:
        return 1.0
    mine, theirs = _nearest(one @ one.T, alone=True), _nearest(other @ other.T, alone=True)
    return _shared(mine, theirs)


def found_overlap_at_10(
    queries: Vectors, passages: Vectors, other_queries: Vectors, other_passages: Vectors
) -> float:
    """Return the mean part of a query's ten nearest passages that both sets share."""
    mine = _nearest(queries @ passages.T, alone=False)
    return _shared(mine, _nearest(other_queries @ other_passages.T, alone=False))


def _nearest(similar: Vectors, *, alone: bool) -> npt.NDArray[np.intp]:
    if alone:
        np.fill_diagonal(similar, -np.inf)
    k = min(_NEAREST, similar.shape[1] - alone)
    return np.argsort(-similar, axis=1, kind="stable")[:, :k]


def _shared(mine: npt.NDArray[np.intp], theirs: npt.NDArray[np.intp]) -> float:
    common = [
        len(set(a) & set(b)) / len(a) for a, b in zip(mine.tolist(), theirs.tolist(), strict=True)
    ]
    return float(np.mean(common))
