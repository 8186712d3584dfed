"""The executor on Ray gives what inline gives, survives its workers, and stays on this machine."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import anyio
import msgspec
import psutil
import pytest

from nextstep.db import pools
from nextstep.errors import UsageError, WorkerDied
from nextstep.events.io import dead_letters, log, ray_cluster
from nextstep.events.io.executor import make_executor
from nextstep.events.io.faults import Fault, classify
from nextstep.events.io.line import run_line
from nextstep.projections.io.digests import digest_all
from nextstep.settings import Settings
from tests.drafts import draft, job
from tests.toy_stages import DDL, FIRST, TOYS, FirstRow
from tests.whole_line import drain, test_stages


@pytest.fixture
def on_ray(settings: Settings, ray: Any) -> Settings:
    return msgspec.structs.replace(settings, executor="ray", workers=2)


async def test_stages_on_ray_equal_stages_inline(
    ray: Any, make_database: Any, logged: str, local: dict[str, Any], on_ray: Settings
) -> None:
    url = make_database(logged)
    stages = test_stages(on_ray)[:2]
    await drain(on_ray, url, stages)
    connection = await pools.connect(url, "worker", on_ray)
    try:
        made = await digest_all(connection, stages)
    finally:
        await connection.close()
    assert made == {table: local[table] for table in made}
    assert len(made) >= 5


async def test_a_killed_worker_is_survived(
    connection: Any, database: str, on_ray: Settings
) -> None:
    await connection.execute(DDL)
    await log.append(connection, [draft(n, "slow" if n < 3 else f"t{n}") for n in range(100)])
    before = set(_workers())
    killed: list[int] = []

    async def kill_one() -> None:
        with anyio.fail_after(20):
            while not killed:
                for pid in set(_workers()) - before:
                    if psutil.Process(pid).cmdline()[:1] == ["ray::Actor.run"]:
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)
                        break
                await anyio.sleep(0.02)

    async with anyio.create_task_group() as group:
        group.start_soon(kill_one)
        await run_line(database, on_ray, TOYS, once=True)
    assert len(killed) == 1
    assert await connection.fetchval("SELECT count(*) FROM toy_second") == 100
    assert await dead_letters.letters(connection) == []


async def test_a_row_that_ends_its_worker_twice_is_a_fault_of_that_row(on_ray: Settings) -> None:
    executor = make_executor(on_ray)
    try:
        with pytest.raises(WorkerDied) as told:
            await executor.prepare(FIRST, [FirstRow(1, job(1), '{"title": "deadly"}')])
        assert classify(told.value) is Fault.HANDLER
    finally:
        await executor.close()


async def test_an_error_from_a_worker_is_told_as_inline(
    connection: Any, database: str, on_ray: Settings, settings: Settings
) -> None:
    await connection.execute(DDL)
    await log.append(connection, [draft(1), draft(2, "poison")])
    await run_line(database, on_ray, (FIRST,), once=True)
    await log.append(connection, [draft(3, "poison")])
    await run_line(database, settings, (FIRST,), once=True)
    letters = await dead_letters.letters(connection)
    assert {each["job_id"] for each in letters} == {job(2), job(3)}
    assert {each["error"].partition(":")[0] for each in letters} == {"ValueError"}


def _workers() -> list[int]:
    found = []
    for process in psutil.process_iter(["pid", "name", "cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::"):
            found.append(int(process.info["pid"]))
    return found


def test_a_private_cluster_listens_on_loopback_only_and_holds_a_bounded_store(ray: Any) -> None:
    ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
    ports = {
        (each.name(), listening.laddr.ip)
        for each in ours
        if each.is_running()
        for listening in each.net_connections(kind="inet")
        if listening.status == psutil.CONN_LISTEN
    }
    assert len(ports) >= 3
    assert {ip.removeprefix("::ffff:") for _, ip in ports} <= {"127.0.0.1", "::1"}
    store = ray.cluster_resources()["object_store_memory"]
    assert store <= max(ray_cluster.LEAST_STORE_BYTES, Settings().ray_object_store_bytes)


def test_without_ray_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as told:
        make_executor(Settings(executor="ray"))
    assert "nextstep[ray]" in told.value.hint
