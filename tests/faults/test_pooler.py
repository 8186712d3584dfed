"""Everything works behind pgbouncer in transaction mode, each statement in its own role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import msgspec
import psycopg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from nextstep.db import pools
from nextstep.errors import Unreachable
from nextstep.events.io import offsets
from nextstep.events.io.line import Line
from nextstep.http.app import make_app
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.drafts import draft
from tests.encoder import encode_queries
from tests.faults.test_kill_points import append, tables
from tests.pooler import POOL_SIZE, pgbouncer
from tests.toy_stages import DDL, TOYS
from tests.whole_line import SAMPLE, append_sample, digests, drain, test_stages


@pytest.fixture
def pooled(database: str) -> Iterator[str]:
    with pgbouncer(database) as url:
        yield url


@pytest.fixture
def behind(settings: Settings, pooled: str) -> Settings:
    return msgspec.structs.replace(
        settings, pooler="transaction", database_url=pooled, poll_interval_s=0.1, batch_size=10
    )


@pytest.mark.req("X-02", "D-04")
async def test_the_whole_line_behind_a_pooler_makes_the_same_tables(
    settings: Settings, behind: Settings, pooled: str, make_database: Any, template: str
) -> None:
    direct = make_database(template)
    await append_sample(settings, direct)
    await drain(settings, direct)
    larger = msgspec.structs.replace(behind, batch_size=100)
    await append_sample(larger, pooled)
    await drain(larger, pooled)
    assert await digests(larger, pooled) == await digests(settings, direct)
    connection = await pools.connect(pooled, "api", behind)
    status = await offsets.status(connection, larger, test_stages(larger))
    await connection.close()
    assert status["wakeup"] == "poll"
    assert {stage["lag"] for stage in status["stages"]} == {0}


_MADE_BY = """
ALTER TABLE toy_first ADD made_by name NOT NULL DEFAULT current_user;
ALTER TABLE toy_second ADD made_by name NOT NULL DEFAULT current_user,
  ADD zone text NOT NULL DEFAULT current_setting('TimeZone'),
  ADD session int NOT NULL DEFAULT pg_backend_pid();
"""


async def test_a_live_line_writes_as_its_role_whichever_session_it_gets(
    database: str, behind: Settings, pooled: str
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(DDL + _MADE_BY)
    stop = anyio.Event()
    lines = [Line(pooled, behind, TOYS) for _ in range(3)]
    async with anyio.create_task_group() as group:
        for line in lines:
            group.start_soon(line.run, stop)
        for turn in range(20):
            await append(pooled, behind, [draft(10 * turn + n) for n in range(10)])
        with anyio.fail_after(60):
            while (await tables(database, behind))["offsets"] != [("first", 200), ("second", 200)]:
                await anyio.sleep(0.02)
        # Without the lock one owner is told from another by heartbeat and epoch alone.
        owners = [n for line in lines for n, r in line.runners.items() if r.epoch is not None]
        assert sorted(owners) == ["first", "second"]
        stop.set()
    with psycopg.connect(database) as look:
        made = look.execute(
            "SELECT (SELECT array_agg(DISTINCT made_by::text) FROM toy_first),"
            " array_agg(DISTINCT made_by::text), array_agg(DISTINCT zone),"
            " count(DISTINCT session), count(*) FROM toy_second"
        ).fetchone()
        left = look.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    assert made is not None
    assert made[:3] == (["nextstep_worker"], ["nextstep_worker"], ["UTC"])
    assert 1 < made[3] <= POOL_SIZE, "the pooler gave different sessions"
    assert made[4] == 200
    assert left == (0,), "a lock of a session would stay with whoever gets it next"


async def test_many_clients_on_few_sessions_never_meet_each_others_statements(
    behind: Settings, pooled: str
) -> None:
    async def ask(client: int) -> None:
        role: pools.Role = ("api", "worker", "ingest")[client % 3]  # type: ignore[assignment]
        connection = await pools.connect(pooled, role, behind)
        try:
            for turn in range(20):
                row = await connection.fetchrow(
                    f"SELECT $1::int + {client}, current_user::text, $2::jsonb", turn, {"a": client}
                )
                assert tuple(row) == (turn + client, f"nextstep_{role}", {"a": client})
        finally:
            await connection.close()

    await asyncio.gather(*(ask(client) for client in range(12)))


@pytest.fixture
async def client(behind: Settings, pooled: str) -> Any:
    pool = await pools.create_pool(pooled, "api", behind, max_size=4)
    app = make_app(
        behind, pool, encode_queries, load_taxonomies(), stages=test_stages(behind), url=pooled
    )
    async with TestClient(TestServer(app)) as opened:
        yield opened
    await pool.close()


@pytest.mark.req("D-10", "N-57")
async def test_every_route_answers_behind_a_pooler_and_reads_as_the_api(
    client: Any, behind: Settings, pooled: str, database: str
) -> None:
    larger = msgspec.structs.replace(behind, batch_size=100)
    await append_sample(larger, pooled)
    await drain(larger, pooled)
    with psycopg.connect(database) as look:
        row = look.execute(
            "SELECT job_id FROM job_dedupe_map WHERE job_id <> canonical_job_id ORDER BY 1"
        ).fetchone()
    assert row is not None
    job = f"/v1/jobs/{row[0]}"
    matched = await client.post("/v1/match", json={"skills": ["Python"], "text": "pipelines"})
    assert matched.status == 200 and (await matched.json())["results"]
    for path in (job, f"{job}/duplicates", f"{job}/similar", "/v1/offsets", "/readyz"):
        answer = await client.get(path)
        assert answer.status == 200, (path, await answer.text())
    # As the login user, who owns everything here, these would still answer.
    for table, path in (("job_events", job), ("job_dedupe_map", f"{job}/duplicates")):
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(f"REVOKE SELECT ON {table} FROM nextstep_api".encode())
        assert (await client.get(path)).status >= 500, path


def test_the_commands_work_behind_a_pooler(
    command: Callable[..., Any], pooled: str, database: str
) -> None:
    told = {"NEXTSTEP_POOLER": "transaction", "NEXTSTEP_EXECUTOR": "inline"}
    done = command("ingest", str(SAMPLE), url=pooled, **told)
    assert done.returncode == 0, done.stderr
    done = command("run", "--once", "--stages", "clean,dedupe", url=pooled, **told)
    assert done.returncode == 0, done.stderr
    done = command("status", "--json", url=pooled, **told)
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert [stage["lag"] for stage in status["stages"][:2]] == [0, 0] and status["head"] > 100
    with psycopg.connect(database) as look:
        rows = look.execute("SELECT count(*) FROM job_dedupe_map").fetchone()
    assert rows is not None and rows[0] > 100


async def test_a_pooler_that_nobody_told_of_is_named_in_the_error(
    settings: Settings, pooled: str
) -> None:
    with pytest.raises(Unreachable) as refused:
        await pools.connect(pooled, "worker", settings)
    assert "unsupported startup parameter" in refused.value.detail
    assert "NEXTSTEP_POOLER=transaction" in refused.value.hint


async def test_a_killed_session_behind_the_pooler_is_only_a_retry(
    database: str, settings: Settings, behind: Settings, pooled: str
) -> None:
    stop, line, ends = anyio.Event(), Line(pooled, behind, TOYS), 0
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(DDL)
        async with anyio.create_task_group() as group:
            group.start_soon(line.run, stop)
            with anyio.fail_after(60):
                while not all(r.epoch for r in line.runners.values()) or not line.runners:
                    await anyio.sleep(0.01)
                for turn in range(10):
                    await append(database, settings, [draft(10 * turn + n) for n in range(10)])
                    killed = owner.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        "   AND backend_type = 'client backend'"
                    ).fetchone()
                    assert killed is not None
                    ends += killed[0]
                while (await tables(database, settings))["offsets"] != [
                    ("first", 100),
                    ("second", 100),
                ]:
                    await anyio.sleep(0.02)
            stop.set()
    assert ends > 0
    assert len((await tables(database, settings))["second"]) == 100
