"""
When a share rose or fell, and when nothing can be said.

A share is `count` of `jobs`. Its interval is Wilson's at 95 %, which holds for small numbers and
for shares near 0 and 1. A share *rises* or *falls* between two spans only where

1. both spans have at least `LEAST_JOBS` jobs, and
2. at least one of them has `LEAST_COUNT` jobs that name the skill, and
3. the two intervals do not touch;

it is *steady* where 1 and 2 hold and 3 does not, and *too few* otherwise. Intervals that part are a
harder test than a difference at 95 % (about 1 in 180 equal shares part by chance), on purpose:
lists are read from the top, and the top of a thousand skills is where chance shows.

Where no source has jobs in both spans the two populations differ and not the demand: the verdict is
*not comparable*, whatever the intervals say.

Source: issue 7 item 3; E. B. Wilson, Probable inference, JASA 22 (1927).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec

#: Two-sided 95 %.
Z = 1.959964
LEAST_JOBS = 30
LEAST_COUNT = 5

Verdict = Literal["rising", "falling", "steady", "too few", "not comparable"]


class Share(msgspec.Struct, frozen=True):
    """`count` of `jobs`, with the interval; None for shares of nothing."""

    count: int
    jobs: int
    share: float | None
    low: float | None
    high: float | None


class Change(msgspec.Struct, frozen=True):
    """Two spans against each other; `difference` is late minus early, in shares."""

    early: Share
    late: Share
    difference: float | None
    verdict: Verdict


def wilson(count: int, jobs: int) -> tuple[float, float]:
    """
    Return the interval of a share, within 0..1.

    Args:
        jobs: above 0.
    """
    share = count / jobs
    square = Z * Z
    middle = share + square / (2 * jobs)
    reach = Z * math.sqrt((share * (1 - share) + square / (4 * jobs)) / jobs)
    scale = 1 + square / jobs
    # The ends are exactly 0 and 1 at the borders; rounding would leave a trace there.
    low = 0.0 if count == 0 else (middle - reach) / scale
    high = 1.0 if count == jobs else (middle + reach) / scale
    return low, high


def share_of(count: int, jobs: int) -> Share:
    """Return the share with its interval, rounded to 6 decimals."""
    if not jobs:
        return Share(count, jobs, None, None, None)
    low, high = wilson(count, jobs)
    return Share(count, jobs, round(count / jobs, 6), round(low, 6), round(high, 6))


def change_of(
    early: tuple[int, int],
    late: tuple[int, int],
    sources: tuple[Mapping[str, int], Mapping[str, int]],
) -> Change:
    """
    Return what the rule says of two spans.

    Args:
        early, late: (count, jobs).
        sources: source -> jobs of either span.
    """
    one, other = share_of(*early), share_of(*late)
    difference = None
    if one.share is not None and other.share is not None:
        difference = round(other.share - one.share, 6)
    return Change(one, other, difference, _verdict(early, late, sources))


def _verdict(
    early: tuple[int, int],
    late: tuple[int, int],
    sources: tuple[Mapping[str, int], Mapping[str, int]],
) -> Verdict:
    if min(early[1], late[1]) < LEAST_JOBS or max(early[0], late[0]) < LEAST_COUNT:
        return "too few"
    if not sources[0].keys() & sources[1].keys():
        return "not comparable"
    before, after = wilson(*early), wilson(*late)
    if after[0] > before[1]:
        return "rising"
    if after[1] < before[0]:
        return "falling"
    return "steady"
