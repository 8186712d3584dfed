"""Dedupe explained and overruled: what the commands and the API say, and what a verdict does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from nextstep.db import pools
from nextstep.errors import UsageError
from nextstep.events import kinds
from nextstep.events.codec import encode_payload
from nextstep.events.io.line import run_line
from nextstep.events.io.log import append
from nextstep.events.model import Draft, JobPost
from nextstep.http.app import make_app
from nextstep.ops.pairs import explain, judge
from nextstep.processors.clean import CLEAN
from nextstep.processors.dedupe import DEDUPE
from nextstep.processors.embed import EMBED
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.contract.dedupe_runner import job
from tests.encoder import encode_queries

TEXT = " ".join(f"duty{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]} needs care" for i in range(60))
LEEDS, COPY, YORK, OTHER = job(1), job(2), job(3), job(4)
DAY = datetime(2026, 1, 10, tzinfo=UTC)


def draft(number: int, text: str, city: str, day: int) -> Draft:
    post = JobPost(
        source="test",
        identity_rule="source_job_id",
        source_job_id=str(number),
        title="Data Engineer",
        company="Acme",
        location=f"{city}, United Kingdom",
        text=text,
    )
    payload = encode_payload(post)
    return Draft(
        job_id=job(number),
        kind=kinds.OBSERVED,
        source="test",
        schema_version=1,
        payload=payload,
        content_hash=bytes([number]) * 32,
        occurred_at=DAY.replace(day=day),
    )


@pytest.fixture
async def worker(database: str, settings: Settings) -> AsyncIterator[Any]:
    """A worker's connection to a line of four posts: a job, its copy, a variant, a stranger."""
    connection = await pools.connect(database, "worker", settings)
    ingest = await pools.connect(database, "ingest", settings)
    await append(
        ingest,
        [
            draft(1, TEXT, "Leeds", 1),
            draft(2, f"{TEXT} apply soon", "Leeds", 2),
            draft(3, TEXT, "York", 3),
            draft(4, " ".join(reversed(TEXT.split())), "Leeds", 4),
        ],
    )
    await ingest.close()
    await drain(settings, database)
    yield connection
    await connection.close()


async def drain(settings: Settings, database: str) -> None:
    await run_line(database, settings, (CLEAN, DEDUPE), once=True)


async def canonicals(connection: Any) -> dict[Any, Any]:
    return dict(await connection.fetch("SELECT job_id, canonical_job_id FROM job_dedupe_map"))


@pytest.mark.req("N-36")
async def test_a_job_is_explained_by_its_cluster_and_every_pair(worker: Any) -> None:
    found = await explain(worker, COPY)
    assert (found.canonical_job_id, found.rule, found.compared_as) == (LEEDS, "near", COPY)
    assert found.cluster is not None
    assert (found.cluster["members"], found.cluster["status"]) == (2, "open")
    assert [(m["job_id"], m["rule"]) for m in found.members] == [
        (LEEDS, "canonical"),
        (COPY, "near"),
    ]
    sides = {side.job_id: side for side in found.pairs}
    assert set(sides) == {LEEDS, YORK}
    assert (sides[LEEDS].relation, sides[LEEDS].rule, sides[LEEDS].veto) == (
        "duplicate",
        "text",
        {},
    )
    assert {"city", "company", "title"} <= set(sides[LEEDS].agree)
    assert 0.97 < sides[LEEDS].similarity < 1.0
    assert (sides[YORK].relation, sides[YORK].rule) == ("variant", "veto")
    assert sides[YORK].veto == {"city": ["leeds", "york"]}
    assert found.verdicts == []


async def test_what_dedupe_has_not_seen_is_not_explained(worker: Any) -> None:
    with pytest.raises(UsageError, match="knows no job"):
        await explain(worker, job(99))


@pytest.mark.req("N-36")
async def test_a_verdict_wins_is_kept_and_survives_a_replay(
    worker: Any, database: str, settings: Settings
) -> None:
    at = datetime(2026, 2, 1, tzinfo=UTC)
    assert await judge(worker, (COPY, LEEDS), "not-same", "two openings", at) == ("new", 5)
    assert await judge(worker, (LEEDS, COPY), "not-same", "two openings", at) == ("unchanged", 0)
    assert (await judge(worker, (OTHER, LEEDS), "same", "rewritten", at))[0] == "new"
    await drain(settings, database)
    wanted = {LEEDS: LEEDS, COPY: COPY, YORK: YORK, OTHER: LEEDS}
    assert await canonicals(worker) == wanted
    found = await explain(worker, COPY)
    assert [(v["job_id"], v["verdict"], v["why"]) for v in found.verdicts] == [
        (LEEDS, "not_same", "two openings")
    ]
    assert {s.job_id: (s.relation, s.rule) for s in found.pairs}[LEEDS] == ("apart", "verdict")
    await worker.execute("UPDATE stage_offsets SET position = 0")
    for table in (*DEDUPE.tables, *CLEAN.tables):
        await worker.execute(f"DELETE FROM {table}")
    await drain(settings, database)
    assert await canonicals(worker) == wanted


@pytest.mark.req("N-36")
async def test_the_latest_verdict_counts(worker: Any, database: str, settings: Settings) -> None:
    for day, verdict in ((1, "not-same"), (2, "same"), (3, "not-same")):
        at = datetime(2026, 2, day, tzinfo=UTC)
        outcome, _ = await judge(worker, (LEEDS, COPY), verdict, "looked again", at)
        assert outcome == ("new" if day == 1 else "changed")
    await drain(settings, database)
    assert (await canonicals(worker))[COPY] == COPY


@pytest.mark.parametrize(
    ("two", "why", "said"),
    [
        ((LEEDS, LEEDS), "x", "two jobs"),
        ((LEEDS, job(99)), "x", "not in the log"),
        ((LEEDS, COPY), " ", "a reason"),
    ],
)
async def test_a_verdict_that_says_nothing_is_refused(
    worker: Any, two: Any, why: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await judge(worker, two, "same", why, DAY)
    assert await worker.fetchval("SELECT max(position) FROM job_events") == 4


async def test_the_api_lists_the_cluster_and_the_variants(
    worker: Any, database: str, settings: Settings
) -> None:
    pool = await pools.create_pool(database, "api", settings, max_size=2)
    stage = msgspec.structs.replace(EMBED, fingerprint=None)
    app = make_app(settings, pool, encode_queries, load_taxonomies(), stages=(stage,))
    async with TestClient(TestServer(app)) as client:
        response = await client.get(f"/v1/jobs/{LEEDS}/duplicates")
        body = await response.json()
    await pool.close()
    assert response.status == 200
    assert [one["job_id"] for one in body["duplicates"]] == [str(COPY)]
    assert body["duplicates"][0]["reasons"]["rule"] == "text"
    assert [one["job_id"] for one in body["variants"]] == [str(YORK)]
    assert body["variants"][0]["veto"] == {"city": ["leeds", "york"]}
