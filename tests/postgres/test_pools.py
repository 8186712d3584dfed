"""A connection has its role, its time zone and its codecs, or says why it cannot be had."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import numpy as np
import pytest
from pgvector import Vector

from nextstep.db import pools
from nextstep.db.dsn import with_database
from nextstep.errors import Unreachable
from nextstep.settings import Settings

JOB = UUID(int=1)


@pytest.mark.parametrize("role", ["owner", "ingest", "worker", "api"])
async def test_a_connection_has_its_role_and_utc(
    database: str, settings: Settings, role: pools.Role
) -> None:
    connection = await pools.connect(database, role, settings)
    try:
        assert await connection.fetchval("SELECT current_user::text") == f"nextstep_{role}"
        assert await connection.fetchval("SHOW TimeZone") == "UTC"
    finally:
        await connection.close()


async def test_a_pool_keeps_role_and_limits_when_it_takes_a_connection_back(
    database: str, settings: Settings
) -> None:
    pool = await pools.create_pool(database, "api", settings, max_size=1)
    async with pool:
        for _ in range(2):
            async with pool.acquire() as connection:
                assert await connection.fetchval("SELECT current_user::text") == "nextstep_api"
                assert await connection.fetchval("SHOW statement_timeout") == "30s"
                assert await connection.fetchval("SHOW TimeZone") == "UTC"
                await connection.execute(
                    "SET statement_timeout = '7s'; SET TimeZone = 'Asia/Tokyo'"
                )


@pytest.mark.req("N-57")
async def test_the_api_may_read_and_not_write(database: str, settings: Settings) -> None:
    connection = await pools.connect(database, "api", settings)
    try:
        assert await connection.fetchval("SELECT count(*) FROM job_events") == 0
        for statement in (
            "INSERT INTO job_clusters VALUES (gen_random_uuid(), 'open', NULL, 1)",
            "UPDATE job_events SET kind = 'x'",
            "CREATE TABLE public.mine (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "é\u2028"]}, [], "text", 0, None, True])
async def test_jsonb_values_are_python_objects_both_ways(connection: Any, value: Any) -> None:
    assert await connection.fetchval("SELECT $1::jsonb", value) == value


async def test_copy_takes_jsonb_and_vectors(connection: Any) -> None:
    await connection.copy_records_to_table(
        "job_embeddings",
        columns=["job_id", "model_name", "recipe", "dim", "text_hash", "embedding"],
        records=[(JOB, "m", "r", 3, b"h", np.array([1, 2, 3], dtype=np.float32))],
    )
    found = await connection.fetchval("SELECT embedding FROM job_embeddings")
    assert found == Vector([1, 2, 3])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    await connection.copy_records_to_table(
        "pipeline_runs",
        columns=["run_id", "stage", "started_at", "counts", "status"],
        records=[(JOB, "clean", now, {"in": 3}, "running")],
    )
    assert await connection.fetchval("SELECT counts->>'in' FROM pipeline_runs") == "3"


async def test_a_database_without_pgvector_can_be_used(
    empty_database: str, settings: Settings
) -> None:
    connection = await pools.connect(empty_database, None, settings)
    try:
        assert await connection.fetchval("SELECT '{\"a\": 1}'::jsonb") == {"a": 1}
    finally:
        await connection.close()


async def test_behind_a_pooler_every_statement_has_role_and_zone_and_the_session_none(
    database: str, settings: Settings
) -> None:
    behind = msgspec.structs.replace(settings, pooler="transaction")
    connection = await pools.connect(database, "worker", behind)
    ours = ["nextstep_worker", "UTC", "1min"]

    async def state() -> list[str]:
        shown = "current_user::text, current_setting('TimeZone'), current_setting('lock_timeout')"
        return list(await connection.fetchrow(f"SELECT {shown}"))

    try:
        await connection.execute("SET SESSION TimeZone = 'Asia/Tokyo'")
        assert await state() == ours
        async with (
            connection.transaction(isolation="repeatable_read", readonly=True),
            connection.transaction(),
        ):
            assert await state() == ours
        async with pools.in_transaction(connection, "worker", behind):
            assert await state() == ours
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetchval("SELECT 1 / 0")
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
        # What the session itself has, as the pooler's next client would find it.
        seen = await asyncpg.Connection.fetchrow(
            connection, "SELECT current_user::text, current_setting('TimeZone')"
        )
        assert seen[0] != "nextstep_worker" and seen[1] == "Asia/Tokyo"
    finally:
        await connection.close()


async def test_a_missing_database_and_a_closed_port_are_unreachable(
    server: str, settings: Settings
) -> None:
    with pytest.raises(Unreachable) as caught:
        await pools.connect(with_database(server, "not_there"), "worker", settings)
    assert "does not exist" in caught.value.detail
    with pytest.raises(Unreachable) as caught:
        await pools.create_pool("postgresql://u:sesame@127.0.0.1:1/d", "api", settings)
    assert "database d at 127.0.0.1:1 as u" in caught.value.message
    assert "sesame" not in str(caught.value)
