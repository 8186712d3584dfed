"""
Order candidates by score over the columns of the board, as `rank` orders them one by one.

A match scores hundreds of candidates and shows ten: here the scores of all are a few array
operations, and features and parts are made for those that are shown. A test holds both equal.

Source: design.md 6, N-51.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from nextstep.match.board import ID_BITS, Values
from nextstep.match.facts import Facts, parts_of
from nextstep.match.ranking import PARTS, Candidate, Ranked


class Ordering(msgspec.Struct, frozen=True):
    """
    Candidates by falling score, ties by the id of the posting shown.

    `features` and `parts` are arrays by name in the same order; parts are in units of 1/UNIT.
    """

    candidates: list[Candidate]
    features: dict[str, Values]
    parts: dict[str, npt.NDArray[np.int64]]
    scores: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.candidates)

    def employers(self) -> list[str]:
        """Return the employer of each candidate, '' where it is not known."""
        return [one.employer for one in self.candidates]

    def at(self, index: int) -> Ranked:
        """Return a candidate with its features and parts."""
        return Ranked(
            self.candidates[index],
            {part: float(self.features[part][index]) for part in PARTS},
            {part: int(self.parts[part][index]) for part in PARTS},
            int(self.scores[index]),
        )


def order(
    facts: Facts,
    found: Mapping[int, Candidate],
    cosines: Mapping[int, float],
    shares: Mapping[str, int],
    literal: Sequence[int] | None = None,
) -> Ordering:
    """
    Return the candidates in order.

    Args:
        found: candidates by slot.
        cosines: to the profile by slot, where the job has a vector.
        shares: weights in units, of `unit_weights`.
        literal: per candidate, how many wanted skills only its text names.
    """
    slots = np.fromiter(found, dtype=np.int64, count=len(found))
    similarity = np.array([cosines.get(slot, 0.0) for slot in found])
    said = None if literal is None else np.asarray(literal, dtype=np.float64)
    features = facts.features(slots, said)
    features["similarity"] = np.round(np.clip(similarity, 0.0, 1.0), 6)
    parts = {part: parts_of(features[part], shares[part]) for part in PARTS}
    scores: npt.NDArray[np.int64] = sum(parts.values(), np.zeros(len(slots), dtype=np.int64))
    by_score = np.argsort(
        -((scores << ID_BITS) + facts.board.column("order")[slots]), kind="stable"
    )
    candidates = list(found.values())
    return Ordering(
        [candidates[index] for index in by_score.tolist()],
        {part: values[by_score] for part, values in features.items()},
        {part: values[by_score] for part, values in parts.items()},
        scores[by_score],
    )
