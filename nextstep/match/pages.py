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

#: One employer may always have so many results on a page, however short it is.
_LEAST = 3


def page_of(
    employers: Sequence[str], offset: int, limit: int, size: int, share: float
) -> list[int]:
    """
    Return the indexes of the results from `offset` on, `limit` at most, best first.

    Args:
        employers: of the results, best first; '' where it is not known.
        size: results of the first page; it decides the sequence, whatever the later limits are.
        share: of a page that one employer may take; 1 switches this off.
    """
    return sorted(sequence(employers, size, share, offset + limit)[offset : offset + limit])


def sequence(
    employers: Sequence[str], size: int, share: float, upto: int | None = None
) -> list[int]:
    """Return the indexes of the first `upto` results as pages of `size` show them; None: all."""
    most = max(_LEAST, math.ceil(size * share))
    left = list(range(len(employers)))
    if share >= 1:
        return left
    shown: list[int] = []
    while left and (upto is None or len(shown) < upto):
        chosen = _choose(employers, left, size, most)
        shown += chosen
        taken = set(chosen)
        left = [index for index in left if index not in taken]
    return shown


def _choose(employers: Sequence[str], left: Sequence[int], size: int, most: int) -> list[int]:
    counts: Counter[str] = Counter()
    chosen: list[int] = []
    passed_over: list[int] = []
    for index in left:
        employer = employers[index]
        if employer and counts[employer] >= most:
            passed_over.append(index)
            continue
        counts[employer] += 1
        chosen.append(index)
        if len(chosen) == size:
            break
    # Where there are no others, the page is filled all the same.
    return sorted(chosen + passed_over[: size - len(chosen)])
