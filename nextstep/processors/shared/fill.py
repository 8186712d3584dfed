"""
Which fields of a post are filled, how full each source is, and when a source lost a field.

A scraper that breaks seldom fails: it goes on with an empty salary. So the fill rate of every
field in a source's latest posts is held against the posts before them.

The rule, a function of the tables alone: the latest window of a source is its last days (UTC, of
the content shown) that together hold LEAST_POSTS posts; everything older is the earlier window. A
field has dropped when both windows hold LEAST_POSTS, its rate fell by LEAST_DROP or more, and the
95 % Wilson intervals of the two rates lie apart.

Source: issue 4 item 1, decisions.md 31.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

#: Bit 0 is the first. Names are columns of `jobs_normalized`; add at the end only.
FIELDS = (
    "title", "description_clean", "company", "url", "location_raw", "city", "region", "country",
    "work_mode", "date_posted", "employment_type_raw", "employment_type", "salary_raw",
    "title_cluster", "sections", "language",
)  # fmt: skip
#: Posts that a window needs before its rate says anything.
LEAST_POSTS = 50
#: The smallest fall of a rate that is an alarm, as a share of posts.
LEAST_DROP = 0.20
#: Standard normal quantile of a two-sided 95 % interval.
_Z = 1.959964


class Fill(msgspec.Struct, frozen=True):
    """
    How full one field of one source is.

    `total` and `filled` count all posts of the source, `recent_*` those of its latest window, and
    `earlier_*` those before it. Rates are shares to 3 decimals, None where there are no posts.
    """

    source: str
    field: str
    filled: int
    total: int
    rate: float | None
    recent_since: date
    recent_filled: int
    recent_total: int
    recent_rate: float | None
    earlier_filled: int
    earlier_total: int
    earlier_rate: float | None
    dropped: bool


def filled_mask(values: Mapping[str, object]) -> int:
    """Return the bits of the FIELDS whose value says something."""
    return sum(1 << bit for bit, name in enumerate(FIELDS) if values[name])


def fill_rates(groups: Iterable[tuple[str, date, int, int]]) -> list[Fill]:
    """
    Return the fill of every field of every source, sources by name, fields in the order of FIELDS.

    Args:
        groups: source, day, mask of filled fields, and how many posts have them; in any order.
    """
    days: dict[str, dict[date, list[tuple[int, int]]]] = {}
    for source, day, mask, posts in groups:
        days.setdefault(source, {}).setdefault(day, []).append((mask, posts))
    return [fill for source in sorted(days) for fill in _of_source(source, days[source])]


def _of_source(source: str, days: Mapping[date, list[tuple[int, int]]]) -> list[Fill]:
    since = _window_start(days)
    recent = [group for day in sorted(days) if day >= since for group in days[day]]
    earlier = [group for day in sorted(days) if day < since for group in days[day]]
    return [_of_field(source, bit, since, recent, earlier) for bit in range(len(FIELDS))]


def _window_start(days: Mapping[date, list[tuple[int, int]]]) -> date:
    held = 0
    for day in sorted(days, reverse=True):
        held += sum(posts for _, posts in days[day])
        if held >= LEAST_POSTS:
            return day
    return min(days)


def _of_field(
    source: str,
    bit: int,
    since: date,
    recent: list[tuple[int, int]],
    earlier: list[tuple[int, int]],
) -> Fill:
    now, of_now = _counted(recent, bit)
    before, of_before = _counted(earlier, bit)
    return Fill(
        source=source,
        field=FIELDS[bit],
        filled=now + before,
        total=of_now + of_before,
        rate=_rate(now + before, of_now + of_before),
        recent_since=since,
        recent_filled=now,
        recent_total=of_now,
        recent_rate=_rate(now, of_now),
        earlier_filled=before,
        earlier_total=of_before,
        earlier_rate=_rate(before, of_before),
        dropped=has_dropped(now, of_now, before, of_before),
    )


def _counted(groups: list[tuple[int, int]], bit: int) -> tuple[int, int]:
    return (
        sum(posts for mask, posts in groups if mask >> bit & 1),
        sum(posts for _, posts in groups),
    )


def _rate(filled: int, total: int) -> float | None:
    return round(filled / total, 3) if total else None


def has_dropped(filled: int, total: int, filled_before: int, total_before: int) -> bool:
    """Return whether a field is filled so much less often than before that it is an alarm."""
    if min(total, total_before) < LEAST_POSTS:
        return False
    # In whole numbers, so that a fall of exactly LEAST_DROP is one on every machine.
    fall = filled_before * total - filled * total_before
    if fall < LEAST_DROP * total * total_before - 1e-6:
        return False
    return _wilson(filled, total)[1] < _wilson(filled_before, total_before)[0]


def _wilson(hits: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share = hits / of
    scale = 1 + _Z**2 / of
    middle = (share + _Z**2 / (2 * of)) / scale
    half = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of * of)) / scale
    return middle - half, middle + half
