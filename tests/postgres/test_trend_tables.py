"""The trends projection against a real server: any cut, parked jobs, and what is read."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from nextstep.db import pools
from nextstep.errors import StageError
from nextstep.projections import adjacency
from nextstep.projections.io.digests import digest_stage
from nextstep.projections.trends import TRENDS, TrendRow, contribution
from nextstep.settings import Settings
from tests.trend_batches import apply_batch

_SKILLS = ["sql", "python", "excel", "triage", "c++", "größe"]
_MONTHS = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), None]


def _history(seed: int, jobs: int, length: int) -> list[TrendRow]:
    draw = random.Random(seed)

    def one(position: int) -> TrendRow:
        job = UUID(int=draw.randrange(1, jobs + 1))
        return TrendRow(
            position=position,
            job_id=job,
            canonical_job_id=draw.choice([job, job, job, UUID(int=1), None]),
            source=draw.choice(["northboard", "harbour"]),
            date_posted=draw.choice(_MONTHS),
            date_precision=draw.choice(["day", "day", "month", "year"]),
            company_norm=draw.choice(["", "acme", "*"]),
            posted_cluster=draw.choice(["", "nurse"]),
            first_seen_at=datetime(2026, 1, 5, tzinfo=UTC),
            closed_at=draw.choice([None, None, datetime(2026, 3, 5, tzinfo=UTC)]),
            title_norm=draw.choice(["", "Nurse", "Planner", "Night Nurse"]),
            salary_min=draw.choice([None, Decimal(draw.randrange(20, 40))]),
            salary_currency=draw.choice(["", "GBP", "EUR"]),
            salary_period="hour",
            title_cluster=draw.choice(["", "nurse", "planner"]),
            country=draw.choice(["", "DE", "GB"]),
            skills=draw.choice([None, draw.sample(_SKILLS, draw.randrange(4))]),
            tools=draw.sample(_SKILLS, draw.randrange(3)),
        )

    return [one(position) for position in range(1, length + 1)]


async def _replay(connection: Any, history: list[TrendRow], size: int) -> None:
    for start in range(0, len(history), size):
        batch = {row.job_id: row for row in history[start : start + size]}
        await apply_batch(
            connection, list(batch.values()), [], has_more=start + size < len(history)
        )


def _recount(rows: list[TrendRow]) -> dict[tuple[Any, ...], tuple[int, int]]:
    jobs: Counter[tuple[Any, ...]] = Counter()
    cells: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        new = contribution(row)
        if new is None or not new.is_counted or new.month is None:
            continue
        for cluster in (new.cluster, "*"):
            for country in (new.country, "*"):
                jobs[cluster, country, new.month] += 1
                for skill in new.skills:
                    cells[skill, cluster, country, new.month] += 1
    return {key: (count, jobs[key[1:]]) for key, count in cells.items()}


async def _cells(connection: Any) -> dict[tuple[Any, ...], tuple[int, int]]:
    rows = await connection.fetch(
        "SELECT skill, title_cluster, country, month, count, jobs, share FROM skill_trends_monthly"
    )
    assert all(abs(row["share"] - row["count"] / row["jobs"]) <= 0.5e-6 for row in rows)
    return {tuple(row)[:4]: (row["count"], row["jobs"]) for row in rows}


async def _worker(database: str, settings: Settings) -> Any:
    return await pools.connect(database, "worker", settings)


@pytest.mark.req("N-67", "D-05")
@pytest.mark.parametrize("size", [1, 7, 60])
async def test_every_cut_ends_in_the_recount(database: str, settings: Settings, size: int) -> None:
    history = _history(seed=4, jobs=25, length=180)
    last = list({row.job_id: row for row in history}.values())
    connection = await _worker(database, settings)
    try:
        await _replay(connection, history, size)
        assert await _cells(connection) == _recount(last)
        live = await digest_stage(connection, TRENDS)
        await connection.execute(f"TRUNCATE {', '.join(TRENDS.tables)}")
        await _replay(connection, last, 500)
        assert await digest_stage(connection, TRENDS) == live
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def _few_jobs_make_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjacency, "LEAST_JOBS", 2)


async def test_parked_jobs_leave_nothing_though_others_share_their_groups(
    database: str, settings: Settings
) -> None:
    draw = random.Random(11)
    history = _history(seed=12, jobs=20, length=200)
    connection = await _worker(database, settings)
    state: dict[UUID, TrendRow] = {}
    try:
        for start in range(0, len(history), 10):
            batch = list({row.job_id: row for row in history[start : start + 10]}.values())
            parked = [row for row in batch if draw.random() < 0.3]
            good = [row for row in batch if row not in parked]
            await apply_batch(connection, good, parked)
            state |= {row.job_id: row for row in good}
            for row in parked:
                state.pop(row.job_id, None)
            assert await _cells(connection) == _recount(list(state.values()))
        live = await digest_stage(connection, TRENDS)
        await connection.execute(f"TRUNCATE {', '.join(TRENDS.tables)}")
        await apply_batch(connection, list(state.values()), [])
        assert await digest_stage(connection, TRENDS) == live
        await apply_batch(connection, [], list(state.values()))
        for table in TRENDS.tables:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await connection.close()


async def test_an_unchanged_batch_updates_no_row(database: str, settings: Settings) -> None:
    history = _history(seed=5, jobs=30, length=60)
    last = list({row.job_id: row for row in history}.values())
    connection = await _worker(database, settings)

    async def versions() -> list[Any]:
        found = []
        for table in TRENDS.tables:
            found += await connection.fetch(f"SELECT xmin::text, ctid::text FROM {table}")
        return found

    try:
        await _replay(connection, last, 500)
        before = await versions()
        await _replay(connection, last, 500)
        assert await versions() == before
        assert len(before) > 50
    finally:
        await connection.close()


async def test_a_sum_that_cannot_be_is_refused(database: str, settings: Settings) -> None:
    connection = await _worker(database, settings)
    row = msgspec.structs.replace(
        _history(seed=1, jobs=1, length=1)[0],
        canonical_job_id=UUID(int=1),
        date_posted=date(2026, 1, 2),
        date_precision="day",
        skills=["sql"],
    )
    try:
        await apply_batch(connection, [row], [])
        await connection.execute("UPDATE trend_groups SET skills = '{}'")
        with pytest.raises(StageError, match="trend_groups"):
            await apply_batch(connection, [], [row])
    finally:
        await connection.close()


async def test_the_batch_ends_on_whole_positions_and_joins_what_a_job_has(
    database: str, settings: Settings
) -> None:
    jobs = [UUID(int=n) for n in range(1, 6)]
    connection = await _worker(database, settings)
    try:
        for job, position in zip(jobs, (1, 2, 2, 2, 3), strict=True):
            await connection.execute(
                "INSERT INTO job_dedupe_map (job_id, canonical_job_id, rule, position)"
                " VALUES ($1, $1, 'first', $2)",
                job,
                position,
            )
        await connection.execute(
            "INSERT INTO jobs_normalized (job_id, source, content_hash, first_seen_at,"
            " last_seen_at, status, position, date_posted, date_precision)"
            " VALUES ($1, 'northboard', '\\x00', $2, $2, 'open', 1, '2026-05-09', 'day')",
            jobs[0],
            datetime(2026, 5, 9, tzinfo=UTC),
        )
        await connection.execute(
            "INSERT INTO job_entities (job_id, skills, tools, title_cluster, country, position)"
            " VALUES ($1, '{sql}', '{dbt}', 'data engineer', 'DE', 1)",
            jobs[0],
        )
        records = await connection.fetch(TRENDS.read, 0, 10, 2)
        rows = [TrendRow(*record) for record in records]
        assert [row.job_id for row in rows] == jobs[:4]
        first = contribution(rows[0])
        assert first is not None
        assert (first.skills, first.is_counted) == (("dbt", "sql"), True)
        assert [contribution(row) for row in rows[1:]] == [None, None, None]
        assert {row.has_more for row in rows} == {True}
        rest = await connection.fetch(TRENDS.read, 2, 10, 2)
        assert [(row["job_id"], row["exists"]) for row in rest] == [(jobs[4], False)]
    finally:
        await connection.close()
