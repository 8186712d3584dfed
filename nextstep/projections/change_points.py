"""
Change points of a series: months after which its share has another level. An optional extra.

PELT with the normal cost for a changed mean over the months that were crawled, each weighted alike;
gaps are left out, and a point found at the border of a gap says so, because nobody knows when in
the gap it came. `pip install nextstep[changepoints]` brings ruptures, which does the search.

Source: N-53, issue 7 item 2; R. Killick et al., Optimal detection of changepoints, JASA 107 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import msgspec

from nextstep.errors import UsageError
from nextstep.projections.months import shifted
from nextstep.projections.trend_answers import Point

#: Months on either side of a change point; a shorter level is a single thread or campaign.
LEAST_MONTHS = 3
#: Jobs of a month that takes part: below, a share jumps by chance alone.
LEAST_JOBS = 10


class ChangePoint(msgspec.Struct, frozen=True):
    """The first month of a new level, and the mean shares before and after it."""

    month: date
    before: float
    after: float
    across_gap: bool


def change_points(points: Sequence[Point]) -> list[ChangePoint]:
    """
    Return the change points of a series, in order; none where it is too short.

    Raises:
        UsageError: ruptures is not installed.
    """
    try:
        import ruptures  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "change points need the package ruptures, which is not installed",
            hint="pip install 'nextstep[changepoints]'",
        ) from error
    import numpy as np  # noqa: PLC0415

    known = [point for point in points if point.share is not None and _jobs(point) >= LEAST_JOBS]
    if len(known) < 2 * LEAST_MONTHS:
        return []
    shares = [point.share or 0.0 for point in known]
    signal = np.array(shares, dtype=float).reshape(-1, 1)
    # One level more must take off more squares than chance gives it: the BIC of a normal mean, with
    # the noise taken from neighbouring months, which no level moves.
    noise = sum((a - b) ** 2 for a, b in pairwise(shares)) / (2 * (len(shares) - 1))
    penalty = 3 * max(noise, 1e-9) * math.log(len(shares))
    search = ruptures.Pelt(model="l2", min_size=LEAST_MONTHS, jump=1).fit(signal)
    ends = [int(end) for end in search.predict(pen=penalty)]
    starts = [0, *ends]
    found = []
    for begin, middle, end in zip(starts, ends, ends[1:], strict=False):
        found.append(
            ChangePoint(
                month=known[middle].month,
                before=round(sum(shares[begin:middle]) / (middle - begin), 6),
                after=round(sum(shares[middle:end]) / (end - middle), 6),
                across_gap=known[middle - 1].month != shifted(known[middle].month, -1),
            )
        )
    return found


def _jobs(point: Point) -> int:
    return point.jobs or 0
