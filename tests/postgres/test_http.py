"""The HTTP server against a real database: answers, errors, and what every response carries."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from nextstep.db import pools
from nextstep.http.app import make_app
from nextstep.http.problem import Overloaded
from nextstep.processors.embed import EMBED
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.settings import Settings
from tests.encoder import encode_queries
from tests.match_data import Job, fill, job_id

PROFILE = {"skills": ["Python"], "titles": ["Data Engineer"], "text": "pipelines"}


@pytest.fixture(scope="module")
def taxonomies() -> Any:
    return load_taxonomies()


@pytest.fixture
async def pool(database: str, settings: Settings) -> AsyncIterator[Any]:
    opened = await pools.create_pool(database, "api", settings, max_size=2)
    yield opened
    await opened.close()


@pytest.fixture
async def client(pool: Any, settings: Settings, taxonomies: Any) -> AsyncIterator[Any]:
    stage = msgspec.structs.replace(EMBED, fingerprint=None)
    app = make_app(settings, pool, encode_queries, taxonomies, stages=(stage,))
    async with TestClient(TestServer(app)) as opened:
        yield opened


async def problem(response: Any, status: int) -> dict[str, Any]:
    """Check the shape of an error and return its body."""
    assert response.status == status
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json(content_type=None)
    assert body["status"] == status
    assert body["type"].startswith("urn:nextstep:")
    assert body["title"] and body["hint"]
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body


@pytest.mark.req("D-10")
async def test_a_match_is_answered_in_the_published_shape(connection: Any, client: Any) -> None:
    head = await fill(connection, [Job(name="a"), Job(name="b", title="Nurse", tools=())])
    response = await client.post("/v1/match", json={**PROFILE, "explain": "full"})
    assert response.status == 200 and response.content_type == "application/json"
    body = await response.json()
    assert {"head", "as_of", "model", "recipe", "versions", "results", "facets", "cursor"} <= set(
        body
    )
    assert (body["head"], body["model"]) == (head, "all-MiniLM-L6-v2")
    first = body["results"][0]
    assert first["job_id"] == first["canonical_job_id"] == str(job_id("a"))
    assert first["posted_on"] == "2026-01-10"
    assert first["score"] == pytest.approx(sum(first["parts"].values()), abs=1e-9)
    assert first["matched_skills"][0]["snippet"] == "Python"
    assert first["duplicates"] == 0
    scores = [result["score"] for result in body["results"]]
    assert scores == sorted(scores, reverse=True)


async def test_every_response_carries_its_id_times_and_safe_headers(client: Any) -> None:
    for path in ("/healthz", "/nowhere"):
        response = await client.get(path, headers={"X-Request-Id": "abc-1"})
        assert response.headers["X-Request-Id"] == "abc-1"
        assert "total;dur=" in response.headers["Server-Timing"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    forged = await client.get("/healthz", headers={"X-Request-Id": "a b<script>"})
    assert "<" not in forged.headers["X-Request-Id"]
    timed = await client.post("/v1/match", json=PROFILE)
    assert {"encode", "database"} <= {
        part.split(";")[0].strip() for part in timed.headers["Server-Timing"].split(",")
    }


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 400, "not-json"),
        (b"{", 400, "not-json"),
        (b"\xff\xfe", 400, "not-json"),
        (b'{"text": NaN}', 400, "not-json"),
        (b"[]", 422, "profile-refused"),
        (b"{}", 422, "profile-refused"),
        (b'{"text": "x", "surprise": 1}', 422, "profile-refused"),
        (b'{"text": "x", "limit": 1000}', 422, "profile-refused"),
        (b'{"text": "x", "limit": -1}', 422, "profile-refused"),
        (b'{"text": "x", "limit": "5"}', 422, "profile-refused"),
        (b'{"text": 5}', 422, "profile-refused"),
        (b'{"text": "  ", "skills": [""]}', 422, "profile-refused"),
        (b'{"skills": "Python"}', 422, "profile-refused"),
        (
            b'{"text": "x", "salary_min": {"amount": 1e999, "currency": "EUR"}}',
            400,
            "not-json",
        ),
        (
            b'{"text": "x", "filters": {"salary_min": {"amount": -1, "currency": "EUR"}}}',
            422,
            "profile-refused",
        ),
        (b'{"text": "x", "filters": {"colour": ["red"]}}', 422, "profile-refused"),
        (b'{"text": "x", "cursor": "zzz"}', 422, "profile-refused"),
        (b'{"text": "x", "location": {"country": "Atlantis"}}', 422, "profile-refused"),
        (b'{"text": "x", "filters": {"employment_type": ["soon"]}}', 422, "profile-refused"),
        (b'{"skills": ["' + b"x" * 200 + b'"]}', 422, "profile-refused"),
        (b'{"text": "' + b"x" * 60_000 + b'"}', 422, "profile-refused"),
        (b'{"text": "' + b"x" * 1_100_000 + b'"}', 413, "too-large"),
        (b'{"text": "' + b"x" * 10_000_000 + b'"}', 413, "too-large"),
        (b'{"text": "' + b"[" * 900_000 + b'"}', 422, "profile-refused"),
        (b"[" * 100_000, 400, "not-json"),
    ],
)
async def test_a_bad_body_is_refused_with_a_hint(
    client: Any, body: bytes, status: int, kind: str
) -> None:
    response = await client.post("/v1/match", data=io.BytesIO(body))
    assert (await problem(response, status))["type"] == f"urn:nextstep:{kind}"


@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "\ud800",
        "'; DROP TABLE jobs_normalized; --",
        "😀" * 500,
        "%s %d {0}",
        "\u202e",
        "a" * 9,
    ],
)
async def test_odd_texts_are_answered(connection: Any, client: Any, text: str) -> None:
    await fill(connection, [Job(name="a")])
    filters = {"city": [text[:50]], "source": [text[:50]], "exclude": [text[:50]]}
    body = {
        "text": f"x {text}",
        "skills": [f"s{text[:50]}"],
        "titles": [f"t{text[:50]}"],
        "filters": filters,
    }
    response = await client.post("/v1/match", json=body)
    assert response.status in (200, 400, 422), await response.text()
    assert await connection.fetchval("SELECT count(*) FROM jobs_normalized") == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/jobs/x", 404),
        ("GET", f"/v1/jobs/{job_id('nobody')}", 404),
        ("GET", f"/v1/jobs/{job_id('nobody')}/similar", 404),
        ("GET", f"/v1/jobs/{job_id('nobody')}/duplicates", 404),
        ("GET", f"/v1/jobs/{job_id('nobody')}/similar?k=0", 422),
        ("GET", f"/v1/jobs/{job_id('nobody')}/similar?k=x", 422),
        ("GET", f"/v1/jobs/{job_id('nobody')}/similar?k=%C2%B2", 422),
        ("GET", "/v1/match", 405),
        ("POST", "/v1/search", 405),
        ("GET", "/v1/search", 422),
        ("GET", "/v1/search?q=", 422),
        ("GET", "/v1/search?q=x&colour=red", 422),
        ("GET", "/v1/search?q=x&limit=101", 422),
        ("GET", f"/v1/search?q={'x' * 300}", 422),
        ("DELETE", f"/v1/jobs/{job_id('nobody')}", 405),
        ("POST", "/healthz", 405),
    ],
)
async def test_what_is_not_there_is_a_problem(
    client: Any, method: str, path: str, status: int
) -> None:
    await problem(await client.request(method, path), status)


async def test_a_wrong_method_names_the_right_ones(client: Any) -> None:
    assert "POST" in (await client.get("/v1/match")).headers["Allow"]


async def test_a_stale_cursor_is_a_conflict(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name=f"j{i}") for i in range(3)])
    first = await (await client.post("/v1/match", json={**PROFILE, "limit": 1})).json()
    following = {**PROFILE, "limit": 1, "cursor": first["cursor"]}
    second = await client.post("/v1/match", json=following)
    assert second.status == 200
    await connection.execute("UPDATE stage_offsets SET position = position - 1")
    assert (await problem(await client.post("/v1/match", json=following), 409))["type"].endswith(
        "stale-cursor"
    )


async def test_a_job_comes_with_entities_cluster_and_history(connection: Any, client: Any) -> None:
    await fill(
        connection, [Job(name="a", salary=(1, 2, "EUR", "year")), Job(name="b", cluster="a")]
    )
    body = await (await client.get(f"/v1/jobs/{job_id('b')}")).json()
    assert body["canonical_job_id"] == str(job_id("a"))
    assert body["job"]["title"] == "Data Engineer"
    assert body["entities"]["tools"] == ["Python", "SQL"]
    assert body["entities"]["salary_max"] == 2
    assert [event["kind"] for event in body["events"]] == ["job.posted"]
    assert [duplicate["job_id"] for duplicate in body["duplicates"]] == [str(job_id("a"))]
    duplicates = await (await client.get(f"/v1/jobs/{job_id('a')}/duplicates")).json()
    assert [each["job_id"] for each in duplicates["duplicates"]] == [str(job_id("b"))]


@pytest.mark.req("S-13")
async def test_similar_jobs_are_given_k_at_most(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name=f"j{i}", text=f"python {i}") for i in range(5)])
    body = await (await client.get(f"/v1/jobs/{job_id('j0')}/similar?k=3")).json()
    assert len(body["results"]) == 3
    assert str(job_id("j0")) not in {near["job_id"] for near in body["results"]}


async def test_a_search_is_answered_in_the_shape_of_a_match(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name="a"), Job(name="b", title="Nurse", tools=(), country="FR")])
    response = await client.get("/v1/search", params={"q": "data engineer", "limit": "5"})
    assert response.status == 200
    body = await response.json()
    assert body["results"][0]["job_id"] == str(job_id("a"))
    assert set(body["results"][0]["parts"]) == set(body["weights"])
    assert body["retrieval"]["open"] == 2
    narrowed = await client.get("/v1/search", params={"q": "data engineer", "country": "FR"})
    assert [r["country"] for r in (await narrowed.json())["results"]] == ["FR"]


async def test_more_requests_than_may_wait_are_told_to_come_again(
    connection: Any, pool: Any, settings: Settings, taxonomies: Any
) -> None:
    await fill(connection, [Job(name="a")])
    going = asyncio.Event()

    async def slow(texts: list[str]) -> Any:
        await going.wait()
        return await encode_queries(texts)

    few = msgspec.structs.replace(settings, http_concurrency=2, http_waiting=3)
    app = make_app(few, pool, slow, taxonomies)
    async with TestClient(TestServer(app)) as client:
        asked = [asyncio.create_task(client.post("/v1/match", json=PROFILE)) for _ in range(9)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        while len(done) < 4:
            more, waiting = await asyncio.wait(
                waiting, return_when=asyncio.FIRST_COMPLETED, timeout=20
            )
            assert more, "a request that can neither pass nor wait was kept"
            done |= more
        for task in done:
            assert task.result().headers["Retry-After"]
            assert (await problem(task.result(), 503))["type"].endswith("overloaded")
        assert (await client.get("/healthz")).status == 200
        going.set()
        answers = await asyncio.gather(*waiting)
        assert [answer.status for answer in answers] == [200] * 5


async def test_offsets_are_the_status_document(connection: Any, client: Any) -> None:
    head = await fill(connection, [Job(name="a")])
    body = await (await client.get("/v1/offsets")).json()
    assert body["head"] == head
    assert {stage["stage"] for stage in body["stages"]} >= {"clean", EMBED.name}
    assert all(stage["lag"] == 0 for stage in body["stages"])


async def test_ready_means_database_migrations_and_model(client: Any, connection: Any) -> None:
    body = await (await client.get("/readyz")).json()
    assert body == {
        "ready": True,
        "checks": {"database": "ok", "migrations": "ok", "model": "ok"},
    }
    assert (await (await client.get("/healthz")).json()) == {"status": "ok"}


async def test_without_a_model_the_server_is_alive_and_not_ready(
    pool: Any, settings: Settings, taxonomies: Any
) -> None:
    async def overloaded(_: list[str]) -> Any:
        raise Overloaded("64 queries wait for the encoder")

    app = make_app(settings, pool, overloaded, taxonomies, is_warm=lambda: False)
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/healthz")).status == 200
        response = await client.get("/readyz")
        assert response.status == 503
        assert (await response.json())["checks"]["model"] == "not loaded yet"
        busy = await client.post("/v1/match", json=PROFILE)
        assert busy.headers["Retry-After"]
        assert (await problem(busy, 503))["type"].endswith("overloaded")


async def test_a_database_that_went_away_is_503_and_comes_back(
    connection: Any, client: Any, database: str
) -> None:
    await fill(connection, [Job(name="a")])
    name = database.rsplit("/", 1)[-1].partition("?")[0]
    assert (await client.post("/v1/match", json=PROFILE)).status == 200
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    statuses = []
    for _ in range(20):
        response = await client.post("/v1/match", json=PROFILE)
        statuses.append(response.status)
        if response.status == 200:
            break
        await problem(response, 503)
        await asyncio.sleep(0.1)
    assert statuses[-1] == 200, (name, statuses)


async def test_an_unforeseen_fault_says_nothing_of_itself(
    pool: Any, settings: Settings, taxonomies: Any
) -> None:
    async def broken(_: list[str]) -> Any:
        raise RuntimeError("a secret of the profile")

    app = make_app(settings, pool, broken, taxonomies)
    async with TestClient(TestServer(app)) as client:
        body = await problem(await client.post("/v1/match", json=PROFILE), 500)
        assert "secret" not in str(body)
