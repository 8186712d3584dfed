"""
The trends projection: how many canonical jobs of a month name a skill, by cluster and country.

Each counted job has one contribution. A batch compares the new contributions with the stored ones
and applies the difference as whole numbers, so any cut into batches ends in the same rows. The view
`skill_trends_monthly` joins counts and group sizes to shares.

Source: decisions.md 21 and 22, N-67, N-52.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from nextstep.events.stage import (
    Delete,
    Found,
    InputRow,
    Lookup,
    Op,
    Stage,
    Upsert,
    Writes,
)
from nextstep.projections.trend_sums import CellDiffs, GroupDiffs, add, take

VERSION = 1

#: Stands for every cluster or every country in a group; '' is a value that is not known.
ALL = "*"

#: Rows a batch. A batch costs one pass over the cells it touches, which large batches share.
_BATCH_ROWS = 2000

_READ = """
SELECT map.position, map.job_id, map.canonical_job_id, job.date_posted, job.date_precision,
       job.source, entity.title_cluster, entity.country, entity.skills, entity.tools
FROM (
  SELECT position, job_id, canonical_job_id
  FROM job_dedupe_map
  WHERE position > $1 AND position <= $2
  ORDER BY position
  FETCH FIRST ($3) ROWS WITH TIES
) AS map
LEFT JOIN jobs_normalized AS job ON job.job_id = map.job_id
LEFT JOIN job_entities AS entity ON entity.job_id = map.job_id
ORDER BY map.position, map.job_id
"""

_STORED = """
SELECT job_id, month, cluster, country, source, skills
FROM trend_contributions
WHERE job_id = ANY($1)
ORDER BY job_id
"""

_CONTRIBUTION_COLUMNS = ("job_id", "month", "cluster", "country", "source", "skills")


class TrendRow(InputRow, frozen=True):
    """A mapped job with its date and entities; None where the job or its entities are absent."""

    canonical_job_id: UUID | None
    date_posted: date | None
    date_precision: str | None
    source: str | None
    title_cluster: str | None
    country: str | None
    skills: list[str] | None
    tools: list[str] | None


class Contribution(msgspec.Struct, frozen=True):
    """What one job adds. `month` is the first of its month; `skills` is sorted, without repeats."""

    month: date
    cluster: str
    country: str
    source: str
    skills: tuple[str, ...]


def contribution(row: TrendRow) -> Contribution | None:
    """Return what a job adds: nothing unless it is canonical, extracted, and dated to a month."""
    if row.canonical_job_id != row.job_id or row.skills is None:
        return None
    if row.date_posted is None or row.date_precision not in ("day", "month"):
        return None
    return Contribution(
        month=row.date_posted.replace(day=1),
        cluster=row.title_cluster or "",
        country=row.country or "",
        source=row.source or "",
        skills=tuple(sorted({*row.skills, *(row.tools or ())})),
    )


def differences(
    old: Iterable[Contribution], new: Iterable[Contribution]
) -> tuple[GroupDiffs, CellDiffs]:
    """Return by how much groups and cells change, without those that stay, in key order."""
    groups: Counter[tuple[date, str, str]] = Counter()
    cells: Counter[tuple[date, str, str, str]] = Counter()
    for part, sign in ((old, -1), (new, 1)):
        for one in part:
            for cluster in (one.cluster, ALL):
                for country in (one.country, ALL):
                    groups[one.month, cluster, country] += sign
                    for skill in one.skills:
                        cells[one.month, cluster, country, skill] += sign
    return (
        {key: diff for key, diff in sorted(groups.items()) if diff},
        {key: diff for key, diff in sorted(cells.items()) if diff},
    )


def _prepare(_context: None, rows: list[TrendRow]) -> list[Contribution | None]:
    return [contribution(row) for row in rows]


def _stored_args(
    rows: Sequence[TrendRow], prepared: Sequence[Any], found: Found
) -> tuple[Any, ...]:
    return ([row.job_id for row in rows],)


def _decide(
    _context: None, rows: list[TrendRow], prepared: list[Contribution | None], found: Found
) -> Writes:
    stored = {
        job_id: Contribution(month, cluster, country, source, tuple(skills))
        for job_id, month, cluster, country, source, skills in found["stored"]
    }
    changed = [
        (row.job_id, stored.get(row.job_id), new)
        for row, new in zip(rows, prepared, strict=True)
        if stored.get(row.job_id) != new
    ]
    groups, cells = differences(
        [old for _, old, _ in changed if old is not None],
        [new for _, _, new in changed if new is not None],
    )
    ops: list[Op] = [
        Delete("trend_contributions", ("job_id",), [(job,) for job, _, new in changed if not new]),
        Upsert(
            "trend_contributions",
            ("job_id",),
            _CONTRIBUTION_COLUMNS,
            [
                (job, new.month, new.cluster, new.country, new.source, list(new.skills))
                for job, _, new in changed
                if new
            ],
        ),
        *add(groups, cells),
    ]
    return Writes(ops, tallies=_tallies(rows, prepared, len(changed)))


def _tallies(
    rows: list[TrendRow], prepared: list[Contribution | None], changed: int
) -> dict[str, int]:
    canonical = [row for row in rows if row.canonical_job_id == row.job_id]
    counted = sum(1 for new in prepared if new)
    extracted = sum(1 for row in canonical if row.skills is not None)
    return {
        "out": counted,
        "changed": changed,
        "undated": extracted - counted,
        "duplicates": sum(1 for row in rows if row.canonical_job_id not in (None, row.job_id)),
    }


def _absent(rows: list[TrendRow]) -> Writes:
    return Writes(ops=take([row.job_id for row in rows]))


TRENDS = Stage(
    name="trends",
    code_version=VERSION,
    upstream="extract",
    row=TrendRow,
    read=_READ,
    prepare=_prepare,
    lookups=(Lookup(name="stored", sql=_STORED, args=_stored_args),),
    decide=_decide,
    absent=_absent,
    tables=("trend_contributions", "trend_groups", "trend_cells"),
    digest_columns={
        "trend_contributions": _CONTRIBUTION_COLUMNS,
        "trend_groups": ("month", "title_cluster", "country", "jobs"),
        "trend_cells": ("skill", "title_cluster", "country", "month", "count"),
    },
    batch_size=_BATCH_ROWS,
    parallel=False,
)
