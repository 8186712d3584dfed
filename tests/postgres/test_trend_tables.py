"""The trends projection against a real server: any cut, parked jobs, and what is read."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from nextstep.db import pools
from nextstep.events.io.writes import Writer
from nextstep.projections.io.digests import digest_stage
from nextstep.projections.trends import TRENDS, TrendRow, contribution
from nextstep.settings import Settings

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
            date_posted=draw.choice(_MONTHS),
            date_precision=draw.choice(["day", "day", "month", "year"]),
            source="northboard",
            title_cluster=draw.choice(["", "nurse", "planner"]),
            country=draw.choice(["", "DE", "GB"]),
            skills=draw.choice([None, draw.sample(_SKILLS, draw.randrange(4))]),
            tools=draw.sample(_SKILLS, draw.randrange(3)),
        )

    return [one(position) for position in range(1, length + 1)]


async def _apply(connection: Any, rows: list[TrendRow], parked: list[TrendRow]) -> None:
    """Do what the runner does with a batch of which some rows are parked."""
    prepared = TRENDS.prepare(None, rows)
    found = {}
    for lookup in TRENDS.lookups:
        args = lookup.args(rows, prepared, found)
        found[lookup.name] = [tuple(r) for r in await connection.fetch(lookup.sql, *args)]
    writes = TRENDS.decide(None, rows, prepared, found)
    writer = Writer()
    async with connection.transaction():
        if parked:
            await writer.apply(connection, TRENDS.absent(parked).ops)
        await writer.apply(connection, writes.ops)


async def _replay(connection: Any, history: list[TrendRow], size: int) -> None:
    for start in range(0, len(history), size):
        batch = {row.job_id: row for row in history[start : start + size]}
        await _apply(connection, list(batch.values()), [])


def _recount(rows: list[TrendRow]) -> dict[tuple[Any, ...], tuple[int, int]]:
    jobs: Counter[tuple[Any, ...]] = Counter()
    cells: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        if (new := contribution(row)) is None:
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
            await _apply(connection, good, parked)
            state |= {row.job_id: row for row in good}
            for row in parked:
                state.pop(row.job_id, None)
            assert await _cells(connection) == _recount(list(state.values()))
        groups = await connection.fetchval(
            "SELECT sum(jobs) FROM trend_groups WHERE title_cluster = '*' AND country = '*'"
        )
        counted = [row for row in state.values() if contribution(row)]
        assert groups == len(counted)
        await _apply(connection, [], list(state.values()))
        for table in TRENDS.tables:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await connection.close()


async def test_an_unchanged_batch_updates_no_row(database: str, settings: Settings) -> None:
    history = _history(seed=5, jobs=30, length=60)
    last = list({row.job_id: row for row in history}.values())
    connection = await _worker(database, settings)
    versions = "SELECT xmin::text, ctid::text FROM trend_cells ORDER BY 2"
    try:
        await _replay(connection, last, 500)
        before = await connection.fetch(versions)
        await _replay(connection, last, 7)
        assert await connection.fetch(versions) == before
    finally:
        await connection.close()


async def test_a_sum_that_cannot_be_is_refused(database: str, settings: Settings) -> None:
    connection = await _worker(database, settings)
    row = _history(seed=1, jobs=1, length=1)[0]
    counted = TrendRow(
        **{name: getattr(row, name) for name in row.__struct_fields__}
        | {
            "canonical_job_id": row.job_id,
            "date_posted": date(2026, 1, 2),
            "date_precision": "day",
            "skills": ["sql"],
        }
    )
    try:
        await _apply(connection, [counted], [])
        await connection.execute("DELETE FROM trend_groups")
        with pytest.raises(asyncpg.CheckViolationError):
            await _apply(connection, [], [counted])
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
        assert contribution(rows[0]) is not None
        assert contribution(rows[0]).skills == ("dbt", "sql")
        assert [contribution(row) for row in rows[1:]] == [None, None, None]
    finally:
        await connection.close()
