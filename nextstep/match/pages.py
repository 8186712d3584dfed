"""
Cut a ranking into pages on which no employer stands too often.

A page takes the best results in their order, but of one employer only a share of the page while
others are there; what is left over comes first on the next page. Scores are not touched, and a
page is in order of them. So a better job never stands behind a worse one of the same page, and
never comes on a later page than a worse one of the same employer.

Source: issue 6 item 4.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from nextstep.match.ranking import Ranked

#: One employer may always have so many results on a page, however short it is.
_LEAST = 3


def page_of(
    ranked: Sequence[Ranked], offset: int, limit: int, size: int, share: float
) -> list[Ranked]:
    """
    Return the results from `offset` on, `limit` at most, best first.

    Args:
        ranked: best first.
        size: results of the first page; it decides the sequence, whatever the later limits are.
        share: of a page that one employer may take; 1 switches this off.
    """
    order = sequence(ranked, size, share)[offset : offset + limit]
    return [ranked[index] for index in sorted(order)]


def sequence(ranked: Sequence[Ranked], size: int, share: float) -> list[int]:
    """Return the indexes of all results in the order in which pages of `size` show them."""
    most = max(_LEAST, math.ceil(size * share))
    left = list(range(len(ranked)))
    if share >= 1:
        return left
    shown: list[int] = []
    while left:
        chosen = _choose(ranked, left, size, most)
        shown += chosen
        taken = set(chosen)
        left = [index for index in left if index not in taken]
    return shown


def _choose(ranked: Sequence[Ranked], left: Sequence[int], size: int, most: int) -> list[int]:
    counts: Counter[str] = Counter()
    chosen: list[int] = []
    passed_over: list[int] = []
    for index in left:
        employer = ranked[index].candidate.employer
        if employer and counts[employer] >= most:
            passed_over.append(index)
            continue
        counts[employer] += 1
        chosen.append(index)
        if len(chosen) == size:
            break
    # Where there are no others, the page is filled all the same.
    return sorted(chosen + passed_over[: size - len(chosen)])
