"""Notifications are a hint: lost, swallowed or switched off, they cost a poll interval at most."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import psycopg
import pytest

from nextstep.events.io import wake
from nextstep.events.io.line import Line
from nextstep.events.io.log import CHANNEL
from nextstep.events.stage import Stage
from nextstep.settings import Settings
from tests.drafts import draft
from tests.faults.test_kill_points import append
from tests.proxy import Proxy, proxied
from tests.toy_stages import TOYS

#: Long beside the milliseconds of the work itself, so that one interval is told from two.
POLL_S = 1.0
#: What reading, writing and a busy machine may add.
WORK_S = 0.6


@pytest.fixture
def polling(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, poll_interval_s=POLL_S, notifications=False)


@asynccontextmanager
async def running(
    url: str, settings: Settings, *processes: Sequence[Stage]
) -> AsyncIterator[list[Line]]:
    """Lines as of processes of their own: they share nothing but the database."""
    stop = anyio.Event()
    lines = [Line(url, settings, stages) for stages in processes]
    async with anyio.create_task_group() as group:
        for line in lines:
            group.start_soon(line.run, stop)
        try:
            with anyio.fail_after(30):
                for line in lines:
                    while not line.runners or None in [r.epoch for r in line.runners.values()]:
                        await anyio.sleep(0.01)
            yield lines
        finally:
            stop.set()


async def seconds_to_the_head(url: str, settings: Settings, number: int) -> float:
    """Append one event to an idle line; return when the last stage has it."""
    with psycopg.connect(url, autocommit=True) as look, anyio.fail_after(30):

        async def arrive() -> None:
            while look.execute(
                "SELECT min(position) < (SELECT max(position) FROM job_events) FROM stage_offsets"
            ).fetchone() != (False,):
                await anyio.sleep(0.005)

        await append(url, settings, [draft(number)])
        started = time.monotonic()
        await arrive()
        return time.monotonic() - started


@pytest.mark.req("X-02", "D-03")
async def test_without_notifications_one_process_is_at_the_head_within_one_poll_interval(
    toys: str, polling: Settings
) -> None:
    async with running(toys, polling, TOYS):
        took = [await seconds_to_the_head(toys, polling, n) for n in range(2)]
    assert max(took) <= POLL_S + WORK_S
    assert max(took) > 0.1, "nobody was told, so somebody had to wait"


@pytest.mark.req("X-02", "D-03")
async def test_without_notifications_processes_are_at_the_head_within_stages_x_poll_interval(
    toys: str, polling: Settings
) -> None:
    async with running(toys, polling, *([stage] for stage in TOYS)):
        took = [await seconds_to_the_head(toys, polling, n) for n in range(2)]
    assert max(took) <= len(TOYS) * POLL_S + WORK_S
    assert max(took) > 0.1


@pytest.fixture
def proxy(toys: str) -> Any:
    with proxied(toys) as made:
        yield made


def to_nobody(data: bytes) -> bytes:
    """A notification on our channel becomes one, as long, on a channel that nobody knows."""
    name = CHANNEL.encode() + b"\0"
    return data.replace(name, b"x" * len(CHANNEL) + b"\0") if b"A" in data else data


@pytest.mark.notifications
@pytest.mark.req("X-02")
async def test_a_lost_notification_costs_a_poll_interval_and_nothing_else(
    toys: str, proxy: Proxy, settings: Settings
) -> None:
    told = msgspec.structs.replace(settings, poll_interval_s=POLL_S)
    async with running(proxy.url, told, TOYS) as (line,):
        assert line._wake.mode == "notify"
        # Idle, and woken by nothing but the log: far quicker than the poll.
        quick = min([await seconds_to_the_head(toys, told, n) for n in range(3)])
        proxy.rewrite = to_nobody
        took = [await seconds_to_the_head(toys, told, n) for n in range(3, 5)]
    assert proxy.rewritten >= 2
    assert quick < POLL_S / 2
    assert max(took) <= POLL_S + WORK_S


@pytest.mark.notifications
@pytest.mark.req("X-02")
async def test_notifications_that_never_arrive_are_found_at_start_and_polled_for(
    toys: str, proxy: Proxy, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "_PROBE_S", 0.3)
    told = msgspec.structs.replace(settings, poll_interval_s=POLL_S)
    proxy.rewrite = to_nobody
    async with running(proxy.url, told, TOYS) as (line,):
        assert line._wake.mode == "poll"
        took = [await seconds_to_the_head(toys, told, n) for n in range(2)]
        with psycopg.connect(toys) as look:
            modes = look.execute("SELECT DISTINCT wakeup FROM stage_offsets").fetchall()
    assert modes == [("poll",)]
    assert proxy.rewritten >= 1
    assert max(took) <= POLL_S + WORK_S
