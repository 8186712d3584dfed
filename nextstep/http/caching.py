"""
Answers that need not be made or sent again: tags bound to the head, and gzip.

A tag is made of the address and of what every answer follows from: the log's head, and position,
version and epoch of every stage. So a reader who has the latest answer is told so by one small
query, and none is ever told so of an older one: the tag is read before the answer is.

Source: issue 8 item 4.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable

from aiohttp import ETag, web

from nextstep import __version__
from nextstep.http.routes import SERVICES

#: Reads that follow from the log and the stages alone.
_TAGGED = ("/v1/jobs/", "/v1/search")
_STATE = """
SELECT (SELECT coalesce(max(position), 0) FROM job_events)::text || ' ' ||
       coalesce((SELECT string_agg(concat_ws(' ', stage, position, version, epoch), ';'
                                   ORDER BY stage COLLATE "C") FROM stage_offsets), '')
"""
#: Bytes below which compression gains nothing.
_SMALL = 1000
_LEVEL = 1
_TEXTS = frozenset(
    {
        "application/json", "application/problem+json", "text/html", "text/css", "text/csv",
        "text/javascript", "text/plain", "image/svg+xml",
    }
)  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def tag(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give reads a tag, and 304 to whoever has it already."""
    if request.method not in ("GET", "HEAD") or not request.path.startswith(_TAGGED):
        return await handler(request)
    async with request.app[SERVICES].connection() as connection:
        state = await connection.fetchval(_STATE)
    value = hashlib.sha256(f"{__version__} {request.path_qs} {state}".encode()).hexdigest()[:32]
    known = request.if_none_match or ()
    if any(one.value in (value, "*") for one in known):
        response: web.StreamResponse = web.Response(status=304)
    else:
        response = await handler(request)
    if response.status in (200, 304):
        response.etag = ETag(value, is_weak=True)
        # To be asked for again each time, and never kept by a cache that others share.
        response.headers["Cache-Control"] = "private, no-cache"
    return response


def compress(request: web.Request, response: web.StreamResponse) -> None:
    """Send a text as gzip where the caller takes it."""
    if not isinstance(response, web.Response) or response.prepared:
        return
    if response.content_type not in _TEXTS or not isinstance(response.body, bytes):
        return
    response.headers["Vary"] = "Accept-Encoding"
    if len(response.body) >= _SMALL and "gzip" in request.headers.get("Accept-Encoding", ""):
        # Lightly: the library's own level takes twice as long, for a tenth fewer bytes.
        response.body = gzip.compress(response.body, compresslevel=_LEVEL, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
