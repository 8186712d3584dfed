"""Who may do what: tokens, logins, scopes, forged forms, rates, and the log of actions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nextstep.errors import UsageError
from nextstep.http import access
from nextstep.http.rates import Rate
from nextstep.http.web.live import Live
from nextstep.http.web.reads import chart
from nextstep.ops import tokens
from nextstep.settings import Settings
from tests.match_data import Job, fill, job_id
from tests.web_client import web_client

HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def client(
    database: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    async with web_client(database, settings, monkeypatch) as opened:
        yield opened


async def token(connection: Any, *scopes: str, **how: Any) -> str:
    _, text = await tokens.create(connection, "test", scopes, **how)
    return text


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def park(
    connection: Any, *names: str, stage: str = "clean", error: str = "ValueError"
) -> None:
    await connection.executemany(
        "INSERT INTO dead_letters (stage, job_id, position, error) VALUES ($1, $2, 1, $3)",
        [(stage, job_id(name), error) for name in names],
    )


async def sign_in(client: Any, text: str) -> str:
    """Log in and return the login's form token."""
    answer = await client.post(
        "/login", data={"token": text, "next": "/console"}, allow_redirects=False
    )
    assert answer.status == 303 and answer.headers["Location"] == "/console"
    cookie = answer.cookies[access.SESSION_COOKIE]
    assert cookie["httponly"] and cookie["samesite"] == "Strict" and not cookie["secure"]
    return tokens.csrf_token(answer.cookies[access.SESSION_COOKIE].value)


async def test_without_tokens_reading_is_open_and_actions_are_not(
    connection: Any, client: Any
) -> None:
    await fill(connection, [Job(name="a")])
    assert (await client.get("/v1/offsets")).status == 200
    assert (await client.post("/v1/match", json={})).status == 422  # it came through
    for path in ("/v1/stages/clean/pause", "/v1/dead-letters/retry", "/console/stages/clean/pause"):
        refused = await client.post(path, json={})
        assert refused.status == 401, path
        assert "Bearer" in refused.headers["WWW-Authenticate"]
    assert (await client.get("/v1/offsets", headers={"Host": "evil.example"})).status == 421
    assert await connection.fetchval("SELECT count(*) FROM operator_actions") == 0


async def test_with_a_token_everything_but_the_public_needs_one(
    connection: Any, client: Any
) -> None:
    await fill(connection, [Job(name="a")])
    reader = await token(connection, "read")
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/v1/offsets")).status == 401
    assert (await client.get("/nowhere")).status == 401
    assert (await client.get("/v1/offsets", headers=bearer(reader))).status == 200
    assert (await client.get("/v1/offsets", headers=bearer(reader[:-1] + "x"))).status == 401
    # A name from elsewhere is fine now: who it is was shown by the token.
    named = {**bearer(reader), "Host": "jobs.example"}
    assert (await client.get("/v1/offsets", headers=named)).status == 200
    profile = {"skills": ["Python"]}
    refused = await client.post("/v1/match", json=profile, headers=bearer(reader))
    assert refused.status == 403 and "match" in (await refused.json(content_type=None))["detail"]
    refused = await client.post("/v1/stages/clean/pause", headers=bearer(reader))
    assert refused.status == 403
    sent = await client.get("/console", headers=HTML, allow_redirects=False)
    assert sent.status == 303 and sent.headers["Location"] == "/login?next=%2Fconsole"


async def test_a_token_out_of_force_opens_nothing(connection: Any, client: Any) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = await token(connection, "read", expires_at=past)
    assert (await client.get("/v1/offsets", headers=bearer(expired))).status == 401
    assert (await client.get("/v1/offsets")).status == 401  # an expired one does not open it
    made, text = await tokens.create(connection, "gone", ["read"])
    await client.post("/login", data={"token": text})
    assert (await client.get("/v1/offsets")).status == 200
    await tokens.revoke(connection, made.token_id)
    assert (await client.get("/v1/offsets", headers=bearer(text))).status == 401
    assert (await client.get("/v1/offsets")).status == 401  # its login ended with it
    with pytest.raises(UsageError):
        await tokens.revoke(connection, made.token_id)


async def test_no_secret_is_stored(connection: Any) -> None:
    text = await token(connection, "read")
    holder = await tokens.find(connection, text)
    assert holder is not None
    session = await tokens.open_session(connection, holder)
    rows = await connection.fetch("SELECT t::text FROM access_tokens t")
    rows += await connection.fetch("SELECT s::text FROM access_sessions s")
    stored = " ".join(row["t"] if "t" in dict(row) else row["s"] for row in rows)
    assert text.split("_", 2)[2] not in stored and session not in stored
    assert await tokens.find(connection, text.replace("nst_", "nst_0")) is None
    assert await tokens.find_session(connection, session + "x") is None


async def test_a_login_acts_only_with_its_forms_token(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name="a")])
    csrf = await sign_in(client, await token(connection, "read", "operate"))
    path = "/console/stages/clean/pause"
    for data, headers in (
        ({}, {}),
        ({"csrf": "x" * 64}, {}),
        ({"csrf": csrf}, {"Origin": "https://evil.example"}),
        ({"csrf": csrf}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert (await client.post(path, data=data, headers=headers)).status == 403
    assert (
        await connection.fetchval("SELECT count(*) FROM stage_offsets WHERE status <> 'running'")
        == 0
    )
    refused = await client.post("/v1/stages/clean/pause", json={})
    assert refused.status == 403  # the cookie alone is no more on the API's paths
    done = await client.post(path, data={"csrf": csrf, "why": HOSTILE}, allow_redirects=False)
    assert done.status == 303
    row = await connection.fetchrow("SELECT * FROM operator_actions WHERE action = 'pause'")
    assert row["actor"].startswith("test (token ") and row["why"] == HOSTILE
    assert (row["before"]["status"], row["after"]["status"]) == ("running", "paused")
    page = await (await client.get("/console", headers=HTML)).text()
    assert "&lt;script&gt;" in page and HOSTILE not in page
    secure = await client.post(
        "/login",
        data={"token": await token(connection, "read")},
        headers={"X-Forwarded-Proto": "https"},
        allow_redirects=False,
    )
    assert secure.cookies[access.SESSION_COOKIE]["secure"]
    elsewhere = await client.post(
        "/login", data={"token": await token(connection, "read"), "next": "//evil.example"},
        allow_redirects=False,
    )  # fmt: skip
    assert elsewhere.headers["Location"] == "/"


async def test_signing_out_ends_the_login(connection: Any, client: Any) -> None:
    csrf = await sign_in(client, await token(connection, "read"))
    assert (await client.post("/logout", data={})).status == 403
    out = await client.post("/logout", data={"csrf": csrf}, allow_redirects=False)
    assert out.status == 303
    assert await connection.fetchval("SELECT count(*) FROM access_sessions") == 0
    assert (await client.get("/v1/offsets")).status == 401


async def test_wrong_tokens_and_many_actions_are_slowed_down(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name="a")])
    right = await token(connection, "read", "operate")
    wrong = [await client.get("/v1/offsets", headers=bearer("nst_x")) for _ in range(30)]
    assert [answer.status for answer in wrong[: access.WRONG_PER_MINUTE]] == (
        [401] * access.WRONG_PER_MINUTE
    )
    late = [answer for answer in wrong if answer.status == 429]
    assert late and late[0].headers["Retry-After"] == "60"
    # Whoever has a right one is let in all the same.
    assert (await client.get("/v1/offsets", headers=bearer(right))).status == 200


def test_a_rate_is_a_bucket_that_fills_by_itself() -> None:
    rate = Rate(6)
    assert [rate.take("a", 0.0) for _ in range(8)] == [True] * 6 + [False] * 2
    assert rate.take("b", 0.0)
    assert [rate.take("a", 10.0) for _ in range(2)] == [True, False]
    assert [rate.take("a", 1000.0) for _ in range(7)] == [True] * 6 + [False]


async def test_stages_are_steered_and_reset_with_a_typed_name(connection: Any, client: Any) -> None:
    head = await fill(connection, [Job(name="a"), Job(name="b")])
    told = bearer(await token(connection, "operate"))
    done = await client.post("/v1/stages/clean/pause", json={"why": "repair"}, headers=told)
    assert done.status == 200
    assert (
        await connection.fetchval("SELECT reason FROM stage_offsets WHERE stage='clean'")
        == "repair"
    )
    assert (await client.post("/v1/stages/clean/resume", headers=told)).status == 200
    body = {"to": 1, "confirm": "claen"}
    assert (await client.post("/v1/stages/clean/reset", json=body, headers=told)).status == 422
    body["confirm"] = "clean"
    moved = await (await client.post("/v1/stages/clean/reset", json=body, headers=told)).json()
    assert moved["moved"]["clean"] == [head, 1] and moved["count"] == 4
    ahead = {"to": 5, "confirm": "clean"}
    assert (await client.post("/v1/stages/clean/reset", json=ahead, headers=told)).status == 422
    assert (await client.post("/v1/stages/none/pause", headers=told)).status == 422
    log = await (
        await client.get("/v1/actions", headers=bearer(await token(connection, "read")))
    ).json()
    assert [action["action"] for action in log["actions"]] == ["reset", "resume", "pause"]
    assert log["actions"][0]["before"]["clean"] == head


async def test_letters_are_settled_one_some_or_all_that_match(connection: Any, client: Any) -> None:
    names = ["a", "b", "c", "d"]
    await fill(connection, [Job(name=name) for name in names])
    await park(connection, "a", "b", "c", error=f"ValueError: {HOSTILE}")
    await park(connection, "d", stage="extract", error="KeyError")
    csrf = await sign_in(client, await token(connection, "read", "operate"))
    page = await (await client.get("/console/dead-letters?error=valueerror", headers=HTML)).text()
    assert "Retry all 3 matching" in page and HOSTILE not in page
    path = "/console/dead-letters/retry"
    form = {"csrf": csrf, "reach": "all", "error": "ValueError", "expected": "2"}
    assert (await client.post(path, data=form)).status == 409
    assert (
        await connection.fetchval("SELECT count(*) FROM job_events WHERE kind='job.requeued'") == 0
    )
    done = await client.post(path, data={**form, "expected": "3"}, allow_redirects=False)
    assert done.status == 303 and "3" in done.headers["Location"]
    assert (
        await connection.fetchval("SELECT count(*) FROM job_events WHERE kind='job.requeued'") == 3
    )
    one = {"csrf": csrf, "reach": "chosen", "job": str(job_id("d"))}
    await client.post("/console/dead-letters/discard", data=one)
    status = await connection.fetchval("SELECT status FROM dead_letters WHERE stage = 'extract'")
    assert status == "discarded"
    none = await client.post(path, data={"csrf": csrf, "reach": "chosen"})
    assert none.status == 422
    log = await connection.fetch("SELECT action, before, after FROM operator_actions ORDER BY 1")
    assert {(row["action"], row["after"].get("requeued")) for row in log} >= {("retry", 3)}


async def test_every_page_of_the_console_is_safe_and_there(connection: Any, client: Any) -> None:
    await fill(connection, [Job(name="a", source=HOSTILE, title=HOSTILE)])
    for path in (
        "", "/dead-letters", "/runs", "/sources", "/actions", "/rebuild", "/stages/clean?to=0",
    ):  # fmt: skip
        answer = await client.get(f"/console{path}", headers=HTML)
        assert answer.status == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
        text = await answer.text()
        assert HOSTILE not in text and "<style" not in text and " style=" not in text
        assert "onclick" not in text
    missing = await client.get("/console/nowhere", headers=HTML)
    assert missing.status == 404 and missing.content_type == "text/html"
    static = await client.get("/static/app.css")
    assert "immutable" in static.headers["Cache-Control"]
    assert (await client.get("/static/..%2fweb%2frender.py")).status == 404


async def test_outside_loopback_a_token_must_exist(connection: Any) -> None:
    await access.require_tokens(connection, "::1")
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org"):
        with pytest.raises(UsageError, match="not a loopback address"):
            await access.require_tokens(connection, host)
    await token(connection, "read")
    await access.require_tokens(connection, "0.0.0.0")


async def test_all_who_watch_share_one_read() -> None:
    states = iter([1, 1, 2])

    async def read() -> int:
        return next(states, 3)

    live = Live(read, tick_s=0.01)

    async def see() -> list[bytes]:
        seen = []
        async for text in live.watch():
            if text:
                seen.append(text)
            if text == b"3":
                break
        return seen

    first, second = await asyncio.gather(see(), see())
    assert first == second == [b"1", b"2", b"3"]
    assert live.reads == 4
    await live.close()
    assert [text async for text in live.watch()] == []


def test_a_run_is_spread_over_the_steps_it_took() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = chart("x", [(now - timedelta(minutes=10), now, 600.0)], now)
    assert [(bar.ago_min, bar.rate, bar.height) for bar in found.bars] == [
        (5, 1.0, 40.0),
        (0, 1.0, 40.0),
    ]
    assert chart("x", [], now).bars == []
