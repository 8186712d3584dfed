"""
The HTTP application and its server: loopback only, until a token exists.

Source: D-10, decisions.md 28, issue 2 items 7 and 8.
"""

from __future__ import annotations

import gc
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence

import anyio
from aiohttp import web

from nextstep import clock, logs
from nextstep.db import pools
from nextstep.db.migrate import pending, require_migrated
from nextstep.db.pools import Pool
from nextstep.errors import ServeError
from nextstep.events.stage import Stage
from nextstep.http import access, caching, problem
from nextstep.http.actions import add_action_routes
from nextstep.http.encoding import QueryEncoder
from nextstep.http.metrics import METRICS, Metrics, get_metrics
from nextstep.http.openapi import get_document
from nextstep.http.routes import SERVICES, TIMINGS, Encode, Services, add_routes
from nextstep.http.trends import add_trend_routes
from nextstep.http.web.render import problem_page, wants_page
from nextstep.http.web.routes import add_pages
from nextstep.http.work import WORK, Work
from nextstep.match.io.fitting import require_fitting
from nextstep.match.reading import make_lexicon
from nextstep.ops.stages import line_stages
from nextstep.processors.io.taxonomy_files import load_taxonomies
from nextstep.processors.shared.taxonomy import Taxonomies
from nextstep.settings import Settings

#: A profile with a long CV is 60 KB; nothing we read is larger than this.
MAX_BODY_BYTES = 1024 * 1024
#: Connections for readers; two cores answer no faster with more.
_POOL_SIZE = 4
#: Seconds that requests under way get after SIGTERM.
_DRAIN_S = 10.0

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PortTaken(ServeError):
    """Something else listens there."""

    exit_code = 3


def make_app(
    settings: Settings,
    pool: Pool,
    encode: Encode,
    taxonomies: Taxonomies,
    *,
    stages: Sequence[Stage] = (),
    url: str | None = None,
    is_warm: Callable[[], bool] = lambda: True,
) -> web.Application:
    """
    Return the application.

    Args:
        pool: connections of the role "api".
        encode: query texts -> unit vectors; runs elsewhere, so that this process needs no torch.
        stages: those whose offsets /v1/offsets shows; rows of others are shown as well.
        url: the database's URL, for the look at its migrations.
        is_warm: whether `encode` would answer at once.
    """
    database = url or settings.database_url
    app = web.Application(
        client_max_size=MAX_BODY_BYTES, middlewares=[_guard, access.check, caching.tag]
    )
    app[SERVICES] = Services(
        settings,
        pool,
        encode,
        make_lexicon(taxonomies),
        stages,
        (lambda: pending(database)) if database else list,
        is_warm,
    )
    app[access.ACCESS] = access.Access(
        app[SERVICES],
        rate_per_min=settings.http_rate_per_min,
        loopback=access.is_loopback(settings.http_host),
    )
    app[METRICS] = Metrics()
    app[WORK] = Work(database or "", settings)
    add_routes(app)
    add_trend_routes(app)
    add_action_routes(app)
    app.router.add_get("/metrics", get_metrics)
    app.router.add_get("/v1/openapi.json", get_document)
    add_pages(app, database or "")
    return app


async def serve(
    settings: Settings,
    url: str,
    *,
    stop: anyio.Event | None = None,
    on_ready: Callable[[str], None] | None = None,
    stages: Sequence[Stage] | None = None,
) -> None:
    """
    Serve until `stop` is set, then let the requests under way end.

    Args:
        url: the database.
        on_ready: called with the server's base URL once the model is warm and the port is open.
        stages: as in `make_app`; None takes those of the line.

    Raises:
        UsageError: the host is not a loopback address, and no token exists.
        PortTaken: another program listens there.
        MigrationError, Unreachable, ModelError: what the server needs is not there.
    """
    await anyio.to_thread.run_sync(require_migrated, url)
    encoder = QueryEncoder(settings)
    warmed = anyio.Event()  # the clusters are read: who asks before waits for seconds
    pool = await pools.create_pool(url, "api", settings, max_size=_POOL_SIZE)
    try:
        async with pool.acquire() as connection:
            await access.require_tokens(connection, settings.http_host)
        taxonomies = await anyio.to_thread.run_sync(load_taxonomies, settings.taxonomies)
        app = make_app(
            settings,
            pool,
            encoder.encode,
            taxonomies,
            stages=line_stages(settings) if stages is None else stages,
            url=url,
            is_warm=lambda: encoder.is_warm and warmed.is_set(),
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            address = await _listen(runner, settings)
            await encoder.start()
            dim = (await encoder.encode(["ready"])).shape[1]
            async with pool.acquire() as connection:
                await require_fitting(connection, settings, dim)
                await app[SERVICES].warm(connection)
            _settle_heap()
            warmed.set()
            if on_ready is not None:
                on_ready(address)
            await (stop or anyio.Event()).wait()
        finally:
            await runner.cleanup()
    finally:
        await encoder.close()
        await pool.close()


def _settle_heap() -> None:
    """
    Leave what was loaded for good out of the garbage collector's full rounds.

    Taxonomies and the open clusters are millions of objects; a round over them took 65 ms at 10,000
    posts, once in some sixteen requests, which no page has to spare. What is replaced later is
    freed all the same, by its reference counts.
    """
    gc.collect()
    gc.freeze()


async def _listen(runner: web.AppRunner, settings: Settings) -> str:
    site = web.TCPSite(runner, settings.http_host, settings.http_port, shutdown_timeout=_DRAIN_S)
    try:
        await site.start()
    except OSError as error:
        raise PortTaken(
            f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}",
            hint="stop the other program, or choose another port: nextstep serve --port 8081",
        ) from error
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every request an id, times, safe headers, and an answer in our shape."""
    started = clock.monotonic_s()
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    spent: dict[str, float] = {}
    TIMINGS.set(spent)
    request[problem.REQUEST_ID] = request_id
    response = await _answer(request, handler, request_id)
    total_ms = (clock.monotonic_s() - started) * 1000
    timings = {**spent, "total": total_ms}
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)  # a page says for itself what it may load
    response.headers["X-Request-Id"] = request_id
    response.headers["Server-Timing"] = ", ".join(
        f"{name};dur={ms:.1f}" for name, ms in timings.items()
    )
    # The route's pattern, never its values or the body: logs hold no payload.
    resource = request.match_info.route.resource
    route = resource.canonical if resource else ""
    request.app[METRICS].observe(request.method, route, response.status, total_ms / 1000)
    caching.compress(request, response)
    logs.get("http").info(
        "request",
        method=request.method,
        route=route,
        status=response.status,
        duration_ms=round(total_ms, 1),
        request_id=request_id,
    )
    return response


async def _answer(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        answer = _shown(request, problem.from_status(error, request_id))
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except Exception as error:
        found = problem.from_error(error, request_id)
        if found.status >= 500:
            logs.get("http").error(
                "failed", request_id=request_id, error=type(error).__name__, status=found.status
            )
        return _shown(request, found)


def _shown(request: web.Request, found: problem.Problem) -> web.Response:
    """The same error, for a program or for a person."""
    return problem_page(request, found) if wants_page(request) else problem.response(found)
