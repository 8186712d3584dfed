"""
The operators' console: the line's state, its letters, runs, sources, and what was done to it.

Source: issue 8 item 1.
"""

from __future__ import annotations

from typing import Any, Literal, cast
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep import clock
from nextstep.errors import UsageError
from nextstep.events.io.offsets import downstream, status
from nextstep.http.actions import (
    MOST_SHOWN,
    LetterChoice,
    StageReset,
    act_on_stage,
    choice_of,
    reset_stage,
    settle,
)
from nextstep.http.routes import SERVICES, Services
from nextstep.http.web import reads
from nextstep.http.web.render import back, page
from nextstep.ops import actions
from nextstep.ops.stages import choose

#: Seconds for which the sources' figures are shown again: they read every post.
_SOURCES_AGE_S = 60.0


class SourcesCache:
    """Figures of the sources, read at most once a minute."""

    def __init__(self) -> None:
        self._kept: tuple[float, dict[str, Any]] | None = None

    async def read(self, services: Services) -> dict[str, Any]:
        """Return the figures, at most a minute old."""
        now = clock.monotonic_s()
        if self._kept is None or now - self._kept[0] > _SOURCES_AGE_S:
            async with services.connection() as connection:
                self._kept = (now, await reads.sources(connection))
        return self._kept[1]


SOURCES = web.AppKey("sources", SourcesCache)


async def read_status(services: Services) -> dict[str, Any]:
    """Return the status document of interface.md."""
    stages = await services.versioned_stages()
    async with services.connection() as connection:
        return await status(cast(Any, connection), services.settings, stages)


async def get_console(request: web.Request) -> web.Response:
    """Every stage, live; the chart; what was done last."""
    services = request.app[SERVICES]
    found = await read_status(services)
    names = [stage["stage"] for stage in found["stages"]]
    async with services.connection() as connection:
        charts = await reads.charts(connection, names, clock.now())
        log = await actions.action_log(connection, 10)
        runs = await reads.runs(connection, None, 8)
    return page(
        request,
        "console.html",
        status=found,
        charts=charts,
        log=log,
        runs=runs,
        said=_said(request),
        hours=int(reads.CHART_SPAN.total_seconds() // 3600),
    )


async def get_stage(request: web.Request) -> web.Response:
    """One stage: its runs, and a reset looked at before it is done."""
    services = request.app[SERVICES]
    name = choose(services.stages, request.match_info["stage"])[0].name
    found = {stage["stage"]: stage for stage in (await read_status(services))["stages"]}
    to = _position(request)
    moved = []
    if to is not None:
        moved = [
            (each.name, found[each.name]["offset"], min(to, found[each.name]["offset"]))
            for each in downstream(services.stages, name)
        ]
    async with services.connection() as connection:
        runs = await reads.runs(connection, name, 30)
    return page(
        request,
        "stage.html",
        stage=found[name],
        to=to,
        moved=moved,
        is_ahead=to is not None and to > found[name]["offset"],
        runs=runs,
        said=_said(request),
    )


async def post_stage(request: web.Request) -> web.Response:
    """Pause, resume or reset a stage."""
    form = await request.post()
    verb, stage = request.match_info["verb"], request.match_info["stage"]
    why = _text(form, "why")
    if verb == "reset":
        asked = StageReset(to=_whole(_text(form, "to")), confirm=_text(form, "confirm"), why=why)
        done = await reset_stage(request, asked)
        moved = ", ".join(f"{name} {b:,} → {a:,}" for name, (b, a) in done.moved.items())
        return back(f"/console/stages/{stage}", said=f"reset: {moved}")
    await act_on_stage(request, verb, why)
    return back("/console", said=f"{stage} {'is paused' if verb == 'pause' else 'may go on'}")


async def get_dead_letters(request: web.Request) -> web.Response:
    """Letters that match a filter, with the count that an action on all of them would take."""
    services = request.app[SERVICES]
    choice = choice_of(dict(request.query))
    async with services.connection() as connection:
        count = await actions.count_letters(connection, choice)
        parked = await actions.count_letters(
            connection, msgspec.structs.replace(choice, status="parked")
        )
        letters = await actions.letters(connection, choice, MOST_SHOWN)
    return page(
        request,
        "letters.html",
        choice=choice,
        count=count,
        parked=parked,
        letters=letters,
        most=MOST_SHOWN,
        stages=[stage.name for stage in services.stages],
        said=_said(request),
    )


async def post_dead_letters(request: web.Request) -> web.Response:
    """Retry or discard one letter, the chosen ones, or all that match."""
    form = await request.post()
    verb = cast(Literal["retry", "discard"], request.match_info["verb"])
    everything = _text(form, "reach") == "all"
    jobs = [_uuid(str(text)) for text in form.getall("job", [])]
    if not everything and not jobs:
        raise UsageError("no letter is chosen", hint="tick some, or act on all that match")
    asked = LetterChoice(
        stage=_text(form, "stage") or None,
        error=_text(form, "error") or None,
        job_ids=None if everything else jobs,
        expected=_whole(_text(form, "expected")) if everything else None,
        why=_text(form, "why"),
    )
    done = await settle(request, verb, asked)
    word = "requeued" if verb == "retry" else "discarded"
    return back("/console/dead-letters", said=f"{done.count} {word}")


async def get_runs(request: web.Request) -> web.Response:
    """What every stage did, run by run."""
    services = request.app[SERVICES]
    stage = request.query.get("stage") or None
    async with services.connection() as connection:
        runs = await reads.runs(connection, stage, MOST_SHOWN)
    names = [one.name for one in services.stages]
    return page(request, "runs.html", runs=runs, stage=stage or "", stages=names)


async def get_sources(request: web.Request) -> web.Response:
    """Sources with fill rates and coverage, files, and rejected rows."""
    found = await request.app[SOURCES].read(request.app[SERVICES])
    return page(request, "sources.html", **found)


async def get_action_log(request: web.Request) -> web.Response:
    """Who did what, when, and what it changed."""
    async with request.app[SERVICES].connection() as connection:
        log = await actions.action_log(connection, MOST_SHOWN)
    return page(request, "actions.html", log=log)


def _said(request: web.Request) -> str:
    return request.query.get("said", "")[:300]


def _text(form: Any, name: str) -> str:
    # PostgreSQL holds no NUL, and a field of a form may be a file.
    value = form.get(name, "")
    return value.replace("\0", "").strip()[:500] if isinstance(value, str) else ""


def _position(request: web.Request) -> int | None:
    text = request.query.get("to", "")
    return _whole(text) if text else None


def _whole(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise UsageError(f"{text[:40]!r} is not a whole number from 0 on")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no job id") from error
