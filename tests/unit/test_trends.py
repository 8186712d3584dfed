"""The trends projection as arithmetic: what a job adds, and that any cut gives the same sums."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.events.stage import Delete, Execute, Upsert, Writes
from nextstep.projections import PROJECTIONS
from nextstep.projections import trend_sums as sums
from nextstep.projections.trends import TRENDS, Contribution, TrendRow, contribution, differences


def row(number: int = 1, **fields: Any) -> TrendRow:
    job = UUID(int=number)
    given = {
        "position": number,
        "job_id": job,
        "canonical_job_id": job,
        "date_posted": date(2026, 3, 14),
        "date_precision": "day",
        "source": "northboard",
        "title_cluster": "data engineer",
        "country": "DE",
        "skills": ["sql", "communication"],
        "tools": ["python", "sql"],
    }
    return TrendRow(**(given | fields))


@pytest.mark.req("N-67")
def test_a_job_adds_its_skills_and_tools_once_each_to_the_first_of_its_month() -> None:
    assert contribution(row()) == Contribution(
        date(2026, 3, 1), "data engineer", "DE", "northboard", ("communication", "python", "sql")
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"canonical_job_id": UUID(int=99)},
        {"canonical_job_id": None},
        {"skills": None, "tools": None, "title_cluster": None, "country": None},
        {"date_posted": None, "date_precision": "none"},
        {"date_posted": date(2013, 1, 1), "date_precision": "year"},
    ],
    ids=["a duplicate", "an absent job", "no entities", "undated", "year only"],
)
def test_a_job_that_does_not_count_adds_nothing(fields: dict[str, Any]) -> None:
    assert contribution(row(**fields)) is None


def test_month_precision_counts() -> None:
    added = contribution(row(date_posted=date(2026, 7, 1), date_precision="month"))
    assert added is not None
    assert added.month == date(2026, 7, 1)


def test_a_job_counts_in_its_own_group_in_both_totals_and_in_the_whole() -> None:
    added = Contribution(date(2026, 3, 1), "nurse", "GB", "a", ("triage",))
    groups, cells = differences([], [added])
    month = date(2026, 3, 1)
    pairs = [("*", "*"), ("*", "GB"), ("nurse", "*"), ("nurse", "GB")]
    assert list(groups.items()) == [((month, *pair), 1) for pair in pairs]
    assert list(cells.items()) == [((month, *pair, "triage"), 1) for pair in pairs]


def test_a_changed_skill_leaves_every_other_cell_alone() -> None:
    month = date(2026, 3, 1)
    old = Contribution(month, "nurse", "GB", "a", ("epic", "triage"))
    new = Contribution(month, "nurse", "GB", "a", ("triage", "wound care"))
    groups, cells = differences([old], [new])
    assert groups == {}
    assert {(skill, diff) for (*_, skill), diff in cells.items()} == {
        ("epic", -1),
        ("wound care", 1),
    }


def test_a_batch_that_changes_nothing_writes_nothing() -> None:
    rows = [row(1), row(2, canonical_job_id=UUID(int=1))]
    table = Tables()
    table.run(rows)
    writes = table.decide(rows)
    assert all(not op.rows for op in writes.ops if not isinstance(op, Execute))
    assert not [op for op in writes.ops if isinstance(op, Execute)]
    assert writes.tallies == {"out": 1, "changed": 0, "undated": 0, "duplicates": 1}


def test_the_stage_digests_every_table_it_makes() -> None:
    assert TRENDS in PROJECTIONS
    assert set(TRENDS.tables) == set(TRENDS.digest_columns)


class Tables:
    """The three tables in memory: the writes of a batch are applied as the server would."""

    def __init__(self) -> None:
        self.contributions: dict[UUID, tuple[Any, ...]] = {}
        self.groups: Counter[tuple[Any, ...]] = Counter()
        self.cells: Counter[tuple[Any, ...]] = Counter()

    def decide(self, rows: list[TrendRow]) -> Writes:
        prepared = TRENDS.prepare(None, rows)
        (lookup,) = TRENDS.lookups
        (ids,) = lookup.args(rows, prepared, {})
        found = {"stored": [(i, *self.contributions[i]) for i in ids if i in self.contributions]}
        return TRENDS.decide(None, rows, prepared, found)

    def run(self, rows: list[TrendRow]) -> None:
        for op in self.decide(rows).ops:
            if isinstance(op, Delete):
                for (job,) in op.rows:
                    self.contributions.pop(job, None)
            elif isinstance(op, Upsert):
                self.contributions |= {job: tuple(rest) for job, *rest in op.rows}
            else:
                self._add(op)

    def _add(self, op: Execute) -> None:
        in_cells = op.sql in (sums._RAISE_CELLS, sums._LOWER_CELLS_BY)
        table = self.cells if in_cells else self.groups
        falls = op.sql in (sums._LOWER_CELLS_BY, sums._LOWER_GROUPS_BY)
        for *key, diff in zip(*op.args, strict=True):
            assert (diff < 0) is falls
            table[tuple(key)] += diff
            assert table[tuple(key)] >= 0


def recount(rows: list[TrendRow]) -> tuple[dict[Any, int], dict[Any, int]]:
    """Count from nothing, over the last state of each job, the slow and obvious way."""
    latest = {one.job_id: one for one in rows}
    counted = [new for one in latest.values() if (new := contribution(one))]
    groups: dict[Any, int] = {}
    cells: dict[Any, int] = {}
    for month in {one.month for one in counted}:
        clusters = {one.cluster for one in counted} | {"*"}
        countries = {one.country for one in counted} | {"*"}
        for cluster in clusters:
            for country in countries:
                inside = [
                    one
                    for one in counted
                    if one.month == month
                    and cluster in ("*", one.cluster)
                    and country in ("*", one.country)
                ]
                if inside:
                    groups[month, cluster, country] = len(inside)
                for skill in {skill for one in inside for skill in one.skills}:
                    named = sum(skill in one.skills for one in inside)
                    cells[month, cluster, country, skill] = named
    return groups, cells


skills = st.lists(st.sampled_from(["sql", "python", "triage", "excel"]), max_size=3)
rows = st.builds(
    row,
    number=st.integers(1, 8),
    canonical_job_id=st.sampled_from([None, *(UUID(int=n) for n in range(1, 9))]),
    date_posted=st.sampled_from([None, date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28)]),
    date_precision=st.sampled_from(["day", "day", "month", "year"]),
    title_cluster=st.sampled_from(["", "nurse", "planner"]),
    country=st.sampled_from(["", "DE", "GB"]),
    skills=st.none() | skills,
    tools=skills,
)


@pytest.mark.req("D-05")
@settings(max_examples=150, deadline=None)
@given(history=st.lists(rows, max_size=40), data=st.data())
def test_any_cut_into_batches_ends_in_the_recount(history: list[TrendRow], data: Any) -> None:
    table = Tables()
    left = history
    while left:
        size = data.draw(st.integers(1, len(left)))
        batch = {one.job_id: one for one in left[:size]}  # the map holds one row per job
        table.run(list(batch.values()))
        left = left[size:]
    groups, cells = recount(history)
    assert {key: jobs for key, jobs in table.groups.items() if jobs} == groups
    assert {key: count for key, count in table.cells.items() if count} == cells
