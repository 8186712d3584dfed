"""The wire breaks: cut at every await, stalled, half-open, slow, refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import psycopg
import pytest

from nextstep.db import pools
from nextstep.events.io import line as line_module
from nextstep.events.io import log, wake
from nextstep.events.io.faults import LOST
from nextstep.events.io.line import Line, run_line
from nextstep.settings import Settings
from tests.drafts import draft, job
from tests.faults import forks
from tests.faults.awaits import gated_runner
from tests.faults.test_kill_points import POINTS, append, fault_of, group, tables
from tests.proxy import Proxy, proxied
from tests.toy_stages import DDL, TOYS

#: Awaits of what `halt` does; with the wire cut there, nobody can write that the stage stands.
_HALTING = tuple(point for point in POINTS if point.startswith("halt:"))


@pytest.fixture
def proxy(toys: str) -> Iterator[Proxy]:
    with proxied(toys) as made:
        yield made


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, poll_interval_s=0.1, batch_size=2)


@asynccontextmanager
async def running(url: str, settings: Settings, stages: Any = TOYS) -> AsyncIterator[Line]:
    stop = anyio.Event()
    line = Line(url, settings, stages)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(line.run, stop)
        try:
            yield line
        finally:
            stop.set()


async def until(what: Callable[[], Awaitable[Any]], seconds: float = 60) -> None:
    with anyio.fail_after(seconds):
        while not await what():
            await anyio.sleep(0.02)


def at_head(url: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT min(position) = (SELECT max(position) FROM job_events), count(*)"
                " FROM stage_offsets WHERE status = 'running'"
            ).fetchone()
        return row == (True, 2)

    return look


class Cutter:
    """Cuts every connection when the runner comes to `point` with a batch to do, once."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.point = ""
        self.hit: dict[str, Any] | None = None

    async def __call__(
        self, point: str, scope: dict[str, Any], start: Callable[[], Awaitable[Any]]
    ) -> Any:
        if point == self.point:
            self.point = ""
            self.hit = {"links": self._proxy.cut(), "stage": scope["self"].stage.name}
        return await start()


@pytest.mark.req("X-02", "N-35")
async def test_a_wire_cut_at_any_await_of_the_runner_loses_and_doubles_nothing(  # noqa: PLR0917
    toys: str,
    proxy: Proxy,
    quick: Settings,
    make_database: Any,
    template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cutter = Cutter(proxy)
    module, points = gated_runner(cutter, "cut_runner")
    monkeypatch.setattr(line_module, "StageRunner", module.StageRunner)
    missed: list[str] = []
    larger = msgspec.structs.replace(quick, batch_size=6)  # two batches a group
    async with running(proxy.url, larger, forks.TOYS):
        for turn, point in enumerate(points):
            cutter.point, cutter.hit = point, None
            forks._order["fault"] = fault_of(point)
            await append(toys, quick, group(turn))
            if point in _HALTING:
                await until(lambda: _resumed(toys))
            await until(at_head(toys))
            forks._order.clear()
            if cutter.hit is None or not cutter.hit["links"]:
                missed.append(point)
    assert missed == []
    calm = make_database(template)
    with psycopg.connect(calm, autocommit=True) as owner:
        owner.execute(DDL)
    await append(calm, quick, [each for turn in range(len(points)) for each in group(turn)])
    await run_line(calm, msgspec.structs.replace(quick, database_url=calm), TOYS, once=True)
    assert await tables(toys, quick) == await tables(calm, quick)


async def _resumed(url: str) -> bool:
    """Whether the halted stage runs again. A cut may keep the halt from being written."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("UPDATE stage_offsets SET status = 'running' WHERE status = 'halted'")
    return await at_head(url)()


@pytest.mark.req("X-02")
@pytest.mark.parametrize("freeze", [False, True], ids=["half-open", "frozen"])
async def test_a_line_whose_connections_fall_silent_goes_on_by_itself(
    toys: str, proxy: Proxy, quick: Settings, freeze: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "_COMMAND_TIMEOUT_S", 1.0)
    monkeypatch.setattr(wake, "_ALIVE_EVERY_S", 0.2)
    slow_poll = msgspec.structs.replace(quick, poll_interval_s=0.5)
    async with running(proxy.url, slow_poll) as line:
        await append(toys, quick, [draft(n) for n in range(5)])
        await until(at_head(toys))
        links = proxy.links
        assert links >= 2, "the line and its listener"
        if freeze:
            proxy.freeze()
        else:
            assert proxy.stall() == links
        await append(toys, quick, [draft(n) for n in range(5, 20)])
        if freeze:
            # Nothing is heard of any server; the line must be alive when there is one again.
            heard = proxy.passed
            await anyio.sleep(2.5)
            assert proxy.passed == heard
            proxy.cut()  # what stood still is gone, as after a firewall's restart
            proxy.heal()
        await until(at_head(toys))
        mode = "notify" if quick.notifications else "poll"
        await until(lambda: _is(line._wake.mode == mode))
        await append(toys, quick, [draft(20)])
        await until(at_head(toys))
    await _all_there(toys, quick, 21)


async def _is(claim: bool) -> bool:
    return claim


async def _all_there(url: str, settings: Settings, jobs: int) -> None:
    found = await tables(url, settings)
    assert found["second"] == sorted((job(n), f"TITLE {n}", n + 1) for n in range(jobs))
    assert found["letters"] == []


async def test_a_half_open_anchor_does_not_keep_a_stage_from_being_taken_again(
    toys: str, proxy: Proxy, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "_HEARTBEAT_DEAD_S", 0.5)
    monkeypatch.setattr(line_module, "_COMMAND_TIMEOUT_S", 1.0)
    async with running(proxy.url, quick):
        await append(toys, quick, [draft(n) for n in range(3)])
        await until(at_head(toys))
        assert proxy.stall() >= 2
        with psycopg.connect(toys, autocommit=True) as owner:  # another owner, soon gone
            owner.execute("UPDATE stage_offsets SET epoch = epoch + 1, heartbeat_at = now()")
        await append(toys, quick, [draft(n) for n in range(3, 9)])
        await until(at_head(toys))
    await _all_there(toys, quick, 9)


async def test_a_stall_that_ends_lets_everything_through_once(
    toys: str, proxy: Proxy, quick: Settings
) -> None:
    async with running(proxy.url, quick):
        await append(toys, quick, [draft(n) for n in range(5)])
        await until(at_head(toys))
        proxy.freeze()
        await append(toys, quick, [draft(n) for n in range(5, 20)])
        before = proxy.passed
        await anyio.sleep(1.0)
        assert proxy.passed == before
        proxy.heal()
        await until(at_head(toys))
    await _all_there(toys, quick, 20)


async def test_a_slow_wire_only_takes_longer(toys: str, proxy: Proxy, quick: Settings) -> None:
    proxy.delay_s = 0.005
    await append(toys, quick, [draft(n) for n in range(8)])
    await run_line(proxy.url, quick, TOYS, once=True)
    await _all_there(toys, quick, 8)


@pytest.mark.parametrize("nth", [1, 3, 8, 21])
async def test_a_link_cut_in_the_middle_of_an_answer_is_retried(
    toys: str, proxy: Proxy, quick: Settings, nth: int
) -> None:
    """Every nth piece from the server is swallowed with its connection, five times."""
    await append(toys, quick, [draft(n) for n in range(12)])
    seen = 0

    def cut(_: bytes) -> bool:
        nonlocal seen
        seen += 1
        return started and seen % nth == 0 and proxy.cuts < 5

    started = False
    proxy.cut_when = cut
    async with running(proxy.url, quick) as line:
        await until(lambda: _is(bool(line.runners)))
        started = True
        await until(at_head(toys))
        await append(toys, quick, [draft(12)])
        await until(at_head(toys))
    assert proxy.cuts > 0
    await _all_there(toys, quick, 13)


async def test_a_server_out_of_reach_is_waited_for(
    toys: str, proxy: Proxy, quick: Settings
) -> None:
    async with running(proxy.url, quick):
        await append(toys, quick, [draft(n) for n in range(3)])
        await until(at_head(toys))
        proxy.refuse()
        await append(toys, quick, [draft(n) for n in range(3, 9)])
        tries = proxy.taken
        await until(lambda: _is(proxy.taken >= tries + 3))
        proxy.heal()
        await until(at_head(toys))
    await _all_there(toys, quick, 9)


async def test_an_append_whose_answer_is_lost_may_be_sent_again(
    toys: str, proxy: Proxy, quick: Settings
) -> None:
    drafts = [draft(n) for n in range(37)]
    connection = await pools.connect(proxy.url, "ingest", quick)
    proxy.cut_when = lambda data: b"SELECT 37\0" in data
    with pytest.raises(LOST):
        await log.append(connection, drafts)
    proxy.cut_when = None
    assert proxy.cuts == 1
    with psycopg.connect(toys) as look:
        kept = look.execute("SELECT count(*) FROM job_events").fetchone()
    assert kept == (37,), "the server had committed; only the answer was lost"
    again = await pools.connect(proxy.url, "ingest", quick)
    outcomes = [each.outcome for each in await log.append(again, drafts)]
    assert outcomes == ["unchanged"] * 37
    await again.close()
    connection.terminate()
