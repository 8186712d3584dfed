"""
Actions over HTTP: for programs as JSON under /v1, for people as the forms of the console.

Source: issue 8 items 1 and 5.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep import clock
from nextstep.errors import UsageError
from nextstep.http.access import by
from nextstep.http.routes import SERVICES
from nextstep.http.work import WORK
from nextstep.match.profile import ProfileRefused
from nextstep.ops import actions
from nextstep.ops.stages import choose

Why = Annotated[str, msgspec.Meta(max_length=500)]

#: Letters on one page, and in one answer.
MOST_SHOWN = 200


class StageAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a stage is paused or resumed."""

    why: Why = ""


class StageReset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a stage goes back to; `confirm` is its name, typed by whoever wants it."""

    to: Annotated[int, msgspec.Meta(ge=0)]
    confirm: str
    why: Why = ""


class LetterChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Parked letters to retry or discard: those of `job_ids`, else all that match.

    `expected` is the number that was looked at; where another matches by now, nothing is done.
    """

    stage: str | None = None
    error: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    job_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=1000)] | None = None
    expected: Annotated[int, msgspec.Meta(ge=0)] | None = None
    why: Why = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an action did; `moved` gives offsets as [before, after]."""

    action: str
    target: str
    count: int = 1
    moved: dict[str, tuple[int, int]] = {}


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A post that a stage could not handle: the fault and its place, never the post's text."""

    stage: str
    job_id: UUID
    position: int
    error: str
    detail: str
    attempts: int
    status: str
    first_at: Any
    last_at: Any


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Letters that match, MOST_SHOWN at most, and how many there are."""

    count: int
    letters: list[Letter]


class ActionLog(msgspec.Struct, frozen=True, kw_only=True):
    """The latest actions, newest first."""

    actions: list[actions.Action]


def add_action_routes(app: web.Application) -> None:
    """Add the routes for programs."""
    app.router.add_post("/v1/stages/{stage}/pause", post_pause)
    app.router.add_post("/v1/stages/{stage}/resume", post_resume)
    app.router.add_post("/v1/stages/{stage}/reset", post_reset)
    app.router.add_get("/v1/dead-letters", get_letters)
    app.router.add_post("/v1/dead-letters/retry", post_retry)
    app.router.add_post("/v1/dead-letters/discard", post_discard)
    app.router.add_get("/v1/actions", get_actions)


async def post_pause(request: web.Request) -> web.Response:
    """Stop a stage until it is resumed."""
    asked = await _body(request, StageAction)
    return _json(await act_on_stage(request, "pause", asked.why))


async def post_resume(request: web.Request) -> web.Response:
    """Let a paused or halted stage go on."""
    asked = await _body(request, StageAction)
    return _json(await act_on_stage(request, "resume", asked.why))


async def post_reset(request: web.Request) -> web.Response:
    """Rewind a stage and all that read from it."""
    return _json(await reset_stage(request, await _body(request, StageReset)))


async def get_letters(request: web.Request) -> web.Response:
    """Dead letters that match, with their count."""
    choice = choice_of(dict(request.query))
    async with request.app[SERVICES].connection() as connection:
        count = await actions.count_letters(connection, choice)
        found = await actions.letters(connection, choice, MOST_SHOWN)
    return _json(Letters(count=count, letters=[Letter(**letter) for letter in found]))


async def post_retry(request: web.Request) -> web.Response:
    """Let the whole line see the letters' jobs again."""
    return _json(await settle(request, "retry", await _body(request, LetterChoice)))


async def post_discard(request: web.Request) -> web.Response:
    """Give the letters up."""
    return _json(await settle(request, "discard", await _body(request, LetterChoice)))


async def get_actions(request: web.Request) -> web.Response:
    """What operators did."""
    async with request.app[SERVICES].connection() as connection:
        return _json(ActionLog(actions=await actions.action_log(connection, MOST_SHOWN)))


async def act_on_stage(request: web.Request, verb: str, why: str) -> Done:
    """Pause or resume the stage in the path."""
    stage = _stage(request)
    status = "paused" if verb == "pause" else "running"
    async with request.app[WORK].connection() as connection:
        await actions.set_status(connection, stage, status, by(request, why))
    return Done(action=verb, target=stage)


async def reset_stage(request: web.Request, asked: StageReset) -> Done:
    """
    Rewind the stage in the path.

    Raises:
        UsageError: its name was not typed, or the position lies beyond its offset.
    """
    stage = _stage(request)
    if asked.confirm.strip() != stage:
        raise UsageError(
            "the reset is not confirmed", hint=f"type the name of the stage to confirm: {stage}"
        )
    stages = request.app[SERVICES].stages
    async with request.app[WORK].connection() as connection:
        moved = await actions.reset(connection, stages, stage, asked.to, by(request, asked.why))
    return Done(action="reset", target=stage, count=len(moved), moved=moved)


async def settle(
    request: web.Request, verb: Literal["retry", "discard"], asked: LetterChoice
) -> Done:
    """Retry or discard the letters asked for."""
    choice = actions.Choice(
        stage=asked.stage or None,
        error=asked.error or None,
        job_ids=tuple(asked.job_ids) if asked.job_ids is not None else None,
    )
    async with request.app[WORK].connection() as connection:
        count = await actions.settle_letters(
            connection, verb, choice, by(request, asked.why), clock.now(), expected=asked.expected
        )
    return Done(action=verb, target=asked.stage or "every stage", count=count)


def choice_of(query: dict[str, str]) -> actions.Choice:
    """
    Return the filter of a list of letters, as its address says it.

    Raises:
        UsageError: a status is none.
    """
    status = query.get("status") or "parked"
    if status not in ("parked", "resolved", "discarded", "all"):
        raise UsageError("status is one of parked, resolved, discarded and all")
    return actions.Choice(
        stage=query.get("stage") or None,
        status=None if status == "all" else status,
        error=(query.get("error") or "")[:500].replace("\0", "") or None,
    )


async def _body(request: web.Request, kind: type[Any]) -> Any:
    body = await request.read()
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise ProfileRefused(f"the request is refused: {error}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("JSON is nested too deeply") from error


def _stage(request: web.Request) -> str:
    """The stage in the path; `embed` alone is the vector stage of whatever model."""
    return choose(request.app[SERVICES].stages, request.match_info["stage"])[0].name


def _json(body: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
