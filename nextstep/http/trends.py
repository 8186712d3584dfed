"""
/v1/trends/...: what the market asks for, month by month, and the postings behind every number.

An answer's ETag changes with the log's head, trends' offset and its version, and with nothing else;
answers of the state at hand are kept, because they can only be asked for again.

Source: issue 7 item 4, N-55.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from nextstep.errors import UsageError
from nextstep.http.routes import SERVICES
from nextstep.projections.io import trend_reads
from nextstep.projections.trend_answers import Answer, Asked
from nextstep.projections.trend_names import known_names, resolve
from nextstep.projections.trend_questions import asked_of, cell_of

Read = Callable[[Any, Asked], Awaitable[Answer]]
Handler = Callable[[web.Request], Awaitable[web.Response]]

#: Kind of question -> what answers it.
READS: dict[str, Read] = {
    "skills": trend_reads.skills,
    "roles": trend_reads.roles,
    "adjacent": trend_reads.adjacent,
    "salaries": trend_reads.salaries,
    "employers": trend_reads.employers,
    "coverage": trend_reads.covered_months,
}
#: What a query may say; anything else is refused, so that a typing error does not read as "all".
NAMES: dict[str, frozenset[str]] = {
    "skills": frozenset({"skill", "cluster", "country", "from", "to", "span", "limit", "verdict"}),
    "roles": frozenset({"title", "skill", "from", "to", "span", "limit", "verdict"}),
    "adjacent": frozenset({"title", "limit"}),
    "salaries": frozenset({"cluster", "country", "from", "to", "currency", "period"}),
    "employers": frozenset({"employer", "cluster", "limit"}),
    "coverage": frozenset({"source", "from", "to"}),
}
JOB_NAMES: dict[str, frozenset[str]] = {
    "skills": frozenset({"skill", "month", "from", "to", "cluster", "country", "after"}),
    "roles": frozenset({"title", "skill", "month", "from", "to", "after"}),
    "adjacent": frozenset({"title", "skill", "after"}),
    "salaries": frozenset(
        {"month", "from", "to", "cluster", "country", "currency", "period", "after"}
    ),
    "employers": frozenset({"employer", "cluster", "after"}),
    "coverage": frozenset({"source", "month", "from", "to", "after"}),
}
#: Answers kept, each a few to a few hundred KB.
_KEPT = 128


class Kept:
    """The latest answers of one state of the tables; the names of skills."""

    def __init__(self) -> None:
        self._state = ""
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._names: dict[str, str] = {}

    def get(self, state: str, question: str) -> bytes | None:
        if state != self._state:
            self._state = state
            self._bodies.clear()
        if question in self._bodies:
            self._bodies.move_to_end(question)
        return self._bodies.get(question)

    def put(self, state: str, question: str, body: bytes) -> None:
        if state == self._state:
            self._bodies[question] = body
            if len(self._bodies) > _KEPT:
                self._bodies.popitem(last=False)

    def names(self, request: web.Request) -> dict[str, str]:
        if not self._names:
            self._names = known_names(request.app[SERVICES].lexicon.taxonomies)
        return self._names


KEPT = web.AppKey("trends_kept", Kept)


def add_trend_routes(app: web.Application) -> None:
    """Add the routes."""
    app[KEPT] = Kept()
    for kind in READS:
        app.router.add_get(f"/v1/trends/{kind}", _answers(kind))
        app.router.add_get(f"/v1/trends/{kind}/jobs", _answers_jobs(kind))


def _answers(kind: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        values, skills = _read_query(request, NAMES[kind])
        if kind == "roles" and not values.get("title"):
            raise UsageError("title is missing", hint="/v1/trends/roles?title=Data%20Engineer")
        asked = asked_of(values, skills)
        return await _tagged(request, lambda connection: READS[kind](connection, asked))

    return handler


def _answers_jobs(kind: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        values, skills = _read_query(request, JOB_NAMES[kind])
        cell = cell_of(kind, values, skills)
        after = _uuid(values["after"]) if values.get("after") else None
        return await _tagged(request, lambda connection: trend_reads.jobs(connection, cell, after))

    return handler


async def _tagged(request: web.Request, answer: Callable[[Any], Awaitable[Any]]) -> web.Response:
    """Answer with an ETag, without a body to whoever has it."""
    kept = request.app[KEPT]
    question = request.path_qs
    async with request.app[SERVICES].connection() as connection:
        # Read first: a state that moves meanwhile makes the tag too old, never too new.
        _, _, state = await trend_reads.state(connection)
        headers = {"ETag": f'"{state}"', "Cache-Control": "no-cache"}
        if state in {tag.value for tag in request.if_none_match or ()}:
            return web.Response(status=304, headers=headers)
        body = kept.get(state, question)
        if body is None:
            body = msgspec.json.encode(await answer(connection))
            kept.put(state, question, body)
    return web.Response(body=body, content_type="application/json", headers=headers)


def _read_query(
    request: web.Request, known: frozenset[str]
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    unknown = sorted(set(request.query) - known)
    if unknown:
        raise UsageError(
            f"no parameter is called {unknown[0][:40]!r} here",
            hint=f"there are {', '.join(sorted(known))}",
        )
    skills = request.query.getall("skill", [])
    values = {name: request.query[name] for name in request.query if name != "skill"}
    if any(len(value) > 200 or "\x00" in value for value in (*values.values(), *skills)):
        raise UsageError("a value is longer than 200 characters, or holds NUL")
    return values, resolve(skills, request.app[KEPT].names(request)) if skills else ()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UsageError("after is not a job id", hint="it stands in the answer before") from error
