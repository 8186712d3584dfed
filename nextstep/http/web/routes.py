"""Every page and form, and what they share for the life of the server."""

from __future__ import annotations

from aiohttp import web

from nextstep.http.routes import SERVICES
from nextstep.http.web import console, job, letters, login, match, rebuild, render
from nextstep.http.web.live import LIVE, Live, get_events
from nextstep.http.web.trends import add_trend_pages
from nextstep.ops.preview import Previews


def add_pages(app: web.Application, url: str) -> None:
    """Add the pages; `url` is the database that a rebuild is previewed in."""
    services = app[SERVICES]
    app[LIVE] = Live(lambda: console.read_status(services))
    app[console.SOURCES] = console.SourcesCache()
    app.on_shutdown.append(_end_watching)
    app[rebuild.PREVIEWS] = Previews(url, services.settings)
    app.on_shutdown.append(rebuild.end_previews)
    add = app.router
    add.add_get("/static/{name}", render.get_static)
    add.add_get("/", match.get_match)
    add.add_post("/", match.post_match_page)
    add.add_get("/search", match.get_search_page)
    add.add_get("/jobs/{job_id}", job.get_job_page)
    add_trend_pages(app)
    add.add_get("/api", job.get_api)
    add.add_get("/login", login.get_login)
    add.add_post("/login", login.post_login)
    add.add_post("/logout", login.post_logout)
    add.add_get("/console", console.get_console)
    add.add_get("/console/events", get_events)
    add.add_get("/console/stages/{stage}", console.get_stage)
    add.add_post("/console/stages/{stage}/{verb:pause|resume|reset}", console.post_stage)
    add.add_get("/console/dead-letters", console.get_dead_letters)
    add.add_post("/console/dead-letters/{verb:retry|discard}", console.post_dead_letters)
    add.add_get("/console/dead-letters/{stage}/{job_id}", letters.get_letter)
    add.add_get("/console/dead-letters/{stage}/{job_id}/payload", letters.get_payload)
    add.add_get("/console/rebuild", rebuild.get_rebuild)
    add.add_post("/console/rebuild/preview", rebuild.post_preview)
    add.add_get("/console/runs", console.get_runs)
    add.add_get("/console/sources", console.get_sources)
    add.add_get("/console/actions", console.get_action_log)


async def _end_watching(app: web.Application) -> None:
    # Before the server waits for its connections: these would never end by themselves.
    await app[LIVE].close()
