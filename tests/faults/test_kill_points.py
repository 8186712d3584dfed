"""kill -9 at every await of the runner, and in the middle of every statement it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from nextstep.db import pools
from nextstep.events.io import log
from nextstep.events.io.line import run_line
from nextstep.events.model import Draft
from nextstep.settings import Settings
from tests.drafts import draft
from tests.faults.awaits import gated_runner
from tests.faults.forks import TOYS
from tests.faults.killing import behind, forks
from tests.toy_stages import DDL


async def _pass(_: str, __: dict[str, Any], start: Callable[[], Awaitable[Any]]) -> Any:
    return await start()


POINTS = gated_runner(_pass, "listed_runner")[1]
#: Awaits of a statement: killed there as well when its first bytes are on their way.
_STATEMENTS = ("fetch", "execute", "executemany", "start", "commit", "rollback", "apply")
KILLS = [(point, "before") for point in POINTS] + [
    (point, "during")
    for point in POINTS
    if point.partition(" #")[0].split(" '")[0].rpartition(".")[2] in (*_STATEMENTS, "fetchrow")
]


def fault_of(point: str) -> str:
    """Which fault of the stage leads to the await."""
    if point.startswith("halt:"):
        return "systemic"
    return "transient" if point.startswith("struggle:") or point == "drain: ahead #2" else ""


def group(turn: int) -> list[Draft]:
    """Events that take the runner through every path: good, bad in each way, good again."""
    n = 100 * turn
    return [
        draft(n),
        draft(n + 1),
        draft(n + 2, "poison"),
        draft(n + 3, "undecided"),
        draft(n + 4, "nul"),
        draft(n + 5),
        draft(n + 2, "well", day=1),
        draft(n + 5, "undecided", day=1),
        draft(n + 6),
        draft(n + 5, "well", day=2),
        draft(n + 7),
    ]


_TABLES = {
    "first": "SELECT job_id, title, position FROM toy_first ORDER BY job_id",
    "second": "SELECT job_id, title, position FROM toy_second ORDER BY job_id",
    "letters": "SELECT stage, job_id, position, error, attempts, status FROM dead_letters"
    ' ORDER BY stage COLLATE "C", job_id',
    "offsets": 'SELECT stage, position FROM stage_offsets ORDER BY stage COLLATE "C"',
}


async def tables(url: str, settings: Settings) -> dict[str, list[Any]]:
    connection = await pools.connect(url, None, settings)
    try:
        return {
            name: [tuple(row) for row in await connection.fetch(query)]
            for name, query in _TABLES.items()
        }
    finally:
        await connection.close()


async def append(url: str, settings: Settings, drafts: list[Draft]) -> None:
    connection = await pools.connect(url, "ingest", settings)
    try:
        await log.append(connection, drafts)
    finally:
        await connection.close()


@pytest.mark.req("D-04", "N-35", "N-89")
async def test_a_kill_at_any_await_of_the_runner_loses_and_doubles_nothing(
    settings: Settings, make_database: Any, template: str, home: Path
) -> None:
    calm, killed = make_database(template), make_database(template)
    for url in (calm, killed):
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(DDL)
    hits: list[tuple[str, str]] = []
    missed: list[tuple[str, str]] = []
    idle: list[tuple[str, str]] = []
    with forks(killed, home) as line:
        assert line.points == POINTS
        for turn, (point, mode) in enumerate(KILLS):
            await append(killed, settings, group(turn))
            found = await asyncio.to_thread(line.run, point, mode, fault_of(point))
            if found["hit"] is None or found["signal"] != 9:
                missed.append((point, mode))
            elif not behind(killed, found["pid"]):
                idle.append((point, mode))
            else:
                hits.append((found["hit"]["point"], found["hit"]["mode"]))
            with psycopg.connect(killed, autocommit=True) as owner:
                owner.execute("UPDATE stage_offsets SET status = 'running' WHERE status = 'halted'")
        last = await asyncio.to_thread(line.run)
        assert (last["code"], last["signal"], last["error"]) == (0, 0, "")
    assert missed == [], "awaits that no process came to"
    assert idle == [], "kills with no batch in flight"
    assert hits == KILLS

    await append(calm, settings, [each for turn in range(len(KILLS)) for each in group(turn)])
    await run_line(calm, msgspec.structs.replace(settings, database_url=calm), TOYS, once=True)
    assert await tables(killed, settings) == await tables(calm, settings)
    head = len(KILLS) * len(group(0))
    with psycopg.connect(killed) as connection:
        taken = connection.execute(
            "SELECT sum((counts ->> 'in')::int) FROM pipeline_runs WHERE stage = 'first'"
        ).fetchone()
    # Counts are committed with their batch: an event taken twice would be counted twice.
    assert taken == (head,)
