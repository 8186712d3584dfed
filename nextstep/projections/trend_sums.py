"""
Statements that add differences to the monthly sums, and take parked jobs off them.

The server adds; nothing is read first. So a batch's differences and the removal of a parked job,
whose differences only the stored contribution knows, may stand in one transaction in any order.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from nextstep.events.stage import Delete, Execute, Op

#: (month, title cluster, country) -> jobs, and the same with a skill behind.
GroupDiffs = dict[tuple[date, str, str], int]
CellDiffs = dict[tuple[date, str, str, str], int]

#: Differences that a batch worked out, as parallel arrays.
_GROUPS_GIVEN = """
  SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::int[])
    AS given (month, title_cluster, country, diff)
"""
_CELLS_GIVEN = """
  SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::int[])
    AS given (month, title_cluster, country, skill, diff)
"""

#: The groups of stored contributions: each job counts in its own, in both totals and in the whole.
_OWN_GROUPS = """
  FROM trend_contributions AS c
  CROSS JOIN LATERAL (VALUES (c.cluster, c.country), (c.cluster, '*'), ('*', c.country), ('*', '*'))
    AS g (title_cluster, country)
"""
_GROUPS_OF = f"""
  SELECT c.month, g.title_cluster, g.country, -count(*)::int AS diff
  {_OWN_GROUPS}
  WHERE c.job_id = ANY($1::uuid[])
  GROUP BY c.month, g.title_cluster, g.country
"""
_CELLS_OF = f"""
  SELECT c.month, g.title_cluster, g.country, s.skill, -count(*)::int AS diff
  {_OWN_GROUPS}
  CROSS JOIN LATERAL unnest(c.skills) AS s (skill)
  WHERE c.job_id = ANY($1::uuid[])
  GROUP BY c.month, g.title_cluster, g.country, s.skill
"""

_RAISE_GROUPS = f"""
INSERT INTO trend_groups AS t (month, title_cluster, country, jobs)
{_GROUPS_GIVEN}
ON CONFLICT (month, title_cluster, country) DO UPDATE SET jobs = t.jobs + excluded.jobs
"""
_RAISE_CELLS = f"""
INSERT INTO trend_cells AS t (month, title_cluster, country, skill, count)
{_CELLS_GIVEN}
ON CONFLICT (skill, title_cluster, country, month) DO UPDATE SET count = t.count + excluded.count
"""

# The three parts of a statement see the same snapshot and touch different rows. A difference that
# does not fit what is stored breaks a CHECK in the last one, so damage is noticed, not spread.
_LOWER_GROUPS = """
WITH given AS ({given}),
lowered AS (
  UPDATE trend_groups AS t SET jobs = t.jobs + given.diff
  FROM given
  WHERE t.month = given.month AND t.title_cluster = given.title_cluster
    AND t.country = given.country AND t.jobs + given.diff <> 0
),
emptied AS (
  DELETE FROM trend_groups AS t USING given
  WHERE t.month = given.month AND t.title_cluster = given.title_cluster
    AND t.country = given.country AND t.jobs + given.diff = 0
)
INSERT INTO trend_groups (month, title_cluster, country, jobs)
SELECT given.month, given.title_cluster, given.country, given.diff
FROM given
LEFT JOIN trend_groups AS t USING (month, title_cluster, country)
WHERE t.jobs IS NULL
"""
_LOWER_CELLS = """
WITH given AS ({given}),
lowered AS (
  UPDATE trend_cells AS t SET count = t.count + given.diff
  FROM given
  WHERE t.skill = given.skill AND t.title_cluster = given.title_cluster
    AND t.country = given.country AND t.month = given.month AND t.count + given.diff <> 0
),
emptied AS (
  DELETE FROM trend_cells AS t USING given
  WHERE t.skill = given.skill AND t.title_cluster = given.title_cluster
    AND t.country = given.country AND t.month = given.month AND t.count + given.diff = 0
)
INSERT INTO trend_cells (month, title_cluster, country, skill, count)
SELECT given.month, given.title_cluster, given.country, given.skill, given.diff
FROM given
LEFT JOIN trend_cells AS t USING (skill, title_cluster, country, month)
WHERE t.count IS NULL
"""

_LOWER_GROUPS_BY = _LOWER_GROUPS.format(given=_GROUPS_GIVEN)
_LOWER_CELLS_BY = _LOWER_CELLS.format(given=_CELLS_GIVEN)
_TAKE_GROUPS = _LOWER_GROUPS.format(given=_GROUPS_OF)
_TAKE_CELLS = _LOWER_CELLS.format(given=_CELLS_OF)


def add(groups: GroupDiffs, cells: CellDiffs) -> list[Op]:
    """Return the operations that change the sums by these differences, none of them zero."""
    wanted: list[tuple[str, list[tuple[Any, ...]]]] = [
        (_RAISE_GROUPS, [(*key, diff) for key, diff in groups.items() if diff > 0]),
        (_LOWER_GROUPS_BY, [(*key, diff) for key, diff in groups.items() if diff < 0]),
        (_RAISE_CELLS, [(*key, diff) for key, diff in cells.items() if diff > 0]),
        (_LOWER_CELLS_BY, [(*key, diff) for key, diff in cells.items() if diff < 0]),
    ]
    return [Execute(sql, tuple(map(list, zip(*rows, strict=True)))) for sql, rows in wanted if rows]


def take(jobs: list[UUID]) -> list[Op]:
    """Return the operations that leave nothing of these jobs in the sums or contributions."""
    return [
        Execute(_TAKE_GROUPS, (jobs,)),
        Execute(_TAKE_CELLS, (jobs,)),
        Delete("trend_contributions", ("job_id",), [(job,) for job in jobs]),
    ]
