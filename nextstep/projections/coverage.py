"""
Which months were crawled, and what that does to a chart and to a change.

A source crawled a month when a complete scan says so, else when it has a dated posting in it. A
month is a gap of a series when none of the series' sources crawled it: nothing is known of it, so
it has no share, and no line is drawn through it. A crawled month without a job of the group is no
gap; its jobs are 0.

Source: decisions.md 21, issue 7 item 2.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from nextstep.projections.months import months_between, shifted


class SourceMonth(msgspec.Struct, frozen=True):
    """
    A source in a month: postings dated in it, counted jobs among them, days with a posting.

    `fullness` is days with a posting of the days of the month; None where dates are months only.
    """

    source: str
    month: date
    postings: int
    jobs: int
    days: int
    scans: int
    complete_scans: int
    crawled: bool
    fullness: float | None = None


class Span(msgspec.Struct, frozen=True):
    """Months in a row, both ends included."""

    first: date
    last: date


class SourceCoverage(msgspec.Struct, frozen=True):
    """
    What a source was crawled for: first and last month, gaps between them, and its months.

    `undated` postings say no month and are in no count of a month.
    """

    source: str
    postings: int
    undated: int
    first: date | None
    last: date | None
    gaps: list[Span]
    months: list[SourceMonth] = []


def with_fullness(row: SourceMonth) -> SourceMonth:
    """Return the month with the part of its days that have a posting."""
    if not row.days:
        return row
    length = calendar.monthrange(row.month.year, row.month.month)[1]
    return msgspec.structs.replace(row, fullness=round(row.days / length, 2))


def crawled_months(rows: Iterable[SourceMonth]) -> dict[str, set[date]]:
    """Return source -> its crawled months."""
    found: dict[str, set[date]] = {}
    for row in rows:
        if row.crawled:
            found.setdefault(row.source, set()).add(row.month)
    return found


def spans(months: Iterable[date]) -> list[Span]:
    """Return the months as spans, in order."""
    found: list[Span] = []
    for month in sorted(set(months)):
        if found and shifted(found[-1].last, 1) == month:
            found[-1] = Span(found[-1].first, month)
        else:
            found.append(Span(month, month))
    return found


def gaps_of(
    sources: Iterable[str], crawled: Mapping[str, set[date]], first: date, last: date
) -> set[date]:
    """Return the months from first to last that none of the sources crawled."""
    known = set().union(*(crawled.get(source, set()) for source in sources))
    return {month for month in months_between(first, last) if month not in known}


def summary(
    totals: Iterable[tuple[str, int, int]], rows: Sequence[SourceMonth]
) -> list[SourceCoverage]:
    """
    Return the coverage of each source, by name.

    Args:
        totals: (source, postings, undated).
        rows: the months of all of them.
    """
    crawled = crawled_months(rows)
    found = []
    for source, postings, undated in sorted(totals):
        months = crawled.get(source, set())
        first, last = (min(months), max(months)) if months else (None, None)
        gaps = spans(gaps_of([source], crawled, first, last)) if first and last else []
        mine = [with_fullness(row) for row in rows if row.source == source]
        found.append(SourceCoverage(source, postings, undated, first, last, gaps, mine))
    return found


def warnings_of(
    early: Span,
    late: Span,
    gaps: set[date],
    sources: tuple[Mapping[str, int], Mapping[str, int]],
) -> list[str]:
    """
    Return what a reader of a change must know: gaps in or between the spans, other sources.

    `sources` are source -> jobs of the early and of the late span.
    """
    found = [
        f"no crawl in {said(gap)}: a change across it may have come at any time, "
        "and what was crawled may differ"
        for gap in spans(month for month in gaps if early.first <= month <= late.last)
    ]
    before, after = sources
    if before and after and not before.keys() & after.keys():
        found.append(
            f"no source has jobs in both spans ({_names(before)} before, {_names(after)} after): "
            "the posts differ, not only the demand"
        )
    elif before and after and before.keys() != after.keys():
        found.append(
            f"the sources changed ({_names(before)} before, {_names(after)} after): "
            "part of a change may be theirs"
        )
    return found


def said(span: Span) -> str:
    """Return a span as a person writes it."""
    if span.first == span.last:
        return f"{span.first:%Y-%m}"
    return f"{span.first:%Y-%m} to {span.last:%Y-%m}"


def _names(sources: Mapping[str, int]) -> str:
    return ", ".join(sorted(sources)) or "none"
