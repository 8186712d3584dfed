"""Trends as arithmetic: what a posting adds, and that any cut gives the same rows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstep.errors import StageError
from nextstep.events.stage import Delete, Execute, Upsert, Writes
from nextstep.projections import PROJECTIONS, adjacency, roles
from nextstep.projections.quantiles import nearest_rank
from nextstep.projections.trend_books import (
    BOOKS,
    GROUPS,
    ROLES,
    SALARIES,
    Contribution,
    Sums,
    differences,
    settled,
)
from nextstep.projections.trends import TRENDS, TrendRow, contribution

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def row(number: int = 1, **fields: Any) -> TrendRow:
    job = UUID(int=number)
    given = {
        "position": number,
        "job_id": job,
        "canonical_job_id": job,
        "source": "northboard",
        "date_posted": date(2026, 3, 14),
        "date_precision": "day",
        "company_norm": "acme",
        "posted_cluster": "data engineering",
        "first_seen_at": datetime(2026, 3, 15, tzinfo=UTC),
        "title_norm": "Data Engineer",
        "title_cluster": "data engineering",
        "country": "DE",
        "skills": ["sql", "communication"],
        "tools": ["python", "sql"],
    }
    return TrendRow(**(given | fields))


def added(**fields: Any) -> Contribution:
    found = contribution(row(**fields))
    assert found is not None
    return found


@pytest.mark.req("N-67")
def test_a_job_adds_its_skills_and_tools_once_each_to_the_first_of_its_month() -> None:
    one = added()
    assert (one.month, one.day, one.is_counted) == (date(2026, 3, 1), 14, True)
    assert one.skills == ("communication", "python", "sql")
    assert (one.cluster, one.country, one.title_norm) == ("data engineering", "DE", "Data Engineer")


@pytest.mark.parametrize(
    "fields",
    [{"canonical_job_id": None}, {"source": None}],
    ids=["a parked or erased job", "a job without a row"],
)
def test_a_posting_that_takes_no_part_adds_nothing(fields: dict[str, Any]) -> None:
    assert contribution(row(**fields)) is None


@pytest.mark.parametrize(
    "fields",
    [{"canonical_job_id": UUID(int=99)}, {"skills": None, "tools": None}],
    ids=["a repeat", "no entities"],
)
def test_a_repeat_is_a_posting_and_no_job(fields: dict[str, Any]) -> None:
    one = added(**fields)
    assert not one.is_counted
    assert (one.skills, one.title_norm, one.employer) == ((), "", "acme")


@pytest.mark.parametrize("precision", ["year", "none"])
def test_a_date_no_better_than_a_year_has_no_month(precision: str) -> None:
    one = added(date_posted=date(2013, 1, 1), date_precision=precision)
    assert (one.month, one.day, one.is_counted) == (None, 0, True)
    month = added(date_posted=date(2026, 7, 1), date_precision="month")
    assert (month.month, month.day) == (date(2026, 7, 1), 0)


@pytest.mark.parametrize(
    ("low", "high", "currency", "period", "middle"),
    [
        ("50000", "60000", "EUR", "year", Decimal("55000.00")),
        ("20.01", "20.02", "USD", "hour", Decimal("20.02")),
        (None, "60000", "EUR", "year", Decimal("60000.00")),
        ("50000", "60000", "", "year", None),
        ("50000", "60000", "EUR", "", None),
        (None, None, "EUR", "year", None),
    ],
)
def test_pay_counts_where_amount_currency_and_period_are_stated(
    low: str | None, high: str | None, currency: str, period: str, middle: Decimal | None
) -> None:
    one = added(
        salary_min=low and Decimal(low),
        salary_max=high and Decimal(high),
        salary_currency=currency,
        salary_period=period,
    )
    assert one.salary_amount == middle
    assert bool(one.salary_currency) is (middle is not None)


@pytest.mark.parametrize(
    ("fields", "days"),
    [
        ({}, None),
        ({"closed_at": datetime(2026, 3, 20, 23, tzinfo=UTC)}, 6),
        ({"closed_at": datetime(2026, 3, 20, tzinfo=UTC), "date_precision": "month"}, 5),
        ({"closed_at": datetime(2026, 3, 2, tzinfo=UTC)}, None),
    ],
    ids=["open", "from its date", "from its first sight", "closed before it was posted"],
)
def test_days_to_close(fields: dict[str, Any], days: int | None) -> None:
    assert added(**fields).days_to_close == days


def test_a_job_counts_in_its_own_group_in_both_totals_and_in_the_whole() -> None:
    found = differences(GROUPS, [], [added(title_cluster="nurse", country="GB")])
    month = date(2026, 3, 1)
    assert set(found) == {(c, k, month) for c in ("*", "nurse") for k in ("*", "GB")}
    for sums in found.values():
        assert sums.numbers == {"jobs": 1}
        assert sums.bags == {
            "sources": {"northboard": 1},
            "skills": {"communication": 1, "python": 1, "sql": 1},
        }


def test_a_changed_skill_leaves_rows_of_other_groups_alone_and_a_moved_month_empties_one() -> None:
    old, new = added(), added(skills=["spark"])
    assert settled(GROUPS, {}, differences(GROUPS, [old], [old])) == {}
    stored = settled(GROUPS, {}, differences(GROUPS, [], [old]))
    after = settled(GROUPS, stored, differences(GROUPS, [old], [new]))
    assert {tuple(sums.bags["skills"]) for sums in after.values()} == {("python", "sql", "spark")}
    moved = added(date_posted=date(2026, 4, 2))
    gone = settled(GROUPS, stored, differences(GROUPS, [old], [moved]))
    assert sorted(sums.numbers["jobs"] for sums in gone.values()) == [0] * 4 + [1] * 4


def test_a_sum_that_cannot_be_is_refused() -> None:
    with pytest.raises(StageError, match="not those of trend_contributions"):
        settled(GROUPS, {}, differences(GROUPS, [added()], []))
    key = ("*", "*", date(2026, 3, 1))
    short = {key: Sums(Counter(jobs=1), {"sources": Counter(), "skills": Counter(sql=1)})}
    with pytest.raises(StageError):
        settled(GROUPS, short, {key: differences(GROUPS, [added()], [])[key]})


def test_quantiles_are_values_of_the_sample() -> None:
    assert nearest_rank({5: 1}, (10, 50, 90)) == (5, 5, 5)
    assert nearest_rank({1: 1, 2: 1, 3: 1, 4: 1}, (25, 50, 75, 100)) == (1, 2, 3, 4)
    assert nearest_rank({10: 9, 1000: 1}, (10, 90, 91)) == (10, 10, 1000)
    paid = [
        added(salary_min=Decimal(n), salary_currency="EUR", salary_period="year")
        for n in (30, 40, 50, 1000)
    ]
    (whole,) = [
        SALARIES.row(key, sums)
        for key, sums in settled(SALARIES, {}, differences(SALARIES, [], paid)).items()
        if key[:2] == ("*", "*")
    ]
    assert whole[3:5] == ("EUR", "year")
    assert dict(zip(SALARIES.columns, whole, strict=True))["p50"] == Decimal("40.00")


@pytest.mark.req("N-68")
def test_a_roles_change_is_against_the_month_before_and_unknown_without_one() -> None:
    first = [added(date_posted=JANUARY, skills=["sql"], tools=[]) for _ in range(2)]
    later = [
        added(date_posted=FEBRUARY, skills=["sql", "spark"], tools=[]),
        added(date_posted=FEBRUARY, skills=[], tools=[]),
    ]
    after = settled(ROLES, {}, differences(ROLES, [], [*first, *later]))
    january, february = roles.rows({}, after)
    assert january[-1] == [{"skill": "sql", "count": 2, "share": 1.0, "change": None}]
    assert february[-1] == [
        {"skill": "spark", "count": 1, "share": 0.5, "change": 0.5},
        {"skill": "sql", "count": 1, "share": 0.5, "change": -0.5},
    ]
    # When January changes, February is written anew though its own jobs are the same.
    changed = settled(ROLES, after, differences(ROLES, first, []))
    assert [r[:2] for r in roles.rows(after, changed)] == [("Data Engineer", FEBRUARY)]
    assert all(s["change"] is None for s in roles.rows(after, changed)[0][-1])


def profile(jobs: int, **counts: int) -> adjacency.Profile:
    sums = Sums(Counter(jobs=jobs), {"skills": Counter(counts)})
    return adjacency.profile_of(sums, frozenset({"teamwork"}))


@pytest.mark.req("N-69")
def test_adjacent_titles_are_symmetric_without_self_pairs_and_say_why() -> None:
    profiles = {
        "Analyst": profile(40, sql=40, excel=20, teamwork=40),
        "Data Analyst": profile(30, sql=30, excel=10, python=1),
        "Nurse": profile(50, triage=50, teamwork=50),
        "Rare": profile(19, sql=19),
    }
    assert profiles["Analyst"] == {"excel": 500, "sql": 1000}
    assert profiles["Data Analyst"] == {"excel": 333, "sql": 1000}
    assert profiles["Rare"] == {}
    found = adjacency.pairs_of(profiles, {t: p for t, p in profiles.items() if p})
    assert found == {
        ("Analyst", "Data Analyst"): (0.99, ["sql", "excel"]),
        ("Data Analyst", "Analyst"): (0.99, ["sql", "excel"]),
    }
    stored = {("Analyst", "Data Analyst"): (0.99, ["sql", "excel"]), ("Analyst", "X"): (0.6, [])}
    gone, rows = adjacency.changed_pairs(stored, found)
    assert (gone, rows) == ([("Analyst", "X"), ("X", "Analyst")], [])


def test_a_batch_that_changes_nothing_writes_nothing() -> None:
    given = [row(1), row(2, canonical_job_id=UUID(int=1))]
    tables = Tables()
    tables.run(given)
    writes = tables.decide(given)
    assert all(not op.rows for op in writes.ops if not isinstance(op, Execute))
    assert not [op for op in writes.ops if isinstance(op, Execute)]
    assert writes.tallies == {"out": 1, "changed": 0, "undated": 0, "duplicates": 1}


def test_the_stage_digests_every_table_it_makes() -> None:
    assert TRENDS in PROJECTIONS
    assert set(TRENDS.tables) == set(TRENDS.digest_columns)
    assert len(set(TRENDS.tables)) == len(BOOKS) + 2


class Tables:
    """The stage's tables in memory: the writes of a batch are applied as the server would."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {
            name: {} for name in TRENDS.tables
        }

    def _found(self, rows: list[TrendRow], prepared: list[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for lookup in TRENDS.lookups:
            args = lookup.args(rows, prepared, found)
            if lookup.name == "stored":
                stored = self.tables["trend_contributions"]
                found["stored"] = [tuple(stored[i,].values()) for i in args[0] if (i,) in stored]
            elif lookup.name == "profiles":
                found["profiles"] = [
                    (title, r["profile"], r.get("is_dirty", False))
                    for (title,), r in sorted(self.tables["trend_titles"].items())
                    if not args[0] and (r["profile"] or r.get("is_dirty"))
                ]
            elif lookup.name == "pairs":
                found["pairs"] = [
                    tuple(r.values())
                    for (a, _), r in sorted(self.tables["title_adjacency"].items())
                    if a in args[0]
                ]
            else:
                book = next(book for book in BOOKS if book.table == lookup.name)
                names = (*book.key_columns, *book.numbers, *book.bags)
                found[lookup.name] = [
                    tuple(self.tables[book.table][key][name] for name in names)
                    for key in zip(*args, strict=True)
                    if key in self.tables[book.table]
                ]
        return found

    def decide(self, rows: list[TrendRow]) -> Writes:
        prepared = TRENDS.prepare(frozenset(), rows)
        return TRENDS.decide(frozenset(), rows, prepared, self._found(rows, prepared))

    def run(self, rows: list[TrendRow]) -> None:
        for op in self.decide(rows).ops:
            if isinstance(op, Delete):
                table = self.tables[op.table]
                for wanted in op.rows:
                    for key in [k for k, r in table.items() if self._key(r, op.key) == wanted]:
                        del table[key]
            elif isinstance(op, Upsert):
                for values in op.rows:
                    new = dict(zip(op.columns, values, strict=True))
                    key = self._key(new, op.key)
                    self.tables[op.table][key] = self.tables[op.table].get(key, {}) | new
            elif op.args:
                for values in zip(*op.args, strict=True):
                    names = ("job_id", *Contribution.__struct_fields__)
                    new = dict(zip(names, values, strict=True))
                    new["skills"] = [s for s in new["skills"].split("\x1f") if s]
                    self.tables["trend_contributions"][new["job_id"],] = new
            else:
                for title in self.tables["trend_titles"].values():
                    title["is_dirty"] = False

    @staticmethod
    def _key(row: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
        return tuple(row[name] for name in names)

    def shown(self) -> dict[str, Any]:
        return {
            name: {
                key: {column: row[column] for column in TRENDS.digest_columns[name]}
                for key, row in table.items()
            }
            for name, table in self.tables.items()
        }


skills = st.lists(st.sampled_from(["sql", "python", "triage", "excel"]), max_size=3)
rows = st.builds(
    row,
    number=st.integers(1, 8),
    canonical_job_id=st.sampled_from([None, *(UUID(int=n) for n in range(1, 9))]),
    date_posted=st.sampled_from([None, date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28)]),
    title_norm=st.sampled_from(["", "Nurse", "Planner"]),
    title_cluster=st.sampled_from([None, "nurse", "planner"]),
    country=st.sampled_from([None, "DE", "GB"]),
    skills=st.none() | skills,
    tools=skills,
    salary_min=st.sampled_from([None, Decimal(10), Decimal(20)]),
    salary_currency=st.sampled_from(["", "EUR"]),
    salary_period=st.just("year"),
)


@pytest.mark.req("N-67", "N-87", "D-05")
@settings(max_examples=60)
@given(history=st.lists(rows, max_size=24), cut=st.integers(1, 24), least=st.sampled_from([1, 20]))
def test_any_cut_of_any_history_gives_the_rows_of_its_last_state(
    history: list[TrendRow], cut: int, least: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(adjacency, "LEAST_JOBS", least)
        pieces, whole = Tables(), Tables()
        batches = [history[start : start + cut] for start in range(0, len(history), cut)]
        for number, batch in enumerate(batches):
            more = number + 1 < len(batches)
            latest = {one.job_id: one for one in batch}
            pieces.run([_marked(one, more) for one in latest.values()])
        latest = {one.job_id: one for one in history}
        if latest:
            whole.run([_marked(one, False) for one in latest.values()])
        assert pieces.shown() == whole.shown()


def _marked(one: TrendRow, has_more: bool) -> TrendRow:
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return TrendRow(**(fields | {"has_more": has_more}))
