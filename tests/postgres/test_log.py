"""The log: one order, no repeats, immutable, verifiable."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from nextstep.db import pools
from nextstep.errors import LogDamaged, ScanRefused
from nextstep.events.io import log
from nextstep.events.io.log import append, finish_scan, verify
from tests.drafts import START, draft, job


@pytest.fixture
async def writer(database: str, settings: Any) -> AsyncIterator[Any]:
    connection = await pools.connect(database, "ingest", settings)
    yield connection
    await connection.close()


@pytest.fixture
async def reader(database: str, settings: Any) -> AsyncIterator[Any]:
    connection = await pools.connect(database, "worker", settings)
    yield connection
    await connection.close()


def outcomes(appended: list[Any]) -> list[str]:
    return [each.outcome for each in appended]


@pytest.mark.req("D-02", "N-83")
async def test_an_unchanged_post_appends_nothing_and_a_changed_one_a_new_version(
    writer: Any,
) -> None:
    first = await append(writer, [draft(1), draft(2)])
    again = await append(writer, [draft(1), draft(2, "other words", day=1)])
    assert [(a.outcome, a.position, a.version) for a in first] == [("new", 1, 1), ("new", 2, 1)]
    assert [(a.outcome, a.position, a.version) for a in again] == [
        ("unchanged", 0, 1),
        ("changed", 3, 2),
    ]


async def test_repeats_inside_a_batch_keep_their_order(writer: Any) -> None:
    batch = [draft(1, "a"), draft(2), draft(1, "b"), draft(1, "b"), draft(1, "c"), draft(2)]
    appended = await append(writer, batch)
    assert outcomes(appended) == ["new", "new", "changed", "unchanged", "changed", "unchanged"]
    assert [a.position for a in appended] == [1, 2, 3, 0, 4, 0]
    assert outcomes(await append(writer, batch)) == ["unchanged"] * 6


async def test_content_that_returns_later_is_a_new_event_and_an_older_sight_is_stale(
    writer: Any,
) -> None:
    await append(writer, [draft(1, "a"), draft(1, "b", day=1)])
    back = await append(writer, [draft(1, "a", day=2)])
    late = await append(writer, [draft(1, "z", day=1)])
    assert outcomes(back) == ["changed"]
    assert outcomes(late) == ["stale"]


@pytest.mark.req("D-01")
async def test_nobody_changes_the_log(
    writer: Any, reader: Any, database: str, settings: Any
) -> None:
    await append(writer, [draft(1)])
    for connection in (writer, reader):
        for statement in (
            "UPDATE job_events SET payload = payload",
            "DELETE FROM job_events",
            "TRUNCATE job_events",
            "INSERT INTO job_events SELECT * FROM job_events",
            "DELETE FROM job_heads",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    owner = await pools.connect(database, "owner", settings)
    for statement in (
        "UPDATE job_events SET payload = payload",
        "UPDATE job_events SET payload = '{\"erased\": true}'",
        "DELETE FROM job_events",
        "TRUNCATE job_events",
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)
    await owner.close()


@pytest.mark.req("X-01")
async def test_eight_writers_beside_a_tailing_reader_lose_and_reorder_nothing(
    database: str, settings: Any, reader: Any
) -> None:
    seen: list[int] = []
    done = asyncio.Event()

    async def tail() -> None:
        while True:
            finished = done.is_set()
            rows = await reader.fetch(
                "SELECT position FROM job_events WHERE position > $1 ORDER BY position",
                seen[-1] if seen else 0,
            )
            seen.extend(row["position"] for row in rows)
            if finished and not rows:
                return
            await asyncio.sleep(0)

    async def write(first: int) -> None:
        connection = await pools.connect(database, "ingest", settings)
        for number in range(first, first + 40):
            await append(connection, [draft(number)])
        await connection.close()

    tailing = asyncio.create_task(tail())
    await asyncio.gather(*(write(1000 * n) for n in range(8)))
    done.set()
    await tailing
    assert seen == list(range(1, 321))
    assert (await verify(reader)).faults == []


async def test_appending_refuses_a_snapshot_that_could_hide_events(writer: Any) -> None:
    with pytest.raises(asyncpg.PostgresError, match="READ COMMITTED"):
        async with writer.transaction(isolation="repeatable_read"):
            await append(writer, [draft(1)])


async def test_an_append_notifies_once_with_a_position(writer: Any, reader: Any) -> None:
    heard: list[str] = []
    await reader.add_listener(log.CHANNEL, lambda *call: heard.append(call[-1]))
    await append(writer, [draft(n) for n in range(50)])
    await append(writer, [draft(n) for n in range(50)])
    await reader.fetchval("SELECT 1")
    assert heard == ["50"]


async def test_verify_finds_an_edit_a_removal_and_a_cut_tail(
    writer: Any, reader: Any, database: str
) -> None:
    await append(writer, [draft(n) for n in range(1, 11)])
    sound = await verify(reader)
    assert (sound.head, sound.faults) == (10, [])

    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")  # only a superuser gets past
        admin.execute(
            'UPDATE job_events SET payload = payload || \'{"title": "x"}\' WHERE position = 4'
        )
        edited = await verify(reader)
        assert [f.split(":")[0] for f in edited.faults] == ["position 4"]
        admin.execute("DELETE FROM job_events WHERE position = 7")
        removed = await verify(reader)
        assert any("position 7 is missing" in fault for fault in removed.faults)
        admin.execute("DELETE FROM job_events WHERE position > 3")
        admin.execute("INSERT INTO stage_offsets (stage, position) VALUES ('clean', 10)")
    cut = await verify(reader, most_faults=50)
    assert any("stage clean: offset 10 is beyond the head 3" in fault for fault in cut.faults)
    assert any("not in the log" in fault for fault in cut.faults)
    with pytest.raises(LogDamaged):
        log.require_sound(cut)


async def test_erasing_blanks_the_payload_and_keeps_the_chain(
    writer: Any, reader: Any, database: str, settings: Any
) -> None:
    await append(writer, [draft(1), draft(2), draft(1, "new words", day=1)])
    owner = await pools.connect(database, "owner", settings)
    assert await owner.fetchval("SELECT erase_job($1, 'asked by letter')", job(1)) == 2
    await owner.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await writer.fetchval("SELECT erase_job($1, '')", job(2))
    report = await verify(reader)
    assert (report.faults, report.erased, report.head) == ([], 2, 4)
    kinds = [e["kind"] for e in await log.show(reader, after=0, limit=9, job_id=job(1))]
    assert kinds == ["job.posted", "job.revised", "job.erased"]


async def scan(writer: Any, numbers: list[int], day: int, **how: Any) -> tuple[int, str]:
    scan_id = uuid.uuid4()
    await writer.executemany(
        "INSERT INTO scan_seen (scan_id, job_id, occurred_at) VALUES ($1, $2, $3)",
        [(scan_id, job(n), START) for n in numbers],
    )
    return await finish_scan(
        writer,
        source="board",
        stream=uuid.uuid5(uuid.NAMESPACE_URL, "board"),
        scan_id=scan_id,
        complete=True,
        payload=b'{"source": "board", "complete": true, "scan_id": "%s"}' % str(scan_id).encode(),
        content_hash=hashlib.sha256(scan_id.bytes).digest(),
        occurred_at=START + timedelta(days=day),
        **how,
    )


@pytest.mark.req("X-11")
async def test_a_complete_scan_closes_what_it_no_longer_lists_and_a_return_reopens(
    writer: Any, reader: Any
) -> None:
    await append(writer, [draft(n) for n in range(10)])
    assert await scan(writer, list(range(8)), 5) == (2, "new")
    assert outcomes(await append(writer, [draft(9, day=6)])) == ["changed"]
    events = await log.show(reader, after=0, limit=99, job_id=job(9))
    assert [e["kind"] for e in events] == ["job.posted", "job.closed", "job.reopened"]
    assert (await verify(reader)).faults == []


async def test_a_closed_post_that_a_later_scan_lists_again_is_open_again(
    writer: Any, reader: Any, database: str, settings: Any
) -> None:
    await append(writer, [draft(n) for n in range(10)])
    await scan(writer, list(range(8)), 5)
    owner = await pools.connect(database, "owner", settings)
    await owner.fetchval("SELECT erase_job($1, '')", job(8))
    await owner.close()
    assert outcomes(await append(writer, [draft(9)])) == ["stale"]
    await scan(writer, list(range(10)), 6)
    events = await log.show(reader, after=0, limit=99, job_id=job(9))
    assert [e["kind"] for e in events] == ["job.posted", "job.closed", "job.reopened"]
    assert events[2]["payload"] == events[0]["payload"]
    erased = await log.show(reader, after=0, limit=99, job_id=job(8))
    assert [e["kind"] for e in erased] == ["job.posted", "job.closed", "job.erased"]
    assert outcomes(await append(writer, [draft(9, day=6)])) == ["unchanged"]
    assert (await verify(reader)).faults == []


async def test_a_scan_that_would_close_too_much_is_refused_whole(writer: Any, reader: Any) -> None:
    await append(writer, [draft(n) for n in range(10)])
    with pytest.raises(ScanRefused, match="8 of 10"):
        await scan(writer, [0, 1], 5)
    assert await log.head(reader) == 10
    assert (await scan(writer, [0, 1], 5, max_share=1.0))[0] == 8


@rules(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 3)), max_size=24),
    st.lists(st.integers(1, 6), min_size=1),
)
async def test_any_cut_of_the_same_observations_gives_the_same_log(
    database: str, settings: Any, seen: list[tuple[int, str, int]], cuts: list[int]
) -> None:
    connection = await pools.connect(database, "ingest", settings)
    try:
        results = []
        for sizes in ([len(seen) or 1], cuts):
            salt = uuid.uuid4().int % 10**9  # other streams in the same log
            drafts = [draft(salt + n, text, day=day) for n, text, day in seen]
            before = await log.head(connection)
            left, turn = list(drafts), 0
            while left:
                size = sizes[turn % len(sizes)]
                await append(connection, left[:size])
                left, turn = left[size:], turn + 1
            events = await log.show(connection, after=before, limit=1000)
            results.append(
                [(str(e["job_id"]), e["version"], e["kind"], e["content_hash"]) for e in events]
            )
            names = {str(job(salt + n)): n for n in range(4)}
            results[-1] = [(names[j], v, k, h) for j, v, k, h in results[-1]]
        assert results[0] == results[1]
        repeated = await append(connection, drafts)
        assert {a.outcome for a in repeated} <= {"unchanged", "stale"}
    finally:
        await connection.close()
