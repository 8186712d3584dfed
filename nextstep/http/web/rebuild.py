"""
The rebuild preview: what would change in the tables, asked for here, worked out beside the server.

Source: issue 8 item 1.
"""

from __future__ import annotations

from aiohttp import web

from nextstep.http.access import by
from nextstep.http.routes import SERVICES
from nextstep.http.web.render import back, page
from nextstep.http.work import WORK
from nextstep.ops import actions
from nextstep.ops.preview import Previews
from nextstep.ops.stages import choose

PREVIEWS = web.AppKey("previews", Previews)


async def get_rebuild(request: web.Request) -> web.Response:
    """The form, and the latest preview."""
    return page(
        request,
        "rebuild.html",
        stages=[stage.name for stage in request.app[SERVICES].stages],
        latest=request.app[PREVIEWS].latest,
        asked=request.query.get("stage", ""),
    )


async def post_preview(request: web.Request) -> web.Response:
    """Begin a preview; the action log says who did."""
    form = await request.post()
    stage = choose(request.app[SERVICES].stages, str(form.get("stage", "")))[0].name
    who = by(request)
    with_vectors = bool(form.get("vectors"))
    request.app[PREVIEWS].start(stage, with_vectors=with_vectors, actor=who.actor)
    async with request.app[WORK].connection() as connection:
        await actions.note(connection, "rebuild preview", stage, who)
    return back("/console/rebuild")


async def end_previews(app: web.Application) -> None:
    """End the preview at work; the command drops its shadow."""
    await app[PREVIEWS].close()
