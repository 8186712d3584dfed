"""
The routes of version 1, a handler each.

Source: interface.md, issue 2 item 7.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep import clock
from nextstep.errors import NextStepError
from nextstep.events.io.offsets import status
from nextstep.events.stage import Stage
from nextstep.http.gate import Gate
from nextstep.http.jobs import read_duplicates, read_job
from nextstep.http.wire import Health, Ready
from nextstep.match.answer import Answer
from nextstep.match.io.board import LiveBoard
from nextstep.match.io.horizon import Horizon, read_horizon
from nextstep.match.io.search import search
from nextstep.match.io.service import (
    JobUnknown,
    find_similar,
    held_vectors,
    match,
    snapshot,
    stages_below_match,
)
from nextstep.match.profile import MAX_LIMIT, Profile, ProfileRefused, decode_profile
from nextstep.match.reading import Lexicon, Reading, read_profile
from nextstep.match.search import read_search
from nextstep.ops.sources import read_sources
from nextstep.settings import Settings

if TYPE_CHECKING:
    from nextstep.db.pools import AnyConnection, Pool

#: Seconds for which the versions of the stages are not looked up again.
_FINGERPRINT_AGE_S = 10.0

Encode = Callable[[list[str]], Awaitable[Any]]

#: Seconds a request waits for a connection before it is told to come again.
_ACQUIRE_TIMEOUT_S = 5.0


@dataclass
class Services:
    """
    What the handlers share for the life of the server.

    `horizon` is that of the last answer, `board` the open clusters, `gate` bounds who asks them.
    """

    settings: Settings
    pool: Pool
    encode: Encode
    lexicon: Lexicon
    stages: Sequence[Stage]
    pending: Callable[[], list[str]]
    is_warm: Callable[[], bool]
    horizon: Horizon | None = None
    board: LiveBoard = field(init=False)
    gate: Gate = field(init=False)

    _versioned: tuple[float, tuple[Stage, ...]] | None = None

    def __post_init__(self) -> None:
        self.board = LiveBoard(self.lexicon.soft, held_vectors(self.settings))
        self.gate = Gate(self.settings.http_concurrency, self.settings.http_waiting)

    async def warm(self, connection: AnyConnection) -> None:
        """Read the open clusters, so that the first request need not wait for them."""
        stages = stages_below_match(self.settings)
        async with snapshot(connection):
            self.horizon = await read_horizon(connection, stages)
            board = await self.board.at(connection, self.horizon)
        _ = board.words  # made here, and not while the first search waits

    async def versioned_stages(self) -> tuple[Stage, ...]:
        """
        Return the stages with their fingerprints as they were at most 10 s ago.

        A fingerprint reads all taxonomies, a quarter of a second that no request should wait for.
        """
        now = clock.monotonic_s()
        if self._versioned is None or now - self._versioned[0] > _FINGERPRINT_AGE_S:
            self._versioned = (now, await asyncio.to_thread(self._fingerprinted))
        return self._versioned[1]

    def _fingerprinted(self) -> tuple[Stage, ...]:
        return tuple(
            msgspec.structs.replace(stage, fingerprint=_constant(stage.fingerprint(self.settings)))
            if stage.fingerprint is not None
            else stage
            for stage in self.stages
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AnyConnection]:
        """Lend a connection of the pool."""
        async with self.pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
            yield connection


def _constant(text: str) -> Callable[[Settings], str]:
    return lambda _: text


SERVICES = web.AppKey("services", Services)
#: Milliseconds spent per part of the request at hand; sent as Server-Timing.
TIMINGS: ContextVar[dict[str, float]] = ContextVar("timings")


def add_routes(app: web.Application) -> None:
    """Add every route."""
    app.router.add_post("/v1/match", post_match)
    app.router.add_get("/v1/search", get_search)
    app.router.add_get("/v1/offsets", get_offsets)
    app.router.add_get("/v1/jobs/{job_id}", get_job)
    app.router.add_get("/v1/jobs/{job_id}/similar", get_similar)
    app.router.add_get("/v1/jobs/{job_id}/duplicates", get_duplicates)
    app.router.add_get("/healthz", get_health)
    app.router.add_get("/readyz", get_ready)


async def post_match(request: web.Request) -> web.Response:
    """Match a profile. D-10, N-51."""
    asked = decode_profile(await request.read())
    answer, _ = await ask(request.app[SERVICES], asked, match)
    with _timed("write"):
        return _json(answer)


async def get_search(request: web.Request) -> web.Response:
    """Open jobs for a few words. Issue 6 item 5."""
    asked = read_search({name: request.query.getall(name) for name in request.query})
    answer, _ = await ask(request.app[SERVICES], asked, search)
    with _timed("write"):
        return _json(answer)


async def ask(
    services: Services, asked: Profile, find: Callable[..., Awaitable[tuple[Answer, Horizon]]]
) -> tuple[Answer, Reading]:
    """
    Answer a profile: the one way of the API and of the pages.

    Args:
        find: `match` or `search`.

    Returns:
        The answer, and how the profile was read.

    Raises:
        Overloaded: too many requests wait already.
        NextStepError: as `find` and the encoder say.
    """
    async with services.gate.passed():
        with _timed("read"):
            reading = read_profile(asked, services.lexicon)
        with _timed("encode"):
            vector = (await services.encode([reading.query_text]))[0]
        with _timed("database"):
            async with services.connection() as connection:
                answer, services.horizon = await find(
                    connection,
                    reading,
                    vector,
                    lexicon=services.lexicon,
                    settings=services.settings,
                    known=services.horizon,
                    board=services.board,
                )
    return answer, reading


async def get_similar(request: web.Request) -> web.Response:
    """The open clusters nearest to a job. S-13."""
    services = request.app[SERVICES]
    job_id, k = _job_id(request), _whole(request, "k", 10, MAX_LIMIT)
    async with services.gate.passed():
        with _timed("database"):
            async with services.connection() as connection:
                answer, services.horizon = await find_similar(
                    connection,
                    job_id,
                    k,
                    services.settings,
                    known=services.horizon,
                    board=services.board,
                )
        return _json(answer)


async def get_job(request: web.Request) -> web.Response:
    """One posting with all that is known of it."""
    async with request.app[SERVICES].connection() as connection:
        return _json(await read_job(connection, _job_id(request)))


async def get_duplicates(request: web.Request) -> web.Response:
    """The other postings of a job's cluster."""
    async with request.app[SERVICES].connection() as connection:
        return _json(await read_duplicates(connection, _job_id(request)))


async def get_offsets(request: web.Request) -> web.Response:
    """Head, offsets and lag of every stage: the document of `nextstep status --json`."""
    services = request.app[SERVICES]
    stages = await services.versioned_stages()
    async with services.connection() as connection:
        found = await status(cast(Any, connection), services.settings, stages)
        return _json(found | {"sources": await read_sources(cast(Any, connection))})


async def get_health(request: web.Request) -> web.Response:
    """The process answers; nothing else is asked."""
    return _json(Health())


async def get_ready(request: web.Request) -> web.Response:
    """Database, migrations and model: 200 when all are there, else 503."""
    services = request.app[SERVICES]
    checks = {"model": "ok" if services.is_warm() else "not loaded yet"}
    try:
        async with services.connection() as connection:
            await connection.fetchval("SELECT 1")
        checks["database"] = "ok"
        waiting = await asyncio.to_thread(services.pending)
        checks["migrations"] = "ok" if not waiting else f"{len(waiting)} pending"
    except NextStepError as error:
        checks["database"] = error.message
    except Exception as error:  # whatever it is, we are not ready
        checks["database"] = type(error).__name__
    ready = len(checks) == 3 and all(value == "ok" for value in checks.values())
    return _json(Ready(ready, checks), status=200 if ready else 503)


class _timed:
    """Adds the time of a block to the request's timings."""

    def __init__(self, name: str) -> None:
        self._timings, self._name = TIMINGS.get(), name
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = clock.monotonic_s()

    def __exit__(self, *_: object) -> None:
        self._timings[self._name] = (clock.monotonic_s() - self._started) * 1000


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


def _job_id(request: web.Request) -> UUID:
    text = request.match_info["job_id"]
    try:
        return UUID(text)
    except ValueError as error:
        raise JobUnknown(
            "the path holds no job id", hint="a job id is a UUID, as in the answers of /v1/match"
        ) from error


def _whole(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
        return int(text)
    raise ProfileRefused(f"{name} is not a whole number from 1 to {most}")
