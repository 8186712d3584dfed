"""
What is answered about trends: series with gaps, spans compared, pay, employers; plain values.

Every answer names the position it is of (`head`: trends' offset; `log_head`), the filters it was
made with, the coverage of the sources it speaks of, and warnings in words.

Source: issue 7 items 1-4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from nextstep.projections.coverage import SourceCoverage, Span, gaps_of, warnings_of
from nextstep.projections.months import months_between, shifted
from nextstep.projections.significance import Change, change_of, share_of


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """
    The filters of a question. `cluster` and `country`: "*" is all, "" what is not known.

    `span` is the number of months in each of the two spans that are compared.
    """

    skills: tuple[str, ...] = ()
    title: str = ""
    cluster: str = "*"
    country: str = "*"
    first: date | None = None
    last: date | None = None
    span: int = 12
    limit: int = 20
    verdict: str = ""
    currency: str = ""
    period: str = ""
    employer: str = ""
    source: str = ""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which postings stand behind a number; what is None is not asked.

    `month` is a single one, `first` and `last` bound several.
    `cluster` is that of the entities, `posted_cluster` the posting's own, as employers count.
    """

    month: date | None = None
    cluster: str | None = None
    country: str | None = None
    skill: str | None = None
    title: str | None = None
    currency: str | None = None
    period: str | None = None
    employer: str | None = None
    posted_cluster: str | None = None
    source: str | None = None
    is_counted: bool | None = None
    has_pay: bool | None = None
    first: date | None = None
    last: date | None = None


class Point(msgspec.Struct, frozen=True):
    """A month of a series. `state`: crawled or gap; a gap has no numbers."""

    month: date
    state: str
    count: int | None
    jobs: int | None
    share: float | None
    low: float | None
    high: float | None
    sources: dict[str, int]


class Series(msgspec.Struct, frozen=True):
    """A skill month by month, and its last span against an earlier one."""

    skill: str
    points: list[Point]
    change: Change | None


class Compared(msgspec.Struct, frozen=True):
    """The two spans that changes are taken between, with the jobs of each source in them."""

    early: Span
    late: Span
    early_sources: dict[str, int]
    late_sources: dict[str, int]


class SkillChange(msgspec.Struct, frozen=True):
    """A skill in two spans."""

    skill: str
    change: Change


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer carries; `data` is the question's own."""

    head: int
    log_head: int
    asked: Asked
    compared: Compared | None = None
    gaps: list[Span] = []
    warnings: list[str] = []
    coverage: list[SourceCoverage] = []
    data: Any = None


class GroupMonth(msgspec.Struct, frozen=True):
    """A stored row of a group: jobs, jobs by source, jobs by skill (those asked for, or all)."""

    month: date
    jobs: int
    sources: dict[str, int]
    skills: dict[str, int]


class Window(msgspec.Struct, frozen=True):
    """Everything a comparison needs: the months there are, the gaps among them, the spans."""

    first: date
    last: date
    gaps: set[date]
    compared: Compared | None
    warnings: list[str]


def window_of(
    asked: Asked, months: Mapping[date, Mapping[str, int]], crawled: Mapping[str, set[date]]
) -> Window | None:
    """
    Return the window of a question, None where nothing is there.

    The late span is the last `span` months of the window. The early one is its first `span` months
    when the question says where it begins, else the `span` months before the late one.

    Args:
        months: month -> jobs of each source, for the months that have jobs.
        crawled: source -> months.
    """
    known = [m for m in months if _within(m, asked)]
    if not known:
        return None
    first, last = asked.first or min(known), asked.last or max(known)
    sources = sorted({source for month in known for source in months[month]})
    late = Span(max(shifted(last, 1 - asked.span), first), last)
    if asked.first is not None:
        early = Span(first, min(shifted(first, asked.span - 1), shifted(late.first, -1)))
    else:
        early = Span(shifted(late.first, -asked.span), shifted(late.first, -1))
    gaps = gaps_of(sources, crawled, min(first, early.first), last)
    if early.last < early.first:
        return Window(first, last, gaps, None, [])
    mixed = (_mixed(months, early), _mixed(months, late))
    warnings = warnings_of(early, late, gaps, mixed)
    return Window(first, last, gaps, Compared(early, late, *map(dict, mixed)), warnings)


def _within(month: date, asked: Asked) -> bool:
    return (asked.first or month) <= month <= (asked.last or month)


def _mixed(months: Mapping[date, Mapping[str, int]], span: Span) -> dict[str, int]:
    found: Counter[str] = Counter()
    for month, sources in months.items():
        if span.first <= month <= span.last:
            found.update(sources)
    return dict(sorted(found.items()))


def series(skill: str, rows: Sequence[GroupMonth], window: Window) -> Series:
    """Return a skill's series over the whole window; every month is there."""
    by_month = {row.month: row for row in rows}
    points = []
    for month in months_between(window.first, window.last):
        row = by_month.get(month)
        if row is None and month in window.gaps:
            points.append(Point(month, "gap", None, None, None, None, None, {}))
            continue
        count, jobs = (row.skills.get(skill, 0), row.jobs) if row is not None else (0, 0)
        found = share_of(count, jobs)
        sources = dict(sorted(row.sources.items())) if row is not None else {}
        points.append(
            Point(month, "crawled", count, jobs, found.share, found.low, found.high, sources)
        )
    compared = window.compared
    change = changes([skill], rows, compared)[0].change if compared is not None else None
    return Series(skill, points, change)


def changes(
    skills: Iterable[str] | None, rows: Sequence[GroupMonth], compared: Compared
) -> list[SkillChange]:
    """Return the skills (all that occur, for None) in both spans, in the order given or by name."""
    early, late = _summed(rows, compared.early), _summed(rows, compared.late)
    names = sorted(early[1].keys() | late[1].keys()) if skills is None else skills
    sources = (compared.early_sources, compared.late_sources)
    return [
        SkillChange(name, change_of((early[1][name], early[0]), (late[1][name], late[0]), sources))
        for name in names
    ]


def _summed(rows: Sequence[GroupMonth], span: Span) -> tuple[int, Counter[str]]:
    jobs, counts = 0, Counter[str]()
    for row in rows:
        if span.first <= row.month <= span.last:
            jobs += row.jobs
            counts.update(row.skills)
    return jobs, counts


def leading(found: list[SkillChange], verdict: str, limit: int) -> list[SkillChange]:
    """
    Return the skills to show: by share in the late span, or those of a verdict by their difference.
    """
    if not verdict:
        ordered = sorted(found, key=lambda one: (-one.change.late.count, one.skill))
    else:
        ordered = sorted(
            (one for one in found if one.change.verdict == verdict),
            key=lambda one: (-abs(one.change.difference or 0.0), one.skill),
        )
    return ordered[:limit]
