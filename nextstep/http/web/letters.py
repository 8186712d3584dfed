"""
One dead letter in full: the post as the log has it, the error, and the place where it failed.

A letter itself holds no text of a post; what is shown is read from the log, as it was at the
letter's position. A post that was erased is gone there, too.

Source: issue 8 item 1.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep.events import kinds
from nextstep.http.routes import SERVICES
from nextstep.http.web.render import page
from nextstep.ops.actions import LetterUnknown

#: Characters of a payload that a page shows; the rest is in the file.
_MOST_CHARS = 20_000
#: Characters of a field from which on it is a long one.
_LONG = 500
_LETTER = """
SELECT stage, job_id, position, error, detail, attempts, status, first_at, last_at
  FROM dead_letters
 WHERE stage = $1 AND job_id = $2
"""
# A later stage is parked at the position of its own input, which may be that of another post's
# event (a cluster that was restamped): the post is the latest at or before it.
_POST = """
SELECT position, version, kind, schema_version, occurred_at, payload
  FROM job_events
 WHERE job_id = $1 AND position <= $2 AND (kind = ANY ($3) OR kind = 'job.erased')
 ORDER BY version DESC
 LIMIT 1
"""
_JOB = "SELECT title, company, status FROM jobs_normalized WHERE job_id = $1"


async def get_letter(request: web.Request) -> web.Response:
    """A letter's payload, error and trace."""
    letter, post = await _read(request)
    text = _written(_short_first(post["payload"])) if post else ""
    async with request.app[SERVICES].connection() as connection:
        job = await connection.fetchrow(_JOB, letter["job_id"])
    return page(
        request,
        "letter.html",
        letter=letter,
        post=post,
        job=dict(job) if job else None,
        payload=text[:_MOST_CHARS],
        cut=max(0, len(text) - _MOST_CHARS),
        size=len(text.encode("utf-8", "replace")),
    )


async def get_payload(request: web.Request) -> web.Response:
    """The whole payload as a file: never shown by a browser, whatever stands in it."""
    letter, post = await _read(request)
    if post is None:
        raise LetterUnknown("the log has no post of this letter")
    return web.Response(
        body=_written(post["payload"]).encode("utf-8", "replace"),
        content_type="application/json",
        headers={
            "Content-Disposition": (
                f'attachment; filename="{letter["job_id"]}-{post["position"]}.json"'
            )
        },
    )


async def _read(request: web.Request) -> tuple[dict[str, Any], dict[str, Any] | None]:
    stage, text = request.match_info["stage"], request.match_info["job_id"]
    try:
        job_id = UUID(text)
    except ValueError as error:
        raise LetterUnknown("the path holds no job id", hint="a job id is a UUID") from error
    async with request.app[SERVICES].connection() as connection:
        letter = await connection.fetchrow(_LETTER, stage.replace("\0", ""), job_id)
        if letter is None:
            raise LetterUnknown(
                f"no letter of job {job_id} at {stage[:40]}", hint="see /console/dead-letters"
            )
        post = await connection.fetchrow(_POST, job_id, letter["position"], sorted(kinds.CONTENT))
    return dict(letter), dict(post) if post else None


def _short_first(payload: Any) -> Any:
    """The same post with its long fields last, so that a cut takes none of the short ones."""
    if not isinstance(payload, dict):
        return payload
    return dict(sorted(payload.items(), key=lambda pair: (len(str(pair[1])) > _LONG, pair[0])))


def _written(payload: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(payload), indent=2).decode()
