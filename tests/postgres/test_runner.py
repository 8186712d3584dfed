"""The runner on toy stages: offsets, dead letters, halts, pauses, fencing, take-over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from nextstep.db import pools
from nextstep.errors import StageError, TooManyDeadLetters, UsageError
from nextstep.events.io import dead_letters, log, offsets
from nextstep.events.io.line import Line, run_line
from nextstep.settings import Settings
from tests.drafts import START, draft, job
from tests.toy_stages import DDL, FIRST, SECOND, TOYS, decide_asking, says_well


@pytest.fixture
async def line(database: str, settings: Settings) -> AsyncIterator[Any]:
    """An owner's connection on a database that has the toy tables."""
    connection = await pools.connect(database, None, settings)
    await connection.execute(DDL)
    yield connection
    await connection.close()


async def titles(line: Any, table: str = "toy_second") -> dict[Any, str]:
    rows = await line.fetch(f"SELECT job_id, title FROM {table} ORDER BY job_id")
    return {row["job_id"]: row["title"] for row in rows}


async def wait_for(what: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    with anyio.fail_after(seconds):
        while not await what():
            await anyio.sleep(0.01)


@asynccontextmanager
async def running(database: str, settings: Settings, **how: Any) -> AsyncIterator[Line]:
    stop = anyio.Event()
    line = Line(database, settings, TOYS, **how)
    async with anyio.create_task_group() as group:
        group.start_soon(line.run, stop)
        try:
            yield line
        finally:
            stop.set()


@pytest.mark.req("D-04", "N-24")
@pytest.mark.parametrize("batch_size", [1, 7, 500])
async def test_every_stage_reaches_the_head_whatever_the_batch_size(
    line: Any, database: str, settings: Settings, batch_size: int
) -> None:
    await log.append(line, [draft(n) for n in range(40)] + [draft(3, "new words", day=1)])
    await run_line(
        database, msgspec.structs.replace(settings, batch_size=batch_size), TOYS, once=True
    )
    found = await offsets.status(line, settings, TOYS)
    assert [(s["stage"], s["offset"], s["lag"]) for s in found["stages"]] == [
        ("first", 41, 0),
        ("second", 41, 0),
    ]
    second = await titles(line)
    assert len(second) == 40
    assert second[job(3)] == "NEW WORDS"
    runs = await line.fetch("SELECT stage, counts, status FROM pipeline_runs")
    assert {run["status"] for run in runs} == {"done"}
    assert sum(run["counts"]["in"] for run in runs if run["stage"] == "first") == 41


@pytest.mark.req("X-04")
@pytest.mark.parametrize("place", [0, 5, 9])
@pytest.mark.parametrize("poison", ["poison", "undecided"])
async def test_a_bad_row_is_parked_wherever_it_stands_and_the_line_goes_on(
    line: Any, database: str, settings: Settings, place: int, poison: str
) -> None:
    drafts = [draft(n) for n in range(10)]
    drafts[place] = draft(place, poison)
    await log.append(line, drafts)
    await run_line(database, settings, TOYS, once=True)
    letters = await dead_letters.letters(line)
    assert [(e["stage"], e["job_id"], e["position"]) for e in letters] == [
        ("first", job(place), place + 1)
    ]
    assert "toy_stages" in letters[0]["detail"] or "executor" in letters[0]["detail"]
    assert len(await titles(line)) == 9


async def test_a_fault_that_only_the_server_sees_parks_one_row(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(n) for n in range(5)] + [draft(9, "nul")])
    await run_line(database, settings, TOYS, once=True)
    letters = await dead_letters.letters(line)
    assert [(e["stage"], e["job_id"]) for e in letters] == [("second", job(9))]
    assert len(await titles(line, "toy_first")) == 6
    assert len(await titles(line)) == 5


async def test_a_job_that_turns_bad_leaves_no_row_and_a_later_success_resolves_its_letter(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(1)])
    await run_line(database, settings, TOYS, once=True)
    await log.append(line, [draft(1, "poison", day=1)])
    await run_line(database, settings, TOYS, once=True)
    assert await titles(line, "toy_first") == {}
    await log.append(line, [draft(1, "well again", day=2)])
    await run_line(database, settings, TOYS, once=True)
    assert await titles(line, "toy_first") == {job(1): "well again"}
    letters = await dead_letters.letters(line, status=None)
    assert [e["status"] for e in letters] == ["resolved"]


async def test_discarding_and_retrying_are_events_and_move_no_offset(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(1, "poison"), draft(2, "undecided")])
    await run_line(database, settings, TOYS, once=True)
    letters = await dead_letters.letters(line)
    assert await dead_letters.discard(line, letters[:1], START, "spam") == 1
    assert await dead_letters.retry(line, letters[1:], START, "fixed") == 1
    kinds = [event["kind"] for event in await log.show(line, after=2, limit=9)]
    assert kinds == ["dead_letter.discarded", "job.requeued"]
    assert (await offsets.status(line, settings, TOYS))["stages"][0]["offset"] == 2
    assert (await log.verify(line)).faults == []


async def test_too_many_dead_letters_halt_the_stage_and_nothing_of_the_batch_stays(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(n, "poison") for n in range(6)] + [draft(7)])
    few = msgspec.structs.replace(settings, dead_letter_limit=3, batch_size=4)
    with pytest.raises(TooManyDeadLetters):
        await run_line(database, few, TOYS, once=True)
    first = (await offsets.status(line, settings, TOYS))["stages"][0]
    assert (first["status"], first["offset"], first["dead_letters"]) == ("halted", 0, 0)
    assert "nextstep resume first" in first["last_error"]
    failed = await line.fetchrow("SELECT status, error FROM pipeline_runs WHERE stage = 'first'")
    assert failed["status"] == "failed"
    await offsets.set_status(line, "first", "running")
    await run_line(database, settings, TOYS, once=True)
    assert (await offsets.status(line, settings, TOYS))["stages"][0]["dead_letters"] == 6


async def test_a_pause_is_a_row_and_survives_a_restart(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(1)])
    await run_line(database, settings, TOYS, once=True)
    await offsets.set_status(line, "second", "paused", "looking")
    await log.append(line, [draft(2)])
    for _ in range(2):
        with pytest.raises(StageError, match="second is paused"):
            await run_line(database, settings, TOYS, once=True)
    assert [s["offset"] for s in (await offsets.status(line, settings, TOYS))["stages"]] == [2, 1]
    await offsets.set_status(line, "second", "running")
    await run_line(database, settings, TOYS, once=True)
    assert len(await titles(line)) == 2
    with pytest.raises(UsageError, match="no stage is named third"):
        await offsets.set_status(line, "third", "paused")


@pytest.mark.req("D-08", "X-06")
async def test_a_reset_takes_the_next_stages_along_and_the_replay_gives_the_same_rows(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(n) for n in range(9)])
    await run_line(database, settings, TOYS, once=True)
    before = await titles(line)
    assert await offsets.reset(line, TOYS, "first", 4) == {"first": (9, 4), "second": (9, 4)}
    assert await titles(line) == before
    assert await offsets.reset(line, TOYS, "first", 0) == {"first": (4, 0), "second": (4, 0)}
    assert await titles(line) == {}
    await run_line(database, settings, TOYS, once=True)
    assert await titles(line) == before
    with pytest.raises(UsageError, match="its offset is 9"):
        await offsets.reset(line, TOYS, "first", 10)


@pytest.mark.req("X-06")
async def test_a_stage_whose_code_changed_is_stale_until_it_is_reset(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(1)])
    await run_line(database, settings, TOYS, once=True)
    newer = (msgspec.structs.replace(FIRST, code_version=2), SECOND)
    with pytest.raises(StageError, match="first is stale"):
        await run_line(database, settings, newer, once=True)
    stale = (await offsets.status(line, settings, newer))["stages"][0]
    assert (stale["stale"], stale["status"], stale["reason"]) == (True, "halted", "stale")
    assert await offsets.stale_stages(line, settings, newer) == ["first"]
    await offsets.reset(line, newer, "first", 0)
    await run_line(database, settings, newer, once=True)
    assert len(await titles(line)) == 1


@pytest.mark.req("D-03", "X-02")
@pytest.mark.parametrize(
    "notifications", [pytest.param(True, marks=pytest.mark.notifications), False]
)
async def test_an_event_reaches_every_stage_with_and_without_notifications(
    line: Any, database: str, settings: Settings, notifications: bool
) -> None:
    quick = msgspec.structs.replace(settings, notifications=notifications, poll_interval_s=0.2)
    async with running(database, quick):
        for number in range(3):
            await log.append(line, [draft(number)])

            async def arrived(number: int = number) -> bool:
                return job(number) in await titles(line)

            await wait_for(arrived, 5)
    mode = (await offsets.status(line, quick, TOYS))["wakeup"]
    assert mode == ("notify" if notifications else "poll")


@pytest.mark.notifications
async def test_a_killed_listener_comes_back_and_hears_again(
    line: Any, database: str, settings: Settings
) -> None:
    slow_poll = msgspec.structs.replace(settings, poll_interval_s=30.0)
    async with running(database, slow_poll):
        await log.append(line, [draft(1)])
        await wait_for(lambda: _has(line, 1))
        await line.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await log.append(line, [draft(2)])
        await wait_for(lambda: _has(line, 2))
        await log.append(line, [draft(3)])
        await wait_for(lambda: _has(line, 3))


async def _has(line: Any, number: int) -> bool:
    return job(number) in await titles(line)


async def test_a_second_process_stands_by_and_takes_over_when_the_first_is_gone(
    line: Any, database: str, settings: Settings
) -> None:
    quick = msgspec.structs.replace(settings, poll_interval_s=0.2)
    async with running(database, quick) as second:
        async with running(database, quick) as first:
            await log.append(line, [draft(1)])
            await wait_for(lambda: _has(line, 1))
            owners = [
                sorted(n for n, r in each.runners.items() if r.epoch is not None)
                for each in (first, second)
            ]
            assert sorted(owners[0] + owners[1]) == ["first", "second"]
        await log.append(line, [draft(2)])
        await wait_for(lambda: _has(line, 2))
        assert all(runner.epoch is not None for runner in second.runners.values())


async def test_a_fenced_runner_writes_nothing(line: Any, database: str, settings: Settings) -> None:
    await log.append(line, [draft(1, "slow")])
    async with running(database, settings) as fenced:

        async def at_work() -> bool:
            return (
                fenced.runners.get("first") is not None
                and fenced.runners["first"].epoch is not None
            )

        await wait_for(at_work)
        # Somebody else takes the stage while the batch is being prepared.
        await line.execute("UPDATE stage_offsets SET epoch = epoch + 1, heartbeat_at = now()")
        seen = []

        async def taken_again() -> bool:
            row = await line.fetchrow(
                "SELECT epoch, (SELECT count(*) FROM toy_first) FROM stage_offsets"
                " WHERE stage = 'first'"
            )
            seen.append(tuple(row))
            return bool(row["epoch"] >= 3)

        await wait_for(taken_again)
        assert [rows for epoch, rows in seen if epoch == 2] == [0] * (len(seen) - 1)
        await wait_for(lambda: _has(line, 1), 15)
    assert await line.fetchval("SELECT epoch FROM stage_offsets WHERE stage = 'first'") >= 3
    assert await line.fetchval("SELECT position FROM stage_offsets WHERE stage = 'first'") == 1


async def test_worker_processes_do_the_same_and_a_row_that_kills_them_is_parked(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(n) for n in range(60)] + [draft(77, "deadly")])
    processes = msgspec.structs.replace(settings, executor="processes", workers=2)
    await run_line(database, processes, TOYS, once=True)
    assert len(await titles(line)) == 60
    letters = await dead_letters.letters(line)
    assert [(e["stage"], e["job_id"]) for e in letters] == [("first", job(77))]
    assert "ended while it worked" in letters[0]["error"]


async def test_a_stage_without_absent_gets_its_parked_rows_with_nothing_prepared(
    line: Any, database: str, settings: Settings
) -> None:
    asking = msgspec.structs.replace(FIRST, absent=None, decide=decide_asking)
    await log.append(line, [draft(1), draft(2)])
    await run_line(database, settings, (asking,), once=True)
    await log.append(line, [draft(1, "poison", day=1), draft(3)])
    await run_line(database, settings, (asking,), once=True)
    assert set(await titles(line, "toy_first")) == {job(2), job(3)}
    assert [e["job_id"] for e in await dead_letters.letters(line)] == [job(1)]


async def test_a_job_that_turns_bad_within_one_batch_leaves_no_row_and_keeps_its_letter(
    line: Any, database: str, settings: Settings
) -> None:
    await log.append(line, [draft(1)])
    await run_line(database, settings, TOYS, once=True)
    await log.append(line, [draft(1, "good", day=1), draft(1, "poison", day=2), draft(2)])
    await run_line(database, settings, TOYS, once=True)
    assert set(await titles(line, "toy_first")) == {job(2)}
    assert [(e["job_id"], e["status"]) for e in await dead_letters.letters(line)] == [
        (job(1), "parked")
    ]


@pytest.mark.req("D-04")
@pytest.mark.parametrize("batch_size", [1, 500])
async def test_a_job_that_turns_good_again_resolves_its_letter_whatever_the_batch_size(
    line: Any, database: str, settings: Settings, batch_size: int
) -> None:
    sized = msgspec.structs.replace(settings, batch_size=batch_size)
    await log.append(line, [draft(1, "poison"), draft(2, "undecided"), draft(1, "well", day=1)])
    await run_line(database, sized, TOYS, once=True)
    letters = await dead_letters.letters(line, status=None)
    assert [(e["job_id"], e["status"]) for e in letters] == [
        (job(1), "resolved"),
        (job(2), "parked"),
    ]
    assert set(await titles(line)) == {job(1)}


async def test_only_rows_that_say_so_resolve_a_letter(
    line: Any, database: str, settings: Settings
) -> None:
    picky = msgspec.structs.replace(FIRST, resolves=says_well)
    await log.append(line, [draft(1, "poison")])
    await run_line(database, settings, (picky,), once=True)
    await log.append(line, [draft(1, "something else", day=1)])
    await run_line(database, settings, (picky,), once=True)
    assert len(await dead_letters.letters(line)) == 1
    await log.append(line, [draft(1, "well", day=2)])
    await run_line(database, settings, (picky,), once=True)
    assert await dead_letters.letters(line) == []
