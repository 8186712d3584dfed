"""
Reads behind `nextstep trends` and /v1/trends, each in one snapshot.

Source: issue 7 items 2-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from nextstep.db.queries import read_queries
from nextstep.projections import coverage
from nextstep.projections.coverage import SourceCoverage, SourceMonth
from nextstep.projections.trend_answers import (
    Answer,
    Asked,
    Cell,
    GroupMonth,
    Window,
    changes,
    leading,
    series,
    window_of,
)

_QUERIES = read_queries(Path(__file__).with_name("trend_queries.sql"))
#: Job ids in one answer of a trace.
MOST_JOBS = 1000


async def state(connection: Any) -> tuple[int, int, str]:
    """Return trends' offset, the log's head, and a tag that changes with either or the version."""
    row = await connection.fetchrow(_QUERIES["state"])
    offset, head, version = row
    return offset, head, f"{head}-{offset}-{version}"


async def skills(connection: Any, asked: Asked) -> Answer:
    """Return the series of the skills asked for; without any, the leading skills of two spans."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        shape = await _fetch(connection, "group_months", asked.cluster, asked.country)
        return await _answer(connection, asked, shape, ("groups", asked.cluster, asked.country))


async def roles(connection: Any, asked: Asked) -> Answer:
    """Return the months of a title with their top skills, and its skills in two spans."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        shape = await _fetch(connection, "role_months", asked.title)
        found = await _answer(connection, asked, shape, ("role", asked.title))
        months = await _fetch(connection, "role_top", asked.title, *_bounds(asked))
        data = {
            "months": [{"month": m, "jobs": jobs, "top_skills": top} for m, jobs, top in months],
            "skills": found.data,
        }
        return msgspec.structs.replace(found, data=data)


async def _answer(
    connection: Any, asked: Asked, shape: Sequence[Any], rows_of: tuple[str, ...]
) -> Answer:
    covered, crawled = await _coverage(connection)
    months = dict(map(tuple, shape))
    window = window_of(asked, months, crawled)
    data: list[Any] = []
    if window is not None:
        rows = await _rows(connection, asked, window, rows_of, months)
        if asked.skills:
            data = [series(skill, rows, window) for skill in asked.skills]
        elif window.compared is not None:
            data = leading(changes(None, rows, window.compared), asked.verdict, asked.limit)
    sources = {source for month in months.values() for source in month}
    return await _framed(
        connection, asked, window, [c for c in covered if c.source in sources], data
    )


async def _rows(
    connection: Any, asked: Asked, window: Window, rows_of: tuple[str, ...], months: Any
) -> list[GroupMonth]:
    """Read the months of a window: of asked skills over all of it, else all skills of the spans."""
    kind, *key = rows_of
    compared = window.compared
    if asked.skills:
        first = min(window.first, compared.early.first) if compared else window.first
        found = await _fetch(
            connection, f"{kind}_named", *key, first, window.last, list(asked.skills)
        )
        named = (
            (m, jobs, dict(zip(asked.skills, counts, strict=True))) for m, jobs, counts in found
        )
    elif compared is not None:
        spans = (compared.early.first, compared.early.last, compared.late.first, compared.late.last)
        named = (tuple(row) for row in await _fetch(connection, f"{kind}_all", *key, *spans))
    else:
        return []
    return [GroupMonth(month, jobs, months.get(month, {}), names) for month, jobs, names in named]


async def adjacent(connection: Any, asked: Asked) -> Answer:
    """Return the titles nearest to a title, or the nearest pairs of all."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await _fetch(connection, "adjacent", asked.title or None, asked.limit)
        names = ("title_a", "title_b", "similarity", "evidence", "jobs_a", "jobs_b")
        return await _framed(connection, asked, None, [], _named(names, rows))


async def salaries(connection: Any, asked: Asked) -> Answer:
    """Return the quantiles of stated pay by month, currency and period."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await _fetch(
            connection, "salaries", asked.cluster, asked.country, *_bounds(asked),
            asked.currency or None, asked.period or None,
        )  # fmt: skip
        names = ("month", "currency", "period", "jobs", "p10", "p25", "p50", "p75", "p90")
        rows = [(*row[:4], *map(float, row[4:])) for row in rows]
        shape = await _fetch(connection, "group_months", asked.cluster, asked.country)
        covered, crawled = await _coverage(connection)
        months = dict(map(tuple, shape))
        window = window_of(asked, months, crawled)
        if window is not None:  # quantiles are not compared here, so its warnings say nothing
            window = msgspec.structs.replace(window, compared=None, warnings=[])
        sources = {source for month in months.values() for source in month}
        kept = [c for c in covered if c.source in sources]
        return await _framed(connection, asked, window, kept, _named(names, rows))


async def employers(connection: Any, asked: Asked) -> Answer:
    """Return postings, unique ones, re-post intensity and days to close, most postings first."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await _fetch(
            connection, "employers", asked.employer or None, asked.cluster, asked.limit
        )
        names = (
            "employer", "title_cluster", "postings", "unique_postings", "repost_intensity",
            "closed", "days_to_close_p25", "days_to_close_p50", "days_to_close_p75",
        )  # fmt: skip
        covered, _ = await _coverage(connection)
        return await _framed(connection, asked, None, covered, _named(names, rows))


async def covered_months(connection: Any, asked: Asked) -> Answer:
    """Return, per source, which months were crawled and how fully."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        covered, _ = await _coverage(connection, with_months=True)
        kept = [c for c in covered if asked.source in ("", c.source)]
        if asked.first or asked.last:
            first, last = _bounds(asked)
            kept = [
                msgspec.structs.replace(c, months=[m for m in c.months if first <= m.month <= last])
                for c in kept
            ]
        return await _framed(connection, asked, None, kept, None)


class Choices(msgspec.Struct, frozen=True):
    """What a question may be narrowed to; "" is not known."""

    clusters: list[str]
    countries: list[str]
    sources: list[str]
    titles: list[str]


async def choices(connection: Any, titles: int) -> Choices:
    """Return fields of work, countries and sources by name, and the commonest titles."""
    found = [
        await _fetch(connection, "clusters"),
        await _fetch(connection, "countries"),
        await _fetch(connection, "coverage_totals"),
        await _fetch(connection, "titles", titles),
    ]
    return Choices(*([row[0] for row in rows] for rows in found))


async def jobs(
    connection: Any, cell: Cell, after: UUID | None = None, most: int = MOST_JOBS
) -> dict[str, Any]:
    """
    Return the ids behind a cell, `most` of them by id: {"total", "job_ids", "after"}.

    `total` counts all of them; `after` is the id to go on behind, None at the end.
    """
    values = msgspec.structs.astuple(cell)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        total = await connection.fetchval(_QUERIES["jobs_total"], *values)
        rows = await connection.fetch(_QUERIES["jobs"], *values, after, most)
    ids = [row[0] for row in rows]
    return {
        "total": total,
        "job_ids": ids,
        "after": ids[-1] if len(ids) == most else None,
    }


async def _coverage(
    connection: Any, *, with_months: bool = False
) -> tuple[list[SourceCoverage], dict[str, set[date]]]:
    rows = [SourceMonth(*row) for row in await _fetch(connection, "coverage_months")]
    totals = [tuple(row) for row in await _fetch(connection, "coverage_totals")]
    found = coverage.summary(totals, rows)
    if not with_months:
        found = [msgspec.structs.replace(one, months=[]) for one in found]
    return found, coverage.crawled_months(rows)


async def _framed(
    connection: Any,
    asked: Asked,
    window: Window | None,
    covered: list[SourceCoverage],
    data: Any,
) -> Answer:
    offset, head, _ = await state(connection)
    inside = window.gaps if window is not None else set()
    if window is not None:
        inside = {month for month in inside if month >= window.first}
    return Answer(
        head=offset,
        log_head=head,
        asked=asked,
        compared=window.compared if window is not None else None,
        gaps=coverage.spans(inside),
        warnings=window.warnings if window is not None else [],
        coverage=covered,
        data=data,
    )


async def _fetch(connection: Any, query: str, *args: Any) -> list[Any]:
    return list(await connection.fetch(_QUERIES[query], *args))


def _bounds(asked: Asked) -> tuple[date, date]:
    return asked.first or date.min, asked.last or date.max


def _named(names: Sequence[str], rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]
