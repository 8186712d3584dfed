"""
What the API's own description allows, sent to the running server: nothing of it is a 5xx.

Schemathesis makes requests from /v1/openapi.json, right ones and wrong ones, from a fixed seed.
Without it the test is skipped and counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings

from nextstep.db import pools
from nextstep.http import access
from nextstep.http.app import make_app
from nextstep.http.openapi import OPERATIONS
from nextstep.ops import tokens
from nextstep.ops.stages import line_stages
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.encoder import encode_queries
from tests.match_data import Job, fill, job_id

#: Requests per operation; the whole takes some six seconds.
EXAMPLES = 15


@contextmanager
def served(settings: Settings, prepare: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """Run the application in a thread of its own; yield its address and what `prepare` returned."""
    ready = threading.Event()
    told: dict[str, Any] = {}

    async def main() -> None:
        url = settings.database_url or ""
        owner = await pools.connect(url, None, settings)
        told["made"] = await prepare(owner)
        await owner.close()
        pool = await pools.create_pool(url, "api", settings, max_size=4)
        app = make_app(
            settings, pool, encode_queries, load_taxonomies(), stages=line_stages(settings), url=url
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told["loop"], told["stop"] = asyncio.get_running_loop(), asyncio.Event()
        told["address"] = "http://{}:{}".format(*runner.addresses[0][:2])
        ready.set()
        await told["stop"].wait()
        await runner.cleanup()
        await pool.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(60), "the server did not come up"
    try:
        yield told["address"], told["made"]
    finally:
        told["loop"].call_soon_threadsafe(told["stop"].set)
        thread.join(30)


async def _prepare(connection: Any) -> str:
    await fill(connection, [Job(name="a"), Job(name="b", cluster="a"), Job(name="c")])
    await connection.execute(
        "INSERT INTO dead_letters (stage, job_id, position, error) VALUES ('clean', $1, 1, 'x')",
        job_id("c"),
    )
    _, text = await tokens.create(connection, "fuzz", ["read", "match", "operate"])
    return text


def test_nothing_that_the_description_allows_is_a_5xx(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not here")
    monkeypatch.setattr(access, "ACTIONS_PER_MINUTE", 10**6)
    free = msgspec.structs.replace(settings, http_rate_per_min=0)
    answered: Counter[tuple[str, str]] = Counter()
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    with served(free, _prepare) as (address, token):
        headers = {"Authorization": f"Bearer {token}"}
        schema = schemathesis.openapi.from_url(f"{address}/v1/openapi.json", headers=headers)
        for found in schema.get_all_operations():
            operation = found.ok()

            @seed(8)
            @hypothesis_settings(
                max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.as_strategy())
            def send(case: Any) -> None:
                answer = case.call(base_url=address, headers=headers)
                answered[case.method.lower(), case.operation.path] += 1
                statuses[answer.status_code] += 1
                if answer.status_code >= 500:
                    faults.append(f"{answer.status_code} {case.as_curl_command()}")

            send()
    assert faults == []
    # The document's own path is not asked for again: it was read from there.
    told = {(one.method, one.path) for one in OPERATIONS} - {("get", "/v1/openapi.json")}
    assert set(answered) == told
    # It came through the door and into the handlers, and was not only refused.
    assert statuses[200] > 60 and statuses[422] > 60 and statuses[401] == statuses[429] == 0
