"""The process clock jumps; tables and ownership do not depend on it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import msgspec
import psycopg
import pytest

from nextstep import clock
from nextstep.events.io.line import Line
from nextstep.settings import Settings
from tests.drafts import draft
from tests.faults.test_kill_points import append
from tests.toy_stages import DDL, TOYS
from tests.whole_line import append_sample, digests, drain


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that is years off at each look, to and fro; returns how often it was asked."""
    looks = itertools.count()
    days = (0, 400, -400, 3650, -9000, 1, -1)
    asked = {"now": 0, "monotonic": 0}

    def now() -> datetime:
        asked["now"] += 1
        return datetime.now(UTC) + timedelta(days=days[next(looks) % len(days)])

    def monotonic_s() -> float:
        asked["monotonic"] += 1
        return 1000.0 * days[next(looks) % len(days)]

    monkeypatch.setattr(clock, "now", now)
    monkeypatch.setattr(clock, "monotonic_s", monotonic_s)
    return asked


@pytest.mark.req("N-89")
async def test_a_jumping_clock_changes_no_table(
    settings: Settings,
    make_database: Any,
    template: str,
    request: pytest.FixtureRequest,
) -> None:
    calm, jumped = make_database(template), make_database(template)
    await append_sample(settings, calm, rows=100)
    await drain(settings, calm)
    asked = request.getfixturevalue("jumping")
    await append_sample(settings, jumped, rows=100)
    await drain(settings, jumped)
    assert asked["now"] > 5 and asked["monotonic"] > 5
    assert await digests(settings, jumped) == await digests(settings, calm)


async def test_a_clock_that_is_off_takes_no_stage_from_a_living_owner(
    database: str, settings: Settings, jumping: Any
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(DDL)
    quick = msgspec.structs.replace(settings, poll_interval_s=0.05, batch_size=1)
    stop, lines = anyio.Event(), [Line(database, quick, TOYS) for _ in range(2)]
    epochs = []
    async with anyio.create_task_group() as group:
        for line in lines:
            group.start_soon(line.run, stop)
        with psycopg.connect(database, autocommit=True) as look, anyio.fail_after(60):
            for turn in range(8):
                await append(database, quick, [draft(10 * turn + n) for n in range(10)])
                while look.execute(
                    "SELECT count(*) FROM stage_offsets WHERE position = %s", [10 * turn + 10]
                ).fetchone() != (2,):
                    await anyio.sleep(0.02)
            epochs = look.execute("SELECT epoch FROM stage_offsets").fetchall()
        stop.set()
    assert epochs == [(1,), (1,)]
    assert jumping["now"] > 0 and jumping["monotonic"] > 0
