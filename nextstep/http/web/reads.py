"""
What the console shows beside the status: runs, rates over hours, sources.

Source: issue 8 item 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from nextstep.ops.sources import drop_lines, read_sources

_RUNS = """
SELECT r.run_id, r.stage, r.started_at, r.finished_at, r.counts, r.status, r.error,
       extract(epoch FROM coalesce(r.finished_at, o.updated_at, r.started_at)
                          - r.started_at)::float8 AS seconds
  FROM pipeline_runs AS r
  LEFT JOIN stage_offsets AS o ON o.stage = r.stage
 WHERE ($1::text IS NULL OR r.stage = $1)
 ORDER BY r.started_at DESC, r.stage COLLATE "C"
 LIMIT $2
"""
_RATES = """
SELECT r.stage, r.started_at, coalesce(r.finished_at, o.updated_at, r.started_at) AS ended_at,
       coalesce((r.counts ->> 'in')::float8, 0) AS rows_in
  FROM pipeline_runs AS r
  LEFT JOIN stage_offsets AS o ON o.stage = r.stage
 WHERE coalesce(r.finished_at, clock_timestamp()) > $1
 ORDER BY r.started_at
 LIMIT 20000
"""
# What was found in what a source says; how full its fields are is counted apart (ops/sources).
_SOURCES = """
SELECT j.source, count(*) AS jobs, count(*) FILTER (WHERE j.status = 'open') AS open_jobs,
       min(j.date_posted) AS first_on, max(j.date_posted) AS last_on,
       max(j.last_seen_at) AS last_seen_at,
       count(e.job_id) AS canonical,
       avg((cardinality(e.skills) + cardinality(e.tools) >= 3)::int)::float8 AS three_skills,
       avg((e.seniority <> '')::int)::float8 AS seniority,
       avg((e.salary_min IS NOT NULL)::int)::float8 AS salary_read,
       avg((e.country <> '')::int)::float8 AS country
  FROM jobs_normalized AS j
  LEFT JOIN job_entities AS e ON e.job_id = j.job_id
 GROUP BY j.source
 ORDER BY j.source COLLATE "C"
"""
_FILES = """
SELECT f.name, f.started_at, f.finished_at, f.status, f.size_bytes, f.counts,
       (SELECT count(*) FROM ingest_rejects AS r WHERE r.file_id = f.file_id) AS rejected
  FROM ingest_files AS f
 ORDER BY f.started_at DESC
 LIMIT 50
"""
_REJECTS = """
SELECT source, reason, column_name, count(*) AS rows
  FROM ingest_rejects
 GROUP BY source, reason, column_name
 ORDER BY count(*) DESC, source COLLATE "C", reason COLLATE "C"
 LIMIT 50
"""

#: What the chart covers, and the width of one of its bars.
CHART_SPAN = timedelta(hours=6)
CHART_STEP = timedelta(minutes=5)


class Bar(msgspec.Struct, frozen=True):
    """Rows per second in one step of the chart that ended `ago_min` minutes ago."""

    ago_min: int
    rate: float
    x: int
    height: float


class Chart(msgspec.Struct, frozen=True):
    """One stage's bars, oldest first, and the highest rate among them."""

    stage: str
    bars: list[Bar]
    highest: float
    width: int


async def runs(connection: Any, stage: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the latest runs, newest first."""
    return [dict(row) for row in await connection.fetch(_RUNS, stage, limit)]


async def charts(connection: Any, stages: Sequence[str], now: datetime) -> list[Chart]:
    """Return each stage's rate over the last hours, from its runs."""
    rows = await connection.fetch(_RATES, now - CHART_SPAN)
    return [
        chart(
            stage,
            [
                (row["started_at"], row["ended_at"], row["rows_in"])
                for row in rows
                if row["stage"] == stage
            ],
            now,
        )
        for stage in stages
    ]


def chart(stage: str, done: Iterable[tuple[datetime, datetime, float]], now: datetime) -> Chart:
    """
    Spread runs over the steps of time they took.

    Args:
        done: (start, end, rows) of runs; rows count as evenly done in between.
    """
    steps = int(CHART_SPAN / CHART_STEP)
    step_s = CHART_STEP.total_seconds()
    origin = now - CHART_SPAN
    sums = [0.0] * steps
    for start, end, rows in done:
        low = (start - origin).total_seconds()
        high = max((end - origin).total_seconds(), low + 0.001)
        for step in range(max(0, int(low // step_s)), min(steps, int(high // step_s) + 1)):
            inside = min(high, (step + 1) * step_s) - max(low, step * step_s)
            sums[step] += rows * max(inside, 0.0) / (high - low)
    rates = [total / step_s for total in sums]
    highest = max(rates)
    bars = [
        Bar(
            ago_min=round((steps - place - 1) * step_s / 60),
            rate=round(rate, 2),
            x=place * 4,
            height=round(40 * rate / highest, 1),
        )
        for place, rate in enumerate(rates)
        if rate > 0
    ]
    return Chart(stage, bars, round(highest, 1), steps * 4)


async def sources(connection: Any) -> dict[str, Any]:
    """
    Return sources with what was found in them (0..1), how full each of their fields is, which of
    them fell (`alarms`, a line each), files read, and why rows were rejected.
    """
    fills = await read_sources(connection)
    return {
        "fills": fills,
        "alarms": drop_lines(fills),
        "sources": [dict(row) for row in await connection.fetch(_SOURCES)],
        "files": [dict(row) for row in await connection.fetch(_FILES)],
        "rejects": [dict(row) for row in await connection.fetch(_REJECTS)],
    }
